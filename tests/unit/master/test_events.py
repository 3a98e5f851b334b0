"""Callbacks and streams of events."""

from __future__ import annotations

import pytest

from sightline.errors import ConfigError
from sightline.master import Master
from sightline.master.events import Events
from sightline.sessions.roster import Happening, Viewer, ViewerEvent


def joined(name: str) -> ViewerEvent:
    return ViewerEvent(Happening.JOINED, Viewer(client_id=name))


async def test_every_stream_gets_every_event_until_it_is_closed() -> None:
    events = Events({})
    one, two = events.stream(), events.stream()
    events.publish([joined("a")])
    two.close()
    events.publish([joined("b")])
    events.close()
    events.close()
    assert [event.viewer.client_id async for event in one] == ["a", "b"]
    assert [event.viewer.client_id async for event in two] == ["a"]
    assert [event async for event in two] == []


def test_an_async_callback_is_refused_and_not_forgotten() -> None:
    async def greet(viewer: Viewer) -> None:
        raise AssertionError

    for name in ("on_viewer_joined", "on_viewer_left", "on_viewer_changed", "on_message", "on_request"):
        with pytest.raises(ConfigError, match=f"{name} is an async function"):
            Master("demo", source="test", **{name: greet})  # type: ignore[arg-type]


async def test_a_slow_reader_misses_the_oldest() -> None:
    events = Events({})
    async with events.stream() as stream:
        for number in range(1030):
            events.publish([joined(str(number))])
        assert stream.missed == 6
        assert (await anext(stream)).viewer.client_id == "6"


async def test_a_callbacks_own_error_harms_nobody() -> None:
    told: list[str] = []

    def careless(viewer: Viewer) -> None:
        told.append(viewer.client_id)
        raise RuntimeError("a mistake")

    events = Events({Happening.JOINED: careless, Happening.LEFT: None})
    events.publish([joined("a"), ViewerEvent(Happening.LEFT, Viewer(client_id="a")), joined("b")])
    assert told == ["a", "b"]

"""A viewer's commands: waited for, refused, lost; never sent twice."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from sightline import CommandFailed, Viewer
from sightline.errors import ConfigError
from sightline.rtc.datachannel import DataRequest
from sightline.sessions.viewer import RetryOnce
from sightline.viewer.commands import Commands
from tests.unit.rtc.datachannel.pair import End, connected
from tests.unit.viewer.camera import Camera

pytestmark = pytest.mark.realtime

LABEL = "sightline/commands"


class Device:
    """The other end: notes what comes, and answers as the test says."""

    def __init__(self, end: End, *, answers: bool = True) -> None:
        self.requests: list[object] = []
        self.came = asyncio.Event()
        self._answers = answers
        end.channels.answer_on(LABEL, self._take)

    def _take(self, request: DataRequest) -> None:
        self.requests.append(request.value)
        self.came.set()
        if self._answers:
            request.reply({"done": request.value})


@asynccontextmanager
async def sender(*, answers: bool = True) -> AsyncIterator[tuple[Commands, Device, End]]:
    async with connected() as (client, server):
        commands = Commands(wanted=True)
        commands.begin()
        yield commands, Device(server, answers=answers), client


async def failing(work: Any) -> str:
    with pytest.raises(CommandFailed) as caught:
        await work
    assert str(caught.value)
    return caught.value.reason


async def test_it_waits_for_the_connection_and_is_answered() -> None:
    async with sender() as (commands, device, end):
        sending = asyncio.ensure_future(commands.send("ptz", {"pan": 10}, timeout=30))
        await asyncio.sleep(0)
        end.channels.open(LABEL)
        commands.connected(end.channels)
        assert await sending == {"done": {"command": "ptz", "value": {"pan": 10}}}
        assert await commands.send("ptz", None, timeout=30) == {"done": {"command": "ptz", "value": None}}
        assert len(device.requests) == 2


async def test_without_a_connection_it_is_not_sent() -> None:
    async with sender() as (commands, device, _):
        assert await failing(commands.send("ptz", None, timeout=0.01)) == "not-connected"
        commands.end("There is no camera.")
        with pytest.raises(CommandFailed, match=r"There is no camera\."):
            await commands.send("ptz", None, timeout=30)
        assert device.requests == []


async def test_one_that_is_under_way_when_the_connection_is_lost_fails_and_is_not_sent_again() -> None:
    async with sender(answers=False) as (commands, device, end):
        end.channels.open(LABEL)
        commands.connected(end.channels)
        sending = asyncio.ensure_future(commands.send("ptz", None, timeout=30))
        await asyncio.wait_for(device.came.wait(), 30)
        commands.lost()
        assert await failing(sending) == "connection-lost"
        async with connected() as (client, server):
            again = Device(server)
            commands.begin()
            client.channels.open(LABEL)
            commands.connected(client.channels)
            assert await commands.send("light", None, timeout=30) == {"done": {"command": "light", "value": None}}
            assert again.requests == [{"command": "light", "value": None}]


async def test_a_camera_that_does_not_answer() -> None:
    async with sender(answers=False) as (commands, _, end):
        end.channels.open(LABEL)
        commands.connected(end.channels)
        await asyncio.wait_for(commands._open.wait(), 30)
        assert await failing(commands.send("ptz", None, timeout=0.05)) == "no-answer"


async def test_what_the_camera_says_against_it() -> None:
    async with connected() as (client, server):
        server.channels.answer_on(LABEL, lambda request: request.refuse("Ask for a link.", "not-allowed") or None)
        commands = Commands(wanted=True)
        commands.begin()
        client.channels.open(LABEL)
        commands.connected(client.channels)
        with pytest.raises(CommandFailed, match=r"Ask for a link\.") as caught:
            await commands.send("ptz", None, timeout=30)
        assert caught.value.reason == "not-allowed"


@pytest.mark.parametrize("value", [object(), {1j: 2}, {"nested": [object()]}])
async def test_what_is_no_json_is_not_sent(value: Any) -> None:
    async with sender() as (commands, device, _):
        assert await failing(commands.send("ptz", value, timeout=30)) == "bad-request"
        assert device.requests == []


async def test_what_is_too_long_is_not_sent() -> None:
    async with sender() as (commands, device, end):
        end.channels.open(LABEL)
        commands.connected(end.channels)
        assert await failing(commands.send("ptz", "x" * 2_000_000, timeout=30)) == "not-sent"
        assert device.requests == []


async def test_a_viewer_that_was_made_without_commands_says_so() -> None:
    viewer = Viewer("porch", session_provider=lambda client_id: None)  # type: ignore[arg-type, return-value]
    with pytest.raises(ConfigError, match="commands=True"):
        await viewer.command("ptz")


async def test_a_viewer_may_be_for_commands_alone() -> None:
    Viewer("porch", session_provider=lambda _: None, video=False, audio=False, commands=True)  # type: ignore[arg-type, return-value]


async def test_who_asks_for_no_picture_is_content_with_the_connection() -> None:
    async with (
        Camera() as camera,
        camera.viewer(video=False, audio=False, commands=True, policy=RetryOnce(retries=0)) as viewer,
    ):
        await camera.connect()
        await asyncio.wait_for(viewer.wait_watching(), 30)
        assert await viewer.command("ptz", {"pan": 10}, timeout=30) == {
            "asked": {"command": "ptz", "value": {"pan": 10}}
        }

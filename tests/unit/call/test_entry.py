"""Links to rooms, taken apart."""

from __future__ import annotations

import pytest

from sightline.call import Call
from sightline.call.entry import CallLink, KeyedEntry, RoomSession, read_call_link
from sightline.errors import ConfigError
from sightline.wire.lobby import LobbyRefusal


def test_a_link_in_its_parts() -> None:
    link = read_call_link(" https://cam.example:8443/call?room=family#TOKEN ")
    assert link == CallLink("https://cam.example:8443", "family", "TOKEN")
    assert read_call_link("http://localhost:8080/call/", "den") == CallLink("http://localhost:8080", "den", "")
    assert read_call_link("https://cam.example/sub/call?room=a#T", "a") == CallLink("https://cam.example/sub", "a", "T")


@pytest.mark.parametrize(
    "text",
    ["", "family", "ftp://cam.example/call", "https://cam.example/view/porch#T", "https:///call", "/call?room=x"],
)
def test_what_is_no_link(text: str) -> None:
    with pytest.raises(ConfigError, match="no link to a room"):
        read_call_link(text)


def test_a_link_to_another_room_or_to_none() -> None:
    with pytest.raises(ConfigError, match="'family', and not to 'den'"):
        read_call_link("https://cam.example/call?room=family#T", "den")
    with pytest.raises(ConfigError, match="no name of a room"):
        read_call_link("https://cam.example/call?room=a%20b#T")
    with pytest.raises(ConfigError, match="no name of a room"):
        KeyedEntry("a/b")


def test_the_token_is_not_shown() -> None:
    assert "SECRET" not in repr(read_call_link("https://cam.example/call?room=family#SECRET"))
    assert "SECRET" not in repr(RoomSession("ws://h/lobby?token=SECRET", "family"))
    with pytest.raises(ConfigError) as caught:
        read_call_link("https://cam.example/watch#SECRET")
    assert "SECRET" not in str(caught.value)


async def test_wrong_arguments_are_told_before_anything_is_sent() -> None:
    with pytest.raises(LobbyRefusal, match="letters, digits"):
        Call("<b>Ann</b>")
    with pytest.raises(ConfigError):
        Call("Ann", link="https://cam.example/view/porch#T")
    with pytest.raises(ConfigError):
        Call("Ann", room="no such room!")
    with pytest.raises(ConfigError):
        Call("Ann", speaker="")

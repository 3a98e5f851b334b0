"""Which addresses of STUN and TURN servers can be used, as KVS, coturn and browsers write them."""

from __future__ import annotations

import logging

import pytest

from sightline.rtc.ice.servers import StunServer, TurnServer, parse_servers
from tests.unit.rtc.ice.peers import Server


def parse(*urls: str, username: str | None = "u", credential: str | None = "c") -> list[StunServer | TurnServer]:
    stun, turn = parse_servers([Server(urls, username, credential)])
    return [*stun, *turn]


@pytest.mark.parametrize(
    ("url", "server"),
    [
        ("stun:stun.example", StunServer("stun.example", 3478)),
        ("STUN:stun.example:443", StunServer("stun.example", 443)),
        ("stun:[2001:db8::1]:99", StunServer("2001:db8::1", 99)),
        ("turn:turn.example", TurnServer("turn.example", 3478, "udp", "u", "c")),
        ("turn:turn.example:443?transport=udp", TurnServer("turn.example", 443, "udp", "u", "c")),
        ("turn:192.0.2.1?transport=tcp", TurnServer("192.0.2.1", 3478, "tcp", "u", "c")),
        ("turns:turn.example?transport=tcp", TurnServer("turn.example", 5349, "tls", "u", "c")),
        ("turns:turn.example:443", TurnServer("turn.example", 443, "tls", "u", "c")),
    ],
)
def test_usable(url: str, server: StunServer | TurnServer) -> None:
    assert parse(url) == [server]


@pytest.mark.parametrize(
    "url",
    [
        *("", "turn:", "http://turn.example", "turn:turn.example:0", "turn:turn.example:70000", "stuns:stun.example"),
        *("turns:turn.example?transport=udp", "turn:turn.example?transport=sctp", "turn:a b", "turn:x\n"),
    ],
)
def test_of_no_use(url: str) -> None:
    assert parse(url.replace("\n", " y")) == []


def test_turn_needs_credentials() -> None:
    assert parse("turn:turn.example", username=None) == []
    assert parse("turn:turn.example", credential="") == []


def test_each_server_once_and_no_more_than_sixteen() -> None:
    assert len(parse("stun:a.example", "stun:a.example")) == 1
    assert len(parse(*(f"stun:s{number}.example" for number in range(40)))) == 16


def test_no_secret_is_shown(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        servers = parse("turn:turn.example", "turns:turn.example?transport=udp", credential="hush")
    assert "hush" not in repr(servers) + caplog.text
    assert "turns:turn.example" in caplog.text

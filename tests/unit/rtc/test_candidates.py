"""Which candidates are worth a check."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sightline.rtc.candidates import candidate_ufrag, parse_candidate

CHROME = (
    "candidate:842163049 1 udp 1677729535 203.0.113.7 46154 typ srflx raddr 0.0.0.0 rport 0 generation 0 ufrag Ab+/"
)


def test_a_browsers_candidate() -> None:
    candidate = parse_candidate(CHROME)
    assert candidate is not None
    assert (candidate.address, candidate.port, candidate.type) == ("203.0.113.7", 46154, "srflx")
    assert candidate.priority == 1677729535


@pytest.mark.parametrize(
    "text",
    [
        "candidate:1 1 UDP 1 2001:db8::7 5000 typ host",
        "a=candidate:1 1 udp 1 192.0.2.1 5000 typ relay raddr 192.0.2.2 rport 9",
        "candidate:1 1 udp 1 192.0.2.1 5000 typ prflx",
    ],
)
def test_usable(text: str) -> None:
    assert parse_candidate(text) is not None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "candidate:",
        "candidate:1 1 tcp 1518280447 192.0.2.1 9 typ host tcptype active",
        "candidate:1 2 udp 1 192.0.2.1 5000 typ host",
        "candidate:1 1 udp 1 0a1b2c3d-0000-4000-8000-0123456789ab.local 5000 typ host",
        "candidate:1 1 udp 1 192.0.2.1 0 typ host",
        "candidate:1 1 udp 1 192.0.2.1 65536 typ host",
        "candidate:1 1 udp 1 224.0.0.1 5000 typ host",
        "candidate:1 1 udp 1 0.0.0.0 5000 typ host",
        "candidate:1 1 udp 1 somewhere.example 5000 typ host",
        "candidate:1 1 udp 99999999999 192.0.2.1 5000 typ host",
        "candidate:1 1 udp 1 192.0.2.1 5000 typ magic",
    ],
)
def test_of_no_use(text: str) -> None:
    assert parse_candidate(text) is None


@settings(max_examples=40)
@given(st.text() | st.from_regex(r"candidate:\S+ \d+ \w+ \d+ \S+ \d+ typ \w+"))
def test_nothing_raises(text: str) -> None:
    parse_candidate(text)


def test_generation() -> None:
    assert candidate_ufrag({"candidate": CHROME}) == "Ab+/"
    assert candidate_ufrag({"candidate": CHROME, "usernameFragment": "XYZ1"}) == "XYZ1"
    assert candidate_ufrag({"candidate": "candidate:1", "usernameFragment": None}) is None
    assert candidate_ufrag({"candidate": 7}) is None

"""Candidates that overtook their offer."""

from __future__ import annotations

from sightline.sessions.early_candidates import EarlyCandidates


def test_they_are_given_once_in_order() -> None:
    early = EarlyCandidates()
    early.keep("a", {"candidate": "1"}, now=0)
    early.keep("b", {"candidate": "2"}, now=0)
    early.keep("a", {"candidate": "3"}, now=1)
    assert early.take("a", now=2) == [{"candidate": "1"}, {"candidate": "3"}]
    assert early.take("a", now=2) == []
    assert early.take("b", now=2) == [{"candidate": "2"}]


def test_they_are_forgotten_after_a_minute() -> None:
    early = EarlyCandidates()
    early.keep("a", {"candidate": "old"}, now=0)
    early.keep("a", {"candidate": "new"}, now=30)
    assert early.take("a", now=61) == [{"candidate": "new"}]


def test_a_flood_has_limits() -> None:
    early = EarlyCandidates()
    for number in range(1000):
        early.keep("one", {"candidate": str(number)}, now=0)
        early.keep(f"many-{number}", {}, now=0)
    assert len(early.take("one", now=0)) == 64
    assert early.take("many-0", now=0) == [], "the client that was quiet for the longest time is forgotten"
    assert early.take("many-999", now=0) == [{}]

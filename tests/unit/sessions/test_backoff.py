"""How long a client waits before it connects again."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sightline.sessions.backoff import Backoff


def test_the_bound_doubles_to_ten_seconds() -> None:
    backoff = Backoff()
    assert [backoff.lost(0, roll=1.0) for _ in range(9)] == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10, 10]


@given(st.lists(st.floats(0, 1, exclude_max=True), min_size=1, max_size=2000))
def test_it_is_never_over_the_longest_nor_negative(rolls: list[float]) -> None:
    backoff = Backoff(longest=7)
    assert all(0 <= backoff.lost(0, roll=roll) <= 7 for roll in rolls)


def test_chance_spreads_it_over_the_whole_range() -> None:
    backoff = Backoff(first=1)
    assert backoff.lost(0, roll=0.0) == 0
    assert backoff.lost(0, roll=0.5) == 1


def test_a_good_connection_begins_anew() -> None:
    backoff = Backoff()
    for _ in range(6):
        backoff.lost(0, roll=1)
    backoff.opened(100)
    assert backoff.lost(110, roll=1) == 0.1


def test_one_that_is_closed_at_once_does_not() -> None:
    backoff = Backoff()
    for _ in range(3):
        backoff.lost(0, roll=1)
    backoff.opened(100)
    assert backoff.lost(101, roll=1) == 0.8
    assert backoff.lost(200, roll=1) == 1.6, "only open connections get old"

"""Which pair is asked when, with a fake clock."""

from __future__ import annotations

import msgspec
import pytest

from sightline.rtc.ice.liveness import due_checks


class FakePulse(msgspec.Struct, eq=False):
    heard: float
    asked: float
    closed: bool = False
    rtt: float | None = None


def simulate(pairs: list[FakePulse], *, seconds: float, answering: bool) -> dict[int, list[float]]:
    """Times at which each pair is asked, when every 50 ms something else is heard on the first, or nothing on any."""
    asked: dict[int, list[float]] = {index: [] for index in range(len(pairs))}
    now = 0.0
    while now < seconds:
        for index, pair in enumerate(pairs):
            if answering:
                pair.heard = max(pair.heard, now if index == 0 else pair.asked)
        due, wait = due_checks(pairs, now=now, consent=1.0, backup=5.0)
        for pair in due:
            asked[pairs.index(pair)].append(now)
            pair.asked = now
        now += min(0.05, wait)
    return asked


def test_a_talking_peer_is_asked_once_a_second() -> None:
    asked = simulate([FakePulse(0.0, 0.0)], seconds=10.0, answering=True)
    assert 9 <= len(asked[0]) <= 10


def test_a_quiet_peer_is_asked_four_times_a_second() -> None:
    asked = simulate([FakePulse(0.0, 0.0), FakePulse(0.0, 0.0)], seconds=3.0, answering=False)
    assert asked[0][0] == pytest.approx(0.25, abs=0.06)
    assert 8 <= len(asked[0]) <= 12


@pytest.mark.parametrize(("rtt", "first"), [(0.001, 0.38), (0.05, 0.28), (0.3, 0.25)])
def test_a_near_peer_may_be_quiet_for_longer_and_still_answers_before_silence(rtt: float, first: float) -> None:
    asked = simulate([FakePulse(0.0, 0.0, rtt=rtt), FakePulse(0.0, 0.0)], seconds=3.0, answering=False)
    assert asked[0][0] == pytest.approx(first, abs=0.06)
    assert asked[0][0] + rtt < 0.5 or first == 0.25
    assert 8 <= len(asked[0]) <= 12


def test_with_no_other_pair_a_quiet_peer_is_asked_when_it_begins_to_matter() -> None:
    gone = FakePulse(0.0, 0.0, closed=True)
    asked = simulate([FakePulse(0.0, 0.0), gone], seconds=3.0, answering=False)
    assert asked[0][0] == pytest.approx(0.9, abs=0.11)
    assert len(asked[0]) >= 6, "before three seconds of silence are over there was not only one question"


def test_backup_pairs_are_asked_every_five_seconds() -> None:
    asked = simulate([FakePulse(0.0, 0.0), FakePulse(0.0, 0.0)], seconds=21.0, answering=True)
    assert len(asked[1]) == 4


def test_backup_pairs_are_asked_before_silence_is_called_silence() -> None:
    """So that their answers are there when other pairs are sent on, at 0.5 s."""
    asked = simulate([FakePulse(0.0, 0.0), FakePulse(-3.0, -3.0)], seconds=1.5, answering=False)
    assert 0.4 <= asked[1][0] < 0.5


def test_intervals_are_spread() -> None:
    pair = FakePulse(heard=0.79, asked=0.0)
    assert due_checks([pair], now=0.81, consent=1.0, backup=5.0, roll=0.0)[0] == [pair]
    assert due_checks([pair], now=0.81, consent=1.0, backup=5.0, roll=1.0)[0] == []


def test_no_more_than_sixteen_pairs_are_kept_alive() -> None:
    pairs = [FakePulse(0.0, 0.0) for _ in range(40)]
    assert len(due_checks(pairs, now=100.0, consent=1.0, backup=5.0)[0]) == 16


def test_closed_pairs_are_left_alone() -> None:
    due, wait = due_checks([FakePulse(0.0, 0.0, closed=True)], now=100.0, consent=1.0, backup=5.0)
    assert (due, wait) == ([], 5.0)


def test_without_pairs_there_is_nothing_to_do() -> None:
    assert due_checks([], now=1.0, consent=1.0, backup=5.0) == ([], 5.0)


def test_the_wait_is_until_the_next_one() -> None:
    due, wait = due_checks([FakePulse(9.9, 9.5), FakePulse(9.9, 9.5)], now=10.0, consent=1.0, backup=5.0)
    assert (due, wait) == ([], pytest.approx(0.15))
    due, wait = due_checks([FakePulse(heard=10.0, asked=9.001)], now=10.0, consent=1.0, backup=5.0)
    assert (due, wait) == ([], 0.01)

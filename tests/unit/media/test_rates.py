"""How busy a stream is, and how an encoding follows its viewers' narrowest path."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from sightline.media.peak_rate import PeakRate
from sightline.media.rate_follower import RateFollower


def test_the_busiest_whole_second_counts() -> None:
    peak = PeakRate()
    assert peak.rate is None
    for tenth in range(5, 45):
        peak.add(3000 if tenth // 10 == 2 else 1000, tenth / 10)
    assert peak.rate == 240_000
    peak.add(1000, 100.0)
    assert peak.rate == 240_000, "a stream that stopped keeps its figure"
    for tenth in range(1001, 1250):
        peak.add(1000, tenth / 10)
    assert peak.rate == 80_000, "what was long ago is forgotten"


def test_a_stream_that_has_only_begun_tells_nothing() -> None:
    peak = PeakRate()
    peak.add(5000, 3.9)
    peak.add(5000, 4.0)
    assert peak.rate is None


def test_quick_to_fall_and_slow_to_rise() -> None:
    follower = RateFollower(most=800_000, least=120_000)
    assert follower.fit(None, 0.0) == 800_000
    assert follower.fit(790_000, 1.0) == 800_000, "not for so little"
    assert follower.fit(200_000, 2.0) == 200_000
    assert follower.fit(170_000, 2.5) == 200_000, "one step after the other"
    assert follower.fit(170_000, 3.6) == 170_000
    assert follower.fit(50_000, 5.2) == 120_000
    rates = [follower.fit(1_000_000, 6.0 + second) for second in range(60)]
    assert rates[5] == 120_000
    assert rates[6] == 180_000
    assert rates[-1] == 800_000
    assert rates == sorted(rates)


def test_a_moment_of_room_is_none() -> None:
    follower = RateFollower(most=800_000, least=120_000)
    follower.fit(200_000, 0.0)
    for second in range(60):
        follower.fit(210_000 if second % 5 == 0 else 800_000, float(second))
    assert follower.rate == 200_000


def test_who_comes_next_begins_anew() -> None:
    follower = RateFollower(most=800_000, least=120_000)
    follower.fit(150_000, 0.0)
    follower.reset()
    assert follower.rate == 800_000
    assert follower.fit(150_000, 0.1) == 150_000


@settings(max_examples=60)
@given(st.lists(st.tuples(st.one_of(st.none(), st.integers(0, 2_000_000)), st.floats(0.1, 3)), max_size=60))
def test_the_bounds_hold_and_a_path_that_stays_narrow_is_kept_to(steps: list[tuple[int | None, float]]) -> None:
    follower, now = RateFollower(most=800_000, least=120_000), 0.0
    for limit, pause in steps:
        now += pause
        before = follower.rate
        after = follower.fit(limit, now)
        assert 120_000 <= after <= 800_000
        assert after <= before * 1.5 + 1, "but for rounding"
    for _ in range(2):
        now += 2
        follower.fit(300_000, now)
    assert follower.rate <= 334_000

"""How fast a viewer is sent to."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightline.rtc.rtp.bandwidth import Bandwidth, RateMeter


def test_a_meter_shows_the_last_two_seconds() -> None:
    meter = RateMeter()
    assert meter.rate(5.0) == 0
    for number in range(100):
        meter.add(1000, 10 + number / 50)
    assert meter.rate(11.99) == pytest.approx(50 * 8000, rel=0.15)
    assert meter.rate(13.0) == pytest.approx(25 * 8000, rel=0.3)
    assert meter.rate(20.0) == 0
    meter.add(1000, 20.0)
    assert meter.rate(20.1) == 4000


def test_a_meter_is_right_from_the_start() -> None:
    meter = RateMeter()
    for number in range(25):
        meter.add(1000, 10 + number / 50)
    assert meter.rate(10.5) == pytest.approx(50 * 8000, rel=0.1)


@given(st.lists(st.tuples(st.floats(0, 5), st.integers(0, 100_000)), max_size=40))
def test_a_meter_never_shows_more_than_there_was(steps: list[tuple[float, int]]) -> None:
    meter, now, total = RateMeter(), 100.0, 0
    for pause, octets in steps:
        now += pause
        meter.add(octets, now)
        total += octets
        assert 0 <= meter.rate(now) <= total * 8 / 0.25


def test_an_unknown_path_gets_ten_megabits_or_what_the_stream_needs() -> None:
    bandwidth = Bandwidth()
    assert bandwidth.pace(1e6, 0.0) == 10e6
    assert bandwidth.pace(8e6, 0.0) == 20e6
    assert bandwidth.estimate(0.0) is None


def test_the_viewers_estimate_is_the_reference() -> None:
    bandwidth = Bandwidth()
    bandwidth.receive_estimate(6_000_000, sent=0.0, now=100.0)
    assert bandwidth.pace(1e6, 101.0) == 15e6
    bandwidth.receive_estimate(1_000_000_000, sent=0.0, now=100.0)
    assert bandwidth.pace(1e6, 101.0) == 200e6


def test_a_low_estimate_alone_holds_no_picture_back() -> None:
    """After a still picture it is low, and rises only with what is sent."""
    bandwidth = Bandwidth()
    bandwidth.receive_estimate(100_000, sent=0.0, now=100.0)
    assert bandwidth.pace(3e6, 100.1) == 7.5e6
    assert bandwidth.pace(0.0, 100.1) == 2e6


def test_an_estimate_is_forgotten_when_none_follows() -> None:
    bandwidth = Bandwidth()
    bandwidth.receive_estimate(3_000_000, sent=0.0, now=100.0)
    assert bandwidth.estimate(109.0) == 3_000_000
    assert bandwidth.estimate(111.0) is None
    assert bandwidth.pace(1e6, 111.0) == 10e6


def test_loss_and_a_low_estimate_together_mean_a_full_path() -> None:
    bandwidth = Bandwidth()
    bandwidth.receive_estimate(800_000, sent=0.0, now=100.0)
    bandwidth.receive_loss(0.24, sent=3e6, now=100.0)
    assert not bandwidth.congested, "one second may be chance"
    bandwidth.receive_loss(0.12, sent=3e6, now=100.0)
    assert bandwidth.congested
    assert bandwidth.pace(3e6, 100.0) == 800_000
    bandwidth.receive_estimate(1000, sent=0.0, now=100.0)
    assert bandwidth.pace(3e6, 100.0) == 300_000
    assert bandwidth.pace(3e6, 120.0) == 10e6, "no estimate any more"
    bandwidth.receive_loss(0.08, sent=3e6, now=100.0)
    assert bandwidth.congested
    bandwidth.receive_loss(0.02, sent=3e6, now=100.0)
    assert not bandwidth.congested


def test_five_percent_of_loss_slow_nothing() -> None:
    bandwidth = Bandwidth()
    bandwidth.receive_estimate(300_000, sent=0.0, now=100.0)
    for _ in range(50):
        bandwidth.receive_loss(0.05, sent=3e6, now=100.0)
    assert not bandwidth.congested


def test_what_is_available_is_unknown_at_first() -> None:
    bandwidth = Bandwidth()
    assert bandwidth.available(100.0) is None
    bandwidth.receive_loss(0.0, sent=1e6, now=100.0)
    assert bandwidth.available(100.0) is None, "what the source gives says nothing of the path"
    assert not bandwidth.limited(100.0)
    bandwidth.receive_estimate(800_000, sent=500e3, now=100.0)
    assert bandwidth.available(100.0) == 1_000_000, "so much was carried already"


def test_loss_alone_tells_what_a_path_carries() -> None:
    bandwidth = Bandwidth()
    for second in range(2):
        bandwidth.receive_loss(0.8, sent=1.5e6, now=100.0 + second)
    assert bandwidth.available(101.0) == pytest.approx(300_000, rel=0.01)
    assert bandwidth.limited(101.0)
    for second in range(10):
        bandwidth.receive_loss(0.0, sent=300e3, now=102.0 + second)
    assert bandwidth.available(111.0) == pytest.approx(450_000, rel=0.01), "one and a half times what is sent"
    assert not bandwidth.limited(111.0)
    assert bandwidth.available(140.0) is None, "it was long ago"


def test_an_estimate_that_falls_and_a_late_answer_tell_of_the_path() -> None:
    bandwidth = Bandwidth()
    bandwidth.receive_loss(0.0, sent=2e6, now=99.0)
    bandwidth.receive_estimate(2_000_000, sent=2e6, now=100.0)
    bandwidth.receive_estimate(1_600_000, sent=1e6, now=101.0)
    assert not bandwidth.limited(101.0)
    assert bandwidth.available(101.0) == 2_000_000
    bandwidth.receive_round_trip(0.02, sent=1e6, now=101.5)
    bandwidth.receive_estimate(900_000, sent=1e6, now=102.0)
    assert not bandwidth.limited(102.0), "by itself it may mean that the browser was busy"
    assert bandwidth.available(102.0) == 2_000_000
    bandwidth.receive_round_trip(0.1, sent=1e6, now=102.5)
    assert bandwidth.limited(102.5)
    assert bandwidth.available(102.5) == 900_000
    bandwidth.receive_estimate(800_000, sent=1e6, now=104.0)
    assert bandwidth.limited(108.0), "the other way round as well"
    assert not bandwidth.limited(109.5)


def test_a_queue_shows_in_the_round_trip() -> None:
    bandwidth = Bandwidth()
    bandwidth.receive_estimate(4_000_000, sent=1e6, now=100.0)
    for second, rtt in enumerate((0.03, 0.02, 0.4, 0.03)):
        bandwidth.receive_round_trip(rtt, sent=1e6, now=100.0 + second)
    assert not bandwidth.limited(103.0), "one that was late"
    for second, rtt in enumerate((0.4, 0.5)):
        bandwidth.receive_round_trip(rtt, sent=1e6, now=104.0 + second)
    assert bandwidth.limited(105.0)
    assert bandwidth.available(105.0) == 850_000


def test_what_a_probe_shows_counts_more_than_what_was_before() -> None:
    """A path that was narrow a while ago and is wide now."""
    bandwidth = Bandwidth()
    bandwidth.receive_estimate(400_000, sent=300_000, now=100.0)
    bandwidth.receive_round_trip(0.05, sent=300_000, now=100.0)
    for second in (101.0, 102.0):
        bandwidth.receive_round_trip(0.5, sent=300_000, now=second)
    narrow = bandwidth.available(103.0)
    assert narrow is not None
    assert narrow < 300_000
    bandwidth.receive_probe(2_000_000, 1_950_000, now=110.0)
    assert bandwidth.available(110.0) == 1_950_000
    assert not bandwidth.limited(110.0)

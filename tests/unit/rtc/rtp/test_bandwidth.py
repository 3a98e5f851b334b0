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
    bandwidth.receive_estimate(6_000_000, 100.0)
    assert bandwidth.pace(1e6, 101.0) == 15e6
    bandwidth.receive_estimate(1_000_000_000, 100.0)
    assert bandwidth.pace(1e6, 101.0) == 200e6


def test_a_low_estimate_alone_holds_no_picture_back() -> None:
    """After a still picture it is low, and rises only with what is sent."""
    bandwidth = Bandwidth()
    bandwidth.receive_estimate(100_000, 100.0)
    assert bandwidth.pace(3e6, 100.1) == 7.5e6
    assert bandwidth.pace(0.0, 100.1) == 2e6


def test_an_estimate_is_forgotten_when_none_follows() -> None:
    bandwidth = Bandwidth()
    bandwidth.receive_estimate(3_000_000, 100.0)
    assert bandwidth.estimate(109.0) == 3_000_000
    assert bandwidth.estimate(111.0) is None
    assert bandwidth.pace(1e6, 111.0) == 10e6


def test_loss_and_a_low_estimate_together_mean_a_full_path() -> None:
    bandwidth = Bandwidth()
    bandwidth.receive_estimate(800_000, 100.0)
    bandwidth.receive_loss(0.24)
    assert not bandwidth.congested, "one second may be chance"
    bandwidth.receive_loss(0.12)
    assert bandwidth.congested
    assert bandwidth.pace(3e6, 100.0) == 800_000
    bandwidth.receive_estimate(1000, 100.0)
    assert bandwidth.pace(3e6, 100.0) == 300_000
    assert bandwidth.pace(3e6, 120.0) == 10e6, "no estimate any more"
    bandwidth.receive_loss(0.08)
    assert bandwidth.congested
    bandwidth.receive_loss(0.02)
    assert not bandwidth.congested


def test_five_percent_of_loss_slow_nothing() -> None:
    bandwidth = Bandwidth()
    bandwidth.receive_estimate(300_000, 100.0)
    for _ in range(50):
        bandwidth.receive_loss(0.05)
    assert not bandwidth.congested

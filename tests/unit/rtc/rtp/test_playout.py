"""What is lost, and how long a viewer should wait for it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightline.rtc.rtp.loss import LossMeter
from sightline.rtc.rtp.playout import PlayoutDelay
from sightline.rtc.rtp.rtcp import ReportBlock


def test_loss_is_of_whole_seconds_however_often_there_are_reports() -> None:
    meter, seen = LossMeter(), []
    for number in range(0, 301, 5):  # every 50 ms, each with one of five packets lost or none
        block = ReportBlock(1, 51 if number % 10 else 0, number // 10, 65_500 + number)
        if meter.receive(block, 50 + number / 100):
            seen.append(meter.fraction)
    assert seen == [pytest.approx(0.1, abs=0.02)] * 3


def test_duplicates_and_restarted_counters_are_no_losses() -> None:
    meter = LossMeter()
    assert not meter.receive(ReportBlock(1, 0, 10, 1000), 1.0)
    assert meter.fraction is None
    assert meter.receive(ReportBlock(1, 0, 5, 1100), 2.0)
    assert meter.fraction == 0
    assert not meter.receive(ReportBlock(1, 0, 5, 1100), 3.0), "nothing was expected"
    assert not meter.receive(ReportBlock(1, 0, 0, 7), 4.0), "the counter went back"
    assert meter.receive(ReportBlock(1, 0, 1000, 107), 5.0)
    assert meter.fraction == 1


def test_a_clean_path_shows_pictures_at_once() -> None:
    delay = PlayoutDelay()
    assert not any(delay.receive(0.001, 0.2, 0.3, second) for second in range(60))
    assert delay.seconds == 0


def test_a_lossy_one_waits_for_what_is_sent_again() -> None:
    delay = PlayoutDelay()
    assert delay.receive(0.05, 0.01, 0.06, 0.0)
    assert delay.seconds == pytest.approx(0.2)
    assert not any(delay.receive(0.05, 0.012, 0.06, second) for second in range(1, 60))


def test_it_grows_at_once_and_shrinks_when_that_has_lasted() -> None:
    delay = PlayoutDelay()
    delay.receive(0.05, 0.01, 0.06, 0.0)
    assert delay.receive(0.05, 0.2, 0.06, 1.0)
    grown = delay.seconds
    assert grown > 0.3
    changed = [second for second in range(2, 60) if delay.receive(0.05, 0.01, 0.06, second)]
    assert changed[0] >= 11
    assert 0.15 < delay.seconds < 0.25


def test_it_ends_with_the_losses() -> None:
    delay = PlayoutDelay()
    delay.receive(0.05, 0.01, 0.06, 0.0)
    changed = [second for second in range(1, 60) if delay.receive(0.0, 0.01, 0.06, second)]
    assert len(changed) == 1
    assert changed[0] > 10
    assert delay.seconds == 0


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 10), st.none() | st.floats(0, 60)), max_size=60))
def test_it_stays_a_live_picture(reports: list[tuple[float, float, float | None]]) -> None:
    delay, before = PlayoutDelay(), 0.0
    for second, (loss, jitter, rtt) in enumerate(reports):
        changed = delay.receive(loss, jitter, rtt, second)
        assert changed == (delay.seconds != before)
        assert delay.seconds == 0 or 0.1 <= delay.seconds <= 0.5
        before = delay.seconds

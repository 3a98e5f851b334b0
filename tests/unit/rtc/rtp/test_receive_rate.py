"""What a viewer says that it can receive: room where there is room, less where packets are lost or queue."""

from __future__ import annotations

import random

from sightline.rtc.rtp.receive_rate import ReceiveRate


def run(
    estimate: ReceiveRate, seconds: int, *, rate: float, loss: float = 0.0, delay: float = 0.05, begin: int = 0
) -> float:
    """The path's delay for each packet, plus what the test says."""
    for second in range(begin, begin + seconds):
        for packet in range(100):
            sent = second + packet / 100
            estimate.arrived(sent - 5000.0, sent + delay)
        estimate.update(rate, loss, second + 1.0)
    return estimate.estimate


def test_a_stream_that_fits_is_given_room_and_no_more_than_is_known() -> None:
    estimate = ReceiveRate()
    assert run(estimate, 5, rate=300e3) == 2.5e6
    assert 5e6 < run(estimate, 60, rate=4e6, begin=5) <= 10e6
    assert run(estimate, 60, rate=1e3, begin=65) == 2.5e6, "a still picture may move again"


def test_loss_lowers_it_and_a_little_keeps_it() -> None:
    estimate = ReceiveRate()
    run(estimate, 5, rate=2e6, loss=0.05)
    assert estimate.estimate == 2.5e6
    assert run(estimate, 1, rate=2e6, loss=0.2, begin=5) == 2e6 * 0.9
    assert run(estimate, 30, rate=50e3, loss=0.6, begin=6) == 150e3, "never nothing"
    assert run(estimate, 60, rate=2e6, begin=36) > 2e6


def test_a_queue_lowers_it_before_anything_is_lost() -> None:
    estimate = ReceiveRate()
    run(estimate, 5, rate=1e6)
    assert estimate.queued < 0.001
    assert run(estimate, 3, rate=1e6, delay=0.35, begin=5) < 1e6
    assert estimate.queued > 0.2


def test_jitter_alone_is_no_queue() -> None:
    estimate, chance = ReceiveRate(), random.Random(1)
    for packet in range(3000):
        sent = packet / 100
        estimate.arrived(sent, sent + 0.05 + 0.06 * chance.random())
        if packet % 100 == 99:
            estimate.update(2e6, 0.0, sent)
    assert estimate.estimate >= 2.5e6


def test_another_path_is_judged_by_itself() -> None:
    estimate = ReceiveRate()
    run(estimate, 5, rate=2e6, delay=0.01)
    estimate.restart()
    assert run(estimate, 5, rate=2e6, delay=0.5, begin=5) >= 2.5e6
    assert run(estimate, 40, rate=2e6, delay=0.8, begin=10) >= 2e6, "after a while, the longer delay is the path's own"

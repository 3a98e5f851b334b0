"""What a path carries, estimated over simulated links. Nothing here waits; the longest traces are for another stage."""

from __future__ import annotations

import pytest

from tests.unit.rtc.rtp.links import Link, Trace, adaptive, steady

MEGA = 1_000_000


def constant(bitrate: float) -> Link:
    return Link(lambda now: bitrate)


def stepped(low: float, high: float, begin: float, end: float) -> Link:
    """``high``, but ``low`` from ``begin`` to ``end``, in seconds of the trace."""
    return Link(lambda now: low if begin <= now - 100 < end else high)


def test_a_wide_link_is_known_to_carry_one_and_a_half_times_what_is_sent() -> None:
    trace = Trace(constant(50 * MEGA), steady(1.8 * MEGA))
    trace.run(1.0)
    assert trace.estimate >= 1.7 * MEGA
    trace.run(9.0)
    assert 2.6 * MEGA <= trace.estimate <= 2.8 * MEGA
    assert not trace.wide.limited(trace.now)
    trace.run(20.0)
    assert max(trace.between(10, 30)) <= 2.8 * MEGA


def test_a_sender_that_follows_the_estimate_fills_a_wide_link() -> None:
    trace = Trace(constant(50 * MEGA), adaptive(3 * MEGA))
    trace.run(40.0)
    assert trace.estimate >= 3 * MEGA
    assert trace.link.dropped == 0


@pytest.mark.parametrize("queue", [0.1, 2.0])
def test_300_kbit_with_a_queue(queue: float) -> None:
    trace = Trace(Link(lambda now: 300e3, queue=queue), adaptive(5 * MEGA))
    trace.run(60.0)
    settled = trace.between(5, 60)
    assert min(settled) >= 0.7 * 300e3
    assert max(settled) <= 1.1 * 300e3
    assert sum(settled) / len(settled) <= 300e3
    assert trace.link.dropped == 0, "the queue never overflows"


@pytest.mark.parametrize("capacity", [300e3, 600e3])
def test_a_source_that_follows_nothing_shows_what_a_full_link_carries(capacity: float) -> None:
    trace = Trace(constant(capacity), steady(1.8 * MEGA))
    trace.run(20.0)
    settled = trace.between(2, 20)
    assert 0.7 * capacity <= min(settled)
    assert max(settled) <= 1.05 * capacity
    assert trace.wide.limited(102.5)


@pytest.mark.realtime
def test_a_drop_is_noticed_within_two_seconds_and_its_end_is_used() -> None:
    trace = Trace(stepped(600e3, 3 * MEGA, 40, 70), adaptive(5 * MEGA))
    trace.run(40.0)
    assert 0.7 * 3 * MEGA <= trace.estimate <= 1.05 * 3 * MEGA
    trace.run(2.0)
    assert trace.estimate <= 1.05 * 600e3
    assert trace.wide.limited(trace.now)
    trace.run(28.0)
    settled = trace.between(42, 70)
    assert min(settled) >= 0.7 * 600e3
    assert max(settled) <= 1.08 * 600e3
    trace.run(30.0)
    assert trace.estimate >= 0.7 * 3 * MEGA
    assert max(trace.between(70, 100)) <= 1.08 * 3 * MEGA


def test_a_drop_below_a_steady_source_is_noticed_too() -> None:
    trace = Trace(stepped(600e3, 3 * MEGA, 10, 99), steady(1.8 * MEGA))
    trace.run(10.0)
    assert trace.estimate >= 1.8 * MEGA
    trace.run(2.0)
    assert 0.7 * 600e3 <= trace.estimate <= 1.05 * 600e3


@pytest.mark.parametrize("jitter", [0.01, 0.03, 0.06])
def test_jitter_is_no_congestion(jitter: float) -> None:
    """Each packet is late by chance, so that many overtake others."""
    trace = Trace(Link(lambda now: 50 * MEGA, jitter=jitter), steady(1.8 * MEGA))
    trace.run(30.0)
    assert min(trace.between(2, 30)) >= 1.7 * MEGA
    assert not trace.wide.limited(trace.now)


def test_jitter_on_a_narrow_link_hides_no_congestion() -> None:
    trace = Trace(Link(lambda now: 300e3, jitter=0.02), adaptive(5 * MEGA))
    trace.run(40.0)
    settled = trace.between(5, 40)
    assert min(settled) >= 0.7 * 300e3
    assert max(settled) <= 1.1 * 300e3


@pytest.mark.parametrize("busy", [0.2, 0.5])
def test_a_receiver_that_is_busy_now_and_then_is_no_congestion(busy: float) -> None:
    """What came meanwhile waits in its socket, and seems to come all at once."""
    trace = Trace(constant(50 * MEGA), steady(1.8 * MEGA))
    pace = trace.link.arrival

    def held(size: int, now: float) -> float | None:
        at = pace(size, now)
        assert at is not None
        within = at % 3.0
        return at - within + busy if within < busy else at

    trace.link.arrival = held  # type: ignore[method-assign]
    trace.run(30.0)
    assert min(trace.between(4, 30)) >= 1.3 * MEGA


@pytest.mark.parametrize("loss", [0.05])
def test_loss_without_congestion_hinders_nothing(loss: float) -> None:
    trace = Trace(Link(lambda now: 50 * MEGA, loss=loss), adaptive(2 * MEGA))
    trace.run(40.0)
    assert trace.estimate >= 1.8 * MEGA


def test_heavy_loss_lowers_the_estimate_to_what_arrives() -> None:
    """A policer, or a link without any queue: there are no delays to tell."""
    trace = Trace(Link(lambda now: 600e3, queue=0.0), steady(1.8 * MEGA))
    trace.run(10.0)
    assert min(trace.between(3, 10)) >= 0.7 * 600e3
    assert max(trace.between(3, 10)) <= 1.05 * 600e3
    assert trace.wide.limited(trace.now)


@pytest.mark.realtime
def test_others_on_the_link_are_given_way() -> None:
    link = Link(lambda now: 3 * MEGA, taken=lambda now: 1.5 * MEGA if 130 <= now < 150 else 0.0)
    trace = Trace(link, adaptive(5 * MEGA))
    trace.run(50.0)
    shared = trace.between(33, 50)
    assert min(shared) >= 0.7 * 1.5 * MEGA
    assert max(shared) <= 1.08 * 1.5 * MEGA
    trace.run(15.0)
    assert trace.estimate >= 0.7 * 3 * MEGA


@pytest.mark.realtime
def test_feedback_that_is_lost_changes_little() -> None:
    trace = Trace(stepped(600e3, 3 * MEGA, 40, 60), adaptive(5 * MEGA), feedback=lambda number: number % 3 != 0)
    trace.run(40.0)
    assert 0.7 * 3 * MEGA <= trace.estimate <= 1.08 * 3 * MEGA
    trace.run(2.5)
    assert 0.7 * 600e3 <= trace.estimate <= 1.1 * 600e3


def test_without_any_feedback_nothing_is_known() -> None:
    trace = Trace(constant(MEGA), steady(0.5 * MEGA), feedback=lambda number: number < 100)
    trace.run(9.0)
    assert trace.wide.estimate(trace.now) is not None
    trace.run(15.0)
    assert trace.wide.estimate(trace.now) is None


def test_the_receivers_clock_may_say_anything() -> None:
    """It begins just before the reference time wraps, and numbers wrap meanwhile."""
    begin = (1 << 24) * 0.064 - 5.0
    trace = Trace(Link(lambda now: 300e3, jitter=0.01), adaptive(5 * MEGA), first=0xFF00, begin=begin)
    trace.run(30.0)
    assert trace.wide.next > 0x10000
    settled = trace.between(5, 30)
    assert min(settled) >= 0.7 * 300e3
    assert max(settled) <= 1.1 * 300e3


def test_a_probe_finds_a_wide_path_in_steps() -> None:
    trace = Trace(constant(50 * MEGA), steady(400e3))
    trace.run(5.0)
    assert trace.estimate <= 620e3
    for bitrate in (0.8 * MEGA, 1.6 * MEGA, 3.2 * MEGA):
        trace.probe(bitrate)
        trace.run(1.0)
        assert 0.9 * bitrate <= trace.estimate <= 1.1 * bitrate
    assert not trace.wide.limited(trace.now)
    trace.run(10.0)
    assert trace.estimate >= 2.8 * MEGA, "what was found is not forgotten"


def test_a_probe_finds_that_a_path_is_narrow() -> None:
    trace = Trace(constant(600e3), steady(400e3))
    trace.run(5.0)
    trace.probe(1.2 * MEGA)
    trace.run(1.0)
    assert trace.estimate <= 1.05 * 600e3
    assert trace.wide.limited(trace.now)
    trace.run(10.0)
    assert 0.7 * 600e3 <= trace.estimate <= 1.1 * 600e3


def test_a_probe_that_is_lost_says_nothing() -> None:
    listening = True
    trace = Trace(constant(50 * MEGA), steady(400e3), feedback=lambda number: listening)
    trace.run(5.0)
    before, listening = trace.estimate, False
    trace.probe(3 * MEGA)
    trace.run(0.5)
    listening = True
    trace.run(3.0)
    assert trace.estimate <= 1.3 * before

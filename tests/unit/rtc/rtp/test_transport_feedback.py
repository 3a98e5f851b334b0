"""Feedback on all packets of a connection: on the wire, and who counts what."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sightline.rtc.rtp.rtcp import MalformedRtcp, Nack, TransportFeedback, build, parse
from sightline.rtc.rtp.transport_wide import ReceivedPackets, SentPackets


def head(base: int, count: int, reference: int = 0, number: int = 0) -> bytes:
    return struct.pack("!IIHHI", 1, 2, base, count, (reference & 0xFFFFFF) << 8 | number)


def packet(body: bytes) -> bytes:
    body += bytes(-len(body) % 4)
    return struct.pack("!BBH", 0x80 | 15, 205, len(body) // 4) + body


@st.composite
def feedbacks(draw: st.DrawFn) -> TransportFeedback:
    count = draw(st.integers(1, 300) | st.integers(1, 3000))
    places = sorted(draw(st.sets(st.integers(0, count - 1), max_size=30)))
    if draw(st.booleans()):
        places = list(range(min(count, 200)))
    ticks, arrivals = 0, []
    for place in places:
        ticks += draw(st.integers(0, 255) | st.integers(-(1 << 15), (1 << 15) - 1))
        arrivals.append((place, ticks))
    small = st.integers(0, 255)
    return TransportFeedback(
        draw(st.integers(0, 0xFFFFFFFF)),
        draw(st.integers(0, 0xFFFFFFFF)),
        draw(st.integers(0, 0xFFFF)),
        count,
        draw(st.integers(-(1 << 23), (1 << 23) - 1)),
        draw(small),
        tuple(arrivals),
    )


@settings(max_examples=15)
@given(feedbacks())
def test_what_is_written_is_read(feedback: TransportFeedback) -> None:
    nack = Nack(1, 2, (3,))
    assert parse(build([feedback, nack])) == [feedback, nack]


def test_one_packet_byte_for_byte() -> None:
    """One packet, 37 ms after the reference time; a byte of padding that says so."""
    written = bytes.fromhex("afcd0005 fa17fa17 43032fa0 00990001 3de80217 20019401")
    feedback = TransportFeedback(0xFA17FA17, 0x43032FA0, 153, 1, 0x3DE802, 23, ((0, 0x94),))
    assert parse(written) == [feedback]
    assert build([feedback]) == written


def test_runs_and_vectors_byte_for_byte() -> None:
    """The two examples of §3.1.3 and §3.1.4: a lost run of 221, and a vector of 14 single bits; then one of pairs."""
    body = head(5, 221 + 14 + 7) + bytes.fromhex("00dd 9f1c") + struct.pack("!H", 0xC000 | 0b01_10_00_01_01_00_00)
    times = bytes(8) + bytes((10,)) + struct.pack("!h", -5) + bytes((1, 2))
    (feedback,) = parse(packet(body + times))
    assert isinstance(feedback, TransportFeedback)
    vector = [place for place, bit in enumerate("01111100011100") if bit == "1"]
    assert [place - 221 for place, _ in feedback.arrivals] == [*vector, 14, 15, 17, 18]
    assert [ticks for _, ticks in feedback.arrivals] == [0] * 8 + [10, 5, 6, 8]


@pytest.mark.parametrize(
    "body",
    [
        head(0, 1),
        head(0, 1)[:12],
        head(0, 5) + b"\x20\x05\x01\x01",
        head(0, 9) + b"\x20\x09" + bytes(2),
        head(0, 1) + b"\x00\x00\x00\x00",
        head(0, 1) + b"\x60\x01\x00\x00",
        head(0, 7) + b"\xff\xff" + bytes(20),
        head(0, 0xFFFF) + b"\x3f\xff" * 9,
        head(0, 0xFFFF) + b"\x20\x08" * 600,
    ],
)
def test_what_contradicts_itself_is_refused(body: bytes) -> None:
    with pytest.raises(MalformedRtcp):
        parse(packet(body))


@given(st.binary(max_size=60), st.integers(0, 0xFFFF))
def test_noise_is_read_or_refused(rest: bytes, count: int) -> None:
    try:
        (feedback,) = parse(packet(head(0, count) + rest))
    except MalformedRtcp:
        return
    assert isinstance(feedback, TransportFeedback)
    assert len(feedback.arrivals) <= len(rest) + 3
    assert all(0 <= place < count for place, _ in feedback.arrivals)


# -- the receiver's side


def received(*arrivals: tuple[int, float], base: float = 50.0) -> list[TransportFeedback]:
    packets = ReceivedPackets(9)
    for number, at in arrivals:
        packets.arrived(number & 0xFFFF, 1, base + at)
    return packets.take(base + 10)


def seconds(feedback: TransportFeedback) -> dict[int, float]:
    """When each packet came, by its number."""
    begin = feedback.reference * 0.064
    return {feedback.base + place & 0xFFFF: begin + ticks * 0.00025 for place, ticks in feedback.arrivals}


def test_a_report_says_what_came_and_when() -> None:
    (feedback,) = received((10, 0.0), (11, 0.02), (13, 0.03), (12, 0.05))
    assert (feedback.base, feedback.count) == (10, 4)
    assert seconds(feedback) == pytest.approx({10: 50.0, 11: 50.02, 12: 50.05, 13: 50.03}, abs=0.0002)


def test_a_report_waits_a_tenth_of_a_second() -> None:
    packets = ReceivedPackets(9)
    assert packets.due is None
    assert packets.take(49.0) == []
    packets.arrived(1, 1, 50.0)
    packets.arrived(2, 1, 50.05)
    assert packets.due == pytest.approx(50.1)
    assert packets.take(50.09) == []
    assert len(packets.take(50.1)) == 1
    assert packets.due is None
    assert packets.take(60.0) == []


def test_numbers_wrap() -> None:
    (feedback,) = received((0xFFFE, 0.0), (0xFFFF, 0.01), (0x10000, 0.02), (0x10002, 0.03))
    assert (feedback.base, feedback.count) == (0xFFFE, 5)
    assert list(seconds(feedback)) == [0xFFFE, 0xFFFF, 0, 2]


def test_what_is_missing_between_two_reports_is_told_and_what_comes_late_too() -> None:
    packets = ReceivedPackets(9)
    packets.arrived(1, 1, 50.0)
    (first,) = packets.take(50.2)
    packets.arrived(5, 1, 50.3)
    (second,) = packets.take(50.5)
    packets.arrived(3, 1, 50.51)
    packets.arrived(6, 1, 50.52)
    (third,) = packets.take(50.7)
    assert (first.base, first.count) == (1, 1)
    assert (second.base, second.count, [place for place, _ in second.arrivals]) == (2, 4, [3])
    assert (third.base, third.count, [place for place, _ in third.arrivals]) == (3, 4, [0, 2, 3])
    assert [first.number, second.number, third.number] == [1, 2, 3]


def test_many_packets_and_long_silences_take_several_reports_that_fit_into_datagrams() -> None:
    reports = received(*((number, number * 0.0701) for number in range(900)), base=5000.0)
    assert [report.count for report in reports] == [400, 400, 100]
    assert all(len(build([report])) < 1300 for report in reports)
    reports = received((1, 0.0), (2, 7.0), (3, 7.1), (4, 17.0))
    assert [(report.base, report.count) for report in reports] == [(1, 3), (4, 1)]


def test_a_sender_that_counts_anew_or_leaps_is_followed() -> None:
    packets = ReceivedPackets(9)
    packets.arrived(20_000, 1, 50.0)
    packets.take(51.0)
    packets.arrived(25_000, 1, 51.1)
    (leapt,) = packets.take(52.0)
    assert (leapt.base, leapt.count) == (25_000, 1)
    for number in range(30):
        packets.arrived(number, 1, 52.1)
    (anew,) = packets.take(53.0)
    assert (anew.base, anew.count) == (19, 11)


# -- the sender's side


def test_a_sender_hears_of_its_packets_across_the_wrap_of_numbers_and_times() -> None:
    """The reference time wraps after 12 days; the receiver's clock has just done so."""
    wide, packets = SentPackets(), ReceivedPackets(9)
    wide.next = wide._judged = 0xFFF0
    now, ahead = 100.0, (1 << 23) * 0.064 - 100.5
    for _ in range(100):
        wide.sent([1200], now)
        packets.arrived(wide.next - 1 & 0xFFFF, 1, now + ahead)
        for report in packets.take(now + ahead):
            (read,) = parse(build([report]))
            assert isinstance(read, TransportFeedback)
            wide.receive(read, rtt=0.05, now=now)
        now += 0.02
    assert wide.next > 0x10000
    assert wide.estimate(now) == pytest.approx(1200 * 8 * 50, rel=0.25)
    assert not wide.limited(now)


def test_feedback_that_means_nothing_changes_nothing() -> None:
    wide = SentPackets()
    wide.receive(TransportFeedback(1, 2, 40_000, 9, 5, 0, ((3, 4),)), rtt=None, now=50.0)
    assert wide.estimate(50.0) is None
    wide.sent([1200] * 10, 50.0)
    for _ in range(3):
        wide.receive(TransportFeedback(1, 2, 1, 10, 5, 0, tuple((place, 0) for place in range(10))), rtt=None, now=50.1)
    assert wide.estimate(50.1) is None, "ten packets at once say nothing of a rate"


def test_a_hostile_receiver_costs_no_memory() -> None:
    wide = SentPackets()
    for turn in range(1500):
        wide.sent([1200] * 4, 50.0 + turn / 100)
        arrivals = tuple((place, place) for place in range(4))
        # Its clock runs backward.
        wide.receive(
            TransportFeedback(1, 2, wide.next - 4 & 0xFFFF, 4, -turn, 0, arrivals), rtt=0.1, now=50 + turn / 100
        )
    assert len(wide._sent) <= 4096
    assert len(wide._congestion._window) < 500
    assert len(wide._congestion._least) < 500

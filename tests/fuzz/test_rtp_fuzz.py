"""A master may send a viewer whatever it likes: nothing comes out that is not whole, nothing raises, nothing grows.

And a viewer may say to a master whatever it likes of its path.
"""

from __future__ import annotations

import random
import struct
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sightline.rtc.rtp.depacketize import depacketizer
from sightline.rtc.rtp.incoming import EncodedFrame, IncomingStream
from sightline.rtc.rtp.inlet import Inlet
from sightline.rtc.rtp.outlet import Outlet
from sightline.rtc.rtp.packetize import nal_units
from sightline.rtc.rtp.rtcp import (
    BandwidthEstimate,
    Goodbye,
    MalformedRtcp,
    ReceiverReport,
    ReportBlock,
    SenderReport,
    TransportFeedback,
    build,
    parse,
)
from sightline.rtc.rtp.transport_wide import ReceivedPackets, SentPackets
from tests.unit.rtc.rtp.units import clear, video_stream
from tests.unit.rtc.rtp.units import packets as unit
from tests.unit.rtc.rtp.wire import RTX, SOUND, VIDEO, encoded, sound_settings
from tests.unit.rtc.rtp.wire import settings as video_settings

pytestmark = pytest.mark.realtime

MANY = settings(max_examples=150, deadline=None)
SOME = settings(max_examples=50, deadline=None)

BEGINNINGS = (
    b"",
    b"\x67\x42",
    b"\x68\xce",
    b"\x65\x88",
    b"\x7c\x85\x88",
    b"\x7c\x05",
    b"\x7c\x45",
    b"\x78\x00\x02\x67\x42",
)
payloads = st.builds(bytes.__add__, st.sampled_from(BEGINNINGS), st.binary(max_size=30))


class Viewer:
    def __init__(self, codec: str = "H264") -> None:
        self.now = 1024.0
        self.frames: list[EncodedFrame] = []
        self.sent = 0
        self.inlet = Inlet(
            send=self._send, protect_rtcp=clear, ssrc=7, cname="x", on_frame=self.frames.append, now=self.now
        )
        self.inlet.agree([video_settings(codec), sound_settings()], mid_extension=4)

    def _send(self, datagrams: object) -> int:
        self.sent += 1
        return 1

    def receive(self, datagram: bytes) -> None:
        self.inlet.receive_rtp(datagram, self.now)

    def run(self, seconds: float) -> None:
        """Obey its timers; none may be due for ever."""
        end, turns = self.now + seconds, 0
        while (due := self.inlet.next_time()) <= end:
            self.now = max(self.now, due)
            self.inlet.tick(self.now)
            turns += 1
            assert turns < 500 + 500 * seconds, "a busy loop"
        self.now = end

    @property
    def video(self) -> IncomingStream:
        return self.inlet.streams[0]

    def assert_bounded(self) -> None:
        for stream in self.inlet.streams:
            assert len(stream._queue) <= 4096
            assert stream._queue.octets <= 16 << 20
            assert len(stream._missing) <= 1300
            assert len(stream._readers) <= 2
            assert len(stream._queue._starts) <= 8


def rtp(kind: int, sequence: int, timestamp: int, payload: bytes, *, marker: bool = False, ssrc: int = 1) -> bytes:
    header = struct.pack(
        "!BBHII", 0x80, kind | (0x80 if marker else 0), sequence & 0xFFFF, timestamp & 0xFFFFFFFF, ssrc
    )
    return header + payload


packets = st.builds(
    rtp,
    st.sampled_from((VIDEO, VIDEO, VIDEO, RTX, SOUND, 0)),
    st.integers(0, 40) | st.integers(0, 0xFFFF),
    st.integers(0, 5) | st.integers(0, 0xFFFFFFFF),
    payloads,
    marker=st.booleans(),
    ssrc=st.sampled_from((1, 1, 1, 2, 3)),
)
reports = st.builds(
    lambda ntp, timestamp, ssrc, leaving: build([SenderReport(ssrc, ntp, timestamp, 0, 0), Goodbye(leaving)]),
    st.integers(0, (1 << 64) - 1),
    st.integers(0, 0xFFFFFFFF),
    st.sampled_from((1, 2)),
    st.sampled_from(((), (1,), (1, 2, 3))),
)


@MANY
@given(
    st.lists(
        st.tuples(packets | st.binary(max_size=40) | reports, st.sampled_from((0.0, 0.0, 0.01, 0.3))), max_size=120
    ),
    st.sampled_from(("H264", "VP8")),
)
def test_any_packets_in_any_order(sent: list[tuple[bytes, float]], codec: str) -> None:
    viewer = Viewer(codec)
    for datagram, pause in sent:
        viewer.receive(datagram)
        with suppress(MalformedRtcp):
            viewer.inlet.receive_rtcp(datagram, viewer.now)
        viewer.run(pause)
    viewer.assert_bounded()
    viewer.inlet.stats(viewer.now)
    viewer.run(3)
    assert all(frame.data for frame in viewer.frames)
    pictures = [frame for frame in viewer.frames if frame.kind == "video"]
    assert not pictures or pictures[0].keyframe


@MANY
@given(st.lists(payloads, max_size=8), st.sampled_from(("H264", "VP8", "opus")), st.text(max_size=40))
def test_any_payloads(parts: list[bytes], codec: str, parameters: str) -> None:
    reader = depacketizer(codec, parameters)
    assert reader is not None
    for part in parts:
        reader.begins_keyframe(part)
    unit = reader.assemble(parts)
    if unit is not None and unit.data and codec == "H264":
        assert list(nal_units(unit.data))


@pytest.mark.parametrize("kind", ["forward", "backward", "gaps", "keyframes", "same", "sources", "large"])
def test_floods_are_bounded(kind: str) -> None:
    """Three thousand packets of the kind that would cost most, without waiting for anything."""
    viewer, chance = Viewer(), random.Random(3)
    start = encoded("H264", 0, 40, True)[4:]
    for number in range(3000):
        match kind:
            case "forward":
                viewer.receive(rtp(VIDEO, 2 * number, number, b"\x41\x9a" + start))
            case "backward":
                viewer.receive(rtp(VIDEO, -number, 1, b"\x65\x88" + start))
            case "gaps":
                viewer.receive(rtp(VIDEO, chance.randrange(3000), 1, b"\x65\x88" + start))
            case "keyframes":
                viewer.receive(rtp(VIDEO, number + bool(number), number // 2, b"\x65\x88" + start))
            case "same":
                viewer.receive(rtp(VIDEO, number + bool(number), 1, b"\x65\x88" + start))
            case "sources":
                viewer.receive(rtp(VIDEO, number, number, b"\x65\x88" + start, ssrc=number))
            case "large":
                viewer.receive(rtp(VIDEO, number + bool(number), 1, b"\x65\x88" + bytes(60_000)))
        if number % 100 == 0:
            viewer.run(0.005)
            viewer.assert_bounded()
    viewer.run(2)
    viewer.assert_bounded()
    assert viewer.sent < 500


feedbacks = st.builds(
    lambda base, count, reference, arrivals: TransportFeedback(
        1,
        2,
        base,
        max([count, *(place + 1 for place in arrivals)]),
        reference,
        0,
        tuple((place, ticks) for place, ticks in zip(sorted(arrivals), range(0, 9000, 77), strict=False)),
    ),
    st.integers(0, 60) | st.integers(0, 0xFFFF),
    st.integers(0, 40) | st.integers(0, 0xFFFF),
    st.integers(0, 3) | st.integers(-(1 << 23), (1 << 23) - 1),
    st.sets(st.integers(0, 200), max_size=40),
)
"""Of packets that were sent, and of others; by a clock that may say anything."""

blocks = st.builds(
    lambda lost, highest, last, delay: ReceiverReport(1, (ReportBlock(0x11111111, 0, lost, highest, 0, last, delay),)),
    st.integers(-1000, 1000),
    st.integers(0, 1000),
    st.integers(0, 0xFFFFFFFF),
    st.integers(0, 0xFFFFFFFF),
)
estimates = st.builds(BandwidthEstimate, st.just(1), st.integers(0, 1 << 62))
said = st.one_of(
    st.builds(lambda report: build([report]), feedbacks | blocks | estimates),
    st.builds(lambda body: b"\x8f\xcd" + struct.pack("!H", len(body) // 4) + body, st.binary(min_size=8, max_size=80)),
)


@SOME
@given(st.lists(st.tuples(said, st.sampled_from((0.0, 0.03, 0.2, 12.0)), st.booleans()), max_size=40))
def test_a_viewer_may_say_anything_of_its_path(told: list[tuple[bytes, float, bool]]) -> None:
    wide, sent, now = SentPackets(), 0, 100.0

    def send(datagrams: object) -> int:
        nonlocal sent
        sent += len(datagrams)  # type: ignore[arg-type]
        return len(datagrams)  # type: ignore[arg-type]

    outlet = Outlet(send=send, protect_rtcp=clear, cname="x", video=video_stream(rtx=True, wide=wide), wide=wide)
    outlet.start()
    for number, (datagram, pause, probes) in enumerate(told):
        outlet.offer_video(unit(number, keyframe=not number), now, stream_rate=7e5)
        outlet.flush(now)
        with suppress(MalformedRtcp):
            outlet.receive_rtcp(datagram, now)
        if probes:
            outlet.probe(2_000_000, now)
        for _ in range(5):
            now += pause / 5
            outlet.flush(now)
        available = outlet.bandwidth.available(now)
        assert available is None or available >= 0
        outlet.stats(now)
    assert sent <= 4 * len(told) + 300 * sum(probes for *_, probes in told)
    assert len(wide._sent) <= 4096
    assert len(wide._congestion._window) + len(wide._congestion._least) <= 3 * wide.next


@MANY
@given(st.binary(max_size=400))
def test_any_feedback_of_many_packets_is_read_quickly_or_refused(body: bytes) -> None:
    body = body[: len(body) // 4 * 4]
    with suppress(MalformedRtcp):
        for report in parse(b"\x8f\xcd" + struct.pack("!H", len(body) // 4) + body):
            assert isinstance(report, TransportFeedback)
            assert len(report.arrivals) <= len(body)


@SOME
@given(st.lists(st.tuples(st.integers(0, 0xFFFF) | st.integers(0, 99), st.floats(0, 20)), max_size=100))
def test_any_numbers_of_packets_are_reported_in_few_bytes(arrivals: list[tuple[int, float]]) -> None:
    received, now = ReceivedPackets(7), 1000.0
    for number, pause in arrivals:
        received.arrived(number, 1, now)
        reports = received.take(now)
        assert len(reports) <= 40
        for report in reports:
            assert len(build([report])) < 1300
            assert parse(build([report])) == [report]
        now += pause
        assert len(received._arrived) <= 3000

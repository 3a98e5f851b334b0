"""A master's fan-out, a network that loses and delays by a plan, and a viewer's inlet; all on the test's own clock."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

from sightline.rtc.rtp.incoming import EncodedFrame, IncomingSettings, IncomingStats, Payload
from sightline.rtc.rtp.inlet import Inlet
from sightline.rtc.rtp.outlet import Outlet
from sightline.rtc.rtp.rtcp import Report, parse
from sightline.rtc.rtp.stream import OutgoingStream
from sightline.rtc.rtp.transport_wide import SentPackets
from tests.unit.rtc.rtp.stage import Call, Feed, Loop, new_fanout
from tests.unit.rtc.rtp.units import FRAME, WIDE, Picture, audio_stream, clear, noise, video_stream

VIDEO = 102
RTX = 103
SOUND = 111

SPS, PPS = bytes.fromhex("6742c01fd9008c"), bytes.fromhex("68ce3c80")

Fate = Callable[[bytes], float | None]
"""Seconds until a datagram arrives, None when it is lost."""


def steady(delay: float = 0.01) -> Fate:
    return lambda datagram: delay


def lossy(share: float, *, delay: float = 0.01, jitter: float = 0.0, seed: int = 1) -> Fate:
    chance = random.Random(seed)

    def fate(datagram: bytes) -> float | None:
        return None if chance.random() < share else delay + jitter * chance.random()

    return fate


def settings(codec: str = "H264", *, rtx: bool = True, **options: bool) -> IncomingSettings:
    payloads = {VIDEO: Payload(codec)}
    if rtx:
        payloads[RTX] = Payload("rtx", repairs=VIDEO)
    return IncomingSettings(kind="video", clock_rate=90_000, payloads=payloads, mid="0", **options)


def sound_settings() -> IncomingSettings:
    return IncomingSettings(
        kind="audio", clock_rate=48_000, payloads={SOUND: Payload("opus")}, mid="1", nack=False, pli=False, fir=False
    )


class Watching:
    """The whole way of a frame, without sockets and keys."""

    def __init__(
        self,
        codec: str = "H264",
        *,
        rtx: bool = True,
        makes_keyframes: bool = True,
        size: int = 3000,
        wide: bool = False,
        remb: bool = False,
    ) -> None:
        count = SentPackets() if wide else None
        self.loop = Loop()
        self.loop.now = 1024.0
        self.there: Fate = steady()
        self.back: Fate = steady()
        self.frames: list[EncodedFrame] = []
        self.delays: list[float] = []
        """From the moment a picture was made until it came out."""
        self.asked: list[tuple[float, Report]] = []
        self.made: dict[int, float] = {}
        self.feed = NumberedFeed(self.loop, codec, makes_keyframes=makes_keyframes, size=size)
        self.sound = Feed(self.loop, "opus")
        self.video: OutgoingStream = video_stream(rtx=rtx, wide=count)
        self.fanout = new_fanout(self.loop)
        self.outlet = Outlet(
            send=self._to_viewer,
            protect_rtcp=clear,
            cname="wire",
            video=self.video,
            audio=audio_stream(wide=count),
            wide=count,
        )
        self.inlet = Inlet(
            send=self._to_master,
            protect_rtcp=clear,
            ssrc=7,
            cname="viewer",
            on_frame=self._frame,
            now=self.loop.now,
        )
        self.inlet.rtt = 0.02
        self.inlet.agree(
            [settings(codec, rtx=rtx, remb=remb), sound_settings()],
            mid_extension=None,
            wide_extension=WIDE if wide else None,
        )
        self.fanout.add(self.outlet, video=self.feed, audio=self.sound)
        self.fanout.start(self.outlet)
        self._timer: Call | None = None
        self._arrange()

    @property
    def pictures(self) -> list[EncodedFrame]:
        return [frame for frame in self.frames if frame.kind == "video"]

    @property
    def numbers(self) -> list[int]:
        """The pictures that came out, by the number that stands in their bytes."""
        return [number_of(frame) for frame in self.pictures]

    @property
    def stats(self) -> IncomingStats:
        stats = self.inlet.stats(self.loop.now).video
        assert stats is not None
        return stats

    def play(self, count: int, *, rate: float = 30.0, keyframe: bool = False) -> None:
        for _ in range(count):
            self.made[self.feed.number] = self.loop.now
            self.feed.publish(keyframe=keyframe)
            self.loop.run(1 / rate)

    def requests(self, kind: type[Report]) -> list[float]:
        return [at for at, report in self.asked if isinstance(report, kind)]

    def deliver(self, datagram: bytes) -> None:
        """At the viewer, now."""
        if 192 <= datagram[1] <= 223:
            self.inlet.receive_rtcp(datagram, self.loop.now)
        else:
            self.inlet.receive_rtp(datagram, self.loop.now)
        self._arrange()

    def _to_viewer(self, datagrams: Sequence[bytes]) -> int:
        for datagram in datagrams:
            after = self.there(datagram)
            if after is not None:
                self.loop.call_later(after, lambda datagram=datagram: self.deliver(datagram))  # type: ignore[misc]
        return len(datagrams)

    def _to_master(self, datagrams: Sequence[bytes]) -> int:
        for datagram in datagrams:
            self.asked += [(self.loop.now, report) for report in parse(datagram)]
            after = self.back(datagram)
            if after is not None:
                self.loop.call_later(after, lambda datagram=datagram: self._at_master(datagram))  # type: ignore[misc]
        return len(datagrams)

    def _at_master(self, datagram: bytes) -> None:
        self.fanout.receive_rtcp(self.outlet, datagram)

    def _frame(self, frame: EncodedFrame) -> None:
        self.frames.append(frame)
        if frame.kind == "video":
            self.delays.append(self.loop.now - self.made[number_of(frame)])

    def _arrange(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self.loop.call_later(max(0.0, self.inlet.next_time() - self.loop.now), self._tick)

    def _tick(self) -> None:
        self.inlet.tick(self.loop.now)
        self._arrange()


class NumberedFeed(Feed):
    """Pictures that decoders would take for such, with their numbers in them."""

    def publish(self, *, keyframe: bool = False, size: int | None = None) -> None:
        if self.codec == "opus":
            super().publish()
            return
        keyframe, self.wanted = keyframe or self.wanted or not self.number, False
        unit = Picture(encoded(self.codec, self.number, size or self.size, keyframe), self.number * FRAME, keyframe)
        self.number += 1
        for listener in list(self.listeners):
            listener(unit)


def encoded(codec: str, number: int, size: int, keyframe: bool) -> bytes:
    """A picture of about that size."""
    body = b"%06d" % number + noise(size, number)
    if codec == "VP8":
        return (b"\x10" if keyframe else b"\x11") + body
    start = b"\x00\x00\x00\x01"
    slice_ = start + (b"\x65\x88" if keyframe else b"\x41\x9a") + body
    return start + SPS + start + PPS + slice_ if keyframe else slice_


def number_of(frame: EncodedFrame) -> int:
    """The number in a picture of a ``NumberedFeed``."""
    begin = 1 if frame.codec == "VP8" else frame.data.rfind(b"\x00\x00\x01") + 5
    return int(frame.data[begin : begin + 6])

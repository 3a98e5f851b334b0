"""A source, viewers and an event loop whose clock the test moves."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from aiortc.rtp import RtpPacket

from sightline.rtc.rtp.fanout import Fanout
from sightline.rtc.rtp.outlet import Outlet
from sightline.rtc.rtp.packetize import Unit
from sightline.rtc.rtp.rtcp import Report, parse
from tests.unit.rtc.rtp.units import FRAME, Picture, audio_stream, clear, noise, picture, video_stream


@dataclass
class Call:
    callback: Callable[[], None]
    cancelled: bool = False

    def cancel(self) -> None:
        self.cancelled = True


class Loop:
    """Time that passes when the test says so; timers are called at their time."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.cost = 0.0
        """Seconds that each look at the clock takes: work that costs time."""
        self._calls: list[tuple[float, int, Call]] = []
        self._count = 0

    def clock(self) -> float:
        self.now += self.cost
        return self.now

    def wall(self) -> float:
        return 1_700_000_000 + self.now

    def call_later(self, delay: float, callback: Callable[[], None]) -> Call:
        call = Call(callback)
        self._count += 1
        heapq.heappush(self._calls, (self.now + delay, self._count, call))
        return call

    @property
    def pending(self) -> int:
        return sum(not call.cancelled for _, _, call in self._calls)

    def run(self, seconds: float) -> None:
        end = self.now + seconds
        while self._calls and self._calls[0][0] <= end:
            at, _, call = heapq.heappop(self._calls)
            self.now = max(self.now, at)
            if not call.cancelled:
                call.callback()
        self.now = max(self.now, end)


class Feed:
    """A feed that the test publishes on; keyframes come with the next picture after a request."""

    def __init__(
        self,
        loop: Loop,
        codec: str = "H264",
        *,
        makes_keyframes: bool = True,
        size: int = 3000,
        label: str = "720p",
        bitrate: int | None = None,
    ) -> None:
        self.loop = loop
        self.label = label
        self.bitrate = bitrate
        self.limits: list[int | None] = []
        self.fit = self.limits.append
        self.profile_level_id = ""
        self.codec = codec
        self.clock_rate = 48_000 if codec == "opus" else 90_000
        self.makes_keyframes = makes_keyframes
        self.size = size
        self.listeners: list[Callable[[Unit], None]] = []
        self.requests: list[float] = []
        self.held: list[tuple[Unit, float, int]] = []
        self.number = 0
        self.wanted = False

    def request_keyframe(self) -> None:
        self.requests.append(self.loop.now)
        self.wanted = self.makes_keyframes

    def listen(self, listener: Callable[[Unit], None]) -> Callable[[], None]:
        self.listeners.append(listener)
        return lambda: self.listeners.remove(listener)

    def replay(self, now: float) -> Sequence[tuple[Unit, float, int]]:
        return self.held

    def publish(self, *, keyframe: bool = False, size: int | None = None) -> None:
        keyframe, self.wanted = keyframe or self.wanted, False
        unit: Unit
        if self.codec == "opus":
            unit = Picture(noise(160, self.number), self.number * 960, True)
        else:
            unit = picture(self.number, size=self.size if size is None else size, keyframe=keyframe)
        self.number += 1
        for listener in list(self.listeners):
            listener(unit)

    def play(self, count: int, *, rate: float = 30.0, **options: bool) -> None:
        for _ in range(count):
            self.publish(**options)
            self.loop.run(1 / rate)


@dataclass
class Viewer:
    """What arrives at one viewer; ``capacity``: datagrams that its socket takes in one call."""

    loop: Loop
    with_audio: bool = False
    capacity: int = 10_000
    calls: list[tuple[float, list[bytes]]] = field(default_factory=list)
    errors: list[Exception] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.video = video_stream()
        self.audio = audio_stream() if self.with_audio else None
        self.outlet = Outlet(
            send=self.send,
            protect_rtcp=clear,
            cname="stage",
            video=self.video,
            audio=self.audio,
            on_error=self.errors.append,
        )

    def send(self, datagrams: Sequence[bytes]) -> int:
        taken = list(datagrams)[: self.capacity]
        if taken:
            self.calls.append((self.loop.now, taken))
        return len(taken)

    @property
    def packets(self) -> list[RtpPacket]:
        """RTP in order."""
        return [RtpPacket.parse(data) for _, call in self.calls for data in call if not 200 <= data[1] <= 207]

    @property
    def reports(self) -> list[tuple[float, list[Report]]]:
        """RTCP with its times."""
        return [(at, parse(data)) for at, call in self.calls for data in call if 200 <= data[1] <= 207]

    @property
    def numbers(self) -> list[int]:
        """The pictures of which something arrived, in order."""
        ssrc = self.video.settings.ssrc
        return list(dict.fromkeys((p.timestamp - 1000) // FRAME for p in self.packets if p.ssrc == ssrc))

    def assert_contiguous(self) -> None:
        """No sequence number is missing or out of order: nothing looks lost to the viewer."""
        for stream in (self.video, self.audio):
            if stream is not None:
                got = [p.sequence_number for p in self.packets if p.ssrc == stream.settings.ssrc]
                assert got == list(range(got[0], got[0] + len(got))) if got else True


def new_fanout(loop: Loop) -> Fanout:
    return Fanout(clock=loop.clock, wall=loop.wall, call_later=loop.call_later)

"""Paths with a bottleneck, and a sender that is told what arrives, all on a clock of their own."""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable
from dataclasses import dataclass, field

from sightline.rtc.rtp.rtcp import TransportFeedback, build, parse
from sightline.rtc.rtp.transport_wide import ReceivedPackets, SentPackets

PACKET = 1200
STEP = 0.005


@dataclass
class Link:
    """``capacity``: bits per second at a time; ``queue``: seconds that packets wait at most; ``taken``: bits per second
    of the capacity that others use, by their own right.
    """

    capacity: Callable[[float], float]
    delay: float = 0.02
    queue: float = 1.0
    jitter: float = 0.0
    loss: float = 0.0
    taken: Callable[[float], float] = lambda now: 0.0
    chance: random.Random = field(default_factory=lambda: random.Random(5))
    free_at: float = 0.0
    dropped: int = 0

    def arrival(self, size: int, now: float) -> float | None:
        """When a packet that is sent now comes out, None when it is lost."""
        begin = max(now, self.free_at)
        if begin - now > self.queue or self.chance.random() < self.loss:
            self.dropped += 1
            return None
        self.free_at = begin + size * 8 / max(1000.0, self.capacity(now) - self.taken(now))
        return self.free_at + self.delay + self.jitter * self.chance.random()


class Trace:
    """Runs a sender over a link; ``rate`` says how fast it sends, by its estimate and the time."""

    def __init__(
        self,
        link: Link,
        rate: Callable[[float | None, float], float],
        *,
        feedback: Callable[[int], bool] = lambda number: True,
        first: int = 1,
        begin: float = 0.0,
    ) -> None:
        """``feedback``: whether the report of that number arrives; ``begin``: the receiver's clock at the start."""
        self.link, self.rate, self.feedback = link, rate, feedback
        self.now = 100.0
        self.wide = SentPackets()
        self.wide.next = first
        self.wide._judged = first
        self.received = ReceivedPackets(9)
        self.estimates: list[tuple[float, float | None]] = []
        self.reports = 0
        self._offset = begin - self.now
        self._events: list[tuple[float, int, bytes | int]] = []
        self._count = 0
        self._owed = 0.0
        self._frame_at = self.now

    @property
    def time(self) -> float:
        """Seconds since the start."""
        return self.now - 100.0

    @property
    def estimate(self) -> float:
        return self.wide.estimate(self.now) or 0.0

    def run(self, seconds: float) -> None:
        end = self.now + seconds
        while self.now < end - 1e-9:
            self._send()
            while self._events and self._events[0][0] <= self.now:
                at, _, what = heapq.heappop(self._events)
                if isinstance(what, int):
                    self.received.arrived(what & 0xFFFF, 1, at + self._offset)
                else:
                    (feedback,) = parse(what)
                    assert isinstance(feedback, TransportFeedback)
                    self.wide.receive(feedback, rtt=2 * self.link.delay, now=at)
            for report in self.received.take(self.now + self._offset):
                self.reports += 1
                if self.feedback(self.reports):
                    self._push(self.now + self.link.delay, build([report]))
            self.estimates.append((self.time, self.wide.estimate(self.now)))
            self.now += STEP

    def between(self, begin: float, end: float) -> list[float]:
        """The estimates of that time."""
        return [estimate or 0.0 for at, estimate in self.estimates if begin <= at < end]

    def probe(self, bitrate: float, seconds: float = 0.2) -> None:
        usual = self.rate
        self.wide.begin_probe()
        self.rate = lambda estimate, now: bitrate
        self.run(seconds)
        self.wide.end_probe(self.now)
        self.rate = usual

    def _send(self) -> None:
        """Paced, as a sender of pictures is: 30 a second, each spread over a part of its time."""
        self._owed += self.rate(self.wide.estimate(self.now), self.time) * STEP / 8
        sizes = []
        while self._owed >= PACKET:
            self._owed -= PACKET
            sizes.append(PACKET)
        for number, size in enumerate(sizes, self.wide.next):
            at = self.link.arrival(size, self.now)
            if at is not None:
                self._push(at, number)
        if sizes:
            self.wide.sent(sizes, self.now)

    def _push(self, at: float, what: bytes | int) -> None:
        self._count += 1
        heapq.heappush(self._events, (at, self._count, what))


def adaptive(most: float) -> Callable[[float | None, float], float]:
    """A sender that sends what is estimated, up to so many bits per second; 300 kbit/s until it knows."""
    return lambda estimate, now: min(most, estimate or 300e3)


def steady(rate: float) -> Callable[[float | None, float], float]:
    return lambda estimate, now: rate

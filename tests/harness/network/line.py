"""One direction of a line: what happens to each packet, as a model without clock or sockets."""

from __future__ import annotations

import heapq
import random
from collections import deque
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Line:
    """How a line treats packets; a test may exchange it at any time."""

    delay: float = 0.0
    """Seconds that every packet takes."""
    jitter: float = 0.0
    """Up to so many seconds more, drawn evenly for each packet: packets overtake each other."""
    in_order: bool = False
    """With jitter: no packet overtakes another; they bunch up behind the slowest, as on a busy Wi-Fi."""
    loss: float = 0.0
    """Share of packets lost, each on its own."""
    rate: float = 0.0
    """Bits per second, 0 for no limit."""
    queue: float = 0.2
    """Seconds of traffic at `rate` that may wait; what comes on top is lost, as in a router's buffer."""
    silent: bool = False
    """Nothing comes through, and nobody is told: a tunnel, a lift, a router that hangs."""

    def as_message(self) -> dict[str, Any]:
        """For the forwarder's control socket."""
        return asdict(self)


GOOD = Line()


class Direction:
    """Packets on their way. The caller's clock is passed in, in seconds."""

    def __init__(self, line: Line = GOOD, *, seed: int = 0) -> None:
        self.line = line
        self.delivered = 0
        self.lost = 0
        """By `loss` and `silent`."""
        self.overflowed = 0
        """By `queue`."""
        self.bytes = 0
        """Of delivered packets."""
        self._random = random.Random(seed)
        self._travelling: list[tuple[float, int, bytes]] = []
        self._number = 0
        self._free_at = 0.0
        self._last_arrival = 0.0

    def send(self, packet: bytes, *, now: float) -> None:
        """A packet enters the line."""
        line = self.line
        if line.silent or (line.loss and self._random.random() < line.loss):
            self.lost += 1
            return
        arrival = now
        if line.rate:
            if self._free_at - now > line.queue:
                self.overflowed += 1
                return
            arrival = self._free_at = max(self._free_at, now) + len(packet) * 8 / line.rate
        arrival += line.delay + (self._random.random() * line.jitter if line.jitter else 0.0)
        if line.in_order:
            arrival = self._last_arrival = max(arrival, self._last_arrival)
        self._number += 1
        heapq.heappush(self._travelling, (arrival, self._number, packet))

    def arrived(self, *, now: float) -> deque[bytes]:
        """The packets that leave the line until now, in the order of their arrival."""
        packets: deque[bytes] = deque()
        while self._travelling and self._travelling[0][0] <= now:
            packet = heapq.heappop(self._travelling)[2]
            self.delivered += 1
            self.bytes += len(packet)
            packets.append(packet)
        return packets

    @property
    def next_arrival(self) -> float | None:
        """When `arrived` has something next."""
        return self._travelling[0][0] if self._travelling else None

    def cut(self) -> None:
        """What is on the way is lost too: the cable is out."""
        self.lost += len(self._travelling)
        self._travelling.clear()

"""What a path carries, by when packets were sent and when they came (draft-ietf-rmcat-gcc-02), seen from the sender."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

from .rate_control import RateControl
from .trendline import ArrivalGroups, Trendline, Usage

__all__ = ["Arrival", "CongestionEstimate"]

_WINDOW = 0.5
"""Seconds over which rates are measured."""

_QUEUED = 0.1
"""Seconds that packets take longer than the least when a queue stands on the path."""

_LATELY = 0.2
_WAITING = 0.01
"""Seconds that even the quickest packets of that while take longer, where a queue begins. Jitter, and a receiver that
was busy, delay many packets but not all."""

_MEMORY = 20.0
"""Seconds over which the least is remembered: clocks drift apart, and paths change."""

_LOSS_WINDOW = 0.5
_LOSS_PACKETS = 50
"""Seconds and packets over which losses are counted at least."""

_TROUBLE = 5.0
"""Seconds after the path was full for which it counts as what limits."""

_PROBE_PACKETS = 5
_PROBE_SHARE = 0.7
"""Packets that a probe must have, and part of its bytes that must have come."""

_BACKWARD = 1.0
"""Seconds by which arrivals may be earlier than others before: more is another clock."""

_PROBE_WAITS = 1.0
"""Seconds after its end in which what is missing of it may still be reported."""

_SATURATED, _USED = 0.9, 0.95
"""A probe that comes slower than this part of how it was sent fills the path; then so much of that is taken."""


class Arrival(NamedTuple):
    """A packet that came: when it was sent and when it came in seconds, of two clocks that need not agree."""

    sent: float
    arrived: float
    size: int
    """Bytes."""
    probing: bool
    """Whether it was sent during a probe."""


class CongestionEstimate:
    """One connection's. Does no input or output and keeps no clock."""

    def __init__(self) -> None:
        self._groups = ArrivalGroups()
        self._trend = Trendline()
        self._control = RateControl()
        self._window: deque[tuple[Arrival, float]] = deque()
        """With the seconds that it took."""
        self._octets = 0
        self._begun_at: float | None = None
        self._newest = 0.0
        self._least: deque[tuple[float, float]] = deque()
        self._judged = self._lost = 0
        self._judged_at: float | None = None
        self._probe: list[Arrival] = []
        self._probe_octets = 0
        self._probe_until: float | None = None

    @property
    def bitrate(self) -> float | None:
        """Bits per second that the path carries; None until enough has come to tell."""
        return self._control.bitrate

    def limited(self, now: float) -> bool:
        """Whether the path was full lately."""
        return now - self._control.reduced_at < _TROUBLE

    def receive(
        self, arrivals: Sequence[Arrival], *, judged: int, lost: int, untold: int, rtt: float, now: float
    ) -> None:
        """A feedback. ``judged``: packets of which it tells for the first time, ``lost`` of them being missing;
        ``untold``: bytes of packets that no feedback has told of, because one was lost.
        """
        usage = None
        in_order = sorted(arrivals, key=_arrived)
        if in_order and untold:
            self._add(in_order[0]._replace(size=untold, probing=False), float("inf"))
        for arrival in in_order:
            steps = self._groups.add(arrival.sent, arrival.arrived)
            if steps is not None:
                self._trend.add(*steps, arrival.arrived)
                if self._trend.usage is Usage.OVERUSE:
                    usage = Usage.OVERUSE
            self._add(arrival, arrival.arrived - arrival.sent)
        arriving, sent = self._rates()
        if arrivals:
            usage = usage or self._trend.usage
            if usage is Usage.OVERUSE and self._waiting(_LATELY) < _WAITING:
                usage = Usage.NORMAL
            self._control.update(
                usage,
                arriving=arriving,
                sent=sent,
                rtt=rtt,
                queued=self._waiting(_WINDOW) > _QUEUED,
                now=now,
            )
        self._count(judged, lost, arriving, now)
        self.tick(now)

    def begin_probe(self) -> None:
        """What is sent from now on belongs to a new probe."""
        self._probe, self._probe_until = [], None

    def probed(self, octets: int, until: float) -> None:
        """A probe of so many bytes has ended; what came of it is measured as soon as all is known."""
        self._probe_octets, self._probe_until = octets, until + _PROBE_WAITS

    def tick(self, now: float) -> None:
        """Judge a probe of which no more will come. ``receive`` does so too."""
        if self._probe_until is None:
            return
        octets = sum(arrival.size for arrival in self._probe)
        if octets < self._probe_octets and now < self._probe_until:
            return
        probe, self._probe, self._probe_until = self._probe, [], None
        if len(probe) < _PROBE_PACKETS or octets < _PROBE_SHARE * self._probe_octets:
            return
        self._judge(probe, octets, now)

    # -- inside

    def _judge(self, probe: list[Arrival], octets: int, now: float) -> None:
        first_sent, last_sent = min(one.sent for one in probe), max(one.sent for one in probe)
        first, last = min(probe, key=_arrived), max(probe, key=_arrived)
        if last_sent <= first_sent or last.arrived <= first.arrived or self.bitrate is None:
            return
        rest = sum(one.size for one in probe if one.sent < last_sent)
        sent = rest * 8 / (last_sent - first_sent)
        came = (octets - first.size) * 8 / (last.arrived - first.arrived)
        if came > 2 * sent:
            return  # it was held up somewhere and came at once: that says nothing
        if came < _SATURATED * sent:
            self._control.measured(_USED * came)
            self._control.reduced_at = now
        elif min(sent, came) > self.bitrate:
            self._control.measured(min(sent, came))

    def _add(self, arrival: Arrival, delay: float) -> None:
        if arrival.probing:
            self._probe.append(arrival)
        window, at = self._window, arrival.arrived
        if self._begun_at is None or at < self._newest - _BACKWARD:
            window.clear()
            self._least.clear()
            self._octets, self._begun_at, self._newest = 0, at, at
        self._newest = max(self._newest, at)
        window.append((arrival, delay))
        self._octets += arrival.size
        while window[0][0].arrived < self._newest - _WINDOW:
            self._octets -= window.popleft()[0].size
        least = self._least
        while least and least[-1][1] >= delay:
            least.pop()
        least.append((at, delay))
        while least[0][0] < at - _MEMORY:
            least.popleft()

    def _rates(self) -> tuple[float | None, float]:
        """What came and what was sent in the last half second, in bits per second."""
        if not self._window or self._begun_at is None:
            return None, 0.0
        first, last = self._window[0][0], self._window[-1][0]
        if last.arrived - self._begun_at < _WINDOW:
            return None, 0.0
        return self._octets * 8 / _WINDOW, self._octets * 8 / max(0.05, last.sent - first.sent)

    def _waiting(self, seconds: float) -> float:
        """How much longer than the quickest packet of all those of the last seconds took, at least."""
        since, least = self._window[-1][0].arrived - seconds, float("inf")
        for arrival, delay in reversed(self._window):
            if arrival.arrived < since:
                break
            least = min(least, delay)
        return least - self._least[0][1]

    def _count(self, judged: int, lost: int, arriving: float | None, now: float) -> None:
        self._judged += judged
        self._lost += lost
        if self._judged_at is None:
            self._judged_at = now
        if now - self._judged_at < _LOSS_WINDOW or self._judged < _LOSS_PACKETS:
            return
        self._control.lose(self._lost / self._judged, arriving=arriving, now=now)
        self._judged = self._lost = 0
        self._judged_at = now


def _arrived(arrival: Arrival) -> float:
    return arrival.arrived

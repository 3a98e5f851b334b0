"""How fast may a viewer be sent to: what is estimated of its path, what it loses, what the stream needs.

See docs/topics/bandwidth.md for who gives which feedback.
"""

from __future__ import annotations

from .transport_wide import SentPackets

__all__ = ["Bandwidth", "RateMeter"]

_UNKNOWN = 10e6
"""Bits per second for a viewer that has not estimated anything yet: a keyframe of 60 kB takes 50 ms."""

_FACTOR = 2.5
"""Packets leave this much faster than the reference, as in libwebrtc's pacer: a burst is spread, not held back."""

_FLOOR, _CEILING = 2e6, 200e6

_CONGESTED_FLOOR = 300e3

_LEAST = 30e3
"""Bits per second below which no path is taken to be: sound needs as much."""

_CONGESTED, _RELIEVED = 0.1, 0.05
"""Fractions lost from which a path is full (in two seconds one after the other), and below which it is not."""

_ESTIMATE_LASTS = 10.0
"""Seconds: libwebrtc sends an estimate at least every second."""

_LOWERED = 0.97
"""Part of the estimate before, below which a smaller one tells of a queue: libwebrtc lowers it for nothing else."""

_LATE, _CONFIRMS = 0.05, 2.0
"""Seconds that a round trip must take longer, and within how many, so that such an estimate is believed. By itself it
tells as well of a sender or a receiver that was busy: without a time of sending in the packets, browsers go by that of
the picture.
"""

_CLEAN = 0.02
"""Fraction lost below which all that was sent counts as carried (draft-ietf-rmcat-gcc-02 §6)."""

_GROWTH = 1.08
"""For each second without trouble."""

_ROOM = 1.5
"""Times what is sent: more than that is not known to be there."""

_QUEUED = 0.2
"""Seconds that two round trips one after the other took longer than the least: what is sent waits in a queue."""

_BACK_OFF = 0.85
"""Of what is sent, when it queues."""

_SATURATED = 0.85
"""Part of a probe that must be carried, or the path is full."""

_LASTS = 20.0
"""Seconds for which what was carried once counts as known."""

_TROUBLE = 5.0
"""Seconds after a sign of a full path for which it counts as limited."""

_FORGIVEN = 30.0
"""Seconds after which such a sign says nothing of the path as it is now."""

_SLOT = 0.25
_SLOTS = 8


class RateMeter:
    """Bits per second over the last two seconds."""

    __slots__ = ("_begun", "_octets", "_slot")

    def __init__(self) -> None:
        self._octets = [0] * _SLOTS
        self._slot = 0
        self._begun: float | None = None

    def add(self, octets: int, now: float) -> None:
        """So many bytes went by."""
        if self._begun is None:
            self._begun, self._slot = now, int(now / _SLOT)
        self._advance(now)
        self._octets[self._slot % _SLOTS] += octets

    def rate(self, now: float) -> float:
        """Bits per second."""
        if self._begun is None:
            return 0.0
        self._advance(now)
        return sum(self._octets) * 8 / min(_SLOT * _SLOTS, max(_SLOT, now - self._begun))

    def _advance(self, now: float) -> None:
        slot = int(now / _SLOT)
        if slot != self._slot:
            for passed in range(max(self._slot + 1, slot - _SLOTS + 1), slot + 1):
                self._octets[passed % _SLOTS] = 0
            self._slot = slot


class Bandwidth:
    """One viewer's figures. A low estimate alone slows nothing below what the stream needs.

    An estimate follows what is received: after a still picture it is low although the path is wide, and jitter lowers
    it too. Only where loss says the same, the path counts as full, and the viewer gets what it says it can receive.
    So ``available`` also counts what has been carried lately without loss or delay, and what a probe has shown.
    """

    def __init__(self, wide: SentPackets | None = None) -> None:
        """``wide``: what estimates from transport-wide feedback, where that was negotiated; it knows best."""
        self._wide = wide
        self._forget()

    def path_changed(self) -> None:
        """Packets go another way from now on: what was known is of the one before."""
        if self._wide is not None:
            self._wide.path_changed()
        self._forget()

    def _forget(self) -> None:
        self.congested = False
        """Whether so much is lost that the viewer gets no more than it says it can receive."""
        self._estimate: int | None = None
        self._estimated_at = 0.0
        self._lossy_seconds = 0
        self._limit: float | None = None
        """What came through when the path was full, and has grown since."""
        self._carried = _Lately(_LASTS)
        self._probed = _Lately(_LASTS)
        self._troubled_at = float("-inf")
        self._round_trips = _LeastLately()
        self._queued = 0
        self._lowered_at = self._late_at = float("-inf")

    # -- what the viewer says ------------------------------------------------------------------------------------------

    def receive_estimate(self, bitrate: int, *, sent: float, now: float) -> None:
        """A REMB; ``sent``: what is sent now. Both in bits per second."""
        before = self.estimate(now)
        if before is not None and bitrate < before * _LOWERED and bitrate < sent:
            self._lowered_at = now
            if now - self._late_at < _CONFIRMS:
                self._trouble(now)
        self._estimate, self._estimated_at = bitrate, now

    def receive_loss(self, fraction: float, *, sent: float, now: float) -> None:
        """What the viewer lost in a second, from 0 to 1, of ``sent`` bits per second."""
        if fraction >= _CONGESTED:
            self._lossy_seconds += 1
            self.congested = self.congested or self._lossy_seconds >= 2
        else:
            self._lossy_seconds = 0
            self.congested = self.congested and fraction >= _RELIEVED
        if self.congested:
            self._trouble(now, limit=sent * (1 - fraction))
        elif fraction < _CLEAN and not self._queued:
            self._carried.add(sent, now)
            if self._limit is not None:
                self._limit = max(self._limit, min(self._limit * _GROWTH, sent * _ROOM))

    def receive_round_trip(self, rtt: float, *, sent: float, now: float) -> None:
        """How long a report of ours and the answer took, in seconds."""
        late = rtt - self._round_trips.add(rtt, now)
        if late >= _LATE:
            self._late_at = now
            if now - self._lowered_at < _CONFIRMS:
                self._trouble(now)
        if late < _QUEUED:
            self._queued = 0
            return
        self._queued += 1
        if self._queued >= 2:
            self._trouble(now, limit=sent * _BACK_OFF)

    def receive_probe(self, rate: float, carried: float, *, now: float) -> None:
        """A probe at ``rate`` took so long to come that the path carries ``carried``, both in bits per second."""
        if carried < _SATURATED * rate:
            self._trouble(now, limit=carried)
        elif self._limit is not None:
            # It was so, and is no longer: this went through.
            self._limit = max(self._limit, min(rate, carried))
        self._probed.add(min(rate, carried), now)

    # -- what follows --------------------------------------------------------------------------------------------------

    def estimate(self, now: float) -> int | None:
        """From transport-wide feedback, else the viewer's own, in bits per second; None when there was none lately."""
        wide = None if self._wide is None else self._wide.estimate(now)
        if wide is not None:
            return wide
        return None if now - self._estimated_at > _ESTIMATE_LASTS else self._estimate

    def available(self, now: float) -> int | None:
        """Bits per second that the path carries for media, by the best knowledge there is; None while unknown.

        Unless ``limited``, it is what is known to go through, and there may be more.
        """
        if self._wide is not None and (estimate := self._wide.estimate(now)) is not None:
            return estimate
        estimate, probed, limit = self.estimate(now), self._probed.get(now), self._limit_at(now)
        if estimate is None and probed is None:
            return None if limit is None else int(limit)
        known = max(estimate or 0, probed or 0, self._carried.get(now) or 0)
        return int(known if limit is None else min(known, limit))

    def limited(self, now: float) -> bool:
        """Whether the path has said lately, by loss or delay, that it carries no more than ``available``."""
        if self._wide is not None and self._wide.estimate(now) is not None:
            return self.congested or self._wide.limited(now)
        return self.congested or now - self._troubled_at < _TROUBLE

    def queued(self, rtt: float) -> float:
        """Seconds that a round trip takes longer than the least of the last while."""
        return max(0.0, rtt - self._round_trips.least)

    def pace(self, stream_rate: float, now: float) -> float:
        """Bits per second at which packets may leave; ``stream_rate`` is what the stream has now."""
        estimate = self.estimate(now)
        if self.congested and estimate is not None:
            return max(_CONGESTED_FLOOR, estimate)
        reference = max(_UNKNOWN / _FACTOR if estimate is None else estimate, stream_rate)
        return min(_CEILING, max(_FLOOR, _FACTOR * reference))

    # -- inside --------------------------------------------------------------------------------------------------------

    def _trouble(self, now: float, *, limit: float | None = None) -> None:
        """The path is full: what it carried before is no longer known to go through."""
        self._troubled_at = now
        self._carried.clear()
        self._probed.clear()
        if limit is not None:
            before = self._limit
            self._limit = max(_LEAST, limit if before is None else min(before, limit))

    def _limit_at(self, now: float) -> float | None:
        if now - self._troubled_at > _FORGIVEN:
            self._limit = None
        return self._limit


class _Lately:
    """The greatest of the figures of the last while."""

    __slots__ = ("_at", "_lasts", "_value")

    def __init__(self, lasts: float) -> None:
        self._lasts = lasts
        self._value, self._at = 0.0, float("-inf")

    def add(self, value: float, now: float) -> None:
        if value >= self._value or now - self._at > self._lasts:
            self._value, self._at = value, now

    def get(self, now: float) -> float | None:
        return self._value if now - self._at <= self._lasts else None

    def clear(self) -> None:
        self._at = float("-inf")


class _LeastLately:
    """The least of the figures of the last 15 to 30 seconds: paths change."""

    __slots__ = ("_before", "_begun_at", "_least")

    def __init__(self) -> None:
        self._before = self._least = float("inf")
        self._begun_at = float("-inf")

    def add(self, value: float, now: float) -> float:
        if now - self._begun_at > 15:
            self._before, self._least, self._begun_at = self._least, value, now
        self._least = min(self._least, value)
        return self.least

    @property
    def least(self) -> float:
        return min(self._least, self._before)

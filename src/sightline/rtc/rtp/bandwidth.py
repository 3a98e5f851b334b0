"""How fast may a viewer be sent to: what it estimates itself (REMB), what it loses, what the stream needs."""

from __future__ import annotations

__all__ = ["Bandwidth", "RateMeter"]

_UNKNOWN = 10e6
"""Bits per second for a viewer that has not estimated anything yet: a keyframe of 60 kB takes 50 ms."""

_FACTOR = 2.5
"""Packets leave this much faster than the reference, as in libwebrtc's pacer: a burst is spread, not held back."""

_FLOOR, _CEILING = 2e6, 200e6

_CONGESTED_FLOOR = 300e3

_CONGESTED, _RELIEVED = 0.1, 0.05
"""Fractions lost from which a path is full (in two seconds one after the other), and below which it is not."""

_ESTIMATE_LASTS = 10.0
"""Seconds: libwebrtc sends an estimate at least every second."""

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
    """

    def __init__(self) -> None:
        self.congested = False
        self._estimate: int | None = None
        self._estimated_at = 0.0
        self._lossy_seconds = 0

    def receive_estimate(self, bitrate: int, now: float) -> None:
        """A REMB, in bits per second."""
        self._estimate, self._estimated_at = bitrate, now

    def receive_loss(self, fraction: float) -> None:
        """What the viewer lost in a second, from 0 to 1."""
        if fraction >= _CONGESTED:
            self._lossy_seconds += 1
            self.congested = self.congested or self._lossy_seconds >= 2
        else:
            self._lossy_seconds = 0
            self.congested = self.congested and fraction >= _RELIEVED

    def estimate(self, now: float) -> int | None:
        """The viewer's own estimate in bits per second, None when it has not made any lately."""
        return None if now - self._estimated_at > _ESTIMATE_LASTS else self._estimate

    def pace(self, stream_rate: float, now: float) -> float:
        """Bits per second at which packets may leave; ``stream_rate`` is what the stream has now."""
        estimate = self.estimate(now)
        if self.congested and estimate is not None:
            return max(_CONGESTED_FLOOR, estimate)
        reference = max(_UNKNOWN / _FACTOR if estimate is None else estimate, stream_rate)
        return min(_CEILING, max(_FLOOR, _FACTOR * reference))

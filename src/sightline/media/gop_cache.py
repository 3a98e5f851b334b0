"""The newest group of pictures of a stream whose keyframes cannot be ordered: a viewer begins with it at once."""

from __future__ import annotations

from .units import EncodedUnit

__all__ = ["CATCH_UP", "MAX_BYTES", "MAX_SECONDS", "GopCache"]

MAX_BYTES = 8 * 1024 * 1024
MAX_SECONDS = 12.0
"""Larger and longer groups are not held: a viewer would be sent more than it can take in the time."""

CATCH_UP = 0.2
"""Seconds that a replay takes at most. With the pictures that are published meanwhile a viewer is live within 0.3."""

_FAST_RATE = 20e6
"""Bits per second of a small group's replay, which is over the sooner."""


class GopCache:
    """Takes every unit of a feed. Keeps no clock: ``now`` is passed in, in seconds."""

    def __init__(self, clock_rate: int, *, max_bytes: int = MAX_BYTES, max_seconds: float = MAX_SECONDS) -> None:
        """``clock_rate`` in ticks per second."""
        self._clock_rate = clock_rate
        self._max_bytes = max_bytes
        self._max_ticks = round(max_seconds * clock_rate)
        self._units: list[EncodedUnit] = []
        self._octets = 0
        self._pushed_at = 0.0

    @property
    def octets(self) -> int:
        """Bytes held."""
        return self._octets

    @property
    def units(self) -> list[EncodedUnit]:
        """The keyframe and all that followed; empty before the first one, and when there was too much."""
        return list(self._units)

    def clear(self) -> None:
        """Hold nothing until the next keyframe."""
        self._units = []
        self._octets = 0

    def push(self, unit: EncodedUnit, now: float) -> None:
        """The feed published a unit."""
        if unit.keyframe:
            self.clear()
        elif not self._units:
            return
        self._units.append(unit)
        self._octets += len(unit.data)
        self._pushed_at = now
        ticks = unit.timestamp - self._units[0].timestamp
        if self._octets > self._max_bytes or not 0 <= ticks <= self._max_ticks:
            self.clear()

    def replay(self, now: float) -> list[tuple[EncodedUnit, float, int]]:
        """What a viewer is sent that comes now: each unit, when it is due, and the timestamp it is sent with.

        The bytes are spread evenly. A unit's timestamp is that of a picture taken at the moment when it is due, so the
        viewer's clock runs with the live pictures from the first packet on, and nothing of the past is waited for.
        """
        if not self._units:
            return []
        live = self._units[-1].timestamp + round((now - self._pushed_at) * self._clock_rate)
        duration = min(CATCH_UP, self._octets * 8 / _FAST_RATE)
        plan, before, previous = [], 0, live - 1
        for unit in self._units:
            after = duration * before / self._octets if self._octets else 0.0
            previous = max(previous + 1, live + round(after * self._clock_rate))
            plan.append((unit, now + after, previous))
            before += len(unit.data)
        return plan

"""The bit rate of an encoding that has to pass through its viewers' narrowest path."""

from __future__ import annotations

__all__ = ["RateFollower"]

_LOWER, _HIGHER = 0.9, 1.25
"""Changes by less than these are left alone: each costs all viewers a keyframe."""

_URGENT = 0.6
"""A limit so far below the rate does not wait for its turn."""

_LOWER_SPACING = 1.5
"""Seconds between two steps down: as long as an estimate takes to follow the first."""

_PATIENCE = 6.0
"""Seconds that there must have been room before the rate rises."""

_STEP = 1.5
"""By so much it rises at a time at most."""


class RateFollower:
    """Quick to fall and slow to rise, between ``least`` and ``most`` bits per second. Keeps no clock."""

    def __init__(self, *, most: int, least: int) -> None:
        """It begins at ``most``, which is also what viewers get whose paths nobody knows anything of."""
        self._most, self._least = most, min(least, most)
        self.rate = most
        """Bits per second now."""
        self._fell_at = float("-inf")
        self._room_since: float | None = None
        self._room = most

    def reset(self) -> None:
        """Nobody takes it any more: whoever comes next is somebody else."""
        self.rate, self._fell_at, self._room_since = self._most, float("-inf"), None

    def fit(self, limit: int | None, now: float) -> int:
        """``limit``: what the narrowest path leaves for it, None while that is unknown. Returns the rate."""
        target = self._most if limit is None else max(self._least, min(self._most, limit))
        if target < self.rate * _LOWER or target == self._least < self.rate:
            self._room_since = None
            if now - self._fell_at >= _LOWER_SPACING or target < self.rate * _URGENT:
                self.rate, self._fell_at = target, now
        elif target < self.rate * _HIGHER and not (target == self._most > self.rate):
            self._room_since = None
        elif target > self.rate:
            if self._room_since is None:
                self._room_since, self._room = now, target
            self._room = min(self._room, target)
            if now - self._room_since >= _PATIENCE:
                self.rate = min(self._room, round(self.rate * _STEP))
                self._room_since = None
        return self.rate

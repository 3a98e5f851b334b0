"""When the shared encoder makes a keyframe because somebody asked for one."""

from __future__ import annotations

__all__ = ["KeyframePolicy"]

_SPACING = 0.1
"""Seconds between two keyframes on request. Losses and joins come in groups: one keyframe serves them all."""

_REFILL = 0.3
"""Seconds in which one more keyframe is earned: what a flood of requests costs the other viewers at most."""

_BURST = 3
"""Keyframes that may be saved up, so that who joins a quiet camera never waits."""


class KeyframePolicy:
    """Joins many requests to few keyframes. A request is never lost, only delayed.

    ``request`` may be called from another thread than the others: it sets one flag.
    """

    def __init__(self) -> None:
        self._wanted = False
        self._credit = float(_BURST)
        self._made_at: float | None = None
        self._checked_at: float | None = None

    def request(self) -> None:
        """Somebody joined, or lost what came before (PLI, FIR)."""
        self._wanted = True

    def due(self, now: float) -> bool:
        """Whether the next picture should be a keyframe."""
        if not self._wanted or (self._made_at is not None and now - self._made_at < _SPACING):
            return False
        return self._credit_at(now) >= 1

    def made(self, now: float, *, on_request: bool) -> None:
        """A keyframe was encoded. It serves those who asked in any case; only one ``on_request`` is counted."""
        self._wanted = False
        if on_request:
            self._made_at = now
            self._credit = self._credit_at(now) - 1

    def _credit_at(self, now: float) -> float:
        if self._checked_at is not None:
            self._credit = min(_BURST, self._credit + (now - self._checked_at) / _REFILL)
        self._checked_at = now
        return self._credit

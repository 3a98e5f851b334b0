"""When the shared encoder makes a keyframe because somebody asked for one."""

from __future__ import annotations

__all__ = ["KEYFRAME_INTERVAL", "KeyframePolicy"]

KEYFRAME_INTERVAL = 0.3
"""Seconds between keyframes on request: one keyframe serves every viewer who asked meanwhile."""


class KeyframePolicy:
    """Joins many requests to at most one keyframe per ``interval`` seconds. A request is never lost, only delayed.

    ``request`` may be called from another thread than the others: it sets one flag.
    """

    def __init__(self, interval: float = KEYFRAME_INTERVAL) -> None:
        self._interval = interval
        self._wanted = False
        self._last: float | None = None

    def request(self) -> None:
        """Somebody joined, or lost what came before (PLI, FIR)."""
        self._wanted = True

    def due(self, now: float) -> bool:
        """Whether the next picture should be a keyframe."""
        return self._wanted and (self._last is None or now - self._last >= self._interval)

    def made(self, now: float) -> None:
        """A keyframe was encoded, asked for or not."""
        self._wanted = False
        self._last = now

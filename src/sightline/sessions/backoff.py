"""How long to wait before connecting again, for ever: full jitter, so that a service's clients do not come in waves.

The scheme is "full jitter" of Amazon's Builders' Library: a random time between nothing and a bound that doubles.
"""

from __future__ import annotations

__all__ = ["Backoff"]


class Backoff:
    """Keeps the bound. Time and chance are passed in: ``now`` in seconds of any clock, ``roll`` from 0 up to 1."""

    def __init__(self, *, first: float = 0.1, longest: float = 10.0, stable: float = 10.0) -> None:
        """``first`` and ``longest`` bound the wait in seconds.

        A connection that lived for ``stable`` seconds was a good one, and the wait begins at ``first`` again. One that
        is closed at once was not: its client would ask for ever without a pause.
        """
        self._first = first
        self._longest = longest
        self._stable = stable
        self._failures = 0
        self._opened_at: float | None = None

    def opened(self, now: float) -> None:
        """The connection stands."""
        self._opened_at = now

    def lost(self, now: float, *, roll: float) -> float:
        """The connection ended, or could not be made: seconds to wait before the next attempt."""
        if self._opened_at is not None and now - self._opened_at >= self._stable:
            self._failures = 0
        self._opened_at = None
        bound = min(self._longest, self._first * 2.0 ** min(self._failures, 32))
        self._failures += 1
        return roll * bound

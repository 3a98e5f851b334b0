"""How many bits a stream takes in its busiest seconds."""

from __future__ import annotations

from collections import deque

__all__ = ["PeakRate"]

_SECONDS = 10
"""So many of the last seconds in which there was something count."""


class PeakRate:
    """Bits per second of the busiest of the last seconds. A stream that stops keeps its figure. Keeps no clock."""

    __slots__ = ("_full", "_is_whole", "_octets", "_second")

    def __init__(self) -> None:
        self._full: deque[int] = deque(maxlen=_SECONDS)
        self._second = -10
        self._octets = 0
        self._is_whole = False

    def add(self, octets: int, now: float) -> None:
        """So many bytes were published."""
        second = int(now)
        if second != self._second:
            if self._is_whole:
                self._full.append(self._octets)
            # The second in which a stream begins is not a whole one.
            self._is_whole = second == self._second + 1
            self._second, self._octets = second, 0
        self._octets += octets

    @property
    def rate(self) -> int | None:
        """Bits per second; None before the first whole second."""
        return max(self._full) * 8 if self._full else None

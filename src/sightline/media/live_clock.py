"""The times of a live source's packets as one timeline that never runs backwards, whatever the source's clock does."""

from __future__ import annotations

__all__ = ["LiveClock"]

_ASTRAY = 2.0
"""Seconds by which a packet may be off the time of its arrival before its source's clock is held to have jumped."""

_SHARED = 1.0
"""Seconds within which two streams are held to count from the same zero."""


class LiveClock:
    """Maps a source's times to seconds since our own start, for all streams of one connection alike.

    The difference between picture and sound is kept as the source has it. Keeps no clock: ``now`` is passed in. It
    lives through reconnections: `reconnected` says that the source may count from anywhere.
    """

    def __init__(self) -> None:
        self._offset: float | None = None
        self._own: dict[int, float] = {}
        self._last: dict[int, float] = {}

    def reconnected(self) -> None:
        """What comes now has times of its own."""
        self._offset = None
        self._own.clear()

    def at(self, stream: int, time: float | None, now: float, *, ordered: bool = True) -> float:
        """Seconds on our timeline of a packet of ``stream`` with the source's ``time`` that arrives ``now``.

        Not ``ordered`` are packets with B-frames: they come in another order than they are shown in.
        """
        if time is None:
            seconds = now
        else:
            if self._offset is None:
                self._offset = now - time
            offset = self._own.get(stream, self._offset)
            if abs(time + offset - now) > (_SHARED if stream not in self._last else _ASTRAY):
                offset = self._own[stream] = now - time
            seconds = time + offset
        last = self._last.get(stream)
        if ordered and last is not None and seconds <= last:
            seconds = last + 0.001
        self._last[stream] = seconds
        return seconds

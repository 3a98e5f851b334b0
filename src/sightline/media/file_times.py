"""The times in a file as one timeline that never runs backwards, over its end and over jumps inside it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final

__all__ = ["FileTimes", "StreamTimes"]

_BACK: Final = 0.5
"""Seconds back from which it is a jump (recordings put together, a recorder's clock set right), and no disorder."""

_FORWARD: Final = 3600.0
"""The same forward. Less may be meant so: a slide that is shown for ten minutes."""

_MISSING: Final = 1.0
"""Seconds by which a file may end before the time that it promises without being suspected to be cut off."""


class FileTimes:
    """What all streams of a file have in common: how long it is, and by how much it is off after each jump in it.

    The stream that comes to a place first decides for the others, so that picture and sound stay as the file has them,
    however often it begins again. Each stream may be in a thread of its own.
    """

    def __init__(self, *, start: float, period: float, measured: Callable[[], float]) -> None:
        """``start``: the time of its beginning, in seconds; ``period``: how long it says it is.

        ``measured`` says how long it really is, and may take its time: it is asked once, where that is in doubt.
        """
        self.start = start
        self._period = period
        self._measured = measured
        self._shifts = [0.0]
        self._length: float | None = None
        self._lock = threading.Lock()

    def stream(self, step: float) -> StreamTimes:
        """For a reader of one stream, from the file's beginning; ``step``: seconds that an item lasts."""
        return StreamTimes(self, step)

    def shift(self, jump: int, proposed: float) -> float:
        """Seconds to be added after the file's ``jump``-th jump; ``proposed`` by who is there first."""
        with self._lock:
            if jump >= len(self._shifts):
                self._shifts.append(proposed)
            return self._shifts[jump]

    def length(self, end: float) -> float:
        """Seconds from one beginning to the next; ``end``: of the stream that asks."""
        with self._lock:
            if self._length is None:
                period = self._period
                if len(self._shifts) > 1:
                    period = 0.0
                elif period > end + _MISSING:
                    period = min(period, self._measured())
                self._length = max(period, end)
            return self._length


class StreamTimes:
    """One stream's way along the timeline."""

    def __init__(self, file: FileTimes, step: float) -> None:
        self._file = file
        self._step = step
        self._begin = self._shift = 0.0
        self._jump = 0
        self._raw: float | None = None
        self._last: float | None = None

    def at(self, time: float | None) -> float:
        """Seconds from the start of the first round of an item with the file's ``time``; None: after the one before."""
        following = 0.0 if self._raw is None else self._raw + self._step
        raw = following if time is None else time - self._file.start
        if self._raw is not None and not -_BACK <= raw - self._raw <= _FORWARD:
            self._jump += 1
            self._shift = self._file.shift(self._jump, following + self._shift - raw)
        self._raw = raw
        seconds = self._begin + raw + self._shift
        if self._last is not None and seconds <= self._last:
            seconds = self._last + 0.001
        self._last = seconds
        return seconds

    def begin_again(self) -> None:
        """The stream has ended, and is read from its beginning."""
        if self._raw is not None:
            self._begin += self._file.length(self._raw + self._shift + self._step)
        self._shift, self._jump, self._raw = 0.0, 0, None

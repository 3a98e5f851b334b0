"""The times in a file as one timeline that never runs backwards, over its end and over jumps inside it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final

__all__ = ["FORWARD", "Round", "StreamTimes"]

_BACK: Final = 0.5
"""Seconds back from which it is a jump (recordings put together, a recorder's clock set right), and no disorder."""

FORWARD: Final = 3600.0
"""The same forward. Less may be meant so: a slide that is shown for ten minutes."""

_MISSING: Final = 1.0
"""Seconds by which a file may end before the time that it promises without being suspected to be cut off."""


class Round:
    """One time through a file, for all its streams: where it begins, and by how much it is off after each jump in it.

    The stream that comes to a place first decides for the others, so that picture and sound stay as the file has them,
    however often it begins again. Each stream may be in a thread of its own.
    """

    def __init__(
        self, *, start: float, period: float, measured: Callable[[], float], begin: float = 0.0, number: int = 0
    ) -> None:
        """``start``: the time of the file's beginning, in seconds; ``period``: how long it says it is.

        ``measured`` says how long it really is, and may take its time: it is asked once, where that is in doubt.
        ``begin``: seconds on our timeline; ``number``: how many rounds were before.
        """
        self.start = start
        self.begin = begin
        self.number = number
        self._period = period
        self._measured = measured
        self._shifts = [0.0]
        self._end: float | None = None
        self._lock = threading.Lock()

    @property
    def end(self) -> float | None:
        """Seconds on our timeline at which the next one begins; None until a stream has ended."""
        return self._end

    def shift(self, jump: int, proposed: float) -> float:
        """Seconds to be added after the file's ``jump``-th jump; ``proposed`` by who is there first."""
        with self._lock:
            if jump >= len(self._shifts):
                self._shifts.append(proposed)
            return self._shifts[jump]

    def finish(self, length: float, *, least: float = 0.0) -> None:
        """A stream has ended; ``length``: seconds from the beginning to its end; ``least``: until the next one."""
        with self._lock:
            if self._end is None:
                period = self._period
                if len(self._shifts) > 1:
                    period = 0.0
                elif period > length + _MISSING:
                    period = min(period, self._measured())
                self._end = self.begin + max(period, length, least)

    def give_up(self, at: float) -> None:
        """There is nothing in it; the next one begins at ``at``."""
        with self._lock:
            if self._end is None:
                self._end = at


class StreamTimes:
    """One stream's way along the timeline. Belongs to its thread."""

    def __init__(self, step: float) -> None:
        """``step``: seconds that an item lasts."""
        self._step = step
        self._round: Round | None = None
        self._shift = 0.0
        self._jump = 0
        self._raw: float | None = None
        self._last: float | None = None

    def enter(self, round: Round) -> None:
        """The stream is read from its beginning."""
        self._round = round
        self._shift, self._jump, self._raw = 0.0, 0, None

    def leave(self, *, least: float = 0.0) -> None:
        """The stream has ended; the next round begins ``least`` so many seconds after this one."""
        if self._round is not None and self._raw is not None:
            self._round.finish(self._raw + self._shift + self._step, least=least)

    def at(self, time: float | None) -> float:
        """Seconds from the start of the first round of an item with the file's ``time``; None: after the one before."""
        round = self._round
        assert round is not None
        following = 0.0 if self._raw is None else self._raw + self._step
        raw = following if time is None else time - round.start
        if self._raw is not None and not -_BACK <= raw - self._raw <= FORWARD:
            self._jump += 1
            self._shift = round.shift(self._jump, following + self._shift - raw)
        self._raw = raw
        seconds = round.begin + raw + self._shift
        if self._last is not None and seconds <= self._last:
            seconds = self._last + 0.001
        self._last = seconds
        return seconds

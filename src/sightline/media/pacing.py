"""Real time for frames that could be made faster: when each is due, and which ones are too late."""

from __future__ import annotations

import enum
import threading

__all__ = ["DROP_AFTER", "REBASE_AFTER", "Pacer", "Verdict"]

DROP_AFTER = 0.25
"""Seconds of lateness from which a picture is left out: a busy machine shows fewer pictures, not older ones."""

REBASE_AFTER = 2.0
"""Seconds of lateness that are no longer load but a suspended machine: go on from here."""


class Verdict(enum.Enum):
    """What to do with a frame whose time has come."""

    SEND = "send"
    DROP = "drop"


class Pacer:
    """Maps media time (seconds from the start) to the clock; shared by the picture's and the sound's thread.

    Time is passed in, so the decisions are tested without waiting.
    """

    def __init__(self, started: float) -> None:
        self._origin = started
        self._lock = threading.Lock()

    def delay(self, media_time: float, now: float) -> float:
        """Seconds until the frame is due, 0 if it is due or late."""
        return max(0.0, self._origin + media_time - now)

    def judge(self, media_time: float, now: float) -> Verdict:
        """Whether a frame that is due is sent or left out."""
        with self._lock:
            late = now - self._origin - media_time
            if late > REBASE_AFTER:
                self._origin += late
                return Verdict.SEND
        return Verdict.DROP if late > DROP_AFTER else Verdict.SEND

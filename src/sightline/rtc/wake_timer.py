"""A timer for judgements by silence: it does not take our own standing still for the peer's."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

__all__ = ["WakeTimer"]

_LATE = 0.2
"""Seconds: a call that comes so much too late comes to a process that stood still."""

_SECOND_LOOK = 0.02
"""Seconds in which the sockets are read first."""


class WakeTimer:
    """Calls ``wake`` once, at a time of ``time.monotonic``.

    After a machine was paused, or had other work, timers are due and sockets are full at the same moment, and uvloop
    runs timers first. So a call that is late waits until what has come meanwhile was read.
    """

    def __init__(self, wake: Callable[[], None]) -> None:
        self._wake = wake
        self._handle: asyncio.TimerHandle | None = None
        self._looks_again = False
        self.due: float | None = None
        """When it calls; None while it is not set."""

    def at(self, due: float) -> None:
        """Call then, in place of before."""
        if self._looks_again and self._handle is not None:
            return  # in a moment anyway
        self.cancel()
        self._set(due)

    def cancel(self) -> None:
        """Do not call. Idempotent."""
        if self._handle is not None:
            self._handle.cancel()
        self._handle, self.due, self._looks_again = None, None, False

    def _set(self, due: float) -> None:
        # A timer of uvloop's that is due at once cannot say when: the time is kept beside it.
        self._handle, self.due = asyncio.get_running_loop().call_at(due, self._call), due

    def _call(self) -> None:
        assert self.due is not None
        now, due = time.monotonic(), self.due
        self._handle, self.due = None, None
        if now - due > _LATE and not self._looks_again:
            self._looks_again = True
            self._set(now + _SECOND_LOOK)
        else:
            self._looks_again = False
            self._wake()

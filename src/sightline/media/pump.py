"""The thread that takes frames at their time, encodes them once and hands them on."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable
from typing import Generic, TypeVar

import av
import msgspec

from ..errors import SightlineError
from .pacing import Pacer, Verdict

__all__ = ["Pump", "Step"]

log = logging.getLogger(__name__)

_AT_LEAST_EVERY = 1.0
"""Seconds after which even a late picture is better than none: a source that is always late would never be seen."""

_Made = TypeVar("_Made")
"""What comes of a frame: its units, with whatever says where they belong."""


class Step(msgspec.Struct, Generic[_Made], frozen=True):
    """A frame at ``seconds`` from the start; ``encode`` makes and encodes it, called when its time has come."""

    seconds: float
    encode: Callable[[], Iterable[_Made]]


class Pump(Generic[_Made]):
    """One stream's thread. ``steps`` is iterated in it, so decoding and drawing do not touch the event loop either."""

    def __init__(
        self,
        name: str,
        *,
        steps: Callable[[], Iterable[Step[_Made]]],
        publish: Callable[[_Made], None],
        ended: Callable[[], None],
        may_drop: bool,
    ) -> None:
        """``publish`` and ``ended`` are called in the thread. ``may_drop``: late frames are left out."""
        self._steps = steps
        self._publish = publish
        self._ended = ended
        self._may_drop = may_drop
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._main, name=f"sightline-{name}", daemon=True)
        self._pacer = Pacer(0.0)

    @property
    def alive(self) -> bool:
        """Whether the thread still runs."""
        return self._thread.is_alive()

    def start(self, pacer: Pacer) -> None:
        """Begin; ``pacer`` is shared with the pumps of the same source."""
        self._pacer = pacer
        self._thread.start()

    def stop(self) -> None:
        """Ask the thread to end; it does so within a frame's encoding. Idempotent."""
        self._stop.set()

    def join(self) -> None:
        """Wait until the thread has ended. Blocks: at most for a frame's encoding after ``stop``."""
        self._thread.join()

    def _main(self) -> None:
        try:
            finished = self.run(self._pacer, now=time.monotonic, wait=self._stop.wait)
        except (SightlineError, av.FFmpegError, OSError, ValueError) as error:
            log.error("%s stopped: %s", self._thread.name, error)
            finished = True
        if finished:
            self._ended()

    def run(self, pacer: Pacer, *, now: Callable[[], float], wait: Callable[[float], bool]) -> bool:
        """The loop itself; the clock is passed in. True at the end of the frames, False when stopped.

        ``wait`` sleeps for the seconds given and returns whether the pump was stopped meanwhile.
        """
        sent = float("-inf")
        for step in self._steps():
            if wait(pacer.delay(step.seconds, now())):
                return False
            late = pacer.judge(step.seconds, now()) is Verdict.DROP
            if late and self._may_drop and now() - sent < _AT_LEAST_EVERY:
                continue
            sent = now()
            for made in step.encode():
                self._publish(made)
        return True

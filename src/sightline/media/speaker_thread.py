"""The thread that plays to a speaker, opens it again when it was lost, and is left behind when it hangs."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Final

from ..errors import MediaError, SpeakerError
from .mixer import Pcm, silence
from .speaker import Speaker, SpeakerMaker

__all__ = ["SpeakerThread"]

log = logging.getLogger(__name__)

_WAITING: Final = 5
"""Frames of 20 ms that wait for a speaker that is slow; then the oldest are left out."""

_CUSHION: Final = 2
"""Frames of silence before what is said after a pause: a sound card that runs dry crackles."""

_PAUSE: Final = 0.25
"""Seconds without a frame after which a card has run dry, which is no harm while nobody talks."""

_OPEN_LIMIT: Final = 8.0
"""Seconds in which a speaker must be open at first."""

_HUNG: Final = 4.0
"""Seconds that one frame may take; after that the speaker is given up and opened anew by another thread."""

_MOST_HUNG: Final = 3
"""Threads that may hang at a time; with more, nothing is tried until one of them comes back."""

_FIRST_BACKOFF, _LONGEST_BACKOFF = 1.0, 30.0

_CLOSE_LIMIT: Final = 2.0
"""Seconds that are waited for a thread in the end; one that hangs ends with the program."""


class SpeakerThread:
    """``put`` may be called in any thread, and never waits: whatever the speaker does harms nobody else."""

    def __init__(
        self,
        make: SpeakerMaker,
        *,
        hung: float = _HUNG,
        backoff: tuple[float, float] = (_FIRST_BACKOFF, _LONGEST_BACKOFF),
    ) -> None:
        """``hung`` and ``backoff`` (the first and the longest) in seconds."""
        self._make = make
        self._hung = hung
        self._first_backoff, self._longest_backoff = backoff
        self._lock = threading.Lock()
        self._run: _Run | None = None
        self._left_behind: list[_Run] = []
        self._closed = False
        self.left_out = 0
        """Frames that were not played because the speaker was away or too slow."""

    async def open(self) -> None:
        """Open it for the first time. Raises SpeakerError and UnsupportedMedia."""
        run = self._begin(0.0, is_first=True)
        opened = await asyncio.to_thread(run.opened.wait, _OPEN_LIMIT)
        if run.error is not None:
            await self.aclose()
            raise run.error
        if not opened:
            await self.aclose()
            raise SpeakerError("The speaker does not open: it hangs. Choose another one, or see what has hold of it.")

    def put(self, samples: Pcm) -> None:
        """Play 20 ms, as soon as what was put before is played."""
        with self._lock:
            run = self._run
            if run is None or self._closed:
                return
            if run.busy_since is not None and time.monotonic() - run.busy_since > self._hung:
                run = self._replace(run)
                if run is None:
                    self.left_out += 1
                    return
        self.left_out += run.put(samples)

    async def aclose(self) -> None:
        """Close it. Idempotent."""
        with self._lock:
            self._closed = True
            run, self._run = self._run, None
        if run is not None:
            run.end()
            await asyncio.to_thread(run.thread.join, _CLOSE_LIMIT)

    def _begin(self, pause: float, *, is_first: bool = False) -> _Run:
        run = self._run = _Run(
            self._make, pause, (self._first_backoff, self._longest_backoff), reports_first_error=is_first
        )
        run.thread.start()
        return run

    def _replace(self, run: _Run) -> _Run | None:
        """That one hangs. Another one takes its place, unless too many hang already."""
        self._left_behind = [other for other in self._left_behind if other.thread.is_alive()]
        if len(self._left_behind) >= _MOST_HUNG:
            return None
        log.warning("the speaker hangs; it is opened anew")
        run.end()
        self._left_behind.append(run)
        pause = min(self._longest_backoff, self._first_backoff * 2 ** (len(self._left_behind) - 1))
        return self._begin(pause)


class _Run:
    """One thread with one speaker at a time."""

    def __init__(
        self, make: SpeakerMaker, pause: float, backoff: tuple[float, float], *, reports_first_error: bool
    ) -> None:
        self.opened = threading.Event()
        """It is open, or ``error`` says why not."""
        self.error: MediaError | None = None
        self.busy_since: float | None = None
        """When the call that is under way began."""
        self._make = make
        self._pause = pause
        self._backoff = backoff
        self._reports_first_error = reports_first_error
        self._frames: deque[Pcm] = deque()
        self._changed = threading.Condition()
        self._ended = False
        self.thread = threading.Thread(target=self._main, name="sightline-speaker", daemon=True)

    def put(self, samples: Pcm) -> int:
        """Returns how many frames were left out for it."""
        with self._changed:
            self._frames.append(samples)
            late = len(self._frames) > _WAITING
            if late:
                self._frames.popleft()
            self._changed.notify()
        return int(late)

    def end(self) -> None:
        """Play no more."""
        with self._changed:
            self._ended = True
            self._changed.notify()

    def _main(self) -> None:
        pause, said = self._pause, ""
        while not self._wait(pause):
            speaker = self._make()
            try:
                self._timed(speaker.open)
                if said:
                    log.info("the speaker plays again")
                pause, said = self._backoff[0], ""
                self.opened.set()
                self._play(speaker)
            except Exception as error:
                if self._reports_first_error and not self.opened.is_set():
                    self.error = error if isinstance(error, MediaError) else SpeakerError(f"No speaker: {error}")
                    self.opened.set()
                    return
                if str(error) != said:
                    said = str(error)
                    log.warning("the speaker is lost, and is opened again as soon as possible: %s", error)
                pause = min(self._backoff[1], pause * 2 if pause else self._backoff[0])
            finally:
                with suppress(Exception):
                    self._timed(speaker.close)

    def _play(self, speaker: Speaker) -> None:
        """Until it ends or is lost."""
        played_at = float("-inf")
        while (samples := self._next()) is not None:
            if time.monotonic() - played_at > _PAUSE:
                for _ in range(_CUSHION):
                    self._timed(partial(speaker.play, silence()))
            self._timed(partial(speaker.play, samples))
            played_at = time.monotonic()

    def _next(self) -> Pcm | None:
        with self._changed:
            self._changed.wait_for(lambda: self._ended or self._frames)
            return None if self._ended else self._frames.popleft()

    def _wait(self, seconds: float) -> bool:
        """Whether it has ended; what is said meanwhile is lost."""
        with self._changed:
            ended = self._changed.wait_for(lambda: self._ended, seconds)
            self._frames.clear()
            return ended

    def _timed(self, call: Callable[[], None]) -> None:
        self.busy_since = time.monotonic()
        try:
            call()
        finally:
            self.busy_since = None

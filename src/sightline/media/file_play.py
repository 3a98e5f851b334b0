"""A file's pictures and sound from its beginning, over and over, whatever happens to the file meanwhile."""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Callable, Iterator
from functools import partial
from typing import Final, Protocol, TypeVar

import av
import msgspec

from ..errors import MediaError
from .encoding_source import RawPicture, RawSound
from .file_reading import pictures, sounds
from .file_times import Round, StreamTimes
from .turning import Turning

__all__ = ["FileFacts", "FilePlay", "PlayedFile"]

log = logging.getLogger(__name__)

_AGAIN: Final = 1.0
"""Seconds until a file that is gone or cannot be read is looked for again: a copy that is being made ends some time."""

_IDLE: Final = 0.25
"""Seconds between two looks whether a round is over in which a stream has nothing to do."""

_STILL: Final = 1.0
"""Seconds for which a single picture is shown before it is looked whether there is another one in its place."""

_Frame = TypeVar("_Frame")
_Item = TypeVar("_Item")


class FileFacts(msgspec.Struct, frozen=True):
    """What a file says of itself, in seconds."""

    start: float
    period: float
    measured: Callable[[], float]


class PlayedFile(Protocol):
    """The file, whichever is there by its name now."""

    def look(self) -> FileFacts:
        """What it is now. Raises MediaError when it cannot be played."""

    def open(self) -> av.container.InputContainer:
        """For reading. Raises MediaError."""

    def tell(self, reason: str | None) -> None:
        """It is lost, or back. Called from any thread, and again while nothing has changed."""


class FilePlay:
    """One time that a source is taken, from the first viewer to the last one's end. Each stream has its own thread."""

    def __init__(self, file: PlayedFile, *, loop: bool, frame_rate: float) -> None:
        self._file = file
        self._loop = loop
        self._frame_rate = frame_rate
        self._round: Round | None = None
        self._lock = threading.Lock()

    def pictures(self) -> Iterator[RawPicture]:
        """The pictures; both streams are read on their own, so a badly interleaved file does no harm."""
        turning = Turning()
        for seconds, frame in self.video(pictures):
            yield RawPicture(seconds, _nothing if frame is None else partial(turning.upright, frame))

    def sounds(self) -> Iterator[RawSound]:
        """The sound."""
        for seconds, frame in self._repeated(sounds, 0.02, leads=False):
            yield RawSound(seconds, _nothing if frame is None else partial(_given, frame))

    def video(
        self, read: Callable[[av.container.InputContainer], Iterator[tuple[float | None, _Item]]]
    ) -> Iterator[tuple[float, _Item | None]]:
        """What ``read`` finds in the file, with its time in seconds from the start, over and over when it loops.

        None: there is nothing to be had until then.
        """
        return self._repeated(read, 1 / self._frame_rate, leads=True)

    def _repeated(
        self,
        read: Callable[[av.container.InputContainer], Iterator[tuple[float | None, _Item]]],
        step: float,
        *,
        leads: bool,
    ) -> Iterator[tuple[float, _Item | None]]:
        """``leads``: the picture, without which the file is lost; the sound goes along, or there is none."""
        times = StreamTimes(step)
        at, number = 0.0, 0
        while True:
            while (round := self._enter(number, at)) is None:
                at = (math.floor(at / _AGAIN) + 1) * _AGAIN  # both streams look at the same time
                yield at, None
            number = round.number + 1
            times.enter(round)
            found = 0
            reason = "there is nothing in it"
            try:
                with self._file.open() as container:
                    for time, item in read(container):
                        if not found and leads:
                            self._file.tell(None)
                        found += 1
                        at = times.at(time)
                        yield at, item
            except (MediaError, av.FFmpegError, OSError, ValueError) as error:
                # Whatever FFmpeg makes of a file that changes while it is read: the round ends there.
                reason = str(error)
            times.leave(least=_STILL if found == 1 else 0.0)
            # The streams of a file seldom end together; both begin the next round at the same time.
            if not found and leads:
                self._file.tell(f"No picture could be read: {reason}")
                at = max(at, round.begin) + _AGAIN
                yield at, None
                round.give_up(at)
            while round.end is None:
                at = max(at, round.begin) + _IDLE
                yield at, None
            if not self._loop:
                return
            at = max(at, round.end)

    def _enter(self, number: int, at: float) -> Round | None:
        """The round of this number, made by who comes first, ``at`` so many seconds; None: there is no such file."""
        with self._lock:
            last = self._round
            if last is not None and last.number >= number:
                return last
            try:
                facts = self._file.look()
            except (MediaError, av.FFmpegError, OSError, ValueError) as error:
                self._file.tell(str(error))
                return None
            self._round = Round(
                start=facts.start, period=facts.period, measured=facts.measured, begin=at, number=number
            )
            return self._round


def _nothing() -> None:
    return None


def _given(frame: _Frame) -> _Frame:
    return frame

"""Records what comes from a camera without encoding it anew: one file, through every reconnection."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import msgspec

from ..errors import MediaError
from .conveyor import Conveyor
from .received import ReceivedFrame
from .recorder_file import Parameters, RecordingFile, check_recording_path
from .recorder_times import RunTimes

__all__ = ["Recorder", "Recording"]

log = logging.getLogger(__name__)


class Recording(msgspec.Struct, frozen=True):
    """How far it is."""

    files: tuple[Path, ...] = ()
    seconds: float = 0.0
    """From the beginning to the last picture, pauses included."""
    pictures: int = 0
    size: int = 0
    """Bytes of pictures and sound."""


class _NewRun(msgspec.Struct, frozen=True):
    pass


class Recorder:
    """``push`` in the event loop; a thread writes.

    Files are fragmented, so that one whose writer was killed plays to within a second of the end. When the stream's
    parameters change (another size, another codec), a numbered part follows: ``out.mp4``, ``out-2.mp4``. An existing
    file is never overwritten: the next number is taken.
    """

    def __init__(self, path: Path | str, *, on_error: Callable[[MediaError], None] | None = None) -> None:
        """``on_error`` is called in the event loop when it cannot go on, once. Raises MediaError for a path that
        cannot be."""
        self._path = check_recording_path(Path(path))
        self._on_error = on_error
        self._loop = asyncio.get_running_loop()
        self._conveyor = Conveyor[ReceivedFrame | _NewRun]("recorder", work=self._take, last=self._finish)
        self.state = Recording()
        """How far it is, for anyone to read at any time."""
        self.error: MediaError | None = None
        """Why it ended early."""
        # The thread's own.
        self._run = RunTimes()
        self._file: RecordingFile | None = None

    def begin_run(self) -> None:
        """A new connection to the camera: its timestamps have nothing to do with those before."""
        self._conveyor.put(_NewRun())

    def push(self, frame: ReceivedFrame) -> None:
        """Record it. What comes before the first keyframe is left out."""
        if self.error is None:
            self._conveyor.put(frame)

    async def aclose(self) -> None:
        """Write what waits and end the file. Idempotent."""
        await self._conveyor.aclose()

    # -- in the thread

    def _take(self, item: ReceivedFrame | _NewRun) -> None:
        if self.error is not None:
            return
        try:
            if isinstance(item, _NewRun):
                self._write_held()
                self._run = RunTimes(self._run.begun_at)
            else:
                for frame, seconds in self._run.push(item):
                    self._write(frame, seconds)
        except MediaError as error:
            self._fail(error)

    def _write_held(self) -> None:
        for frame, seconds in self._run.release():
            self._write(frame, seconds)

    def _write(self, frame: ReceivedFrame, seconds: float) -> None:
        if frame.kind == "video" and frame.keyframe:
            self._fit(frame)
        if self._file is None:
            return
        self._file.write(frame, seconds)
        before = self.state
        is_video = frame.kind == "video"
        self.state = Recording(
            before.files,
            max(before.seconds, seconds) if is_video else before.seconds,
            before.pictures + is_video,
            before.size + len(frame.data),
        )

    def _fit(self, keyframe: ReceivedFrame) -> None:
        """See that there is a file for pictures like these."""
        if self._file is not None:
            if Parameters.of(keyframe) == self._file.parameters:
                return
            log.info("the stream's parameters changed: the recording goes on in another file")
            self._file.close()
        path = self._free_path()
        self._file = RecordingFile(path, keyframe, sound="audio" in self._run.kinds)
        self.state = msgspec.structs.replace(self.state, files=(*self.state.files, path))

    def _free_path(self) -> Path:
        path, number = self._path, 1
        while path.exists():
            number += 1
            path = self._path.with_stem(f"{self._path.stem}-{number}")
        return path

    def _finish(self) -> None:
        try:
            if self.error is None:
                self._write_held()
            if self._file is not None:
                self._file.close()
        except MediaError as error:
            self._fail(error)

    def _fail(self, error: MediaError) -> None:
        first, self.error = self.error is None, error
        if self._file is not None:
            with suppress(MediaError):
                self._file.close()
            self._file = None
        if first and self._on_error is not None:
            with suppress(RuntimeError):  # the loop is closed already
                self._loop.call_soon_threadsafe(self._on_error, error)

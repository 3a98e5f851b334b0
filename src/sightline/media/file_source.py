"""A video file as a camera, played in real time."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import NoReturn

import av

from ..errors import SourceNotFound, UnsupportedMedia
from .encoding_source import EncodingSource
from .file_play import FileFacts, FilePlay
from .file_reading import open_container, packets, pictures, plausible_rate
from .h264_file import why_not
from .ladder import Ladder
from .turning import is_changed, shown_size
from .units import AudioFormat, VideoFormat

__all__ = ["FileMedia", "FileSource"]

log = logging.getLogger(__name__)


class FileSource(EncodingSource):
    """Decodes any file that FFmpeg reads and encodes it anew, so that every viewer can begin at once.

    Opening it reads the file's head and first picture, which blocks for some milliseconds. Raises SourceNotFound and
    UnsupportedMedia. A file that is gone or cannot be read later is waited for, and told to those who `follow`.
    """

    def __init__(
        self,
        path: Path | str,
        *,
        loop: bool = True,
        bitrate: int | None = None,
        ladder: Ladder | None = None,
        transcode: bool = True,
    ) -> None:
        """``loop``: begin again at the end; ``bitrate``: of the video, in bits per second, by default from its size."""
        self._file = FileMedia(Path(path), loop=loop)
        super().__init__(self._file, bitrate=bitrate, ladder=ladder, transcode=transcode)

    def follow(self, told: Callable[[str | None], None]) -> None:
        """Call ``told``, in the event loop's thread, with why when the file is lost, with None when it is back."""
        self._file.follow(told)


class FileMedia:
    """The file that is there by this name. Another one may take its place: it is played from the next round on."""

    def __init__(self, path: Path, *, loop: bool, as_it_is: bool = False) -> None:
        """``as_it_is``: its H.264 is to be sent without encoding. Blocks for some milliseconds.

        Raises SourceNotFound and UnsupportedMedia.
        """
        self._path = path
        self._loop = loop
        self._as_it_is = as_it_is
        self._told: Callable[[str | None], None] | None = None
        self._lost: str | None = None
        self._lock = threading.Lock()
        self._seen = self._identity()
        self._facts, self.video, has_sound = self._examine()
        self.audio = AudioFormat() if has_sound else None

    def play(self) -> FilePlay:
        """From its beginning."""
        return FilePlay(self, loop=self._loop, frame_rate=self.video.frame_rate)

    def follow(self, told: Callable[[str | None], None]) -> None:
        """See ``FileSource.follow``."""
        loop = asyncio.get_running_loop()

        def tell(reason: str | None) -> None:
            with suppress(RuntimeError):  # the loop is closed: there is nobody left to tell
                loop.call_soon_threadsafe(told, reason)

        self._told = tell

    def look(self) -> FileFacts:
        """What it is now. Raises SourceNotFound and UnsupportedMedia."""
        seen = self._identity()
        if seen != self._seen:
            self._facts, _, _ = self._examine()
            self._seen = seen
        return self._facts

    def open(self) -> av.container.InputContainer:
        """For reading. Raises SourceNotFound and UnsupportedMedia."""
        return open_container(self._path)

    def tell(self, reason: str | None) -> None:
        """It is lost, or back. Called from any thread, and again while nothing has changed."""
        with self._lock:
            if (reason is None) == (self._lost is None):
                return
            self._lost = reason
        if reason is None:
            log.info("the source is back: %s", self._path)
        else:
            log.warning("the source is lost: %s It is looked for until it is back.", reason)
        if self._told is not None:
            self._told(reason)

    def _identity(self) -> tuple[int, ...]:
        try:
            stat = self._path.stat()
        except OSError as error:
            raise SourceNotFound(f"There is no file {self._path}.") from error
        return stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns

    def _examine(self) -> tuple[FileFacts, VideoFormat, bool]:
        path = self._path
        if self._as_it_is and (reason := why_not(path)) is not None:
            self._refuse(reason)
        with open_container(path) as container:
            if not container.streams.video:
                raise UnsupportedMedia(f"{path} has no video stream, so there is no picture to send.")
            stream = container.streams.video[0]
            first = next((frame for _, frame in pictures(container)), None)
            if first is None:
                raise UnsupportedMedia(f"{path} has a video stream, but no picture in it can be decoded.")
            video = VideoFormat(*shown_size(first, stream.sample_aspect_ratio), plausible_rate(stream))
            if self._as_it_is and is_changed(first, stream.sample_aspect_ratio):
                self._refuse("its pictures have to be turned or stretched")
            facts = FileFacts(
                start=float(Fraction(container.start_time or 0, av.time_base)),
                period=float(Fraction(container.duration or 0, av.time_base)),
                measured=self._measured,
            )
            return facts, video, bool(container.streams.audio)

    def _refuse(self, reason: str) -> NoReturn:
        raise UnsupportedMedia(
            f"{self._path} cannot be sent as it is: {reason}. A master that is started anew encodes it."
        )

    def _measured(self) -> float:
        ends = [0.0]
        with open_container(self._path) as container:
            start = float(Fraction(container.start_time or 0, av.time_base))
            for packet in packets(container, *container.streams.video[:1], *container.streams.audio[:1]):
                if packet.pts is not None and packet.time_base is not None:
                    ends.append(float((packet.pts + (packet.duration or 0)) * packet.time_base) - start)
        return max(ends)

"""A video file as a camera, played in real time."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import TypeVar

import av

from ..errors import SourceNotFound, UnsupportedMedia
from .encoding_source import EncodingSource, RawPicture, RawSound
from .units import AudioFormat, VideoFormat

__all__ = ["FileSource"]

_DEFAULT_RATE = 30.0

_Frame = TypeVar("_Frame")


class FileSource(EncodingSource):
    """Decodes any file that FFmpeg reads and encodes it anew, so that every viewer can begin at once.

    Opening it reads the file's head and first picture, which blocks for some milliseconds. Raises SourceNotFound and
    UnsupportedMedia.
    """

    def __init__(self, path: Path | str, *, loop: bool = True, bitrate: int | None = None) -> None:
        """``loop``: begin again at the end; ``bitrate``: of the video, in bits per second, by default from its size."""
        super().__init__(_FileMedia(Path(path), loop), bitrate=bitrate)


class _FileMedia:
    def __init__(self, path: Path, loop: bool) -> None:
        self._path = path
        self._loop = loop
        with _open(path) as container:
            if not container.streams.video:
                raise UnsupportedMedia(f"{path} has no video stream, so there is no picture to send.")
            first = self._first_picture(container)
            stream = container.streams.video[0]
            rate = stream.average_rate or stream.guessed_rate
            self.video = VideoFormat(
                max(2, first.width // 2 * 2), max(2, first.height // 2 * 2), float(rate or _DEFAULT_RATE)
            )
            self.audio = AudioFormat() if container.streams.audio else None
            self._start = float(Fraction(container.start_time or 0, av.time_base))
            self._period = float(Fraction(container.duration or 0, av.time_base))

    def pictures(self) -> Iterator[RawPicture]:
        """The pictures; both streams are read on their own, so a badly interleaved file does no harm."""
        for seconds, frame in self._repeated("video", 1 / self.video.frame_rate):
            if isinstance(frame, av.VideoFrame):
                yield RawPicture(seconds, partial(_given, frame))

    def sounds(self) -> Iterator[RawSound]:
        """The sound."""
        for seconds, frame in self._repeated("audio", 0.02):
            if isinstance(frame, av.AudioFrame):
                yield RawSound(seconds, partial(_given, frame))

    def _repeated(self, kind: str, step: float) -> Iterator[tuple[float, av.VideoFrame | av.AudioFrame]]:
        begin = 0.0
        for _ in itertools.count() if self._loop else range(1):
            end = None
            with _open(self._path) as container:
                for frame in _decode(container, kind):
                    time = end if frame.time is None else frame.time - self._start
                    end = (time or 0.0) + step
                    yield begin + (time or 0.0), frame
            if end is None:
                raise UnsupportedMedia(f"{self._path} has no {kind} that can be decoded.")
            # The streams of a file seldom end together; both begin the next round at the same time.
            begin += max(self._period, end)

    def _first_picture(self, container: av.container.InputContainer) -> av.VideoFrame:
        for frame in _decode(container, "video"):
            if isinstance(frame, av.VideoFrame):
                return frame
        raise UnsupportedMedia(f"{self._path} has a video stream, but no picture in it can be decoded.")


def _open(path: Path) -> av.container.InputContainer:
    try:
        return av.open(str(path))
    except FileNotFoundError as error:
        raise SourceNotFound(f"There is no file {path}.") from error
    except av.InvalidDataError as error:
        raise UnsupportedMedia(f"{path} is not a video file that FFmpeg can read.") from error
    except (OSError, av.FFmpegError) as error:
        raise SourceNotFound(f"{path} cannot be opened: {error}") from error


def _decode(container: av.container.InputContainer, kind: str) -> Iterator[av.VideoFrame | av.AudioFrame]:
    streams = container.streams.video if kind == "video" else container.streams.audio
    for packet in container.demux(streams[0]):
        try:
            frames = packet.decode()
        except av.InvalidDataError:
            continue  # A damaged spot costs its pictures, not the rest of the file.
        for frame in frames:
            if isinstance(frame, (av.VideoFrame, av.AudioFrame)):
                yield frame


def _given(frame: _Frame) -> _Frame:
    return frame

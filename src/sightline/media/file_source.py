"""A video file as a camera, played in real time."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import av
from av.stream import Stream

from ..errors import SourceNotFound, UnsupportedMedia
from .encoding_source import EncodingSource, RawPicture, RawSound
from .file_times import FileTimes
from .ladder import Ladder
from .turning import Turning, is_changed, shown_size
from .units import AudioFormat, VideoFormat

__all__ = ["FileMedia", "FileSource", "open_container", "packets"]

log = logging.getLogger(__name__)

_DEFAULT_RATE = 30.0
_MOST_RATE = 240

_Frame = TypeVar("_Frame")
_Item = TypeVar("_Item")


class FileSource(EncodingSource):
    """Decodes any file that FFmpeg reads and encodes it anew, so that every viewer can begin at once.

    Opening it reads the file's head and first picture, which blocks for some milliseconds. Raises SourceNotFound and
    UnsupportedMedia.
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
        super().__init__(FileMedia(Path(path), loop=loop), bitrate=bitrate, ladder=ladder, transcode=transcode)


class FileMedia:
    """A file's pictures and sound, from the beginning and again, as often as somebody iterates over them."""

    def __init__(self, path: Path, *, loop: bool) -> None:
        """Blocks for some milliseconds. Raises SourceNotFound and UnsupportedMedia."""
        self._path = path
        self._loop = loop
        with open_container(path) as container:
            if not container.streams.video:
                raise UnsupportedMedia(f"{path} has no video stream, so there is no picture to send.")
            first = self._first_picture(container)
            stream = container.streams.video[0]
            width, height = shown_size(first, stream.sample_aspect_ratio)
            self.video = VideoFormat(width, height, plausible_rate(stream))
            self.as_stored = not is_changed(first, stream.sample_aspect_ratio)
            """Whether its pictures are shown as they are stored, and need not be turned or stretched."""
            self.audio = AudioFormat() if container.streams.audio else None
            self._times = FileTimes(
                start=float(Fraction(container.start_time or 0, av.time_base)),
                period=float(Fraction(container.duration or 0, av.time_base)),
                measured=self._measured,
            )

    def pictures(self) -> Iterator[RawPicture]:
        """The pictures; both streams are read on their own, so a badly interleaved file does no harm."""
        turning = Turning()
        for seconds, frame in self.repeated(_pictures, 1 / self.video.frame_rate):
            yield RawPicture(seconds, partial(turning.upright, frame))

    def sounds(self) -> Iterator[RawSound]:
        """The sound."""
        for seconds, frame in self.repeated(_sounds, 0.02):
            yield RawSound(seconds, partial(_given, frame))

    def repeated(
        self, read: Callable[[av.container.InputContainer], Iterator[tuple[float | None, _Item]]], step: float
    ) -> Iterator[tuple[float, _Item]]:
        """What ``read`` finds in the file, with its time in seconds from the start, over and over when it loops.

        ``step``: seconds that an item lasts, for one without a time. Raises UnsupportedMedia when nothing is found.
        """
        times = self._times.stream(step)
        for _ in itertools.count() if self._loop else range(1):
            found = False
            with open_container(self._path) as container:
                for at, item in read(container):
                    found = True
                    yield times.at(at), item
            if not found:
                raise UnsupportedMedia(f"{self._path} has a stream in which nothing can be decoded.")
            # The streams of a file seldom end together; both begin the next round at the same time.
            times.begin_again()

    def _measured(self) -> float:
        ends = [0.0]
        with open_container(self._path) as container:
            start = float(Fraction(container.start_time or 0, av.time_base))
            for packet in packets(container, *container.streams.video[:1], *container.streams.audio[:1]):
                if packet.pts is not None and packet.time_base is not None:
                    ends.append(float((packet.pts + (packet.duration or 0)) * packet.time_base) - start)
        return max(ends)

    def _first_picture(self, container: av.container.InputContainer) -> av.VideoFrame:
        for _, frame in _pictures(container):
            return frame
        raise UnsupportedMedia(f"{self._path} has a video stream, but no picture in it can be decoded.")


def open_container(path: Path) -> av.container.InputContainer:
    """Open it for reading. Raises SourceNotFound and UnsupportedMedia."""
    try:
        return av.open(str(path))
    except FileNotFoundError as error:
        raise SourceNotFound(f"There is no file {path}.") from error
    except av.InvalidDataError as error:
        raise UnsupportedMedia(f"{path} is not a video file that FFmpeg can read.") from error
    except (OSError, av.FFmpegError) as error:
        raise SourceNotFound(f"{path} cannot be opened: {error}") from error


def _pictures(container: av.container.InputContainer) -> Iterator[tuple[float | None, av.VideoFrame]]:
    for frame in _decode(container, container.streams.video[0]):
        if isinstance(frame, av.VideoFrame):
            yield frame.time, frame


def _sounds(container: av.container.InputContainer) -> Iterator[tuple[float | None, av.AudioFrame]]:
    for frame in _decode(container, container.streams.audio[0]):
        if isinstance(frame, av.AudioFrame):
            yield frame.time, frame


def _decode(container: av.container.InputContainer, stream: Stream) -> Iterator[object]:
    for packet in packets(container, stream):
        try:
            yield from packet.decode()
        except av.FFmpegError:
            continue  # A damaged spot costs its pictures, not the rest of the file.


def packets(container: av.container.InputContainer, *streams: Stream) -> Iterator[av.Packet[Any]]:
    """The packets of these streams. Where the file cannot be read any further, it ends."""
    try:
        yield from container.demux(*streams)
    except (av.FFmpegError, OSError) as error:
        log.warning("%s is damaged, and is taken to end there: %s", container.name, error)


def plausible_rate(stream: av.VideoStream) -> float:
    """Pictures per second. What a file says of itself may be its clock's rate, as 1000."""
    rates = (stream.average_rate, stream.guessed_rate)
    return next((float(rate) for rate in rates if rate and rate <= _MOST_RATE), _DEFAULT_RATE)


def _given(frame: _Frame) -> _Frame:
    return frame

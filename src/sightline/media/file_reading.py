"""What is in a video file, read as far as it can be read."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
from av.stream import Stream

from ..errors import SourceNotFound, UnsupportedMedia

__all__ = ["open_container", "packets", "pictures", "plausible_rate", "sounds"]

log = logging.getLogger(__name__)

_DEFAULT_RATE = 30.0
_MOST_RATE = 240


def open_container(path: Path) -> av.container.InputContainer:
    """Open it for reading. Raises SourceNotFound and UnsupportedMedia."""
    try:
        return av.open(str(path))
    except FileNotFoundError as error:
        raise SourceNotFound(f"There is no file {path}.") from error
    except IsADirectoryError as error:
        raise SourceNotFound(f"{path} is a folder. Name a video file in it.") from error
    except av.InvalidDataError as error:
        raise UnsupportedMedia(f"{path} is not a video file that FFmpeg can read.") from error
    except (OSError, av.FFmpegError) as error:
        raise SourceNotFound(f"{path} cannot be opened: {error}") from error


def pictures(container: av.container.InputContainer) -> Iterator[tuple[float | None, av.VideoFrame]]:
    """Each with its time in seconds."""
    for frame in _decode(container, container.streams.video[0]):
        if isinstance(frame, av.VideoFrame):
            yield frame.time, frame


def sounds(container: av.container.InputContainer) -> Iterator[tuple[float | None, av.AudioFrame]]:
    """Each with its time in seconds; none where there is no sound."""
    if not container.streams.audio:
        return
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
    """Pictures per second, at least 1. What a file says of itself may be its clock's rate, as 1000."""
    rates = (stream.average_rate, stream.guessed_rate)
    return max(1.0, next((float(rate) for rate in rates if rate and rate <= _MOST_RATE), _DEFAULT_RATE))

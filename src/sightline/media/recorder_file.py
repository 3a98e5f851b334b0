"""One file of a recording: encoded frames into a container, as they are."""

from __future__ import annotations

import io
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from typing import Final

import av
import msgspec

from ..errors import MediaError, UnsupportedMedia
from .picture_size import parameter_sets, picture_size
from .received import ReceivedFrame, clock_rate

__all__ = ["Parameters", "RecordingFile", "check_recording_path"]

# A killed process leaves what was flushed: fragments and clusters are short, and no packet waits long for its turn.
_LIVE: Final = {"flush_packets": "1", "max_interleave_delta": "300000"}
_MP4: Final = {**_LIVE, "movflags": "empty_moov+default_base_moof", "frag_duration": "400000"}
_MATROSKA: Final = {**_LIVE, "cluster_time_limit": "400"}


class _Container(msgspec.Struct, frozen=True):
    format: str
    codecs: frozenset[str]
    options: dict[str, str]


_CONTAINERS: Final = {
    ".mp4": _Container("mp4", frozenset({"H264", "opus"}), _MP4),
    ".mov": _Container("mp4", frozenset({"H264", "opus"}), _MP4),
    ".mkv": _Container("matroska", frozenset({"H264", "VP8", "opus"}), _MATROSKA),
    ".webm": _Container("webm", frozenset({"VP8", "opus"}), _MATROSKA),
}


def check_recording_path(path: Path) -> Path:
    """Give the path back; raises UnsupportedMedia for a name of no container that is known, MediaError for a folder
    that is not there."""
    if path.suffix.lower() not in _CONTAINERS:
        raise UnsupportedMedia(f"{path} cannot be recorded into: name it .mp4 or .mkv (or .webm for VP8).")
    if not path.absolute().parent.is_dir():
        raise MediaError(f"{path} cannot be recorded into: there is no folder {path.absolute().parent}.")
    return path


class Parameters(msgspec.Struct, frozen=True):
    """What a file's head must say of its pictures. A stream that changes it needs another file."""

    codec: str
    sets: bytes
    """H.264's SPS and PPS, which players read in the head alone. VP8 has all in its pictures, also another size."""

    @classmethod
    def of(cls, keyframe: ReceivedFrame) -> Parameters:
        """From a keyframe."""
        return cls(keyframe.codec, parameter_sets(keyframe.data) if keyframe.codec == "H264" else b"")


class RecordingFile:
    """Blocks while it writes; belongs to one thread. All raise MediaError."""

    def __init__(self, path: Path, keyframe: ReceivedFrame, *, sound: bool) -> None:
        """``keyframe``: the first picture; its parameters are the file's. An existing file is overwritten.

        Raises UnsupportedMedia when the container cannot hold the codec.
        """
        container = _CONTAINERS[path.suffix.lower()]
        _check_codec(path, keyframe.codec, container)
        self.path = path
        self.parameters = Parameters.of(keyframe)
        self._last: dict[str, int] = {}
        try:
            self._output = av.open(str(path), "w", format=container.format, options=container.options)
            video = self._output.add_stream_from_template(_template(keyframe), opaque=True)
            video.time_base = Fraction(1, clock_rate(keyframe))
            self._streams: dict[str, av.VideoStream | av.AudioStream] = {"video": video}
            if sound:
                # Never encodes: it is the way to a stream whose head says Opus.
                self._streams["audio"] = self._output.add_stream("libopus", rate=48_000)
        except (av.FFmpegError, OSError) as error:
            raise MediaError(f"{path} cannot be recorded into: {_said(error)}.") from error

    def write(self, frame: ReceivedFrame, seconds: float) -> None:
        """Append a frame at ``seconds`` from the recording's beginning. Sound is dropped where there is no track."""
        stream = self._streams.get(frame.kind)
        if stream is None:
            return
        rate = clock_rate(frame)
        packet = av.Packet(frame.data)
        packet.stream = stream
        packet.time_base = Fraction(1, rate)
        # Times must grow, whatever the camera's timestamps do.
        ticks = max(round(seconds * rate), self._last.get(frame.kind, -1) + 1)
        self._last[frame.kind] = ticks
        packet.pts = packet.dts = ticks
        packet.duration = rate // 50 if frame.kind == "audio" else rate // 30
        packet.is_keyframe = frame.keyframe or frame.kind == "audio"
        try:
            self._output.mux(packet)
        except (av.FFmpegError, OSError) as error:
            raise MediaError(f"{self.path} cannot be written any further: {_said(error)}.") from error

    def close(self) -> None:
        """Write the end. Idempotent."""
        try:
            self._output.close()
        except (av.FFmpegError, OSError) as error:
            raise MediaError(f"The end of {self.path} cannot be written: {_said(error)}.") from error


def _check_codec(path: Path, codec: str, container: _Container) -> None:
    if codec not in container.codecs:
        fitting = [suffix for suffix, each in _CONTAINERS.items() if codec in each.codecs]
        raise UnsupportedMedia(
            f"{path} cannot hold what the camera sends: {codec} does not go into {path.suffix} as it is. "
            f"Name the file {_either(fitting)}."
        )


def _template(keyframe: ReceivedFrame) -> av.VideoStream:
    """A stream as FFmpeg finds it in the keyframe itself: codec, size, parameter sets."""
    if keyframe.codec == "H264":
        return av.open(io.BytesIO(keyframe.data), format="h264").streams.video[0]
    size = picture_size(keyframe.codec, keyframe.data) or (0, 0)
    head = b"DKIF\0\0\x20\0VP80" + size[0].to_bytes(2, "little") + size[1].to_bytes(2, "little")
    head += (90_000).to_bytes(4, "little") + (1).to_bytes(4, "little") + (1).to_bytes(4, "little") + bytes(4)
    frame = len(keyframe.data).to_bytes(4, "little") + bytes(8) + keyframe.data
    return av.open(io.BytesIO(head + frame), format="ivf").streams.video[0]


def _either(words: Iterable[str]) -> str:
    *others, last = words
    return f"{', '.join(others)} or {last}" if others else last


def _said(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error)

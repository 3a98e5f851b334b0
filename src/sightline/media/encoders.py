"""H.264, VP8 and Opus encoders for live viewing: one frame in, one unit out, at once."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from fractions import Fraction

import av
from av.video.codeccontext import VideoCodecContext
from av.video.frame import PictureType
from av.video.reformatter import VideoReformatter

from ..errors import UnsupportedMedia
from .units import AUDIO_CLOCK, VIDEO_CLOCK, EncodedUnit, VideoFormat

__all__ = ["AudioEncoder", "VideoEncoder", "Vp8Encoder", "check_encoder", "default_bitrate"]

_OPUS_SAMPLES = 960
"""20 ms, what every WebRTC peer expects by default."""

_OPUS_BITRATE = 64_000

_KEYFRAME_SECONDS = 10
"""A keyframe at least this often even when nobody asks, for a receiver whose requests get lost."""

_X264 = {
    "preset": "ultrafast",
    "tune": "zerolatency",
    "profile": "baseline",
    "forced-idr": "1",
    # Every keyframe brings its parameter sets: a viewer may join at any of them.
    "x264-params": "repeat-headers=1:scenecut=0",
}

_SOUND_GAP = 0.06
"""Seconds by which sound may be off its frame's time before the timestamps jump (a loop, a gap in the file)."""


def check_encoder(name: str) -> None:
    """Try an H.264 encoder of FFmpeg's by its name on one picture. Raises UnsupportedMedia."""
    with contextlib.suppress(av.codec.codec.UnknownCodecError):
        kind = av.Codec(name, "w").canonical_name
        if kind != "h264":
            raise UnsupportedMedia(f"{name!r} makes {kind}, and not H.264. Leave --encoder out for libx264.")
    try:
        encoder = VideoEncoder(VideoFormat(320, 180, 30), name=name)
        picture = av.VideoFrame(320, 180, "yuv420p")
        list(encoder.encode(picture, seconds=0.0, keyframe=True))
    except (av.FFmpegError, OSError, ValueError, AttributeError) as error:
        raise UnsupportedMedia(
            f"The encoder {name!r} does not work here: FFmpeg lacks it, or this machine has not the hardware for it. "
            "Leave --encoder out for libx264."
        ) from error


def default_bitrate(format: VideoFormat) -> int:
    """Bits per second that look decent with the fastest preset: 0.8 Mbit/s at 640x360, 3.3 Mbit/s at 1280x720."""
    return round(min(8e6, max(300e3, format.width * format.height * format.frame_rate * 0.12)))


class VideoEncoder:
    """libx264, constrained baseline (the ``42e01f`` family that every browser decodes), without delay."""

    def __init__(self, format: VideoFormat, *, bitrate: int | None = None, name: str = "libx264") -> None:
        """``bitrate`` in bits per second; the rate is held over half a second, so that a keyframe is no long burst.

        ``name``: another H.264 encoder that FFmpeg has, for instance ``h264_nvenc`` or ``h264_v4l2m2m``.
        """
        rate = bitrate or default_bitrate(format)
        frame_rate = Fraction(format.frame_rate).limit_denominator(1001)
        codec = av.CodecContext.create(name, "w")
        if not isinstance(codec, VideoCodecContext):
            raise ValueError(f"{name} encodes no pictures")
        codec.width, codec.height, codec.pix_fmt = format.width, format.height, "yuv420p"
        codec.framerate = frame_rate
        codec.time_base = Fraction(1, VIDEO_CLOCK)
        codec.bit_rate = rate
        codec.gop_size = max(1, round(_KEYFRAME_SECONDS * frame_rate))
        # One thread: at these sizes a frame takes 1 to 3 ms, and x264's sliced threads would cost more than they save.
        codec.thread_count = 1
        codec.options = _X264 | {"maxrate": str(rate), "bufsize": str(rate // 2)} if name == "libx264" else {}
        if name != "libx264":
            codec.max_b_frames = 0
        self._codec = codec
        self._fitting = _Fitting(format)

    def encode(self, frame: av.VideoFrame, *, seconds: float, keyframe: bool) -> Iterator[EncodedUnit]:
        """The unit of a frame of any size or pixel format; ``seconds`` is its time from the start."""
        return _encode(self._codec, self._fitting.fit(frame), seconds, keyframe)


class Vp8Encoder:
    """libvpx in its realtime mode, for viewers that have no H.264, without delay."""

    def __init__(self, format: VideoFormat, *, bitrate: int | None = None) -> None:
        """``bitrate`` in bits per second."""
        rate = bitrate or default_bitrate(format)
        frame_rate = Fraction(format.frame_rate).limit_denominator(1001)
        codec = av.CodecContext.create("libvpx", "w")
        codec.width, codec.height, codec.pix_fmt = format.width, format.height, "yuv420p"
        codec.framerate = frame_rate
        codec.time_base = Fraction(1, VIDEO_CLOCK)
        codec.bit_rate = rate
        codec.gop_size = max(1, round(_KEYFRAME_SECONDS * frame_rate))
        codec.thread_count = 1
        codec.options = {
            "deadline": "realtime",
            # The values of libwebrtc's own encoder, but for the speed, which is for one core that has other work too.
            "cpu-used": "8",
            "lag-in-frames": "0",
            "error-resilient": "0",
            "auto-alt-ref": "0",
            "static-thresh": "1",
            "max-intra-rate": "300",
            "maxrate": str(rate),
            "minrate": "0",
            "bufsize": str(rate // 2),
            "qmin": "4",
            "qmax": "56",
        }
        self._codec = codec
        self._fitting = _Fitting(format)

    def encode(self, frame: av.VideoFrame, *, seconds: float, keyframe: bool) -> Iterator[EncodedUnit]:
        """As ``VideoEncoder.encode``; a frame that the encoder leaves out, to hold its rate, gives no unit."""
        return _encode(self._codec, self._fitting.fit(frame), seconds, keyframe)


class AudioEncoder:
    """libopus, stereo, 20 ms packets, from sound of any rate and layout."""

    def __init__(self, *, ahead: float = _SOUND_GAP) -> None:
        """``ahead``: seconds by which there may be more sound than time."""
        codec = av.CodecContext.create("libopus", "w")
        codec.format, codec.layout, codec.sample_rate = "s16", "stereo", AUDIO_CLOCK
        codec.bit_rate = _OPUS_BITRATE
        codec.time_base = Fraction(1, AUDIO_CLOCK)
        codec.options = {"application": "audio", "frame_duration": "20"}
        self._codec = codec
        self._resampler: av.AudioResampler | None = None
        self._taken: tuple[str, str, int] | None = None
        self._next: int | None = None
        self._ahead = ahead
        self._early = False

    def encode(self, frame: av.AudioFrame, *, seconds: float) -> Iterator[EncodedUnit]:
        """The packets that are complete with this frame; ``seconds`` is its time from the start."""
        expected = round(seconds * AUDIO_CLOCK)
        if self._next is None or expected - self._next > _SOUND_GAP * AUDIO_CLOCK:
            self._next = expected
        # There is more sound than time: some is left out until they are even, as timestamps never run backwards.
        self._early = self._next - expected > (0 if self._early else self._ahead * AUDIO_CLOCK)
        if self._early:
            return
        kind = frame.format.name, frame.layout.name, frame.sample_rate
        if self._resampler is None or kind != self._taken:  # a programme in stereo, and news in mono
            self._resampler = av.AudioResampler(
                format="s16", layout="stereo", rate=AUDIO_CLOCK, frame_size=_OPUS_SAMPLES
            )
            self._taken = kind
        # Only the order counts for the encoder; the timestamps are our own count of samples.
        frame.pts = None
        for part in self._resampler.resample(frame):
            part.pts = None
            for packet in self._codec.encode(part):
                yield EncodedUnit(bytes(packet), self._next)
                self._next += _OPUS_SAMPLES


class _Fitting:
    """Scales and converts what is not as an encoder wants it. One encoder's own: a frame may be in two threads."""

    def __init__(self, format: VideoFormat) -> None:
        self._size = format.width, format.height
        self._reformatter = VideoReformatter()

    def fit(self, frame: av.VideoFrame) -> av.VideoFrame:
        """The frame itself where it is right."""
        if (frame.width, frame.height, frame.format.name) == (*self._size, "yuv420p"):
            return frame
        width, height = self._size
        return self._reformatter.reformat(frame, width=width, height=height, format="yuv420p", threads=1)


def _encode(codec: VideoCodecContext, frame: av.VideoFrame, seconds: float, keyframe: bool) -> Iterator[EncodedUnit]:
    frame.pts, frame.time_base = round(seconds * VIDEO_CLOCK), Fraction(1, VIDEO_CLOCK)
    frame.pict_type = PictureType.I if keyframe else PictureType.NONE
    for packet in codec.encode(frame):
        if packet.pts is not None:
            yield EncodedUnit(bytes(packet), packet.pts, packet.is_keyframe)

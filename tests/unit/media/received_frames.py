"""Frames as a camera sends them, encoded by our own encoders: for tests of what receives them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import msgspec

from sightline.media.encoders import AudioEncoder, VideoEncoder, Vp8Encoder
from sightline.media.picture import MovingPicture
from sightline.media.tone import SAMPLE_RATE, tone_frame
from sightline.media.units import VideoFormat

RATE = 30


class Frame(msgspec.Struct, frozen=True, kw_only=True):
    """See `sightline.media.received.ReceivedFrame`."""

    kind: Literal["video", "audio"] = "video"
    codec: Literal["H264", "VP8", "opus"] = "H264"
    data: bytes = b""
    timestamp: int = 0
    keyframe: bool = False
    received: float = 0.0
    capture: float | None = None


def pictures(
    count: int,
    *,
    codec: Literal["H264", "VP8"] = "H264",
    size: tuple[int, int] = (320, 180),
    first: int = 0,
    at: float = 1000.0,
    rtp: int = 7_000_000,
    keyframes: int = 300,
) -> Iterator[Frame]:
    """`count` numbered pictures, the first of which is received at `at` and has the timestamp `rtp`."""
    format = VideoFormat(*size, RATE, codec=codec)
    encoder = VideoEncoder(format) if codec == "H264" else Vp8Encoder(format)
    drawing = MovingPicture(*size, title="TEST")
    for index in range(count):
        picture = drawing.draw(first + index, seconds=index / RATE, caption="")
        for unit in encoder.encode(picture, seconds=index / RATE, keyframe=index % keyframes == 0):
            yield Frame(
                codec=codec,
                data=unit.data,
                timestamp=rtp + unit.timestamp,
                keyframe=unit.keyframe,
                received=at + index / RATE,
            )


def sounds(seconds: float, *, at: float = 1000.0, rtp: int = 333) -> Iterator[Frame]:
    """Opus packets of a tone."""
    encoder = AudioEncoder()
    for number in range(round(seconds * 50)):
        for unit in encoder.encode(tone_frame(number * 960, 960), seconds=number * 960 / SAMPLE_RATE):
            yield Frame(
                kind="audio",
                codec="opus",
                data=unit.data,
                timestamp=rtp + unit.timestamp,
                keyframe=True,
                received=at + number / 50,
            )


def together(*streams: Iterator[Frame]) -> list[Frame]:
    """In the order of their arrival."""
    return sorted((frame for stream in streams for frame in stream), key=lambda frame: frame.received)

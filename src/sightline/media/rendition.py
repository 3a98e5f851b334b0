"""One encoding of the pictures, made once for all who take it, and only while there are any."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Protocol

import av

from .encoders import VideoEncoder, Vp8Encoder
from .feed import Feed
from .keyframes import KeyframePolicy
from .units import EncodedUnit, VideoFormat

__all__ = ["Encoding", "Rendition", "make_encoder"]


class Encoder(Protocol):
    """Pictures in, units out."""

    def encode(self, frame: av.VideoFrame, *, seconds: float, keyframe: bool) -> Iterator[EncodedUnit]:
        """The units of a frame; ``seconds`` is its time from the start."""


def make_encoder(format: VideoFormat, bitrate: int | None, name: str | None = None) -> Encoder:
    """The encoder for the format's codec; ``name``: FFmpeg's, for H.264."""
    if format.codec == "VP8":
        return Vp8Encoder(format, bitrate=bitrate)
    return VideoEncoder(format, bitrate=bitrate, name=name or "libx264")


class Rendition:
    """A feed, and what its encoders have in common. Belongs to the event loop's thread, but for ``begin``."""

    def __init__(self, format: VideoFormat, *, bitrate: int | None, on_demand_change: Callable[[], None]) -> None:
        """``bitrate`` in bits per second; None: from the size."""
        self.format = format
        self.bitrate = bitrate
        self.encoder: str | None = None
        """FFmpeg's name of the H.264 encoder; None: libx264."""
        self.keyframes = KeyframePolicy()
        self.feed = Feed(format, request_keyframe=self.keyframes.request, on_demand_change=on_demand_change)

    def begin(self) -> Encoding:
        """New pictures come, on a new timeline: a new encoder, which starts with a keyframe."""
        return Encoding(self)


class Encoding:
    """One thread's encoder of a rendition.

    No other thread may have it: who leaves and comes back within a picture's time starts a new thread beside the one
    that is just ending, and two at once in one encoder read and write wherever they like.
    """

    def __init__(self, rendition: Rendition) -> None:
        """To be made by ``Rendition.begin``, in the thread of the pictures."""
        self._rendition = rendition
        self._encoder: Encoder | None = None

    def encode(self, frame: av.VideoFrame, *, seconds: float) -> Iterator[tuple[Feed, EncodedUnit]]:
        """The units of a picture; none while nobody takes them."""
        rendition = self._rendition
        if not rendition.feed.subscribers:
            self._encoder = None
            return
        if self._encoder is None:
            self._encoder = make_encoder(rendition.format, rendition.bitrate, rendition.encoder)
        now = time.monotonic()
        asked = rendition.keyframes.due(now)
        for unit in self._encoder.encode(frame, seconds=seconds, keyframe=asked):
            if unit.keyframe:
                rendition.keyframes.made(now, on_request=asked)
            yield rendition.feed, unit

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

__all__ = ["Rendition", "make_encoder"]


class Encoder(Protocol):
    """Pictures in, units out."""

    def encode(self, frame: av.VideoFrame, *, seconds: float, keyframe: bool) -> Iterator[EncodedUnit]:
        """The units of a frame; ``seconds`` is its time from the start."""


def make_encoder(format: VideoFormat, bitrate: int | None) -> Encoder:
    """The encoder for the format's codec."""
    return Vp8Encoder(format, bitrate=bitrate) if format.codec == "VP8" else VideoEncoder(format, bitrate=bitrate)


class Rendition:
    """A feed with its encoder. ``encode`` belongs to the thread of the pictures, the rest to the event loop's."""

    def __init__(self, format: VideoFormat, *, bitrate: int | None, on_demand_change: Callable[[], None]) -> None:
        """``bitrate`` in bits per second; None: from the size."""
        self._format = format
        self._bitrate = bitrate
        self._keyframes = KeyframePolicy()
        self._encoder: Encoder | None = None
        self.feed = Feed(format, request_keyframe=self._keyframes.request, on_demand_change=on_demand_change)

    def begin(self) -> None:
        """New pictures come, on a new timeline: a new encoder, which starts with a keyframe."""
        self._encoder = None

    def encode(self, frame: av.VideoFrame, *, seconds: float) -> Iterator[tuple[Feed, EncodedUnit]]:
        """The units of a picture; none while nobody takes them."""
        if not self.feed.subscribers:
            self._encoder = None
            return
        if self._encoder is None:
            self._encoder = make_encoder(self._format, self._bitrate)
        now = time.monotonic()
        asked = self._keyframes.due(now)
        for unit in self._encoder.encode(frame, seconds=seconds, keyframe=asked):
            if unit.keyframe:
                self._keyframes.made(now, on_request=asked)
            yield self.feed, unit

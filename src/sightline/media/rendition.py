"""One encoding of the pictures, made once for all who take it, and only while there are any."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from typing import Protocol

import av

from .encoders import VideoEncoder, Vp8Encoder, default_bitrate
from .feed import Feed
from .keyframes import KeyframePolicy
from .ladder import LEAST_BITRATE
from .rate_follower import RateFollower
from .units import EncodedUnit, VideoFormat

__all__ = ["Encoding", "Rendition", "make_encoder"]

log = logging.getLogger(__name__)


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

    def __init__(
        self,
        format: VideoFormat,
        *,
        bitrate: int | None,
        on_demand_change: Callable[[], None],
        follows: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``bitrate`` in bits per second; None: from the size. ``follows``: it goes down to what its viewers' narrowest
        path carries, which costs them a keyframe each time.
        """
        self.format = format
        self.bitrate = bitrate or default_bitrate(format)
        """What its encoder aims at now. Another thread reads it."""
        self.encoder: str | None = None
        """FFmpeg's name of the H.264 encoder; None: libx264."""
        self.keyframes = KeyframePolicy()
        self._follower = RateFollower(most=self.bitrate, least=LEAST_BITRATE) if follows else None
        self._on_demand_change = on_demand_change
        self._clock = clock
        self.feed = Feed(
            format,
            request_keyframe=self.keyframes.request,
            on_demand_change=self._demand_changed,
            fit=self._fit,
            aim=self.bitrate,
            clock=clock,
        )

    def begin(self) -> Encoding:
        """New pictures come, on a new timeline: a new encoder, which starts with a keyframe."""
        return Encoding(self)

    def _fit(self, limit: int | None) -> None:
        if self._follower is not None:
            self.bitrate = self.feed.aim = self._follower.fit(limit, self._clock())

    def _demand_changed(self) -> None:
        if self._follower is not None and not self.feed.subscribers:
            self._follower.reset()
            self.bitrate = self.feed.aim = self._follower.rate
        self._on_demand_change()


class Encoding:
    """One thread's encoder of a rendition.

    No other thread may have it: who leaves and comes back within a picture's time starts a new thread beside the one
    that is just ending, and two at once in one encoder read and write wherever they like.
    """

    def __init__(self, rendition: Rendition) -> None:
        """To be made by ``Rendition.begin``, in the thread of the pictures."""
        self._rendition = rendition
        self._encoder: Encoder | None = None
        self._bitrate = 0

    def encode(self, frame: av.VideoFrame, *, seconds: float) -> Iterator[tuple[Feed, EncodedUnit]]:
        """The units of a picture; none while nobody takes them."""
        rendition = self._rendition
        if not rendition.feed.subscribers:
            self._encoder = None
            return
        bitrate = rendition.bitrate
        if self._encoder is None or bitrate != self._bitrate:
            # FFmpeg's x264 takes another rate while it runs, but some seconds to keep it, and libvpx takes none.
            self._encoder, self._bitrate = make_encoder(rendition.format, bitrate, rendition.encoder), bitrate
        now = time.monotonic()
        asked = rendition.keyframes.due(now)
        try:
            units = list(self._encoder.encode(frame, seconds=seconds, keyframe=asked))
        except (av.FFmpegError, OSError, ValueError) as error:
            if rendition.encoder is None or rendition.format.codec != "H264":
                raise
            # Hardware has room for so many encodings and no more, and may be taken away.
            log.warning("%s gave up (%s); libx264 goes on: %s", rendition.encoder, error, rendition.feed.label)
            rendition.encoder = None
            self._encoder = make_encoder(rendition.format, bitrate)
            units = list(self._encoder.encode(frame, seconds=seconds, keyframe=True))
        for unit in units:
            if unit.keyframe:
                rendition.keyframes.made(now, on_request=asked)
            yield rendition.feed, unit

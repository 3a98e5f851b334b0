"""Decoding and encoding of a live source's packets, in threads that never hold up its reading."""

from __future__ import annotations

import logging
import queue
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from fractions import Fraction
from typing import Any, TypeAlias

import av

from .encoders import AudioEncoder
from .feed import Feed
from .lower_rungs import LowerRungs
from .rendition import Encoding
from .renditions import Renditions
from .run import Made
from .units import VIDEO_CLOCK

__all__ = ["SoundWorker", "Worker"]

log = logging.getLogger(__name__)

_WAITING = 90
"""Packets that wait at most; a decoder that slow goes on at a keyframe."""

_BEHIND = 3
"""Pictures that may wait; with more, they are only decoded until it has caught up."""

_TICK = Fraction(1, VIDEO_CLOCK)

_Item: TypeAlias = "tuple[av.Packet[Any], float]"


class _Thread(ABC):
    def __init__(self, name: str) -> None:
        self._queue: queue.SimpleQueue[_Item | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._main, name=name, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End it, after the packet that is being worked on."""
        self._queue.put(None)

    def _main(self) -> None:
        while (item := self._queue.get()) is not None:
            try:
                self._work(*item)
            except (av.FFmpegError, OSError, ValueError) as error:
                log.debug("%s: a packet cannot be used: %s", self._thread.name, error)

    @abstractmethod
    def _work(self, packet: av.Packet[Any], seconds: float) -> None:
        """Called in the thread."""


class Worker(_Thread):
    """Pictures for the renditions that are taken."""

    def __init__(
        self, name: str, stream: av.VideoStream, renditions: Renditions, publish: Callable[[Made], None]
    ) -> None:
        context = stream.codec_context
        self._codec, self._extradata, self._is_raw = context.name, context.extradata, context.name == "wrapped_avframe"
        self._stream = context
        self._renditions = renditions
        self._publish = publish
        self._group: list[_Item] = []
        self._fed = False
        self._encodings: list[Encoding] = []
        self._decoder: av.VideoCodecContext | None = None
        self._last: float | None = None
        self._lower = LowerRungs(renditions.lower)
        if renditions.lower:
            threading.Thread(target=self._encode_lower, name=f"{name}-lower", daemon=True).start()
        super().__init__(name)

    def stop(self) -> None:
        """End it, after the packet that is being worked on."""
        super().stop()
        self._lower.stop()

    def put(self, packet: av.Packet[Any], seconds: float) -> None:
        """A picture came, which is to be shown at ``seconds``. Called in the thread that reads."""
        if packet.pts is not None:
            # What comes out of the decoder is in another order than what went in, where there are B-frames.
            packet.pts, packet.time_base = round(seconds * VIDEO_CLOCK), _TICK
            packet.dts = None
        if packet.is_keyframe or len(self._group) > 10 * _WAITING:
            self._group = []
        if packet.is_keyframe or self._group:
            self._group.append((packet, seconds))
        if not any(rendition.feed.subscribers for rendition in self._renditions.all):
            self._fed = False
        elif self._fed:
            self._queue.put((packet, seconds))
        elif self._queue.qsize() == 0:
            # Decoding begins with the group's keyframe, wherever in it the first viewer comes.
            self._fed = True
            for item in self._group:
                self._queue.put(item)
        if self._queue.qsize() > _WAITING and len(self._group) < _WAITING:
            self._fed = False

    def _work(self, packet: av.Packet[Any], seconds: float) -> None:
        if not self._encodings:
            self._encodings = [rendition.begin() for rendition in self._renditions.tops]
        if self._decoder is None:
            self._decoder = self._new_decoder()
        frames = self._decoder.decode(packet)
        if self._queue.qsize() > _BEHIND:
            return
        for frame in frames:
            at = seconds if frame.pts is None else frame.pts / VIDEO_CLOCK
            if self._last is not None and at <= self._last:
                at = self._last + 0.001
            self._last = at
            self._lower.put(frame, at)
            for encoding in self._encodings:
                for made in encoding.encode(frame, seconds=at):
                    self._publish(made)

    def _encode_lower(self) -> None:
        for step in self._lower.steps():
            try:
                for made in step.encode():
                    self._publish(made)
            except (av.FFmpegError, OSError, ValueError) as error:
                log.debug("a picture cannot be scaled: %s", error)

    def _new_decoder(self) -> av.VideoCodecContext:
        decoder = av.CodecContext.create(self._codec, "r")
        assert isinstance(decoder, av.VideoCodecContext)
        if self._extradata:
            decoder.extradata = self._extradata
        decoder.width, decoder.height = self._stream.width, self._stream.height
        if self._codec == "rawvideo":
            decoder.pix_fmt = self._stream.pix_fmt
        decoder.thread_count = 1
        return decoder


class SoundWorker(_Thread):
    """Sound in Opus."""

    def __init__(self, name: str, stream: av.AudioStream, feed: Feed, publish: Callable[[Made], None]) -> None:
        context = stream.codec_context
        decoder = av.CodecContext.create(context.name, "r")
        assert isinstance(decoder, av.AudioCodecContext)
        if context.extradata:
            decoder.extradata = context.extradata
        decoder.sample_rate = context.sample_rate
        decoder.layout = context.layout
        self._decoder = decoder
        self._encoder = AudioEncoder()
        self._feed = feed
        self._publish = publish
        super().__init__(name)

    def put(self, packet: av.Packet[Any], seconds: float) -> None:
        """A packet came. Called in the thread that reads."""
        if self._feed.subscribers and self._queue.qsize() < 10 * _WAITING:
            self._queue.put((packet, seconds))

    def _work(self, packet: av.Packet[Any], seconds: float) -> None:
        for frame in self._decoder.decode(packet):
            for unit in self._encoder.encode(frame, seconds=seconds):
                self._publish((self._feed, unit))

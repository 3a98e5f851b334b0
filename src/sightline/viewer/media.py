"""What becomes of the frames that come: counted, recorded, and decoded if anybody wants to see or hear them."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from ..errors import MediaError
from ..media.decoder import AudioFrame, Decoder, VideoFrame
from ..media.picture_size import picture_size
from ..media.recorder import Recorder
from ..rtc.viewer_peer import EncodedFrame
from .statistics import Meter
from .streams import Broadcast

__all__ = ["IncomingMedia"]

_SOUND_QUEUE = 50
"""Frames of sound that wait for a reader: one second."""


class IncomingMedia:
    """Belongs to the event loop's thread; decoding and writing happen in others."""

    def __init__(self, *, request_keyframe: Callable[[], None], shown: Callable[[], None]) -> None:
        """``shown``: a new picture is there, decoded if pictures are decoded at all."""
        self.video = Broadcast[VideoFrame](keep=1)
        self.audio = Broadcast[AudioFrame](keep=_SOUND_QUEUE)
        self.meter = Meter()
        self._request_keyframe = request_keyframe
        self._shown = shown
        self._decoder: Decoder | None = None
        self._recorders: list[Recorder] = []
        self._decoding = False
        self._begun = False

    def begin_run(self) -> None:
        """A new connection to the camera begins: nothing that comes follows from what came before."""
        self._begun = False
        if self._decoder is not None:
            self._decoder.skip()
        for recorder in self._recorders:
            recorder.begin_run()

    def record(self, path: Path | str, *, on_error: Callable[[MediaError], None] | None) -> Recorder:
        """Record from the next keyframe on. Raises MediaError for a path that cannot be."""
        recorder = Recorder(path, on_error=on_error)
        self._recorders.append(recorder)
        self._request_keyframe()
        return recorder

    def take(self, frame: EncodedFrame) -> None:
        """It came."""
        for recorder in self._recorders:
            recorder.push(frame)
        if frame.kind == "audio":
            if self.audio.is_wanted:
                self._decode(frame)
            return
        self.meter.came(frame, wall=time.time())
        if frame.keyframe:
            self._begun = True
            self.meter.size = picture_size(frame.codec, frame.data) or self.meter.size
        if self.video.is_wanted:
            if not self._decoding and self._decoder is not None:
                self._decoder.skip()  # there is a gap since somebody watched last
            self._decoding = True
            self._decode(frame)
        else:
            self._decoding = False
            if self._begun:
                self._shown()
            elif not frame.keyframe:
                self._request_keyframe()

    def end(self, error: Exception | None) -> None:
        """End all streams. Idempotent."""
        self.video.end(error)
        self.audio.end(error)

    async def aclose(self) -> None:
        """End the threads; recordings are written to their ends. Idempotent."""
        self.end(None)
        for recorder in self._recorders:
            await recorder.aclose()
        if self._decoder is not None:
            await self._decoder.aclose()

    def _decode(self, frame: EncodedFrame) -> None:
        if self._decoder is None:
            self._decoder = Decoder(
                on_picture=self._decoded, on_sound=self.audio.put, request_keyframe=self._request_keyframe
            )
        self._decoder.push(frame)

    def _decoded(self, picture: VideoFrame) -> None:
        self.meter.decoded += 1
        self.meter.size = picture.width, picture.height
        self.video.put(picture)
        self._shown()

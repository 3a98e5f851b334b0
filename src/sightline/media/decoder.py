"""Decodes what comes from a camera, in a thread of its own, and only what somebody wants to see or hear."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final, cast

import av
import msgspec

from .conveyor import Conveyor
from .received import ReceivedFrame, clock_rate

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

__all__ = ["AudioFrame", "Decoder", "VideoFrame"]

_BEHIND: Final = 45
"""Frames that may wait for the thread; with more, it goes on at a keyframe: a slow machine sees less, not later."""

_ASK_AGAIN: Final = 0.5
"""Seconds between two requests for a keyframe."""

_SAMPLE_RATE: Final = 48_000


class VideoFrame(msgspec.Struct, frozen=True, gc=False):
    """A decoded picture."""

    picture: av.VideoFrame
    """PyAV's frame, in the stream's own pixel format."""
    timestamp: int
    """RTP ticks of 90 kHz, of this connection to the camera: another connection counts anew."""
    received: float
    """Monotonic seconds at which it had arrived whole."""
    captured: float | None
    """Epoch seconds by the camera's clock; None until that is known."""
    decoded: float
    """Epoch seconds by this machine's clock at which it was decoded."""
    keyframe: bool

    @property
    def width(self) -> int:
        """Pixels."""
        return int(self.picture.width)

    @property
    def height(self) -> int:
        """Pixels."""
        return int(self.picture.height)

    @property
    def delay(self) -> float | None:
        """Seconds from the camera to here; None when unknown. As right as both machines' clocks are."""
        return None if self.captured is None else self.decoded - self.captured

    def to_ndarray(self, format: str = "rgb24") -> npt.NDArray[np.uint8]:
        """The pixels: ``(height, width, 3) uint8`` for ``rgb24`` and ``bgr24``. Takes 1 to 5 ms: where the event loop
        is busy, ``await asyncio.to_thread(frame.to_ndarray)``."""
        return cast("npt.NDArray[np.uint8]", self.picture.to_ndarray(format=format))


class AudioFrame(msgspec.Struct, frozen=True, gc=False):
    """20 ms of decoded sound."""

    sound: av.AudioFrame
    """PyAV's frame, 48 kHz."""
    timestamp: int
    """RTP ticks of 48 kHz."""
    received: float
    captured: float | None

    def to_ndarray(self) -> npt.NDArray[np.int16]:
        """The samples: ``(samples, channels) int16``."""
        frame = self.sound
        channels = len(frame.layout.channels)
        return cast("npt.NDArray[np.int16]", frame.to_ndarray().reshape(-1, channels))


class Decoder:
    """``push`` in the event loop, decode in the thread, hand out in the event loop."""

    def __init__(
        self,
        *,
        on_picture: Callable[[VideoFrame], None],
        on_sound: Callable[[AudioFrame], None],
        request_keyframe: Callable[[], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """All three are called in the event loop. ``request_keyframe``: decoding can go on only at one."""
        self._on_picture = on_picture
        self._on_sound = on_sound
        self._request_keyframe = request_keyframe
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._conveyor = Conveyor[ReceivedFrame]("decoder", work=self._decode)
        self._needs_keyframe = True
        self._asked_at = float("-inf")
        self._closed = False
        self.skipped = 0
        """Pictures that were not decoded because the thread was behind."""
        # The thread's own.
        self._video: av.VideoCodecContext | None = None
        self._video_codec = ""
        self._audio: av.AudioCodecContext | None = None
        self._to_s16 = av.AudioResampler(format="s16")

    def push(self, frame: ReceivedFrame) -> None:
        """Decode this. Pictures that cannot be, before the first keyframe or after a gap, are left out."""
        if frame.kind == "audio":
            self._conveyor.put(frame)
            return
        if self._conveyor.waiting > _BEHIND:
            self.skip()
        if self._needs_keyframe:
            if not frame.keyframe:
                self.skipped += 1
                self._ask()
                return
            self._needs_keyframe = False
        self._conveyor.put(frame)

    def skip(self) -> None:
        """What comes next does not follow from what was pushed before: wait for a keyframe."""
        self._needs_keyframe = True

    async def aclose(self) -> None:
        """End the thread. Idempotent."""
        self._closed = True
        await self._conveyor.aclose()

    def _ask(self) -> None:
        now = self._clock()
        if now - self._asked_at >= _ASK_AGAIN:
            self._asked_at = now
            self._request_keyframe()

    # -- in the thread

    def _decode(self, frame: ReceivedFrame) -> None:
        if self._closed:
            return
        packet = av.Packet(frame.data)
        packet.pts, packet.time_base = frame.timestamp, Fraction(1, clock_rate(frame))
        try:
            if frame.kind == "audio":
                self._decode_sound(frame, packet)
            else:
                self._decode_picture(frame, packet)
        except av.FFmpegError:
            if frame.kind == "video":
                self._tell(self._damaged)

    def _decode_picture(self, frame: ReceivedFrame, packet: av.Packet[Any]) -> None:
        if self._video is None or (frame.keyframe and frame.codec != self._video_codec):
            self._video, self._video_codec = _video_decoder(frame.codec), frame.codec
        for picture in self._video.decode(packet):
            made = VideoFrame(
                picture, frame.timestamp, frame.received, frame.capture, decoded=time.time(), keyframe=frame.keyframe
            )
            self._tell(self._on_picture, made)

    def _decode_sound(self, frame: ReceivedFrame, packet: av.Packet[Any]) -> None:
        if self._audio is None:
            self._audio = av.AudioCodecContext.create("libopus", "r")
            self._audio.sample_rate, self._audio.layout = _SAMPLE_RATE, "stereo"
        for sound in self._audio.decode(packet):
            for converted in self._to_s16.resample(sound):
                self._tell(self._on_sound, AudioFrame(converted, frame.timestamp, frame.received, frame.capture))

    def _tell(self, listener: Callable[..., None], *arguments: object) -> None:
        # The loop is closed when a program ends without aclose(): there is nobody left to tell.
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._deliver, listener, *arguments)

    def _deliver(self, listener: Callable[..., None], *arguments: object) -> None:
        if not self._closed:
            listener(*arguments)

    def _damaged(self) -> None:
        self.skip()
        self._ask()


def _video_decoder(codec: str) -> av.VideoCodecContext:
    decoder = av.VideoCodecContext.create("h264" if codec == "H264" else "vp8", "r")
    # With threads it would hold back as many pictures as it has of them; there are no B-frames to wait for.
    decoder.thread_count = 1
    decoder.flags |= av.codec.context.Flags.low_delay
    return decoder

"""What comes from a camera: whole encoded frames, as a decoder and a recorder take them."""

from __future__ import annotations

from typing import Literal, Protocol

from .units import AUDIO_CLOCK, VIDEO_CLOCK

__all__ = ["ReceivedFrame", "clock_rate"]


class ReceivedFrame(Protocol):
    """An access unit of video or an Opus packet, in decode order, after reordering and repair."""

    @property
    def kind(self) -> Literal["video", "audio"]: ...

    @property
    def codec(self) -> Literal["H264", "VP8", "opus"]: ...

    @property
    def data(self) -> bytes:
        """H.264 with Annex B start codes."""

    @property
    def timestamp(self) -> int:
        """RTP ticks, unwrapped: 90 kHz for video, 48 kHz for sound."""

    @property
    def keyframe(self) -> bool: ...

    @property
    def received(self) -> float:
        """Monotonic seconds at which it was complete."""

    @property
    def capture(self) -> float | None:
        """Epoch seconds by the camera's clock at which it was taken; None until its first sender report."""


def clock_rate(frame: ReceivedFrame) -> int:
    """Ticks per second of its timestamp."""
    return VIDEO_CLOCK if frame.kind == "video" else AUDIO_CLOCK

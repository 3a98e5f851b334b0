"""One talker's Opus as samples, and what stands in for packets that were lost."""

from __future__ import annotations

from typing import Final

import av
import numpy as np
import numpy.typing as npt

from .opus_packets import lost_packet, opus_samples

__all__ = ["Samples", "VoiceDecoder"]

Samples = npt.NDArray[np.float32]
"""``(samples, 2)`` at 48 kHz, from -1 to 1."""

_RATE: Final = 48_000


class VoiceDecoder:
    """libopus. What cannot be decoded is concealed, as if it had been lost: a hostile packet is a gap and no more."""

    def __init__(self) -> None:
        codec = av.AudioCodecContext.create("libopus", "r")
        codec.sample_rate, codec.layout = _RATE, "stereo"
        self._codec = codec
        self._resampler = av.AudioResampler(format="flt", layout="stereo", rate=_RATE)
        self._last = b""

    def decode(self, packet: bytes) -> Samples:
        """Its samples."""
        try:
            made = self._decode(packet)
        except (av.FFmpegError, ValueError):
            return self.conceal(opus_samples(packet) or 960)
        self._last = packet
        return made

    def conceal(self, samples: int) -> Samples:
        """So many samples in the place of what is missing: libopus goes on with what was said last, more and more
        softly; silence before anything was said."""
        parts, left = [], samples
        while left > 0 and self._last:
            try:
                part = self._decode(lost_packet(self._last))[:left]
            except (av.FFmpegError, ValueError):
                break
            if not len(part):
                break
            parts.append(part)
            left -= len(part)
        if left > 0:
            parts.append(np.zeros((left, 2), np.float32))
        return np.concatenate(parts) if parts else np.zeros((0, 2), np.float32)

    def _decode(self, packet: bytes) -> Samples:
        parts = [
            converted.to_ndarray().reshape(-1, 2)
            for frame in self._codec.decode(av.Packet(packet))
            for converted in self._resampler.resample(frame)
        ]
        return np.concatenate(parts).astype(np.float32, copy=False) if parts else np.zeros((0, 2), np.float32)

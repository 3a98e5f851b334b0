"""A quiet tone, with a short higher one at each full second, so that sound can be heard and checked."""

from __future__ import annotations

import av
import numpy as np

__all__ = ["SAMPLE_RATE", "TONE_HZ", "tone_frame"]

SAMPLE_RATE = 48_000
TONE_HZ = 440
_BEEP_HZ = 880
_BEEP_SECONDS = 0.08
_AMPLITUDE = 2600


def tone_frame(first_sample: int, samples: int) -> av.AudioFrame:
    """``samples`` of 16-bit stereo at 48 kHz, from ``first_sample`` on (so that frames join without a click)."""
    time = np.arange(first_sample, first_sample + samples, dtype=np.float64) / SAMPLE_RATE
    wave = np.sin(2 * np.pi * TONE_HZ * time)
    wave += np.where(time % 1.0 < _BEEP_SECONDS, np.sin(2 * np.pi * _BEEP_HZ * time), 0.0)
    interleaved = np.repeat((wave * _AMPLITUDE).astype(np.int16), 2)[None, :]
    frame = av.AudioFrame.from_ndarray(interleaved, format="s16", layout="stereo")
    frame.sample_rate = SAMPLE_RATE
    return frame

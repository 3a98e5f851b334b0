"""Several talkers at once, as one sound for the loudspeaker. Does no input or output and keeps no clock."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt

from .voice_buffer import FRAME, SAMPLE_RATE, Decoder, VoiceBuffer, VoiceStats
from .voice_decoder import Samples, VoiceDecoder

__all__ = ["Limiter", "Mixer", "Pcm", "VoiceFrame", "silence"]

Pcm = npt.NDArray[np.int16]
"""``(samples, 2)`` at 48 kHz."""

_FORGET: Final = 5.0

_MOST_TALKERS: Final = 16
"""At a time. More are not heard, which in such a noise nobody notices; a hundred would keep a core busy."""

_CEILING: Final = 0.89
"""-1 dB below full scale."""

_KNEE: Final = 0.9

_ATTACK: Final = 240
"""Samples in which the limiter takes hold: 5 ms."""

_RELEASE: Final = 0.2
"""Seconds in which it lets go."""


class VoiceFrame(msgspec.Struct, frozen=True):
    """20 ms of what viewers say: ``(960, 2) int16`` at 48 kHz."""

    mixed: Pcm
    """All of them together, as a loudspeaker plays it."""
    voices: dict[str, Pcm]
    """By client id, what each of those who talk now says."""


class Limiter:
    """Turns a sum that is too loud down and slowly up again; the very peaks are rounded, never cut."""

    def __init__(self) -> None:
        self._gain = 1.0

    def apply(self, samples: Samples) -> Samples:
        """The next frame."""
        peak = float(np.max(np.abs(samples), initial=0.0))
        wanted = min(1.0, _CEILING / peak) if peak > 0 else 1.0
        before = self._gain
        if wanted < before:
            gain = np.full(len(samples), wanted, np.float32)
            ramp = min(_ATTACK, len(samples))
            gain[:ramp] = np.linspace(before, wanted, ramp, dtype=np.float32)
        else:
            wanted = min(wanted, before + len(samples) / SAMPLE_RATE / _RELEASE)
            gain = np.linspace(before, wanted, len(samples), dtype=np.float32)
        self._gain = wanted
        made = samples * gain[:, None]
        size = np.abs(made)
        over = size > _KNEE
        if over.any():
            room = 1 - _KNEE
            made[over] = np.sign(made[over]) * (_KNEE + room * np.tanh((size[over] - _KNEE) / room))
        return made


class Mixer:
    """``push`` what each talker says, ``mix`` every 20 ms."""

    def __init__(self, *, make_decoder: Callable[[], Decoder] = VoiceDecoder, forget: float = _FORGET) -> None:
        """``forget``: seconds of silence after which nothing of a talker is held any more."""
        self._make_decoder = make_decoder
        self._forget = forget
        self._talkers: dict[str, VoiceBuffer] = {}
        self._limiter = Limiter()

    @property
    def is_idle(self) -> bool:
        """Whether ``mix`` has nothing to do until something is pushed."""
        return not self._talkers

    def stats(self, talker: str) -> VoiceStats | None:
        """The figures of one talker, None for one who is silent."""
        buffer = self._talkers.get(talker)
        return buffer.stats if buffer is not None else None

    def push(self, talker: str, packet: bytes, timestamp: int, now: float) -> None:
        """An Opus packet of a talker, see ``VoiceBuffer.push``."""
        buffer = self._talkers.get(talker)
        if buffer is None:
            if len(self._talkers) >= _MOST_TALKERS:
                return
            buffer = self._talkers[talker] = VoiceBuffer(self._make_decoder())
        buffer.push(packet, timestamp, now)

    def leave(self, talker: str) -> None:
        """The talker is gone: nothing of it is held any more."""
        self._talkers.pop(talker, None)

    def mix(self, now: float) -> VoiceFrame | None:
        """The next 20 ms, None while nobody is heard."""
        voices: list[tuple[str, Samples]] = []
        for talker, buffer in list(self._talkers.items()):
            samples = buffer.take(now)
            if samples is not None:
                voices.append((talker, samples))
            elif now - buffer.heard_at > self._forget:
                del self._talkers[talker]
        if not voices:
            return None
        total = np.sum([samples for _, samples in voices], axis=0) if len(voices) > 1 else voices[0][1]
        return VoiceFrame(_pcm(self._limiter.apply(total)), {talker: _pcm(samples) for talker, samples in voices})


def silence() -> Pcm:
    """20 ms of it."""
    return np.zeros((FRAME, 2), np.int16)


def _pcm(samples: Samples) -> Pcm:
    return np.rint(np.clip(samples, -1.0, 1.0) * 32767).astype(np.int16)

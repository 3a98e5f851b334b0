"""One talker's packets on their way to the loudspeaker: evened out, and in step with our clock.

Does no input or output and keeps no clock: the time is passed in.
"""

from __future__ import annotations

from collections import deque
from typing import Final, Protocol

import msgspec
import numpy as np

from .opus_packets import opus_samples
from .voice_decoder import Samples

__all__ = ["FRAME", "SAMPLE_RATE", "VoiceBuffer", "VoiceStats"]

SAMPLE_RATE: Final = 48_000

FRAME: Final = 960
"""Samples of what is taken at a time: 20 ms."""

_BEGIN: Final = 2 * FRAME
"""So much waits before a talker is heard: what a packet that is lost holds up (``rtp.incoming`` waits 40 ms for it)."""

_BEGIN_SECONDS: Final = 0.06
"""After that it begins with what there is: a short word need not fill anything."""

_MARGIN: Final = FRAME
"""So much earlier than it is needed the latest packet of the last seconds is to come."""

_TOO_MUCH: Final = 200 * 48
"""More than that was held up by a stall: it is left out, and talk goes on live."""

_AFTER_STALL: Final = 3 * FRAME

_PAUSE: Final = 120 * 48
"""A gap in the timestamps of more than that is a pause of the talker's, not a loss."""

_CONCEALED: Final = 3 * FRAME
"""So much stands in for packets that do not come; then the talker is silent, and it begins as at first."""

_GAIN: Final = 240
"""Samples too many in the buffer for each sample that a frame is shortened by."""

_FASTEST: Final = 19
"""Samples of 960: 2 %, a third of a semitone, which nobody hears in speech."""

_QUIET: Final = 0.003
"""-50 dB: a frame between two words, which may be left out to be earlier."""

_WINDOW: Final = 0.5
_WINDOWS: Final = 8
"""The worst moment is that of the last four seconds."""

_MOST_WAITING: Final = 100


class Decoder(Protocol):
    """``VoiceDecoder``, or a test's."""

    def decode(self, packet: bytes) -> Samples:
        """Its samples."""

    def conceal(self, samples: int) -> Samples:
        """So many samples in place of what is missing."""


class VoiceStats(msgspec.Struct):
    """Figures of one talker; all in samples at 48 kHz but for ``packets``."""

    packets: int = 0
    lost: int = 0
    """Concealed because a packet never came."""
    late: int = 0
    """Concealed because one did not come in time."""
    left_out: int = 0
    """Not played: after a stall, or a silence that was shortened."""
    stretched: int = 0
    """Left out or put in, one by one, to stay in step with the talker's clock."""


class VoiceBuffer:
    """``push`` what comes, ``take`` a frame every 20 ms.

    How late a voice is played is not guessed from its jitter but seen from how long before it was needed the latest
    packet of the last seconds came: if that is long, silences between words are shortened, and all else by up to 2 %;
    if it is next to nothing, frames are stretched. That holds the delay small, and follows the talker's clock, which is
    never exactly ours.
    """

    def __init__(self, decoder: Decoder) -> None:
        self.stats = VoiceStats()
        self._decoder = decoder
        self._packets: deque[tuple[int, int, bytes, float]] = deque()
        self._samples = np.zeros((0, 2), np.float32)
        self._last = np.zeros((1, 2), np.float32)
        self._expected: int | None = None
        self._concealed = 0
        self._fades_in = False
        self._playing = False
        self._lows: deque[int] = deque(maxlen=_WINDOWS)
        self._low: int | None = None
        self._window_ends = 0.0
        self._taken_at = 0.0
        self.heard_at = float("-inf")
        """When the last packet came."""

    @property
    def waiting(self) -> int:
        """Samples that are held."""
        return len(self._samples) + sum(samples for _, samples, _, _ in self._packets)

    def push(self, packet: bytes, timestamp: int, now: float) -> None:
        """An Opus packet, in order; ``timestamp`` in samples at 48 kHz, without wrapping; ``now``: when it came."""
        samples = opus_samples(packet)
        if not samples:
            return
        self.heard_at = now
        self.stats.packets += 1
        if self._playing:
            self._observe(now)
        if len(self._packets) >= _MOST_WAITING:
            self._leave_out()
        self._packets.append((timestamp, samples, packet, now))

    def take(self, now: float) -> Samples | None:
        """The next 960 samples, None while the talker is silent."""
        if not self._playing and not self._begin(now):
            return None
        if self.waiting > _TOO_MUCH:
            while self._packets and self.waiting > _AFTER_STALL:
                self._leave_out()
        excess = self._excess()
        wanted = FRAME + max(-_FASTEST, min(_FASTEST, int(excess / _GAIN)))
        while self._playing and len(self._samples) < wanted:
            self._fill()
        next_ones = self._samples[:wanted]
        if (
            excess > FRAME
            and self.waiting > 2 * FRAME
            and len(next_ones) == wanted
            and np.abs(next_ones).max() < _QUIET
        ):
            self._samples = self._samples[wanted:]
            self.stats.left_out += wanted
            self._move(-wanted)
            return self.take(now)
        taken, self._samples = self._samples[:wanted], self._samples[wanted:]
        if not len(taken):
            return None
        if len(taken) < wanted:  # the end of what was said
            self._restart()
            taken = np.concatenate((taken, np.zeros((wanted - len(taken), 2), np.float32)))
        self._taken_at = now
        self._move(FRAME - wanted)
        self.stats.stretched += abs(wanted - FRAME)
        return self._stretched(taken)

    # -- inside

    def _begin(self, now: float) -> bool:
        if not self._packets or (self.waiting < _BEGIN and now - self._packets[0][3] < _BEGIN_SECONDS):
            return False
        self._playing = self._fades_in = True
        self._expected = self._packets[0][0]
        self._concealed = 0
        self._taken_at = now
        return True

    def _restart(self) -> None:
        self._playing = False
        self._low = None
        self._lows.clear()
        self._last = np.zeros((1, 2), np.float32)

    def _fill(self) -> None:
        """Decode the next packet, or make up for it."""
        if not self._packets:
            self._bridge()
            return
        timestamp, samples, packet, _ = self._packets[0]
        gap = timestamp - (timestamp if self._expected is None else self._expected)
        if gap > _PAUSE or gap < -_PAUSE:
            self._playing = False
            return
        # What was concealed while nothing was there counts for what turns out to be lost.
        missing = gap - self._concealed
        if missing > 0:
            self.stats.lost += missing
            self._append(self._decoder.conceal(missing))
        elif self._concealed:
            self._move(-missing)
        self._packets.popleft()
        self._append(self._decoder.decode(packet))
        self._expected, self._concealed = timestamp + samples, 0

    def _bridge(self) -> None:
        if self._concealed >= _CONCEALED:
            self._playing = False
            return
        self.stats.late += FRAME
        self._concealed += FRAME
        made = self._decoder.conceal(FRAME)
        if self._concealed >= _CONCEALED:
            made = made * np.linspace(1, 0, len(made), dtype=np.float32)[:, None]
        self._append(made)

    def _append(self, samples: Samples) -> None:
        if self._fades_in and len(samples) >= 240:
            samples = samples.copy()
            samples[:240] *= np.linspace(0, 1, 240, dtype=np.float32)[:, None]
            self._fades_in = False
        self._samples = np.concatenate((self._samples, samples))

    def _leave_out(self) -> None:
        timestamp, samples, _, _ = self._packets.popleft()
        self.stats.left_out += samples
        self._low = None
        self._lows.clear()
        self._expected, self._concealed = timestamp + samples, 0

    def _observe(self, now: float) -> None:
        """A packet comes: how many samples before the moment in which there would have been nothing to take?"""
        left = self.waiting + FRAME - round((now - self._taken_at) * SAMPLE_RATE)
        if self._low is None or now >= self._window_ends:
            if self._low is not None:
                self._lows.append(self._low)
            self._low, self._window_ends = left, now + _WINDOW
        self._low = min(self._low, left)

    def _excess(self) -> int:
        """Samples that are held for nothing; below 0 they are too few. 0 while that is not known yet."""
        if not self._lows or self._low is None:
            return 0
        return min(*self._lows, self._low) - _MARGIN

    def _move(self, samples: int) -> None:
        """All that comes is now played so much later: what was seen before is to be judged by that."""
        if samples and self._low is not None:
            self._low += samples
            self._lows = deque((low + samples for low in self._lows), _WINDOWS)

    def _stretched(self, samples: Samples) -> Samples:
        """960 samples of somewhat more or less; those of two frames join without a step."""
        joined = np.concatenate((self._last, samples))
        self._last = samples[-1:]
        if len(samples) == FRAME:
            return samples
        places = np.arange(1, FRAME + 1, dtype=np.float64) * (len(samples) / FRAME)
        index = np.arange(len(joined))
        made = np.stack([np.interp(places, index, joined[:, channel]) for channel in (0, 1)], axis=1)
        return made.astype(np.float32)

"""The rate that follows from what delays and losses say (draft-ietf-rmcat-gcc-02 §5.5 and §6)."""

from __future__ import annotations

import math

from .trendline import Usage

__all__ = ["RateControl"]

_LEAST, _MOST = 30e3, 100e6

_GROWTH = 1.08
"""For each second, far from where the path was full last."""

_NEAR = 0.05
"""Part by which it grows at most in a second near to there."""

_BACK_OFF = 0.85
"""Of what arrives, when it queues."""

_SLACK = 0.7
"""Of the estimate, when it queues although far less is sent: that may be others', or chance."""

_ROOM, _LITTLE = 1.5, 10e3
"""Times what arrives, and bits per second on top: more than that is not known to be there."""

_PACKET = 1200 * 8

_LOSSY, _VERY_LOSSY = 0.1, 0.25
"""Fractions lost from which there is too much: in two counts one after the other, and at once. Radio loses a few
percent always, so less than that hinders nothing."""

_PAUSE = 0.1
"""Seconds, and a round trip, until a lower rate can show."""


class RateControl:
    """Grows and backs off. Rates in bits per second, time is passed in."""

    def __init__(self) -> None:
        self.bitrate: float | None = None
        """None until something has arrived."""
        self.reduced_at = float("-inf")
        """When it was lowered last."""
        self._updated_at = 0.0
        self._full = _Capacity()
        self._lossy = 0

    def update(
        self, usage: Usage, *, arriving: float | None, sent: float, rtt: float, queued: bool, now: float
    ) -> None:
        """To be called with each feedback. ``arriving`` and ``sent``: rates of the last half second; ``queued``:
        whether a queue stands on the path, which has to empty first.
        """
        if arriving is None:
            return
        elapsed, self._updated_at = min(1.0, now - self._updated_at), now
        if self.bitrate is None:
            self.bitrate = min(_MOST, max(_LEAST, arriving))
        elif usage is Usage.OVERUSE:
            if now - self.reduced_at >= _PAUSE + min(0.2, rtt):
                self._reduce(arriving, sent, now)
        elif usage is Usage.NORMAL and not self._lossy and not queued:
            self._grow(self.bitrate, arriving, rtt, elapsed)

    def lose(self, fraction: float, *, arriving: float | None, now: float) -> None:
        """A fraction, from 0 to 1, of what was sent in the last while is lost."""
        self._lossy = self._lossy + 1 if fraction >= _LOSSY else 0
        is_full = self._lossy >= 2 or fraction >= _VERY_LOSSY
        if is_full and self.bitrate is not None and arriving is not None:
            # What does arrive is never too much, or chance would lower it for ever.
            self._set(min(self.bitrate, max(arriving, self.bitrate * (1 - fraction))))
            self.reduced_at = now

    def measured(self, bitrate: float) -> None:
        """So much was seen to go through, or to be all that does."""
        self._full.forget()
        self._set(bitrate)

    def _reduce(self, arriving: float, sent: float, now: float) -> None:
        assert self.bitrate is not None
        lower = _BACK_OFF * arriving
        if sent < self.bitrate / 2:
            lower = max(lower, _SLACK * self.bitrate)
        elif lower > self.bitrate and self._full.mean is not None:
            lower = _BACK_OFF * self._full.mean
        if sent >= self.bitrate / 2:
            self._full.observe(arriving)
        self._set(min(self.bitrate, lower))
        self.reduced_at = now

    def _grow(self, bitrate: float, arriving: float, rtt: float, elapsed: float) -> None:
        if self._full.is_below(arriving):
            self._full.forget()
        if self._full.mean is None:
            grown = bitrate * _GROWTH**elapsed
        else:
            # Near to where it was full, about a packet in each time in which that can show.
            packet = bitrate / 30 / max(1, -(-bitrate / 30 // _PACKET))
            step = min(max(4000.0, packet / (rtt + _PAUSE)), bitrate * _NEAR)
            grown = bitrate + step * elapsed
        self._set(max(bitrate, min(grown, _ROOM * arriving + _LITTLE)))

    def _set(self, bitrate: float) -> None:
        self.bitrate = min(_MOST, max(_LEAST, bitrate))


class _Capacity:
    """Where the path was full, as a mean with its deviation, of rates at which a queue began."""

    def __init__(self) -> None:
        self.mean: float | None = None
        self._variance = 0.0

    def observe(self, bitrate: float) -> None:
        if self.mean is None or bitrate < self.mean - 3 * self._deviation:
            self.mean, self._variance = bitrate, 400.0
            return
        error = self.mean - bitrate
        self.mean -= 0.05 * error
        # Relative to the mean, in bits per second; within what libwebrtc found to be of use.
        self._variance = min(2500.0, max(400.0, 0.95 * self._variance + 0.05 * error * error / max(1.0, self.mean)))

    def is_below(self, bitrate: float) -> bool:
        return self.mean is not None and bitrate > self.mean + 3 * self._deviation

    def forget(self) -> None:
        self.mean = None

    @property
    def _deviation(self) -> float:
        return math.sqrt(self._variance * (self.mean or 0.0))

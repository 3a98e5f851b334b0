"""How long a viewer on a path that loses packets should hold pictures back, so that what is sent again is in time.

A browser shows pictures as early as it can, and waits for what was lost with the picture frozen. Its own estimate grows
with jitter, but it does not know the round trip when it only receives. We do, and say it (``PLAYOUT_DELAY``).
"""

from __future__ import annotations

__all__ = ["PlayoutDelay"]

_LOSSY, _CLEAN = 0.02, 0.005
"""Fractions lost, averaged: from the one on pictures are held back, under the other they are not any more."""

_WEIGHT = 0.3
"""Of the newest second in the averages."""

_DETECTION = 0.1
"""Seconds until a viewer has asked for what it misses."""

_JITTERS = 4.0
"""Mean deviations that a packet may be late (RFC 3550 §6.4.1 defines the mean)."""

_LEAST, _MOST = 0.1, 0.5
"""Bounds of the delay: more would not be a live picture."""

_STEP = 0.05
"""Smaller changes are not worth disturbing the picture for."""

_PATIENCE = 10.0
"""Seconds that a lower delay must have been enough before it is told."""

_UNKNOWN_RTT = 0.1


class PlayoutDelay:
    """One viewer's. ``seconds`` is 0 as long as its path is clean."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._loss: float | None = None
        self._jitter = 0.0
        self._rtt = _UNKNOWN_RTT
        self._lower_since: float | None = None

    def receive(self, loss: float, jitter: float, rtt: float | None, now: float) -> bool:
        """What there was in a second: fraction lost, jitter and round trip in seconds.

        Returns whether ``seconds`` has changed.
        """
        if self._loss is None:
            self._loss, self._jitter = loss, jitter
            self._rtt = self._rtt if rtt is None else rtt
        self._loss += (loss - self._loss) * _WEIGHT
        self._jitter += (jitter - self._jitter) * _WEIGHT
        self._rtt += 0.0 if rtt is None else (rtt - self._rtt) * _WEIGHT
        wanted = self._wanted(self._loss)
        if wanted > self.seconds + _STEP or (wanted and not self.seconds):
            self._lower_since = None
        elif wanted >= self.seconds - _STEP and bool(wanted) == bool(self.seconds):
            self._lower_since = None
            return False
        else:
            self._lower_since = now if self._lower_since is None else self._lower_since
            if now - self._lower_since < _PATIENCE:
                return False
            self._lower_since = None
        self.seconds = wanted
        return True

    def _wanted(self, loss: float) -> float:
        if loss < (_CLEAN if self.seconds else _LOSSY):
            return 0.0
        return min(_MOST, max(_LEAST, self._rtt + _DETECTION + _JITTERS * self._jitter))

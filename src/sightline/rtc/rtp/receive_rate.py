"""How much a viewer says that it can receive (REMB), so that a master which adapts neither starves it nor floods it.

Masters that encode for one viewer, as browsers do, begin low and grow slowly unless they are told that there is room.
Two things say that there is none: packets that are lost, and packets that come ever later, because they queue.
"""

from __future__ import annotations

from collections import deque

__all__ = ["ReceiveRate"]

_BEGIN = 2.5e6
"""Bits per second: what a camera of 720p needs."""

_LEAST, _MOST = 150e3, 50e6

_GROWTH = 1.08
"""For each second without trouble, as in libwebrtc."""

_ROOM = 2.5
"""Times what is received now: more is not known to be there; but ``_BEGIN``, so that a still picture may move."""

_LOSSY, _CLEAN = 0.1, 0.02
"""Fractions lost from which there is too much, and below which there may be more (draft-ietf-rmcat-gcc §6)."""

_QUEUED = 0.12
"""Seconds that packets are late, beyond the least of the last while, when they wait in a queue."""

_BACK_OFF = 0.85
_PAUSE = 1.0
"""Seconds until a lower rate can have helped."""

_MEMORY = 20
"""Seconds over which the least delay is remembered: clocks drift apart, and paths change."""

_WEIGHT = 1 / 32


class ReceiveRate:
    """One connection's. Time is passed in; rates in bits per second."""

    def __init__(self) -> None:
        self.estimate = _BEGIN
        self._late = 0.0
        self._least: deque[tuple[int, float]] = deque(maxlen=_MEMORY)
        self._slowed_at = float("-inf")

    @property
    def queued(self) -> float:
        """Seconds that packets seem to wait in queues on the way, smoothed."""
        return self._late

    def arrived(self, sent: float, now: float) -> None:
        """A packet; ``sent``: when, in seconds of the sender's own clock, whatever its zero."""
        delay, second = now - sent, int(now)
        if not self._least or self._least[-1][0] != second:
            self._least.append((second, delay))
        elif delay < self._least[-1][1]:
            self._least[-1] = second, delay
        late = delay - min(least for _, least in self._least)
        self._late += (late - self._late) * _WEIGHT

    def restart(self) -> None:
        """Another sender's clock, or another path: delays are not comparable."""
        self._least.clear()
        self._late = 0.0

    def update(self, rate: float, loss: float | None, now: float) -> int:
        """The estimate, to be asked for about once a second. ``rate``: received now; ``loss``: from 0 to 1."""
        loss = loss or 0.0
        if now - self._slowed_at >= _PAUSE:
            if loss >= _LOSSY:
                self._slow(rate * (1 - loss / 2), now)
            elif self._late >= _QUEUED:
                self._slow(rate * _BACK_OFF, now)
            elif loss < _CLEAN:
                self.estimate = max(min(self.estimate * _GROWTH, max(_BEGIN, _ROOM * rate)), min(self.estimate, _BEGIN))
        self.estimate = min(_MOST, max(_LEAST, self.estimate))
        return int(self.estimate)

    def _slow(self, to: float, now: float) -> None:
        self._slowed_at = now
        self.estimate = min(self.estimate, to)

"""Trying for a moment whether a path carries more than is sent: how fast, how long, and when not.

A receiver's estimate grows to one and a half times what it receives, so a viewer of a small picture never shows that
its path would carry the large one. A probe sends as fast as that for a fifth of a second, the media with packets
repeated beside it, and goes up in steps: at most twice as fast as is known to go through. So on a path that is full
already a queue of a fifth of a second comes of it at most.
"""

from __future__ import annotations

__all__ = ["Prober"]

_LASTS = 0.2
"""Seconds of one step."""

_STEP = 2.0
"""Times what is known to go through."""

_LEAST, _MOST = 300e3, 10e6

_TICK = 0.005
"""Seconds between two bursts of a probe."""

_ENOUGH = 0.85
"""Part of its rate that must be seen to go through for the next step."""

_PAUSE = 0.3
"""Seconds between two steps, in which a queue empties."""

_CAMPAIGN = 10.0
"""Seconds that all steps together may take."""

_FIRST_WAIT, _LAST_WAIT = 3.0, 48.0
"""Seconds until the next probe after one that found the path full; doubled each time."""

_REMEMBERED = 20.0
"""Seconds for which what went through is a step that need not be tried again."""

_UNHEARD = 2.5
"""Seconds after which nothing more will be heard of a step."""


class Prober:
    """One viewer's. Rates in bits per second, time in seconds; who sends asks how much is owed."""

    def __init__(self) -> None:
        self.rate = 0.0
        """Of the step that runs, or that ran last."""
        self.octets = 0
        """What was sent in it."""
        self.ended_at: float | None = None
        """When the step ended whose outcome is awaited."""
        self._target: float | None = None
        self._asked_at = 0.0
        self._begun_at: float | None = None
        self._not_before = 0.0
        self._wait = _FIRST_WAIT
        self._reached = 0.0
        self._reached_at = float("-inf")

    @property
    def running(self) -> bool:
        """Whether a step is being sent."""
        return self._begun_at is not None

    @property
    def wanted(self) -> bool:
        """Whether there is something to begin, to send or to wait for."""
        return self._target is not None

    @property
    def seconds(self) -> float:
        """How long a step lasts."""
        return _LASTS

    def ask(self, bitrate: float, now: float) -> None:
        """Find out whether so much goes through, or how much does. In vain too soon after a probe that failed."""
        if self._target is None and now < self._not_before:
            return
        if self._target is None:
            self._asked_at = now
        self._target = min(_MOST, bitrate)

    def begin(self, sent: float, now: float) -> bool:
        """Whether the next step begins now; ``sent``: what is sent anyway."""
        if self._target is None or self.running or self.ended_at is not None or now < self._not_before:
            return False
        if now - self._asked_at > _CAMPAIGN:
            self.cancel()
            return False
        known = max(_LEAST, sent, self._reached if now - self._reached_at < _REMEMBERED else 0.0)
        self.rate = min(self._target, _STEP * known)
        self._begun_at, self.octets = now, 0
        return True

    def sent(self, octets: int) -> None:
        """So many bytes left during the step, of whatever."""
        self.octets += octets

    def owed(self, now: float) -> int:
        """Bytes that are missing to the rate."""
        if self._begun_at is None:
            return 0
        return int(self.rate / 8 * min(_LASTS, now - self._begun_at + _TICK)) - self.octets

    def next_time(self, now: float) -> float | None:
        """When more is owed, or what was sent is given up."""
        if self.running:
            return now + _TICK
        return None if self.ended_at is None else self.ended_at + _UNHEARD + _TICK

    def ends(self, now: float) -> bool:
        """Whether the step is over now, which is told once."""
        if self._begun_at is None or now - self._begun_at < _LASTS:
            return False
        self._begun_at, self.ended_at = None, now
        return True

    def is_unheard(self, now: float) -> bool:
        """Whether nothing was heard of the step for so long that nothing will be."""
        return self.ended_at is not None and now - self.ended_at > _UNHEARD

    def judged(self, carried: float, now: float) -> bool:
        """So much of the step went through, 0 when nobody knows; whether that was all of it."""
        self.ended_at = None
        if carried >= _ENOUGH * self.rate:
            self._reached, self._reached_at = carried, now
            self._not_before = now + _PAUSE
            if self._target is not None and self.rate >= self._target:
                self._target, self._wait = None, _FIRST_WAIT
            return True
        self._target = None
        self._not_before = now + self._wait
        self._wait = min(_LAST_WAIT, 2 * self._wait)
        return False

    def cancel(self) -> None:
        """Leave off at once: nothing is sent any more, or the path is full."""
        self._target = self._begun_at = self.ended_at = None

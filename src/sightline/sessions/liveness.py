"""Whether the other end of a quiet connection still lives: when to ping, when to give up."""

from __future__ import annotations

from enum import Enum

__all__ = ["Liveness", "Pulse"]


class Pulse(Enum):
    """What to do now."""

    REST = "rest"
    PING = "ping"
    DEAD = "dead"


class Liveness:
    """Counts silence. All times in seconds of one clock, passed in."""

    def __init__(self, now: float, *, ping: float, dead: float) -> None:
        """A ping after ``ping`` seconds of silence and each further ``ping`` seconds; after ``dead``, the end."""
        self._ping = ping
        self._dead = dead
        self._heard_at = self._pinged_at = now

    def heard(self, now: float) -> None:
        """Anything came from the other end, be it a pong."""
        self._heard_at = now

    def check(self, now: float) -> Pulse:
        """To be called after ``wait``; PING means that the caller sends one."""
        if now - self._heard_at >= self._dead:
            return Pulse.DEAD
        if now - max(self._heard_at, self._pinged_at) >= self._ping:
            self._pinged_at = now
            return Pulse.PING
        return Pulse.REST

    def wait(self, now: float) -> float:
        """Seconds until the next ``check`` can have another answer."""
        next_ping = max(self._heard_at, self._pinged_at) + self._ping
        return max(0.0, min(next_ping, self._heard_at + self._dead) - now)

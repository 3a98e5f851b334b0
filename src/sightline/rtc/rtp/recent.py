"""The pictures since a keyframe that was made just now: who joins within the moment needs no other one."""

from __future__ import annotations

from .packetize import Packets

__all__ = ["Recent"]

_AGE = 0.3
"""Seconds after a keyframe in which viewers begin with it: so often is one made for joins at most."""

_CATCH_UP = 0.1
"""Seconds that sending them takes at most."""

_FAST_RATE = 20e6


class Recent:
    """Takes every picture of a feed. A crowd that joins within a second costs three keyframes, and nobody waits."""

    __slots__ = ("_begun_at", "_clock_rate", "_held")

    def __init__(self, clock_rate: int) -> None:
        """``clock_rate`` in ticks per second."""
        self._clock_rate = clock_rate
        self._held: list[Packets] = []
        self._begun_at = 0.0

    def push(self, packets: Packets, now: float) -> None:
        """A picture was published."""
        if packets.keyframe:
            self._held = [packets]
            self._begun_at = now
        elif self._held:
            if now - self._begun_at > _AGE:
                self._held = []
            else:
                self._held.append(packets)

    def replay(self, now: float, live: int) -> list[tuple[Packets, float, int]]:
        """The pictures, when each is due and the timestamp that makes it live; ``live`` is the timestamp of now.

        Empty when the last keyframe is too old.
        """
        if not self._held or now - self._begun_at > _AGE:
            return []
        total = sum(packets.octets for packets in self._held)
        duration = min(_CATCH_UP, total * 8 / _FAST_RATE)
        plan, before, previous = [], 0, live - 1
        for packets in self._held:
            after = duration * before / total
            previous = max(previous + 1, live + round(after * self._clock_rate))
            plan.append((packets, now + after, previous))
            before += packets.octets
        return plan

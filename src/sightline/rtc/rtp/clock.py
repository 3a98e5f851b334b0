"""The live clock of a feed: which media timestamp is now, and what that is in NTP time."""

from __future__ import annotations

__all__ = ["LiveClock", "ntp_time"]

_FORGET = 0.02
"""How fast the estimate follows frames that come late: 2 % of the lateness per frame, so that jitter hardly shows."""

_JUMP = 1.0
"""Seconds of difference that are no jitter but a new timeline."""

_NTP_EPOCH = 2_208_988_800
"""Seconds from 1900 to 1970 (RFC 5905 §6)."""


class LiveClock:
    """Follows a feed's timestamps. The earliest arrivals count: whatever is later was held up on the way."""

    __slots__ = ("_offset", "clock_rate")

    def __init__(self, clock_rate: int) -> None:
        """``clock_rate`` in ticks per second."""
        self.clock_rate = clock_rate
        self._offset: float | None = None

    def observe(self, timestamp: int, now: float) -> None:
        """A unit came."""
        offset = now - timestamp / self.clock_rate
        if self._offset is None or offset < self._offset or offset - self._offset > _JUMP:
            self._offset = offset
        else:
            self._offset += (offset - self._offset) * _FORGET

    def at(self, now: float) -> int | None:
        """The timestamp of what happens now; None before the first unit."""
        return None if self._offset is None else round((now - self._offset) * self.clock_rate)


def ntp_time(wall: float) -> int:
    """NTP's 64 bits for a time in seconds since 1970 (RFC 3550 §4)."""
    return round((wall + _NTP_EPOCH) * (1 << 32)) & 0xFFFFFFFF_FFFFFFFF

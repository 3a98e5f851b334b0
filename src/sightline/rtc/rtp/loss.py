"""How much of a stream a viewer loses, over whole seconds."""

from __future__ import annotations

from .rtcp import ReportBlock

__all__ = ["LossMeter"]

_WINDOW = 1.0
"""Seconds. Browsers report with each NACK: the fraction since the last report is then of a few packets, all or none."""


class LossMeter:
    """Reads the counters in the reports, not the fractions."""

    __slots__ = ("_begin", "_begun_at", "fraction")

    def __init__(self) -> None:
        self.fraction: float | None = None
        """Of the last window, from 0 to 1; None in the first one."""
        self._begin: ReportBlock | None = None
        self._begun_at = 0.0

    def receive(self, block: ReportBlock, now: float) -> bool:
        """A report; whether a window is complete with it."""
        begin = self._begin
        if begin is not None and now - self._begun_at < _WINDOW:
            return False
        self._begin, self._begun_at = block, now
        if begin is None:
            return False
        expected = block.highest_sequence - begin.highest_sequence & 0xFFFFFFFF
        if not 0 < expected < 1 << 31:
            return False
        # Duplicates count against losses (RFC 3550 §6.4.1): the difference may be below 0.
        self.fraction = min(1.0, max(0.0, (block.packets_lost - begin.packets_lost) / expected))
        return True

"""Which packets are missing, when they are asked for (NACK, RFC 4585), and until when that makes sense."""

from __future__ import annotations

import msgspec

__all__ = ["MissingPackets"]

_MAX_MISSING = 1000
"""Packets that are waited for; with more of them missing, a new keyframe is cheaper."""

_SHORTEST_WAIT, _LONGEST_WAIT = 0.005, 0.1
"""Seconds that a packet may be late before it is asked for: the least spares what the network has swapped."""

_SHORTEST_PAUSE, _LONGEST_PAUSE = 0.02, 0.5
"""Bounds of the seconds between two requests for a packet, which are a round trip and a little."""

_UNKNOWN_RTT = 0.1

_MAX_TRIES = 10

_LEAST_PATIENCE, _MOST_PATIENCE = 0.4, 1.0
"""Bounds of the seconds until a packet is given up: four round trips and a little, so that it is asked for three times
at the least. To give up costs more: a round trip, and a keyframe, which the network may lose as well."""

_CREDIT, _EARNED = 400.0, 0.5
"""Packets that may be asked for at once, and for each one that comes: on a full path, repeats fill it still more."""

_MAX_AT_ONCE = 250
"""Packets that one request is for: a KiB at the most."""

_SPACING = 0.005
"""Seconds between two requests, so that one is for all that is missing."""

_DECAY = 0.98


_MOST_EXCUSE = 0.5
"""Seconds that a packet is waited for beyond its time, because nobody was there to receive it."""


class _Gap(msgspec.Struct):
    noticed: float
    asked: float = 0.0
    tries: int = 0
    excused: float = 0.0


class MissingPackets:
    """One stream's. Numbers are unwrapped, times in seconds; nothing here knows what is in the packets."""

    def __init__(self, *, asks: bool, least_patience: float = 0.1) -> None:
        """``asks``: whether the peer takes requests; without, a packet may only come late by itself.

        ``least_patience``: seconds for that.
        """
        self.asks = asks
        self._least_patience = least_patience
        self.requested = 0
        """Requests for single packets so far."""
        self.late_by = 0.0
        """Seconds by which packets come out of order, as of the last ones."""
        self._gaps: dict[int, _Gap] = {}
        self._highest: int | None = None
        self._credit = _CREDIT
        self._not_before = 0.0

    def __len__(self) -> int:
        return len(self._gaps)

    def __contains__(self, number: int) -> bool:
        return number in self._gaps

    def was_asked(self, number: int) -> bool:
        """Whether it is missing and was asked for."""
        gap = self._gaps.get(number)
        return gap is not None and gap.tries > 0

    def noticed(self, number: int) -> float | None:
        """When it was found missing, None when it is not."""
        gap = self._gaps.get(number)
        return None if gap is None else gap.noticed

    def arrived(self, number: int, now: float, *, repaired: bool) -> bool:
        """A packet came; ``repaired``: as a retransmission. Returns whether too many are missing to go on so."""
        self._credit = min(_CREDIT, self._credit + _EARNED)
        highest = self._highest
        if highest is None:
            self._highest = number
            return False
        if number > highest:
            self._highest = number
            if number - highest - 1 + len(self._gaps) > _MAX_MISSING:
                self._gaps.clear()
                return True
            for between in range(highest + 1, number):
                self._gaps[between] = _Gap(now)
            self.late_by *= _DECAY
            return False
        gap = self._gaps.pop(number, None)
        if gap is not None and not gap.tries and not repaired:
            self.late_by = max(self.late_by * _DECAY, min(now - gap.noticed, _LONGEST_WAIT))
        return False

    def expect(self, numbers: range, now: float) -> None:
        """These are wanted as well, unless they are too many: the stream begins earlier than it seemed."""
        if len(self._gaps) + len(numbers) > _MAX_MISSING:
            return
        for number in numbers:
            self._gaps.setdefault(number, _Gap(now))
        self._gaps = dict(sorted(self._gaps.items()))

    def excuse(self, seconds: float) -> None:
        """Everything has that much longer to come, within bounds: a program may always be busy."""
        for gap in self._gaps.values():
            more = min(seconds, _MOST_EXCUSE - gap.excused)
            gap.noticed += more
            gap.excused += more

    def forget(self, below: int) -> None:
        """Those with smaller numbers are not wanted any more."""
        if self._gaps and next(iter(self._gaps)) < below:
            self._gaps = {number: gap for number, gap in self._gaps.items() if number >= below}

    def clear(self) -> None:
        """Begin anew, with whatever number comes next."""
        self._gaps.clear()
        self._highest = None

    def patience(self, rtt: float | None) -> float:
        """Seconds from noticing that a packet is missing until it is given up."""
        if not self.asks:
            return min(_MOST_PATIENCE, max(self._least_patience, _SHORTEST_WAIT + 3 * self.late_by))
        wait = self.swap_patience() + 4 * (_UNKNOWN_RTT if rtt is None else rtt) + 0.1
        return min(_MOST_PATIENCE, max(_LEAST_PATIENCE, wait))

    def swap_patience(self) -> float:
        """Seconds that it may be late because packets have changed places, and is not lost at all."""
        return min(_LONGEST_WAIT, _SHORTEST_WAIT + 1.5 * self.late_by)

    def due(self, now: float, rtt: float | None) -> list[int]:
        """The numbers to be asked for now; they count as asked for."""
        if not self.asks or not self._gaps or now < self._not_before:
            return []
        wait, pause = self.swap_patience(), self._pause(rtt)
        wanted: list[int] = []
        for number, gap in self._gaps.items():
            if self._credit < 1 or len(wanted) >= _MAX_AT_ONCE:
                break
            if now >= (gap.asked + pause if gap.tries else gap.noticed + wait):
                if gap.tries >= _MAX_TRIES:
                    continue
                gap.asked, gap.tries = now, gap.tries + 1
                self._credit -= 1
                wanted.append(number)
        if wanted:
            self.requested += len(wanted)
            self._not_before = now + _SPACING
        return wanted

    def next_time(self, rtt: float | None) -> float | None:
        """When ``due`` has something, None for never."""
        if not self.asks or not self._gaps or self._credit < 1:
            return None
        wait, pause = self.swap_patience(), self._pause(rtt)
        first = min(
            (
                gap.asked + pause if gap.tries else gap.noticed + wait
                for gap in self._gaps.values()
                if gap.tries < _MAX_TRIES
            ),
            default=None,
        )
        return None if first is None else max(first, self._not_before)

    @staticmethod
    def _pause(rtt: float | None) -> float:
        return min(_LONGEST_PAUSE, max(_SHORTEST_PAUSE, 1.2 * (_UNKNOWN_RTT if rtt is None else rtt) + 0.01))

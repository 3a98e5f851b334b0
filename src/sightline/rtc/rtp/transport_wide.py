"""The packets of a connection under one count, and what comes back about them (draft-holmer-rmcat-transport-wide-cc).

A sender keeps ``SentPackets``, a receiver ``ReceivedPackets``.
"""

from __future__ import annotations

from collections.abc import Sequence

from .congestion import Arrival, CongestionEstimate
from .packet import unwrapped
from .transport_feedback import MAX_REPORTED, REFERENCE_STEP, TransportFeedback

__all__ = ["ReceivedPackets", "SentPackets"]

_TICK = 0.00025

_KEPT = 4096
"""Packets of which it is remembered when they were sent."""

_UNKNOWN_RTT = 0.1

_LASTS = 10.0
"""Seconds without feedback after which nothing is known any more."""

_INTERVAL = 0.1
"""Seconds between two reports, as in libwebrtc."""

_FAR = 1024
"""Packets that are told of again when one between them comes late, and that a number may be ahead of the others."""

_ANEW = 20
"""Numbers far behind, one after the other, after which the sender counts anew."""

_MOST_STEP = 30_000
"""Ticks between two packets that a report can hold; after a longer silence another one begins."""


class SentPackets:
    """Numbers what is sent, keeps when, and estimates from the feedback what the path carries."""

    def __init__(self) -> None:
        self.next = 1
        """The number of the packet that is sent next, unwrapped; packets carry its lower 16 bits."""
        self._congestion = CongestionEstimate()
        self._sent: dict[int, tuple[float, int, bool]] = {}
        self._judged = 1
        self._reference = 0
        self._heard_at: float | None = None
        self._probe_octets: int | None = None

    def sent(self, sizes: Sequence[int], now: float) -> None:
        """The next packets, of so many bytes each, leave now."""
        number, probing = self.next, self._probe_octets is not None
        for size in sizes:
            self._sent[number] = now, size, probing
            number += 1
        self.next = number
        if self._probe_octets is not None:
            self._probe_octets += sum(sizes)
        while len(self._sent) > _KEPT:
            del self._sent[next(iter(self._sent))]

    def path_changed(self) -> None:
        """What was learned was of another path, and what is on its way there says nothing of this one."""
        self._congestion = CongestionEstimate()
        self._sent.clear()
        self._judged = self.next
        self._probe_octets = None

    def begin_probe(self) -> None:
        """What is sent from now on belongs to a probe."""
        self._probe_octets = 0
        self._congestion.begin_probe()

    def end_probe(self, now: float) -> None:
        """The probe was sent; it shows in ``estimate`` as soon as all is known of it."""
        if self._probe_octets:
            self._congestion.probed(self._probe_octets, now)
        self._probe_octets = None

    def receive(self, feedback: TransportFeedback, *, rtt: float | None, now: float) -> None:
        """What the receiver says. Packets that were never sent, or were told of before, are passed over."""
        base = unwrapped(feedback.base, 16, self.next - 1)
        end = min(self.next, base + feedback.count)
        self._reference = unwrapped(feedback.reference & 0xFFFFFF, 24, self._reference)
        begin = self._reference * REFERENCE_STEP
        arrivals, new = [], 0
        for place, ticks in feedback.arrivals:
            sent = self._sent.pop(base + place, None)
            if sent is not None:
                new += base + place >= self._judged
                arrivals.append(Arrival(sent[0], (begin + ticks) * _TICK, sent[1], sent[2]))
        lost = sum(number in self._sent for number in range(max(base, self._judged, self.next - _KEPT), end))
        untold = 0
        for number in range(max(self._judged, base - _KEPT), base):
            if number in self._sent:
                untold += self._sent.pop(number)[1]
        self._judged = max(self._judged, end)
        if arrivals:
            self._heard_at = now
        self._congestion.receive(
            arrivals,
            judged=new + lost,
            lost=lost,
            untold=untold,
            rtt=_UNKNOWN_RTT if rtt is None else rtt,
            now=now,
        )

    def estimate(self, now: float) -> int | None:
        """Bits per second that the path carries for packets with their headers; None while that is not known."""
        self._congestion.tick(now)
        bitrate = self._congestion.bitrate
        if bitrate is None or self._heard_at is None or now - self._heard_at > _LASTS:
            return None
        return int(bitrate)

    def limited(self, now: float) -> bool:
        """Whether the path was full lately, by delay or loss."""
        return self._congestion.limited(now)


class ReceivedPackets:
    """When numbered packets came, and the reports on them. Silent until there is one."""

    def __init__(self, ssrc: int) -> None:
        """``ssrc``: ours, as the sender of reports."""
        self.due: float | None = None
        """When ``take`` has something."""
        self._ssrc = ssrc
        self._media = 0
        self._arrived: dict[int, int] = {}
        """Ticks by number, unwrapped, also of what was told of already: a late packet may lie between."""
        self._new: list[int] = []
        self._highest: int | None = None
        self._told = 0
        """The number after the last one that was told of."""
        self._reports = self._behind = 0

    def arrived(self, short: int, ssrc: int, now: float) -> None:
        """A packet with the lower 16 bits of its number, and the stream that it belongs to."""
        self._media = ssrc
        if self._highest is None:
            self._highest, self._told = short, short
        number = unwrapped(short, 16, self._highest)
        if number < self._highest - _FAR:
            self._behind += 1
            if self._behind < _ANEW:
                return
            self._arrived.clear()
            self._new.clear()
            self._highest = self._told = number
        elif number in self._arrived or len(self._new) > _KEPT:
            return
        elif number > self._highest + _FAR:
            # What lies between was sent over another path, or never: nobody gains by hearing of it.
            self._told = number
        self._behind = 0
        self._highest = max(self._highest, number)
        self._arrived[number] = round(now / _TICK)
        self._new.append(number)
        if self.due is None:
            self.due = now + _INTERVAL

    def take(self, now: float) -> list[TransportFeedback]:
        """The reports that are due, mostly one."""
        if self.due is None or now < self.due or not self._new or self._highest is None:
            return []
        self.due = None
        end = max(self._new) + 1
        begin = max(min(self._told, *self._new), end - _FAR)
        self._new.clear()
        self._told = max(self._told, end)
        reports = []
        while begin < end:
            begin, report = self._report(begin, min(end, begin + MAX_REPORTED))
            reports.append(report)
        for number in [number for number in self._arrived if number < self._highest - _FAR]:
            del self._arrived[number]
        return reports

    def _report(self, begin: int, end: int) -> tuple[int, TransportFeedback]:
        """Of the packets from ``begin`` on, and where the next report begins."""
        arrivals: list[tuple[int, int]] = []
        reference, before = 0, 0
        for number in range(begin, end):
            ticks = self._arrived.get(number)
            if ticks is None:
                continue
            if not arrivals:
                reference = ticks // REFERENCE_STEP
                before = reference * REFERENCE_STEP
            if abs(ticks - before) > _MOST_STEP:
                end = number
                break
            before = ticks
            arrivals.append((number - begin, ticks - reference * REFERENCE_STEP))
        self._reports = self._reports + 1 & 0xFF
        return end, TransportFeedback(
            self._ssrc, self._media, begin & 0xFFFF, end - begin, reference, self._reports, tuple(arrivals)
        )

"""Packets of one stream back in order and cut into units: whole ones, in decode order, as early as possible.

On a clean network a unit leaves with its last packet. Behind a missing packet everything waits, while it is asked for
(``missing.py``). When that has taken too long, pictures are left out up to the next keyframe, because each picture is
made of the one before; of sounds only the missing one is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from .depacketize import Assembled, CodecName, Depacketizer
from .missing import MissingPackets
from .packet import RtpPacket

__all__ = ["FrameQueue", "QueueCounters", "QueuedUnit"]

_MAX_SPAN = 4096
"""Packets between the oldest that is waited for and the newest: 5 MB, which is more than any group of pictures that
could still be shown in time."""

_MAX_OCTETS = 16 * 1024 * 1024
"""Bytes that wait; a peer may well write packets of 64 KiB."""

_MAX_STARTS = 8
"""Keyframes that wait at once, the newest ones."""

_START_SPAN = 256
"""Packets by which the very first one may have overtaken others."""


class QueueCounters(msgspec.Struct):
    """What became of the units. ``lost`` are packets that never came, or too late."""

    units: int = 0
    keyframes: int = 0
    dropped: int = 0
    """Units that were not whole, or that could not be decoded without one that was not."""
    lost: int = 0
    late: int = 0
    """Packets that came after they were given up, or twice."""


class QueuedUnit(msgspec.Struct, frozen=True, gc=False):
    """A whole unit: ``timestamp`` has the 32 bits of the wire; ``received`` is when its last packet came."""

    data: bytes
    codec: CodecName
    timestamp: int
    keyframe: bool
    received: float


class _Held(msgspec.Struct, frozen=True, gc=False):
    packet: RtpPacket
    reader: Depacketizer
    at: float


class FrameQueue:
    """One stream's. ``single``: every packet is a unit (sound). Numbers are unwrapped, times in seconds."""

    def __init__(self, missing: MissingPackets, *, single: bool) -> None:
        self.counters = QueueCounters()
        self.missing = missing
        self.waits_for_keyframe = not single
        self._single = single
        self._held: dict[int, _Held] = {}
        self._octets = 0
        self._starts: list[int] = []
        """Packets that begin a keyframe, in order."""
        self._next: int | None = None
        self._scanned = 0
        self._begun = False
        self._dropped_timestamp: int | None = None

    def __len__(self) -> int:
        return len(self._held)

    @property
    def octets(self) -> int:
        """Bytes of the packets that wait."""
        return self._octets

    @property
    def needs_keyframe(self) -> bool:
        """Whether nothing can be decoded before a keyframe of which nothing has come yet."""
        return self.waits_for_keyframe and not self._starts

    def push(self, number: int, packet: RtpPacket, reader: Depacketizer, now: float) -> None:
        """A packet. Take the units after it."""
        if self._next is None:
            self._next = self._scanned = number
        elif number < self._next:
            if self._begun or self._next - number > _START_SPAN:
                self.counters.late += 1
                return
            self.missing.expect(range(number + 1, self._next), now)
            self._next = self._scanned = number
        elif number in self._held:
            self.counters.late += 1
            return
        elif number - self._next >= _MAX_SPAN or self._octets + len(packet.payload) > _MAX_OCTETS:
            self.restart()
            self.missing.arrived(number, now, repaired=False)
            self._next = self._scanned = number
        self._held[number] = _Held(packet, reader, now)
        self._octets += len(packet.payload)
        if not self._single and reader.begins_keyframe(packet.payload):
            self._starts = sorted([*self._starts, number])[-_MAX_STARTS:]

    def restart(self) -> None:
        """Give up everything that waits; go on with a keyframe."""
        self._count_dropped(self._held.values())
        self.missing.clear()
        self._held.clear()
        self._starts.clear()
        self._octets = 0
        self._next, self._begun = None, False
        self.waits_for_keyframe = not self._single

    def take(self, now: float, rtt: float | None) -> Iterator[QueuedUnit]:
        """The units that are whole and whose turn it is."""
        while self._next is not None and self._held:
            unit = self._take_whole()
            if unit is not None:
                if unit.data:
                    yield unit
                continue
            if self._next in self._held and self._skip_undecodable():
                continue
            if not self._skip_ahead(now, rtt):
                break
        if self._next is not None:
            self.missing.forget(self._next)

    def next_time(self, rtt: float | None) -> float | None:
        """When ``take`` gives something up, None for never."""
        gap = self._gap()
        return None if gap is None else self._given_up_at(gap, rtt)

    # -- inside

    def _given_up_at(self, gap: int, rtt: float | None) -> float:
        noticed = self.missing.noticed(gap)
        if noticed is None or (self.waits_for_keyframe and self._whole_keyframe(gap) is not None):
            return 0.0  # it is not waited for, or of no use any more
        if self._whole_keyframe(gap) is not None:
            # Behind two paths, what came over one is often read before what was sent earlier over the other.
            return noticed + self.missing.swap_patience()
        return noticed + self.missing.patience(rtt)

    def _gap(self) -> int | None:
        """The first missing packet with others behind it."""
        if self._next is None or not self._held:
            return None
        number = max(self._scanned, self._next)
        while number in self._held:
            number += 1
        return number if len(self._held) > number - self._next else None

    def _end(self, start: int, scanned: int) -> tuple[int | None, int]:
        """The last packet of the unit that begins with ``start``, and up to where all are there."""
        held = self._held
        timestamp = held[start].packet.timestamp
        number = max(start, scanned)
        while (entry := held.get(number)) is not None:
            if number > start and entry.packet.timestamp != timestamp:
                return number - 1, number
            if entry.packet.marker or self._single:
                return number, number
            number += 1
        return None, number

    def _take_whole(self) -> QueuedUnit | None:
        """The next unit, if it is whole. Empty ``data``: it was one, but not to be handed on."""
        start = self._next
        assert start is not None
        if start not in self._held:
            return None
        if self.waits_for_keyframe and start not in self._starts:
            return None
        end, self._scanned = self._end(start, self._scanned)
        if end is None:
            return None
        begun, entries = self._begun, self._remove(start, end + 1)
        last = entries[-1]
        # Padding, by which senders probe the path, comes in packets of its own without anything in them.
        payloads = [entry.packet.payload for entry in entries if entry.packet.payload]
        assembled = last.reader.assemble(payloads) if payloads else Assembled(b"", False)
        packet, received = last.packet, max(entry.at for entry in entries)
        if assembled is None or (self.waits_for_keyframe and not assembled.keyframe and assembled.data):
            self._count_dropped(entries)
            self._begun = begun
            self.waits_for_keyframe = not self._single
            return QueuedUnit(b"", last.reader.codec, packet.timestamp, False, received)
        if assembled.data:
            self.waits_for_keyframe = False
            self.counters.units += 1
            self.counters.keyframes += assembled.keyframe and not self._single
        return QueuedUnit(assembled.data, last.reader.codec, packet.timestamp, assembled.keyframe, received)

    def _skip_undecodable(self) -> bool:
        """Without a keyframe, throw away what lies before the next one. Whether there was anything."""
        start = self._next
        if not self.waits_for_keyframe or start is None or start in self._starts:
            return False
        number = start
        while number in self._held and number not in self._starts:
            number += 1
        # That is no beginning yet: the first packets may have overtaken those of a keyframe, and are asked for again.
        begun, dropped = self._begun, self._remove(start, number)
        self._begun = begun
        self._count_dropped(dropped)
        return True

    def _skip_ahead(self, now: float, rtt: float | None) -> bool:
        """Get past a missing packet when its time is over, which is soon when a whole keyframe is there."""
        gap = self._gap()
        if gap is None:
            return False
        if now < self._given_up_at(gap, rtt):
            return False
        if self._single:
            return self._jump(min(self._held))
        start = self._whole_keyframe(gap)
        if start is not None:
            return self._jump(start)
        self.waits_for_keyframe = True
        # Whatever is behind the gap may still be, or get, a keyframe.
        return self._jump(min((number for number in self._held if number > gap), default=gap + 1))

    def _whole_keyframe(self, after: int) -> int | None:
        """The newest keyframe behind a gap that is there as a whole."""
        for start in reversed(self._starts):
            if start > after and self._end(start, start)[0] is not None:
                return start
        return None

    def _jump(self, to: int) -> bool:
        start = self._next
        assert start is not None
        self.counters.lost += sum(number in self.missing for number in range(start, to))
        self._count_dropped(self._remove(start, to))
        return True

    def _remove(self, start: int, stop: int) -> list[_Held]:
        """Take the packets out, and go on behind them."""
        held = self._held
        entries = [entry for number in range(start, stop) if (entry := held.pop(number, None)) is not None]
        self._octets -= sum(len(entry.packet.payload) for entry in entries)
        self._next = self._scanned = stop
        self._begun = True
        if self._starts:
            self._starts = [number for number in self._starts if number >= stop]
        return entries

    def _count_dropped(self, entries: Iterable[_Held]) -> None:
        if self._single:
            return
        for entry in entries:
            if entry.packet.timestamp != self._dropped_timestamp:
                self._dropped_timestamp = entry.packet.timestamp
                self.counters.dropped += 1

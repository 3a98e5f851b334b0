"""One viewer's RTP stream in one section: its own header and protection around payloads that all viewers share."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable
from itertools import islice

import msgspec

from .clock import LiveClock, ntp_time
from .extensions import counted, header_extension, is_usable
from .history import History
from .packetize import Packets
from .rtcp import ReportBlock, SenderReport
from .transport_wide import SentPackets

__all__ = ["PLAYOUT_DELAY", "OutgoingStream", "Protect", "Rtx", "StreamCounters", "StreamSettings"]

PLAYOUT_DELAY = "http://www.webrtc.org/experiments/rtp-hdrext/playout-delay"
"""The header extension by which a sender tells a viewer how long to hold pictures back."""

Protect = Callable[[bytes], bytes]
"""Makes an SRTP packet of an RTP packet. Must allow a byte-identical packet to be protected again
(``allow_repeat_tx``, window of 2048), which is how packets are repeated where RTX was not negotiated."""

_pack = struct.Struct("!BBHII").pack
_EXTENDED = 0x90
_PLAIN = 0x80
_MARKER = 0x80

_NACKS_AT_ONCE = 512
"""Sequence numbers of one NACK that are looked at."""

_CREDIT = 512.0
"""Packets that may be sent again beyond ``_EARNED``: a large keyframe that was lost as a whole."""

_EARNED = 1.0
"""Packets that may be sent again for each one that is sent, as in libwebrtc. On a path that reorders, a viewer asks for
much that is only late, and what is lost must not go without for it."""

_MIN_REPEAT, _MAX_REPEAT = 0.01, 0.3
"""Bounds of the seconds between two repeats of a packet, which are the round trip: no repeat can have helped before."""

_UNKNOWN_RTT = 0.05

_REPORTS_KEPT = 32

_PROBING_PACKETS = 32
_PROBING_SIZE = 300
"""How far back packets are looked for to probe with, and what they must have in bytes: small ones cost too much."""

_NUMBERS_KEPT = 4096


class Rtx(msgspec.Struct, frozen=True):
    """The stream of retransmissions that was negotiated beside (RFC 4588)."""

    ssrc: int
    payload_type: int


class StreamSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What was negotiated. ``mid`` goes into each packet when the viewer knows the extension's id (RFC 9143 §15).

    ``playout_extension`` is the id of ``PLAYOUT_DELAY``, ``wide_extension`` that of the count of all
    packets of the connection.
    """

    ssrc: int
    payload_type: int
    clock_rate: int
    rtx: Rtx | None = None
    mid: str = ""
    mid_extension: int | None = None
    playout_extension: int | None = None
    wide_extension: int | None = None


class StreamCounters(msgspec.Struct):
    """What became of everything; ``octets`` are payloads, without headers (RFC 3550 §6.4.1)."""

    packets: int = 0
    octets: int = 0
    frames: int = 0
    keyframes: int = 0
    frames_dropped: int = 0
    """Left out by us for this viewer, without those before its first keyframe."""
    repeated_packets: int = 0
    repeated_octets: int = 0
    probing_octets: int = 0
    """Repeats that nobody asked for, to try what the path carries."""
    repeats_refused: int = 0
    """Asked for but no longer held, or over a limit."""
    nacks: int = 0
    keyframe_requests: int = 0
    """PLI and FIR."""


class OutgoingStream:
    """Numbers, headers, history and reports. Does no input or output and keeps no clock."""

    def __init__(
        self,
        settings: StreamSettings,
        *,
        protect: Protect,
        sequence: int,
        timestamp_offset: int,
        rtx_sequence: int = 0,
        wide: SentPackets | None = None,
    ) -> None:
        """``sequence``: the first number, random below 2^15, so that a loss at the start cannot hide a wrap.

        ``timestamp_offset`` is random, of 32 bits (RFC 3550 §5.1). ``wide``: the connection's count of its packets,
        for ``wide_extension``.
        """
        self.settings = settings
        self.counters = StreamCounters()
        self.waits_for_keyframe = True
        """Until ``begin``, or a keyframe that is accepted."""
        self.rtt: float | None = None
        """Seconds of the round trip, by the last report that allowed to tell."""
        self.last_block: ReportBlock | None = None
        """The viewer's last report on the stream."""
        self._protect = protect
        self._next = sequence
        self._offset = timestamp_offset
        self._rtx_sequence = rtx_sequence
        self._wide = wide if is_usable(settings.wide_extension) else None
        self._numbers: dict[int, int] = {}
        """Counts by sequence number, where packets are repeated as they were."""
        self._extension = self._new_extension(None)
        self._frame_extension = b""
        self._history = History()
        self._wire_timestamp = 0
        self._ticks: int | None = None
        self._left: int | None = None
        """The last timestamp of a timeline that has ended, in ticks of the wire's without its wraps."""
        self._built_at = 0.0
        self._begun = False
        self._credit = _CREDIT
        self._repeated: dict[int, float] = {}
        self._keyframe_at: int | None = None
        self._reports: dict[int, float] = {}

    @property
    def next_sequence(self) -> int:
        """The 16-bit number of the packet that is built next."""
        return self._next & 0xFFFF

    @property
    def next_rtx_sequence(self) -> int:
        """The same of the RTX stream: who goes on with these SSRCs under the same keys begins there."""
        return self._rtx_sequence

    def hold_back(self, seconds: float) -> None:
        """Ask the viewer to show pictures at least that late, from the next one on; 0 lets it decide again."""
        self._extension = self._new_extension(seconds)

    def accepts(self, packets: Packets) -> bool:
        """Whether the unit is sent to this viewer: after a start or a loss, nothing before the next keyframe is."""
        if self.waits_for_keyframe:
            if not packets.keyframe:
                self.counters.frames_dropped += self._begun
                return False
            self.begin()
        return True

    def begin(self) -> None:
        """What is sent next is a keyframe."""
        self.waits_for_keyframe = False
        self._begun = True

    def begin_timeline(self) -> None:
        """What is built next comes of another source: its timestamps go on where those of before would be by now."""
        if self._ticks is not None:
            self._left, self._ticks = self._ticks + self._offset, None

    def drop_to_keyframe(self, frames: int = 0) -> None:
        """Send no unit before the next keyframe; ``frames``: accepted ones that will not be sent either."""
        self.waits_for_keyframe = True
        self.counters.frames_dropped += frames

    def build(
        self, packets: Packets, now: float, *, start: int = 0, stop: int | None = None, timestamp: int | None = None
    ) -> list[bytes]:
        """Protected packets with the payloads ``start`` to ``stop``; a unit's parts are built one after the other.

        ``timestamp``: another one than the unit's, in the feed's ticks. On the wire timestamps always grow.
        """
        payloads = packets.payloads
        if start == 0:
            self._begin(packets, now, packets.timestamp if timestamp is None else timestamp)
        last = len(payloads) - 1
        if stop is None or stop > last:
            stop = last + 1
        if self._wide is not None:
            built = self._build_counted(self._wide, packets, start, stop, now)
            self._count(packets, start, stop, built)
            return built
        sequence, wire = self._next, self._wire_timestamp
        ssrc, kind = self.settings.ssrc, self.settings.payload_type
        extension, protect, pack = self._frame_extension, self._protect, _pack
        first = _EXTENDED if extension else _PLAIN
        finish = packets.marker and stop > last
        run = payloads[start : last if finish else stop]
        built = [
            protect(pack(first, kind, number & 0xFFFF, wire, ssrc) + extension + payload)
            for number, payload in enumerate(run, sequence)
        ]
        if finish:
            header = pack(first, kind | _MARKER, sequence + len(run) & 0xFFFF, wire, ssrc)
            built.append(protect(header + extension + payloads[last]))
        self._count(packets, start, stop, built)
        return built

    def is_beyond_repair(self, sequences: Iterable[int]) -> bool:
        """Whether a NACK asks for what is not held any more, and nothing but a keyframe makes up for it."""
        if self._keyframe_at is None:
            return False
        for short in islice(sequences, _NACKS_AT_ONCE):
            sequence = self._next - (self._next - short & 0xFFFF)
            if self._keyframe_at <= sequence < self._next and self._history.find(sequence) is None:
                return True
        return False

    def retransmit(self, sequences: Iterable[int], now: float) -> list[bytes]:
        """What a NACK asks for and may have, protected: as RTX, or byte for byte as it was sent at first."""
        self.counters.nacks += 1
        pause = min(_MAX_REPEAT, max(_MIN_REPEAT, _UNKNOWN_RTT if self.rtt is None else self.rtt))
        if len(self._repeated) > 1024:
            self._repeated = {number: at for number, at in self._repeated.items() if now - at < _MAX_REPEAT}
        built = []
        for short in islice(sequences, _NACKS_AT_ONCE):
            sequence = self._next - (self._next - short & 0xFFFF)
            found = self._find(sequence)
            if found is None or self._credit < 1 or now - self._repeated.get(sequence, -1e9) < pause:
                self.counters.repeats_refused += 1
                continue
            self._repeated[sequence] = now
            self._credit -= 1
            packet = self._repeat(sequence, *found, now)
            self.counters.repeated_octets += len(packet)
            built.append(packet)
        self.counters.repeated_packets += len(built)
        return built

    @property
    def can_probe(self) -> bool:
        """Whether there is something to try with what the path carries: repeats that a viewer throws away as such."""
        return self.settings.rtx is not None and bool(self._largest())

    def repeat_unasked(self, octets: int, now: float) -> list[bytes]:
        """Large ones of the newest packets once more, as RTX, of about so many bytes in all; none without RTX."""
        if self.settings.rtx is None:
            return []
        built: list[bytes] = []
        candidates = self._largest()
        while candidates and octets > 0:
            sequence, found = candidates[len(built) % len(candidates)]
            packet = self._repeat(sequence, *found, now)
            built.append(packet)
            octets -= len(packet)
            self.counters.probing_octets += len(packet)
        return built

    def sender_report(self, clock: LiveClock, now: float, wall: float) -> SenderReport | None:
        """The report of what was sent; None before the first packet. ``wall``: seconds since 1970 at ``now``."""
        ticks = clock.at(now)
        if ticks is None or self._ticks is None:
            return None
        ntp = ntp_time(wall)
        self._reports[ntp >> 16 & 0xFFFFFFFF] = now
        if len(self._reports) > _REPORTS_KEPT:
            del self._reports[next(iter(self._reports))]
        timestamp = ticks + self._offset & 0xFFFFFFFF
        return SenderReport(self.settings.ssrc, ntp, timestamp, self.counters.packets, self.counters.octets)

    def receive_block(self, block: ReportBlock, now: float) -> bool:
        """A receiver's report on this stream: keeps it, and measures the round trip (RFC 3550 §6.4.1).

        Returns whether the round trip is a new one: reports come more often than ours do, and repeat themselves.
        """
        before, self.last_block = self.last_block, block
        sent = self._reports.get(block.last_report)
        if sent is None:
            return False
        # By our own steady clock, so that a step of the wall clock does no harm.
        self.rtt = max(0.0, now - sent - block.delay / 65536)
        return before is None or before.last_report != block.last_report

    def _begin(self, packets: Packets, now: float, ticks: int) -> None:
        rate = self.settings.clock_rate
        if self._ticks is None:
            if self._left is not None:
                self._offset = self._left + max(1, round((now - self._built_at) * rate)) - ticks
        elif ticks <= self._ticks:
            if ticks < self._ticks - rate:
                # The source began a new timeline: go on as if it were the old one.
                self._offset += self._ticks + max(1, round((now - self._built_at) * rate)) - ticks
            else:
                ticks = self._ticks + 1
        self._ticks, self._built_at = ticks, now
        self._wire_timestamp = ticks + self._offset & 0xFFFFFFFF
        self._frame_extension = self._extension
        self._history.add(self._next, self._wire_timestamp, self._extension, packets, now)
        self.counters.frames += 1
        if packets.keyframe:
            self.counters.keyframes += 1
            self._keyframe_at = self._next

    def _new_extension(self, held_back: float | None) -> bytes:
        settings = self.settings
        return header_extension(
            mid=settings.mid,
            mid_id=settings.mid_extension,
            playout_id=settings.playout_extension,
            held_back=held_back,
            wide_id=None if self._wide is None else settings.wide_extension,
        )

    def _count(self, packets: Packets, start: int, stop: int, built: list[bytes]) -> None:
        self._next += len(built)
        counters = self.counters
        counters.packets += len(built)
        if len(built) == len(packets.payloads):
            counters.octets += packets.octets
        else:
            counters.octets += sum(map(len, packets.payloads[start:stop]))
        self._credit = min(_CREDIT, self._credit + _EARNED * len(built))

    def _build_counted(self, wide: SentPackets, packets: Packets, start: int, stop: int, now: float) -> list[bytes]:
        """The same as in ``build``, each packet with another extension. Apart, so that nobody else pays for it."""
        settings, extension, wire = self.settings, self._frame_extension, self._wire_timestamp
        final = len(packets.payloads) - 1 if packets.marker else -1
        built: list[bytes] = []
        for index in range(start, stop):
            number, sequence = wide.next + len(built), self._next + len(built)
            kind = settings.payload_type | (_MARKER if index == final else 0)
            header = _pack(_EXTENDED, kind, sequence & 0xFFFF, wire, settings.ssrc)
            built.append(self._protect(header + counted(extension, number) + packets.payloads[index]))
            if settings.rtx is None:
                self._numbers[sequence] = number
        wide.sent([len(packet) for packet in built], now)
        while len(self._numbers) > _NUMBERS_KEPT:
            del self._numbers[next(iter(self._numbers))]
        return built

    def _find(self, sequence: int) -> _Held | None:
        """What can be sent again under that number."""
        found = self._history.find(sequence) if sequence < self._next else None
        if found is None or self._wide is None or self.settings.rtx is not None:
            return found
        # It must be the same to the last bit.
        number = self._numbers.get(sequence)
        return None if number is None else (found[0], found[1], counted(found[2], number), found[3])

    def _largest(self) -> list[tuple[int, _Held]]:
        """The largest of the newest packets, if any is large."""
        newest = range(self._next - 1, self._next - 1 - _PROBING_PACKETS, -1)
        found = [(sequence, held) for sequence in newest if (held := self._history.find(sequence)) is not None]
        large = [one for one in found if len(one[1][3]) >= _PROBING_SIZE]
        return sorted(large, key=lambda one: -len(one[1][3]))[: _PROBING_PACKETS // 4]

    def _repeat(
        self, sequence: int, timestamp: int, marker: bool, extension: bytes, payload: bytes, now: float
    ) -> bytes:
        first = _EXTENDED if extension else _PLAIN
        bit = _MARKER if marker else 0
        rtx = self.settings.rtx
        if rtx is None:
            header = _pack(first, self.settings.payload_type | bit, sequence & 0xFFFF, timestamp, self.settings.ssrc)
            return self._protect(header + extension + payload)
        header = _pack(first, rtx.payload_type | bit, self._rtx_sequence, timestamp, rtx.ssrc)
        self._rtx_sequence = self._rtx_sequence + 1 & 0xFFFF
        original = (sequence & 0xFFFF).to_bytes(2, "big") + payload
        if self._wide is None:
            return self._protect(header + extension + original)
        built = self._protect(header + counted(extension, self._wide.next) + original)
        self._wide.sent((len(built),), now)
        return built


_Held = tuple[int, bool, bytes, bytes]
"""What ``History.find`` gives: timestamp, marker, extension and payload."""

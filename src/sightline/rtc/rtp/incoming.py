"""One stream of the peer's: from its packets to whole units, with all that is said back about it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal

import msgspec

from .bandwidth import RateMeter
from .depacketize import CodecName, Depacketizer, depacketizer
from .frame_queue import FrameQueue
from .keyframes import KeyframeRequests
from .missing import MissingPackets
from .packet import RtpPacket
from .receive_rate import ReceiveRate
from .reception import Reception
from .rtcp import FullIntraRequest, Nack, PictureLoss, Report, ReportBlock, SenderReport

__all__ = ["EncodedFrame", "IncomingSettings", "IncomingStats", "IncomingStream", "Payload"]

_FIRST_KEYFRAME = 0.15
"""Seconds that a stream has for its first keyframe before it is asked for one: most begin with it."""

_KEYFRAME_SPACING = 0.5

_SOUND_PATIENCE, _PICTURE_PATIENCE = 0.04, 0.1
"""Seconds that a packet may come late where it cannot be asked for: a sound costs little, a picture a keyframe."""

_SILENCE = 1.0
"""Seconds without a packet after which what is missing is the past: a keyframe is asked for as well, at once."""

_OTHER_SOURCE = 1.0
"""Seconds of silence after which another source may take the place of one that did not say goodbye."""


_MAX_STEP = 3000
"""Packets that a number may be ahead or behind."""


class EncodedFrame(msgspec.Struct, frozen=True, gc=False):
    """A whole access unit or Opus packet, in decode order, after reordering and repair.

    H.264 comes in Annex B form. ``timestamp``: RTP ticks (90 kHz, sound 48 kHz) that never wrap; ``received``: seconds
    of ``time.monotonic``; ``capture``: the sender's wall clock in seconds since 1970, None before it has told it.
    """

    kind: Literal["video", "audio"]
    codec: CodecName
    data: bytes
    timestamp: int
    keyframe: bool
    received: float
    capture: float | None


class Payload(msgspec.Struct, frozen=True):
    """What a payload type stands for. ``repairs``: the payload type that it retransmits (RFC 4588)."""

    codec: str
    parameters: str = ""
    """H.264's ``sprop-parameter-sets``."""
    repairs: int | None = None


class IncomingSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What was negotiated for one section. ``ssrcs``: those that the peer has announced, if any."""

    kind: Literal["video", "audio"]
    clock_rate: int
    payloads: Mapping[int, Payload]
    mid: str = ""
    ssrcs: tuple[int, ...] = ()
    nack: bool = True
    pli: bool = True
    fir: bool = True
    remb: bool = False
    """Whether the peer reads how much we can receive."""


class IncomingStats(msgspec.Struct, frozen=True, kw_only=True):
    """Figures of one stream. Rates in bits per second, times in seconds."""

    codec: str | None = None
    packets: int = 0
    octets: int = 0
    lost: int = 0
    """Packets that did not come in the first place, before any repair."""
    fraction_lost: float | None = None
    """The same of the last seconds, from 0 to 1."""
    repaired: int = 0
    """Packets that came when they were asked for again."""
    requested: int = 0
    """Packets that were asked for again."""
    given_up: int = 0
    """Packets that never came, or too late."""
    late: int = 0
    """Packets that came too late or twice."""
    malformed: int = 0
    frames: int = 0
    keyframes: int = 0
    dropped: int = 0
    """Frames that came damaged, or after one that was."""
    keyframe_requests: int = 0
    jitter: float = 0.0
    bitrate: float = 0.0
    waiting: int = 0
    """Packets that wait for others."""


class IncomingStream:
    """One section's. Does no input or output and keeps no clock; ``Inlet`` drives it."""

    def __init__(self, settings: IncomingSettings, ssrc: int, rate: ReceiveRate) -> None:
        """``ssrc``: ours, as the sender of reports; ``rate``: is told when packets come, where the peer reads it."""
        self.settings = settings
        self.keyframes = KeyframeRequests(_KEYFRAME_SPACING)
        self.rtt: float | None = None
        """Seconds of the round trip, as the path's own checks know it."""
        self.ended = False
        """Whether the peer has said goodbye of it, and nothing came after that."""
        self._ssrc = ssrc
        self._rate = rate
        self._missing = MissingPackets(
            asks=settings.nack, least_patience=_SOUND_PATIENCE if settings.kind == "audio" else _PICTURE_PATIENCE
        )
        self._queue = FrameQueue(self._missing, single=settings.kind == "audio")
        self._reception: Reception | None = None
        self._readers: dict[int, Depacketizer | None] = {}
        self._meter = RateMeter()
        self._heard_at = float("-inf")
        self._begun_at: float | None = None
        self._last_block: ReportBlock | None = None
        self._codec: str | None = None
        self._packets = self._octets = self._repaired = self._malformed = self._requests = self._fir = 0
        self._lost_before = 0
        self._expected_anew: int | None = None
        self._offset: int | None = 0
        self._last = (0, 0.0)

    @property
    def source(self) -> int | None:
        """The SSRC that is listened to; None before the first packet."""
        return self._reception.ssrc if self._reception is not None else None

    def change(self, settings: IncomingSettings) -> None:
        """Other settings, of the same kind: what stays the same in them goes on."""
        before, self.settings = self.settings.payloads, settings
        self._missing.asks = settings.nack
        for number in [number for number in self._readers if before.get(number) != settings.payloads.get(number)]:
            del self._readers[number]

    def pause(self) -> None:
        """Nothing comes any more, until something does."""
        self._forget_source()
        self._reception = None

    def excuse(self, seconds: float) -> None:
        """So long we were not there to receive: what is missing then has that much longer to come."""
        self._missing.excuse(seconds)

    # -- what comes

    def receive(self, packet: RtpPacket, octets: int, now: float) -> None:
        """A packet with one of our payload types. Take the frames after it."""
        payload = self.settings.payloads.get(packet.payload_type)
        if payload is None:
            self._malformed += 1
            return
        self._octets += octets
        self._meter.add(octets, now)
        if payload.repairs is not None:
            self._receive_repair(packet, payload.repairs, now)
        elif self._listens_to(packet, now):
            self._receive_new(packet, now)

    def receive_report(self, report: SenderReport, now: float) -> None:
        """The sender's own report."""
        if self._reception is not None and report.ssrc == self._reception.ssrc:
            self._reception.sender_report(report, now)

    def receive_goodbye(self) -> None:
        """The sender says that the stream ends."""
        self.ended = True

    def frames(self, now: float) -> Iterator[EncodedFrame]:
        """Those that are whole now. To be called after packets, and at ``next_time``."""
        reception = self._reception
        if reception is None:
            return
        for unit in self._queue.take(now, self.rtt):
            ticks = reception.timestamp(unit.timestamp)
            if unit.keyframe:
                self.keyframes.served()
            yield EncodedFrame(
                kind=self.settings.kind,
                codec=unit.codec,
                data=unit.data,
                timestamp=self._timeline(ticks, unit.received),
                keyframe=unit.keyframe,
                received=unit.received,
                capture=reception.capture(ticks),
            )
        self._want_keyframe()

    # -- what is said back

    def bitrate(self, now: float) -> float:
        """Bits per second that come."""
        return self._meter.rate(now)

    def request_keyframe(self) -> None:
        """Ask for one, whatever is here."""
        self.keyframes.ask()

    def feedback(self, now: float) -> list[Report]:
        """What the sender is asked for now."""
        reports: list[Report] = []
        source = self.source
        if source is None:
            return reports
        numbers = self._missing.due(now, self.rtt)
        if numbers:
            reports.append(Nack(self._ssrc, source, tuple(number & 0xFFFF for number in numbers)))
        if self.settings.kind == "video" and self.keyframes.due(now):
            self._requests += 1
            reports.append(self._keyframe_request(source))
        return reports

    def block(self, now: float) -> ReportBlock | None:
        """A report on it; None when there is nothing to report."""
        if self._reception is None or self.ended:
            return None
        self._last_block = self._reception.block(now)
        return self._last_block

    def next_time(self) -> float | None:
        """When ``frames`` or ``feedback`` has something without another packet; None for never."""
        if self._reception is None:
            return None
        times = (
            self._missing.next_time(self.rtt),
            self._queue.next_time(self.rtt),
            self.keyframes.next_time if self.settings.kind == "video" else None,
        )
        return min((time for time in times if time is not None), default=None)

    def stats(self, now: float) -> IncomingStats:
        """The figures of now."""
        queue, reception, block = self._queue.counters, self._reception, self._last_block
        return IncomingStats(
            codec=self._codec,
            packets=self._packets,
            octets=self._octets,
            lost=self._lost_before + (max(0, reception.lost) if reception is not None else 0),
            fraction_lost=block.fraction_lost / 256 if block is not None else None,
            repaired=self._repaired,
            requested=self._missing.requested,
            given_up=queue.lost,
            late=queue.late,
            malformed=self._malformed,
            frames=queue.units,
            keyframes=queue.keyframes,
            dropped=queue.dropped,
            keyframe_requests=self._requests,
            jitter=reception.jitter if reception is not None else 0.0,
            bitrate=self._meter.rate(now),
            waiting=len(self._queue),
        )

    # -- inside

    def _listens_to(self, packet: RtpPacket, now: float) -> bool:
        """One source at a time: the announced one, else the first; another when that is silent or has ended."""
        reception, ssrc = self._reception, packet.ssrc
        if reception is not None and reception.ssrc == ssrc:
            if now - self._heard_at >= _SILENCE and reception.number(packet) != (reception.highest or 0) + 1:
                self.keyframes.ask()
            self._heard_at, self.ended = now, False
            return True
        if reception is not None:
            announced = self.settings.ssrcs
            is_better = ssrc in announced and reception.ssrc not in announced
            if not (is_better or self.ended or now - self._heard_at >= _OTHER_SOURCE):
                return False
        self._begin(ssrc, now)
        return True

    def _begin(self, ssrc: int, now: float) -> Reception:
        """Listen to a source from its first packet on."""
        self._forget_source()
        self._reception = Reception(ssrc, self.settings.clock_rate)
        self._heard_at, self._begun_at, self.ended = now, now, False
        return self._reception

    def _forget_source(self) -> None:
        if self._reception is not None:
            self._lost_before += max(0, self._reception.lost)
            self._queue.restart()
            self._rate.restart()
            self._offset = None

    def _timeline(self, ticks: int, at: float) -> int:
        """One timeline over all sources: another one goes on where the last one was."""
        if self._offset is None:
            last, last_at = self._last
            self._offset = last + max(1, round((at - last_at) * self.settings.clock_rate)) - ticks
        self._last = max(self._last, (ticks + self._offset, at))
        return ticks + self._offset

    def _receive_new(self, packet: RtpPacket, now: float) -> None:
        reception = self._reception
        assert reception is not None
        number = reception.number(packet)
        if reception.highest is not None and abs(number - reception.highest) > _MAX_STEP:
            # Either a stray packet, or the sender counts anew (RFC 3550 A.1): two in a row tell.
            if packet.sequence != self._expected_anew:
                self._expected_anew = packet.sequence + 1 & 0xFFFF
                return
            reception = self._begin(packet.ssrc, now)
            number = packet.sequence
        self._expected_anew = None
        repaired = self._missing.was_asked(number)
        self._repaired += repaired
        reception.arrived(packet, number, now)
        self._packets += 1
        if self.settings.remb and not repaired:
            self._rate.arrived(reception.timestamp(packet.timestamp) / self.settings.clock_rate, now)
        self._push(packet, number, now, repaired=repaired)

    def _receive_repair(self, packet: RtpPacket, repairs: int, now: float) -> None:
        """The packet that is in there (RFC 4588 §4). Those that only pad the path are too short."""
        reception = self._reception
        if reception is None or len(packet.payload) < 3:
            return
        self._heard_at = now
        original = RtpPacket(
            repairs,
            packet.marker,
            int.from_bytes(packet.payload[:2], "big"),
            packet.timestamp,
            reception.ssrc,
            packet.payload[2:],
        )
        number = reception.number(original)
        if number not in self._missing:
            return  # it has come in the meantime
        self._repaired += 1
        self._push(original, number, now, repaired=True)

    def _push(self, packet: RtpPacket, number: int, now: float, *, repaired: bool) -> None:
        reader = self._reader(packet.payload_type)
        if reader is None:
            self._malformed += 1
            return
        self._codec = reader.codec
        if self._missing.arrived(number, now, repaired=repaired):
            self._queue.restart()
            self._missing.arrived(number, now, repaired=repaired)
        self._queue.push(number, packet, reader, now)

    def _reader(self, payload_type: int) -> Depacketizer | None:
        if payload_type not in self._readers:
            payload = self.settings.payloads.get(payload_type)
            self._readers[payload_type] = depacketizer(payload.codec, payload.parameters) if payload else None
        return self._readers[payload_type]

    def _want_keyframe(self) -> None:
        if self.settings.kind != "video" or self._begun_at is None:
            return
        if self._queue.needs_keyframe:
            self.keyframes.ask(not_before=self._begun_at + _FIRST_KEYFRAME)
        elif self._queue.waits_for_keyframe:
            self.keyframes.served()  # one is on its way, and another would only hold it up

    def _keyframe_request(self, source: int) -> Report:
        if self.settings.pli or not self.settings.fir:
            return PictureLoss(self._ssrc, source)
        self._fir = self._fir + 1 & 0xFF
        return FullIntraRequest(self._ssrc, ((source, self._fir),))

"""All that one connection receives: its streams told apart, and the reports back to the sender.

The counterpart of ``Outlet``. Does no input or output but for ``send``; the time is passed in.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from .incoming import EncodedFrame, IncomingSettings, IncomingStats, IncomingStream
from .outlet import Send
from .packet import parse_rtp
from .receive_rate import ReceiveRate
from .rtcp import (
    BandwidthEstimate,
    Goodbye,
    ReceiverReport,
    Report,
    ReportBlock,
    SenderReport,
    SourceDescription,
    build,
    parse,
)
from .stream import Protect
from .transport_wide import ReceivedPackets

__all__ = ["Inlet", "InletStats"]

_REPORT = 1.0
"""Seconds between two reports."""

_FIRST_REPORT = 0.2

_STALL = 0.03
"""Seconds that ``tick`` may come late. More is a program that was busy: what came meanwhile waits in its sockets."""

_GOODBYE = 0.5
"""Seconds after the last goodbye in which nothing more may come, so that it counts."""


class InletStats(msgspec.Struct, frozen=True, kw_only=True):
    """Figures of what is received; ``strangers`` are packets that belong to no stream."""

    video: IncomingStats | None
    audio: IncomingStats | None
    bitrate: float
    strangers: int
    malformed: int
    estimate: int | None
    """Bits per second that the sender was told it may send; None where it finds out by itself."""


class Inlet:
    """One connection's streams. Call ``frames`` after packets, and ``tick`` when ``next_time`` has come."""

    def __init__(
        self,
        *,
        send: Send,
        protect_rtcp: Protect,
        ssrc: int,
        cname: str,
        on_frame: Callable[[EncodedFrame], None],
        now: float,
    ) -> None:
        """``ssrc`` and ``cname``: ours, in the reports (RFC 3550 §6.4.2)."""
        self.strangers = 0
        self.malformed = 0
        self.ended = False
        """Whether the sender has said goodbye of everything and kept to it for a moment."""
        self.rtt: float | None = None
        """Seconds of the round trip; to be set from outside, where the path is known."""
        self._send = send
        self._protect_rtcp = protect_rtcp
        self._ssrc = ssrc
        self._cname = cname
        self._on_frame = on_frame
        self._streams: dict[str, IncomingStream] = {}
        """By kind: one picture and one sound."""
        self._known: dict[str, IncomingStream] = {}
        """With those that ended; one that comes back goes on with its timeline."""
        self._rate = ReceiveRate()
        self._mid_extension: int | None = None
        self._wide_extension: int | None = None
        self._received = ReceivedPackets(ssrc)
        self._report_at = now + _FIRST_REPORT
        self._goodbye_at: float | None = None
        self._due = self._report_at

    @property
    def streams(self) -> Sequence[IncomingStream]:
        """Those that were agreed on, in the order of the description."""
        return tuple(self._streams.values())

    def agree(
        self, settings: Sequence[IncomingSettings], *, mid_extension: int | None, wide_extension: int | None = None
    ) -> None:
        """What was negotiated, the first time or anew. Streams that stay go on without a break.

        ``wide_extension``: the id under which packets are counted, where the sender wants to hear of all of them.
        """
        self._mid_extension, self._wide_extension = mid_extension, wide_extension
        before, self._streams = self._streams, {}
        for one in settings:
            known = self._known.get(one.kind)
            if known is None:
                known = self._known[one.kind] = IncomingStream(one, self._ssrc, self._rate)
            known.change(one)
            self._streams[one.kind] = known
        for kind, stream in before.items():
            if kind not in self._streams:
                stream.pause()

    # -- what comes

    def receive_rtp(self, datagram: bytes, now: float) -> None:
        """A decrypted RTP packet. Whole frames are handed over at once."""
        packet = parse_rtp(datagram, self._mid_extension, self._wide_extension)
        if packet is None:
            self.malformed += 1
            return
        if packet.wide is not None:
            self._received.arrived(packet.wide, packet.ssrc, now)
        stream = self._stream_of(packet.mid, packet.payload_type, packet.ssrc)
        if stream is None:
            self.strangers += 1
            return
        self._excuse(now)
        stream.rtt = self.rtt
        stream.receive(packet, len(datagram), now)
        self._work(stream, now)
        self._due = self._next_time()

    def receive_rtcp(self, datagram: bytes, now: float) -> list[Report]:
        """A decrypted RTCP packet of the sender's; its reports. Raises MalformedRtcp."""
        reports = parse(datagram)
        for report in reports:
            match report:
                case SenderReport():
                    for stream in self._streams.values():
                        stream.receive_report(report, now)
                case Goodbye():
                    for stream in self._streams.values():
                        if stream.source in report.ssrcs:
                            stream.receive_goodbye()
                    self._goodbye_at = now + _GOODBYE
                    self._due = min(self._due, self._goodbye_at)
        return reports

    def path_changed(self) -> None:
        """Packets come another way: it may take longer, and have more or less room."""
        self._rate.restart()

    # -- what is said back

    def request_keyframe(self, now: float) -> None:
        """Ask for a keyframe of each picture."""
        for stream in self._streams.values():
            if stream.settings.kind == "video":
                stream.request_keyframe()
                self._work(stream, now)
        self._due = self._next_time()

    def tick(self, now: float) -> None:
        """Do what is due."""
        self._excuse(now)
        for stream in self._streams.values():
            stream.rtt = self.rtt
            due = stream.next_time()
            if due is not None and due <= now:
                self._work(stream, now)
        if self._goodbye_at is not None and now >= self._goodbye_at:
            self._goodbye_at = None
            known = [stream for stream in self._streams.values() if stream.source is not None]
            self.ended = bool(known) and all(stream.ended for stream in known)
        reports = self._received.take(now)
        if reports:
            # By themselves, as all who know them send them: ten a second should cost little.
            self._send([self._protect_rtcp(build([report])) for report in reports])
        if now >= self._report_at:
            self._report_at = now + _REPORT
            self._report(now)
        self._due = self._next_time()

    def next_time(self) -> float:
        """When ``tick`` has something to do."""
        return self._due

    def _excuse(self, now: float) -> None:
        """A time in which nobody was here to receive does not count against what is missing."""
        late = now - self._due
        if late > _STALL:
            for stream in self._streams.values():
                stream.excuse(late)

    def _next_time(self) -> float:
        times = [self._report_at]
        if self._received.due is not None:
            times.append(self._received.due)
        for stream in self._streams.values():
            due = stream.next_time()
            if due is not None:
                times.append(due)
        if self._goodbye_at is not None:
            times.append(self._goodbye_at)
        return min(times)

    def goodbye(self) -> None:
        """Say that we leave (RFC 3550 §6.6)."""
        self._send_compound(ReceiverReport(self._ssrc), [Goodbye((self._ssrc,))])

    def stats(self, now: float) -> InletStats:
        """The figures of now."""
        by_kind = {kind: stream.stats(now) for kind, stream in self._streams.items()}
        return InletStats(
            video=by_kind.get("video"),
            audio=by_kind.get("audio"),
            bitrate=sum(stats.bitrate for stats in by_kind.values()),
            strangers=self.strangers,
            malformed=self.malformed,
            estimate=int(self._rate.estimate) if any(one.settings.remb for one in self._streams.values()) else None,
        )

    # -- inside

    def _stream_of(self, mid: str, payload_type: int, ssrc: int) -> IncomingStream | None:
        """By the section's name, the announced source, or the payload type (RFC 9143 §9.2)."""
        if mid:
            return next((stream for stream in self._streams.values() if stream.settings.mid == mid), None)
        takers = [stream for stream in self._streams.values() if payload_type in stream.settings.payloads]
        if len(takers) > 1:
            takers = [stream for stream in takers if ssrc in (stream.source, *stream.settings.ssrcs)] or takers
        return takers[0] if takers else None

    def _work(self, stream: IncomingStream, now: float) -> None:
        for frame in stream.frames(now):
            self._on_frame(frame)
        feedback = stream.feedback(now)
        if feedback:
            # Without blocks, so that the regular reports are over whole seconds.
            self._send_compound(ReceiverReport(self._ssrc), feedback)

    def _report(self, now: float) -> None:
        blocks = [block for stream in self._streams.values() if (block := stream.block(now)) is not None]
        self._send_compound(ReceiverReport(self._ssrc, tuple(blocks)), self._estimate(blocks, now))

    def _estimate(self, blocks: Sequence[ReportBlock], now: float) -> list[Report]:
        streams = [stream for stream in self._streams.values() if stream.settings.remb]
        sources = tuple(source for stream in streams if (source := stream.source) is not None)
        if not sources:
            return []
        loss = max((block.fraction_lost / 256 for block in blocks if block.ssrc in sources), default=None)
        rate = sum(stream.bitrate(now) for stream in self._streams.values())
        return [BandwidthEstimate(self._ssrc, self._rate.update(rate, loss, now), sources)]

    def _send_compound(self, report: ReceiverReport, others: Sequence[Report] = ()) -> None:
        name = SourceDescription(((self._ssrc, self._cname),))
        self._send([self._protect_rtcp(build([report, name, *others]))])

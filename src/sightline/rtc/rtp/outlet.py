"""All that one viewer is sent: its streams, their pace, what it asks for, and the reports to it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence

import msgspec

from .bandwidth import Bandwidth, RateMeter
from .clock import LiveClock
from .keyframes import KeyframeRequests
from .loss import LossMeter
from .pacer import Pacer
from .packetize import Packets, Unit
from .playout import PlayoutDelay
from .probing import Probing
from .rtcp import (
    BandwidthEstimate,
    FullIntraRequest,
    Goodbye,
    Nack,
    PictureLoss,
    ReceiverReport,
    Report,
    ReportBlock,
    SenderReport,
    SourceDescription,
    TransportFeedback,
    build,
    parse,
)
from .stream import OutgoingStream, Protect, StreamCounters
from .transport_wide import SentPackets

__all__ = ["Outlet", "OutletStats", "Replayed", "Send"]

Send = Callable[[Sequence[bytes]], int]
"""Hands datagrams to the network at once and returns how many it took; the rest is lost."""

_START_RATE = 10e6
"""Bits per second until the first estimate."""

_REPLAY_SPACING = 4.0
"""Seconds between two replays to a viewer."""

Replayed = tuple[Packets | Unit, float, int]
"""What was published before the viewer came, when it is due, and the timestamp that makes it live."""


class OutletStats(msgspec.Struct, frozen=True):
    """Figures for people and for the registry. Times in seconds, rates in bits per second, loss from 0 to 1.

    ``fraction_lost`` is of the pictures' packets in the last whole second, before any repair; ``held_back`` is what
    the viewer was asked to wait for repairs.
    """

    bitrate: float
    estimate: int | None
    congested: bool
    held_back: float
    rtt: float | None
    fraction_lost: float | None
    packets_lost: int | None
    refused_datagrams: int
    video: StreamCounters | None
    audio: StreamCounters | None


class Outlet:
    """One viewer's. Does no input or output but for ``send``; time is passed in. ``Fanout`` drives it."""

    def __init__(
        self,
        *,
        send: Send,
        protect_rtcp: Protect,
        cname: str,
        video: OutgoingStream | None = None,
        audio: OutgoingStream | None = None,
        wide: SentPackets | None = None,
        keyframe_spacing: float = 0.5,
        on_error: Callable[[Exception], None] | None = None,
    ) -> None:
        """``cname`` is the same for all streams of a connection (RFC 8834 §4.9). ``wide``: the count of its packets,
        where the viewer tells of all of them.

        ``on_error`` is told what ``send`` or a stream's ``protect`` raised; nothing is sent any more then.
        """
        self.video = video
        self.audio = audio
        self.active = False
        """Between ``start`` and ``pause``."""
        self.fresh = False
        """Whether no picture was sent since ``start``."""
        self.on_error = on_error
        self.keyframes = KeyframeRequests(keyframe_spacing)
        self.bandwidth = Bandwidth(wide)
        self.playout = PlayoutDelay()
        self._loss = LossMeter()
        self.refused_datagrams = 0
        self._send = send
        self._protect_rtcp = protect_rtcp
        self._cname = cname
        self._pacer = Pacer(_START_RATE)
        self._meter = RateMeter()
        self._wide = wide
        self._probing = Probing(self.bandwidth, wide)
        self._probes = False
        """Whether it has something to do. Mostly it has not, and then costs nothing."""
        self._clock: tuple[LiveClock, float] | None = None
        """The pictures', and the difference from ours to the one on the wall."""
        self._replay: deque[tuple[Packets | Unit, float, int | None]] = deque()
        self._packetize: Callable[[Unit], Packets] | None = None
        self._replayed_at = float("-inf")
        self._stream_rate = 0.0

    # -- what is sent --------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Send from the next keyframe on, which is asked for."""
        self.active = self.fresh = True
        self._replayed_at = float("-inf")
        self._forget()
        self.path_changed()
        self.keyframes.ask_at_once()

    def path_changed(self) -> None:
        """Packets go another way from now on, which may carry more or less."""
        self._probing.cancel()
        self.bandwidth.path_changed()

    def pause(self) -> None:
        """Send nothing more until ``start``."""
        self.active = False
        self._forget()

    def drop_pictures(self) -> None:
        """Those of another feed follow, or none: nothing of this one is sent any more."""
        self._replay.clear()
        self._replayed_at = float("-inf")
        self.fresh = True
        if self.video is not None:
            self.video.drop_to_keyframe(self._pacer.drop_video())

    def offer_audio(self, packets: Packets, now: float) -> bool:
        """A unit of sound; whether the outlet is to be flushed now."""
        if not self.active or self.audio is None or not self.audio.accepts(packets):
            return False
        self._pacer.push_audio(self.audio, packets, now)
        return True

    def offer_video(self, packets: Packets, now: float, *, stream_rate: float) -> bool:
        """A picture; whether the outlet is to be flushed now. ``stream_rate``: of the feed, in bits per second."""
        if not self.active or self.video is None:
            return False
        self._stream_rate = stream_rate
        if self._pacer.waiting and self._pacer.is_stuck(now):
            self.video.drop_to_keyframe(self._pacer.drop_video())
            self.keyframes.lost(now)
        if not self.video.accepts(packets):
            return self.keyframes.next_time is not None
        if packets.keyframe:
            self.fresh = False
            self.keyframes.served()
            self._replay.clear()
            self._adapt(now)
        if self._replay:
            # It follows what is replayed; its own timestamp may lie before those by then, which the stream corrects.
            self._replay.append((packets, 0.0, None))
        else:
            self.video.counters.frames_dropped += self._pacer.push_video(self.video, packets, now)
        return True

    def may_replay(self, now: float) -> bool:
        """Whether the viewer may be given a whole group of pictures: not again and again on a path that loses them."""
        return self.active and now - self._replayed_at > _REPLAY_SPACING

    def replay(self, units: Sequence[Replayed], packetize: Callable[[Unit], Packets], now: float) -> None:
        """Begin with these units, the first being a keyframe. They are packetised when they are due."""
        if self.video is None or not self.active or not units:
            return
        self.video.drop_to_keyframe(self._pacer.drop_video())
        self._replay = deque(units)
        self._packetize = packetize
        self._replayed_at = now
        self.fresh = False
        self.video.begin()
        self.keyframes.served()

    def flush(self, now: float) -> float | None:
        """Send what may leave now. Returns when to come again, None when there is nothing to come for."""
        if not self.active:
            return None
        pacer = self._pacer
        if self._replay:
            self._feed_replay(now)
        sound = pacer.take_audio(now)
        pictures = pacer.take_video(now)
        datagrams = sound + pictures if sound else pictures
        if datagrams and not self._hand_over(datagrams, now) and pictures and self.video is not None:
            self.video.drop_to_keyframe(pacer.drop_video() + 1)
            self._replay.clear()
            self.keyframes.lost(now)
        if self._probes:
            self._probe(now)
        return self._next_time(now)

    def repeat(self, stream: OutgoingStream, sequences: Sequence[int], now: float) -> None:
        """Answer a NACK."""
        datagrams = stream.retransmit(sequences, now)
        if datagrams:
            self._pacer.charge(sum(map(len, datagrams)))
            self._hand_over(datagrams, now)
        if stream is self.video and stream.is_beyond_repair(sequences):
            # After seconds of silence a browser would ask in vain for another one before it gives the picture up.
            self.keyframes.ask()

    def probe(self, bitrate: int, now: float) -> bool:
        """Try for a moment whether the path carries so many bits per second; ``bandwidth.available`` grows if it does.

        It takes a second or two, and longer when a probe has failed lately or the path is full: then this one waits, or
        is forgotten. False where there is nothing to try it with, or nobody to tell what came of it.
        """
        possible = self.active and self.video is not None and self._probing.ask(bitrate, self.video, now)
        self._probes = self._probing.wanted
        return possible

    # -- reports -------------------------------------------------------------------------------------------------------

    def report(self, now: float, wall: float, *, video: LiveClock | None, audio: LiveClock | None) -> None:
        """Send reports on the streams, or at least a sign of life (RFC 3550 §6.4)."""
        if not self.active:
            return
        if video is not None:
            self._clock = video, wall - now
        pairs = ((None if self._probing.holds_reports else self.video, video), (self.audio, audio))
        reports: list[Report] = []
        for stream, clock in pairs:
            if stream is not None and clock is not None and (report := stream.sender_report(clock, now, wall)):
                reports.append(report)
        ssrcs = self._ssrcs()
        if not reports:
            reports.append(ReceiverReport(ssrcs[0] if ssrcs else 0))
        reports.append(SourceDescription(tuple((ssrc, self._cname) for ssrc in ssrcs)))
        self._send([self._protect_rtcp(build(reports))])

    def goodbye(self, reason: str = "") -> None:
        """Say that all streams end (RFC 3550 §6.6)."""
        ssrcs = self._ssrcs()
        if not ssrcs:
            return
        name = SourceDescription(((ssrcs[0], self._cname),))
        self._send([self._protect_rtcp(build([ReceiverReport(ssrcs[0]), name, Goodbye(ssrcs, reason)]))])

    def receive_rtcp(self, packet: bytes, now: float) -> list[Report]:
        """Take in an RTCP packet of the viewer (unprotected) and do what it asks for.

        Returns its reports, among which a Goodbye is the caller's business. Raises MalformedRtcp.
        """
        reports = parse(packet)
        for report in reports:
            match report:
                case ReceiverReport() | SenderReport():
                    for block in report.blocks:
                        self._receive_block(block, now)
                    self._adapt(now)
                case Nack():
                    for stream in (self.video, self.audio):
                        if stream is not None and self.active and stream.settings.ssrc == report.media:
                            self.repeat(stream, report.sequences, now)
                case PictureLoss():
                    self._receive_keyframe_request((report.media,))
                case FullIntraRequest():
                    self._receive_keyframe_request([ssrc for ssrc, _ in report.targets])
                case BandwidthEstimate():
                    self.bandwidth.receive_estimate(report.bitrate, sent=self._meter.rate(now), now=now)
                    self._adapt(now)
                case TransportFeedback() if self._wide is not None:
                    rtt = None if self.video is None else self.video.rtt
                    self._wide.receive(report, rtt=rtt, now=now)
        return reports

    def stats(self, now: float) -> OutletStats:
        """The figures now."""
        block = None
        for stream in (self.video, self.audio):
            if block is None and stream is not None:
                block = stream.last_block
        rtts = [stream.rtt for stream in (self.video, self.audio) if stream is not None and stream.rtt is not None]
        return OutletStats(
            bitrate=self._meter.rate(now),
            estimate=self.bandwidth.available(now),
            congested=self.bandwidth.limited(now),
            held_back=self.playout.seconds,
            rtt=min(rtts, default=None),
            fraction_lost=self._loss.fraction,
            packets_lost=None if block is None else block.packets_lost,
            refused_datagrams=self.refused_datagrams,
            video=None if self.video is None else self.video.counters,
            audio=None if self.audio is None else self.audio.counters,
        )

    # -- inside --------------------------------------------------------------------------------------------------------

    def _forget(self) -> None:
        self._replay.clear()
        if self.video is not None:
            self.video.drop_to_keyframe()
        self._pacer = Pacer(self._pacer.rate)
        self._probing.cancel()

    def _feed_replay(self, now: float) -> None:
        video, packetize = self.video, self._packetize
        if video is None or packetize is None:
            return
        while self._replay and self._replay[0][1] <= now:
            unit, _, timestamp = self._replay.popleft()
            packets = unit if isinstance(unit, Packets) else packetize(unit)
            if packets.payloads:
                self._pacer.push_video(video, packets, now, timestamp=timestamp, urgent=True)

    def _probe(self, now: float) -> None:
        """Go on with a probe. What it sends follows the pictures, and never waits before them."""
        video = self.video
        self._probes = video is not None and self._probing.wanted
        if video is None or not self._probes:
            return
        datagrams = self._probing.turn(video, idle=not self._pacer.waiting, sent=self._meter.rate(now), now=now)
        if datagrams and not self._hand_over(datagrams, now):
            self._probing.cancel()
        if self._probing.ends(now) and self._clock is not None:
            report = video.sender_report(self._clock[0], now, now + self._clock[1])
            if report is not None:
                self._probing.reported(report)
                name = SourceDescription(((video.settings.ssrc, self._cname),))
                self._send([self._protect_rtcp(build([report, name]))])

    def _hand_over(self, datagrams: list[bytes], now: float) -> bool:
        octets = sum(map(len, datagrams))
        self._meter.add(octets, now)
        if self._probes:
            self._probing.sent(octets)
        taken = self._send(datagrams)
        if taken >= len(datagrams):
            return True
        self.refused_datagrams += len(datagrams) - taken
        return False

    def _next_time(self, now: float) -> float | None:
        if not self._replay and not self._pacer.waiting and not self._probes:
            return self.keyframes.next_time
        times = [
            self._probing.next_time(now),
            self._pacer.next_time(now),
            self._replay[0][1] if self._replay else None,
            self.keyframes.next_time,
        ]
        return min((time for time in times if time is not None), default=None)

    def _adapt(self, now: float) -> None:
        self._pacer.rate = self.bandwidth.pace(self._stream_rate, now)

    def _ssrcs(self) -> tuple[int, ...]:
        return tuple(stream.settings.ssrc for stream in (self.video, self.audio) if stream is not None)

    def _receive_block(self, block: ReportBlock, now: float) -> None:
        for stream in (self.video, self.audio):
            if stream is None or stream.settings.ssrc != block.ssrc:
                continue
            is_new = stream.receive_block(block, now)
            if stream is not self.video:
                continue
            rtt = stream.rtt
            if is_new and rtt is not None and not self._probing.heard(block.last_report, rtt, now):
                self.bandwidth.receive_round_trip(rtt, sent=self._meter.rate(now), now=now)
            if self._loss.receive(block, now) and self._loss.fraction is not None:
                self._receive_loss(stream, self._loss.fraction, block.jitter, now)

    def _receive_loss(self, stream: OutgoingStream, fraction: float, jitter: int, now: float) -> None:
        self.bandwidth.receive_loss(fraction, sent=self._meter.rate(now), now=now)
        if self.playout.receive(fraction, jitter / stream.settings.clock_rate, stream.rtt, now):
            stream.hold_back(self.playout.seconds)

    def _receive_keyframe_request(self, ssrcs: Sequence[int]) -> None:
        # Stacks name the stream, 0 or the RTX stream: there is only one that can have a keyframe.
        others = () if self.audio is None else (self.audio.settings.ssrc,)
        if self.video is not None and self.active and any(ssrc not in others for ssrc in ssrcs):
            self.video.counters.keyframe_requests += 1
            self.keyframes.ask()

"""One source's figures as RTCP wants them (RFC 3550 §6.4.1, A.3, A.8), and its clock (§6.4)."""

from __future__ import annotations

from .packet import RtpPacket, unwrapped
from .rtcp import ReportBlock, SenderReport

__all__ = ["Reception"]

_NTP_EPOCH = 2_208_988_800
_MIDDLE = 0xFFFFFFFF


class Reception:
    """Counts what comes under one SSRC. Times in seconds of a steady clock."""

    def __init__(self, ssrc: int, clock_rate: int) -> None:
        """``clock_rate`` in ticks per second."""
        self.ssrc = ssrc
        self.clock_rate = clock_rate
        self.packets = 0
        self.highest: int | None = None
        """The highest number so far, unwrapped."""
        self._first = 0
        self._jitter = 0.0
        self._transit: float | None = None
        self._timestamp: int | None = None
        self._expected_before = 0
        self._packets_before = 0
        self._report: tuple[SenderReport, int, float] | None = None

    @property
    def jitter(self) -> float:
        """Mean deviation in seconds."""
        return self._jitter / self.clock_rate

    @property
    def lost(self) -> int:
        """Packets that did not come; below 0 when some came twice."""
        return 0 if self.highest is None else self.highest - self._first + 1 - self.packets

    def number(self, packet: RtpPacket) -> int:
        """The unwrapped number of a packet, which is not counted by that."""
        return packet.sequence if self.highest is None else unwrapped(packet.sequence, 16, self.highest)

    def timestamp(self, short: int) -> int:
        """The unwrapped timestamp; the newest one so far is what others are near to."""
        ticks = short if self._timestamp is None else unwrapped(short, 32, self._timestamp)
        if self._timestamp is None or ticks > self._timestamp:
            self._timestamp = ticks
        return ticks

    def arrived(self, packet: RtpPacket, number: int, now: float) -> None:
        """Count a packet that was not a retransmission."""
        self.packets += 1
        if self.highest is None:
            self.highest = self._first = number
        elif number < self._first:
            self._first = number
        self.highest = max(self.highest, number)
        transit = now * self.clock_rate - self.timestamp(packet.timestamp)
        if self._transit is not None:
            # One step cannot be more than a second: that is a new timeline and no jitter.
            step = abs(transit - self._transit)
            if step < self.clock_rate:
                self._jitter += (step - self._jitter) / 16
        self._transit = transit

    def skip(self, to: int) -> None:
        """The sender has left numbers out on purpose: what lies before ``to`` was not lost."""
        if self.highest is not None:
            self._first += to - self.highest - 1
            self.highest = max(self.highest, to - 1)

    def sender_report(self, report: SenderReport, now: float) -> None:
        """The sender's clock (RFC 3550 §6.4.1)."""
        self._report = report, self.timestamp(report.timestamp), now

    def capture(self, ticks: int) -> float | None:
        """The sender's wall clock, in seconds since 1970, at an unwrapped timestamp; None before its first report."""
        if self._report is None:
            return None
        report, at, _ = self._report
        return report.ntp / (1 << 32) - _NTP_EPOCH + (ticks - at) / self.clock_rate

    def block(self, now: float) -> ReportBlock | None:
        """The next report on it; None before its first packet."""
        if self.highest is None:
            return None
        expected = self.highest - self._first + 1
        interval = expected - self._expected_before
        lost = interval - (self.packets - self._packets_before)
        self._expected_before, self._packets_before = expected, self.packets
        last, delay = 0, 0
        if self._report is not None:
            report, _, at = self._report
            last = report.ntp >> 16 & _MIDDLE
            delay = min(_MIDDLE, max(0, round((now - at) * 65536)))
        return ReportBlock(
            ssrc=self.ssrc,
            fraction_lost=min(255, max(0, lost) * 256 // interval) if interval > 0 else 0,
            packets_lost=min(0x7FFFFF, max(-0x800000, expected - self.packets)),
            highest_sequence=self.highest & _MIDDLE,
            jitter=min(_MIDDLE, int(self._jitter)),
            last_report=last,
            delay=delay,
        )

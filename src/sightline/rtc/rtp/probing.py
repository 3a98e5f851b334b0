"""Probes of one viewer's path: what is sent in them, and what is heard of them.

Transport-wide feedback tells of each packet. Without it a sender report goes out right behind the probe: the answer
says when the viewer had it (RFC 3550 §6.4.1), and by as much as that was late the probe had to queue.
"""

from __future__ import annotations

from .bandwidth import Bandwidth
from .probe import Prober
from .rtcp import SenderReport
from .stream import OutgoingStream
from .transport_wide import SentPackets

__all__ = ["Probing"]

_SHOWS = 0.5
"""Seconds after a probe in which transport-wide feedback has told of it."""


class Probing:
    """Does no input or output and keeps no clock; ``Outlet`` drives it."""

    def __init__(self, bandwidth: Bandwidth, wide: SentPackets | None) -> None:
        self._prober = Prober()
        self._bandwidth = bandwidth
        self._wide = wide
        self._report: int | None = None
        """By what the viewer will refer to the report behind a probe."""

    @property
    def wanted(self) -> bool:
        """Whether there is something to begin, to send or to wait for."""
        return self._prober.wanted

    def ask(self, bitrate: float, video: OutgoingStream, now: float) -> bool:
        """See ``Outlet.probe``."""
        is_heard = self._bandwidth.estimate(now) is not None or video.rtt is not None
        if not is_heard or not video.can_probe:
            return False
        self._prober.ask(bitrate, now)
        return True

    def cancel(self) -> None:
        """Leave off at once."""
        self._report = None
        self._prober.cancel()

    def turn(self, video: OutgoingStream, *, idle: bool, sent: float, now: float) -> list[bytes]:
        """What a probe adds to what was just sent. ``idle``: whether no picture waits; ``sent``: bits per second."""
        prober = self._prober
        if self._bandwidth.limited(now):
            if prober.running or prober.ended_at is not None:
                prober.judged(0.0, now)
            self.cancel()
            return []
        self._judge(now)
        if idle and prober.begin(sent, now) and self._wide is not None:
            self._wide.begin_probe()
        owed = prober.owed(now)
        return video.repeat_unasked(owed, now) if owed > 0 else []

    def sent(self, octets: int) -> None:
        """So many bytes left, of whatever."""
        if self._prober.running:
            self._prober.sent(octets)

    def ends(self, now: float) -> bool:
        """Whether a probe is over now and a report is to follow it; told once."""
        if not self._prober.ends(now):
            return False
        if self._wide is not None:
            self._wide.end_probe(now)
        return not self._has_feedback(now)

    def reported(self, report: SenderReport) -> None:
        """That is the report."""
        self._report = report.ntp >> 16 & 0xFFFFFFFF

    @property
    def holds_reports(self) -> bool:
        """Whether no other report of the pictures may go out, or the viewer would answer that one instead."""
        return self._report is not None

    def heard(self, report: int, rtt: float, now: float) -> bool:
        """The viewer has answered a report; whether it is the one behind a probe."""
        if self._report is None or report != self._report:
            return False
        self._report = None
        prober = self._prober
        if prober.ended_at is not None and not self._has_feedback(now):
            carried = prober.octets * 8 / (prober.seconds + self._bandwidth.queued(rtt))
            self._bandwidth.receive_probe(prober.rate, carried, now=now)
            prober.judged(carried, now)
        return True

    def next_time(self, now: float) -> float | None:
        """When there is something more to send."""
        return self._prober.next_time(now)

    def _has_feedback(self, now: float) -> bool:
        return self._wide is not None and self._wide.estimate(now) is not None

    def _judge(self, now: float) -> None:
        prober = self._prober
        if prober.ended_at is None:
            return
        if self._wide is not None and (estimate := self._wide.estimate(now)) is not None:
            if now - prober.ended_at >= _SHOWS:
                self._report = None
                prober.judged(estimate, now)
        elif prober.is_unheard(now):
            self._report = None
            prober.judged(0.0, now)

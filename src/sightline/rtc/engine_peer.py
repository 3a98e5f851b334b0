"""One viewer's connection, as the master has it: what it is sent, and its voice, over the link to it (MEDIA.md)."""

from __future__ import annotations

import time
from collections.abc import Sequence

from ..sessions.connection_state import Reason
from ..timers import DEFAULT_TIMERS, Timers
from .both_ways import BothWays
from .certificates import Certificate
from .ice.config import IceConfig
from .link import PeerLink
from .link_media import LinkMedia
from .outgoing import OutgoingMedia
from .receiving import Receiving
from .rtp.fanout import Fanout
from .rtp.rtcp import Goodbye, MalformedRtcp
from .sending import EXTENSIONS, Sending
from .stats import PeerStatistics

__all__ = ["EnginePeer"]


class EnginePeer(PeerLink):
    """See ``rtc.peer.Peer``. Made by ``Engine.new_peer``; everything happens in the event loop's thread."""

    def __init__(
        self,
        fanout: Fanout,
        source: OutgoingMedia,
        *,
        ice: IceConfig,
        certificate: Certificate,
        timers: Timers = DEFAULT_TIMERS,
        hears: bool = False,
    ) -> None:
        """``ice``: with the servers of now; a restart may bring others. ``hears``: whether the viewer may talk; what it
        says comes by ``on_frame``.
        """
        super().__init__(
            controlling=False,
            ice=ice,
            certificate=certificate,
            timers=timers,
            extensions=EXTENSIONS,
            takes_media=hears,
        )
        self._sending = Sending(fanout, source, send=self._ice.send, on_error=self._break)
        self._both: BothWays | None = None
        if hears:
            receiving = Receiving(video=False, audio="recvonly", send=self._ice.send, on_frame=self._hand_over)
            self._both = BothWays(self._sending, receiving)

    @property
    def _media(self) -> LinkMedia:
        return self._both or self._sending

    def statistics(self) -> PeerStatistics:
        """See ``Peer``."""
        srtp = self._transport.srtp
        return PeerStatistics.of(
            self._ice.stats(),
            self._sending.statistics(),
            srtp_profile=srtp.profile.name if srtp is not None else None,
            malformed=self._malformed + (sum(srtp.refused.values()) if srtp is not None else 0),
            rendition=self._sending.rendition,
            received=self._both.receiving.statistics(time.monotonic()) if self._both is not None else None,
        )

    def _receive_rtp(self, packet: bytes) -> None:
        if self._both is not None:
            self._both.receive_rtp(packet, time.monotonic())

    def _receive_rtcp(self, packet: bytes) -> None:
        try:
            if self._both is not None:
                reports = self._both.receive_rtcp(packet, time.monotonic())
            else:
                reports = self._sending.receive(packet)
        except MalformedRtcp:
            self._malformed += 1
            return
        if self._is_farewell(reports):
            self._apply(self._machine.ended(Reason.BYE, time.monotonic()))

    def _is_farewell(self, reports: Sequence[object]) -> bool:
        if self._both is not None:
            return self._both.is_farewell(reports)
        return any(isinstance(report, Goodbye) for report in reports)

    def _tick(self, now: float) -> None:
        if self._both is not None:
            self._both.tick(now, self._ice.rtt)

    def _next_deadline(self) -> float | None:
        return self._both.next_time() if self._both is not None else None

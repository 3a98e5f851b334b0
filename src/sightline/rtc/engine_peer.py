"""One viewer's connection, as the master has it: what the viewer is sent, over the link to it (MEDIA.md)."""

from __future__ import annotations

import time

from ..sessions.connection_state import Reason
from ..timers import DEFAULT_TIMERS, Timers
from .certificates import Certificate
from .ice.config import IceConfig
from .link import PeerLink
from .outgoing import OutgoingMedia
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
    ) -> None:
        """``ice``: with the servers of now; a restart may bring others."""
        super().__init__(controlling=False, ice=ice, certificate=certificate, timers=timers, extensions=EXTENSIONS)
        self._sending = Sending(fanout, source, send=self._ice.send, on_error=self._break)

    @property
    def _media(self) -> Sending:
        return self._sending

    def statistics(self) -> PeerStatistics:
        """See ``Peer``."""
        srtp = self._transport.srtp
        return PeerStatistics.of(
            self._ice.stats(),
            self._sending.statistics(),
            srtp_profile=srtp.profile.name if srtp is not None else None,
            malformed=self._malformed + (sum(srtp.refused.values()) if srtp is not None else 0),
        )

    def _receive_rtcp(self, packet: bytes) -> None:
        try:
            reports = self._sending.receive(packet)
        except MalformedRtcp:
            self._malformed += 1
            return
        # One who sends may say goodbye of a single stream (a microphone that is switched off) and stay.
        only_watches = self._agreement is not None and not any(media.receives for media in self._agreement.media)
        if only_watches and any(isinstance(report, Goodbye) for report in reports):
            self._apply(self._machine.ended(Reason.BYE, time.monotonic()))

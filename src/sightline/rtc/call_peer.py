"""One connection of a call, as either side has it: sound and picture both ways, and text.

Who offers controls ICE. Whose offer counts when two cross is decided elsewhere (``sessions.call``): what is asked for
here is done, and takes back what it crosses.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from ..timers import DEFAULT_TIMERS, Timers
from .both_ways import EXTENSIONS, BothWays
from .certificates import Certificate
from .ice.config import IceConfig
from .offering_peer import OfferingPeer
from .outgoing import OutgoingMedia
from .peer import IceServer
from .receiving import Receiving
from .rtp.fanout import Fanout
from .rtp.rtcp import MalformedRtcp
from .sdp import Description, OurMedia, with_sending
from .sending import Sending
from .stats import PeerStatistics

__all__ = ["CallPeer"]


class CallPeer(OfferingPeer):
    """One connection to one person. Everything happens in the event loop's thread.

    Either ``offer`` and ``accept`` begin, or ``answer``; later ``restart`` and ``accept``, or ``answer``, at any time.
    ``on_frame`` gets whole frames in decode order. A stream that ends (a microphone that is switched off) ends nothing
    else: a call is hung up.
    """

    def __init__(
        self,
        fanout: Fanout,
        source: OutgoingMedia,
        *,
        offers: bool,
        ice: IceConfig,
        certificate: Certificate,
        timers: Timers = DEFAULT_TIMERS,
    ) -> None:
        """``offers``: whether the first offer is ours; ``ice``: with the servers of now; a restart may bring others."""
        super().__init__(
            controlling=offers,
            ice=ice,
            certificate=certificate,
            timers=timers,
            extensions=EXTENSIONS,
            takes_media=True,
        )
        self._both = _CallMedia(
            Sending(fanout, source, send=self._ice.send, on_error=self._break),
            Receiving(video=True, audio="recvonly", send=self._ice.send, on_frame=self._hand_over),
        )

    @property
    def _media(self) -> BothWays:
        return self._both

    # -- how it is

    def statistics(self) -> PeerStatistics:
        """The figures of now. ``bitrate`` and ``loss`` are those of what is sent, where anything is."""
        now = time.monotonic()
        srtp = self._transport.srtp
        sent, received = self._both.statistics(now)
        refused = sum(srtp.refused.values()) if srtp is not None else 0
        return PeerStatistics.of(
            self._ice.stats(),
            sent,
            srtp_profile=srtp.profile.name if srtp is not None else None,
            malformed=self._malformed + self._both.receiving.malformed + refused,
            received=received,
        )

    # -- negotiation

    async def offer(self, *, ice_servers: Sequence[IceServer] | None = None) -> str:
        """See ``OfferingPeer``."""
        if self._agreement is None:
            self._both.answers = False
        return await super().offer(ice_servers=ice_servers)

    async def answer(self, offer_sdp: str, *, ice_servers: Sequence[IceServer] | None = None) -> str:
        """The answer to their offer: the first, one for a new path, or one with other streams.

        An offer of ours that is out is taken back. Raises InvalidSdp for one that cannot be read or answered.
        """
        self._withdraw()
        self._both.answers = True
        return await super().answer(offer_sdp, ice_servers=ice_servers)

    def _reoffered(self, offer: Description) -> Description:
        self._both.describe()
        return with_sending(offer, self._both.sending.wishes())

    # -- media

    def source_changed(self) -> None:
        """The source gives other pictures or sound than before: they are sent from now on, as far as agreed."""
        self._both.sending.source_changed()
        self._arrange()

    @property
    def wants_offer(self) -> bool:
        """Whether our last description says other kinds than we send now, so that ``restart`` is due."""
        return self._agreement is not None and self._both.described != self._both.kinds

    def request_keyframe(self) -> None:
        """Ask the other side for a keyframe; requests are joined."""
        self._both.receiving.request_keyframe()
        self._arrange()

    # -- what happens

    def _receive_rtp(self, packet: bytes) -> None:
        self._both.receive_rtp(packet, time.monotonic())

    def _receive_rtcp(self, packet: bytes) -> None:
        try:
            self._both.receive_rtcp(packet, time.monotonic())
        except MalformedRtcp:
            self._malformed += 1

    def _tick(self, now: float) -> None:
        self._both.tick(now, self._ice.rtt)

    def _next_deadline(self) -> float | None:
        return self._both.next_time()


class _CallMedia(BothWays):
    """In an answer, what comes may come in other sections than what is sent goes out in: the MDN sample answers our
    offer with sections that only receive, and then offers its own streams in two more."""

    answers = False
    described: frozenset[str] = frozenset()
    """The kinds that our last description says we would send."""

    @property
    def kinds(self) -> frozenset[str]:
        """Those that we would send now."""
        return frozenset(media.kind for media in self.sending.wishes())

    def describe(self) -> None:
        """A description is made, of what would be sent now."""
        for kind in self.kinds - self.described:
            self.sending.renew(kind)
        self.described = self.kinds

    def wishes(self) -> tuple[OurMedia, ...]:
        """See ``LinkMedia``. They go into a description."""
        self.describe()
        return (*super().wishes(), *(self.receiving.wishes() if self.answers else ()))

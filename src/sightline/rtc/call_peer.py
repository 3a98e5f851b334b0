"""One connection of a call, as either side has it: sound and picture both ways, and text.

Who offers controls ICE. Whose offer counts when two cross is decided elsewhere (``sessions.call``): what is asked for
here is done, and takes back what it crosses.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence

from ..errors import InvalidSdp, PeerError
from ..timers import DEFAULT_TIMERS, Timers
from .both_ways import EXTENSIONS, BothWays
from .certificates import Certificate
from .ice.config import IceConfig
from .link import PeerLink
from .outgoing import OutgoingMedia
from .peer import IceServer
from .receiving import Receiving
from .rtp.fanout import Fanout
from .rtp.incoming import EncodedFrame
from .rtp.rtcp import MalformedRtcp
from .sdp import OurMedia, make_offer, parse_description, write_description
from .sending import Sending
from .stats import PeerStatistics

__all__ = ["CallPeer"]

log = logging.getLogger(__name__)


class CallPeer(PeerLink):
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
        self.on_frame: Callable[[EncodedFrame], None] | None = None
        """Gets each frame at once. What it raises is logged, and the frame is lost."""
        self._both = _CallMedia(
            Sending(fanout, source, send=self._ice.send, on_error=self._break),
            Receiving(video=True, audio="recvonly", send=self._ice.send, on_frame=self._hand_over),
        )

    @property
    def _media(self) -> BothWays:
        return self._both

    # -- how it is

    @property
    def last_heard(self) -> float:
        """When the last datagram of any kind came (``time.monotonic``); minus infinity before it."""
        return self._ice.last_heard

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
        """The first offer. Candidates of this machine stand in it; those that servers know come by ``on_candidate``.

        Raises PeerError when there was one that was answered, and when the connection is closed.
        """
        if self._agreement is not None:
            raise PeerError("The first offer was answered: the next one is a restart.")
        agent = await self._new_agent(ice_servers)
        self._both.answers = False
        offer = make_offer(self._ours(agent))
        self._local, self._offered = offer, (offer, agent)
        return write_description(offer)

    async def restart(self, *, ice_servers: Sequence[IceServer] | None = None) -> str:
        """An offer that looks for a new path; media goes on over the old one until the new one is there.

        Also revives a connection that has ``failed`` and still has its keys. Raises PeerError before the first answer,
        and when the connection is closed.
        """
        offer = await super().restart(ice_servers=ice_servers)
        self._apply(self._machine.restart(time.monotonic()))
        self._arrange()
        return offer

    async def accept(self, answer_sdp: str) -> None:
        """The answer. One to an offer that was taken back meanwhile is ignored.

        Raises InvalidSdp when it cannot be read, does not belong to the offer, or is of somebody who no longer has
        this connection.
        """
        if self._offered is not None and self._agreement is not None:
            answer = parse_description(answer_sdp)
            if answer.fingerprints.isdisjoint(self._agreement.remote.fingerprints):
                self._withdraw()
                raise InvalidSdp(
                    "The answer is of another connection: the other side has no keys of this one any more."
                )
        await super().accept(answer_sdp)

    async def answer(self, offer_sdp: str, *, ice_servers: Sequence[IceServer] | None = None) -> str:
        """The answer to their offer: the first, one for a new path, or one with other streams.

        An offer of ours that is out is taken back. Raises InvalidSdp for one that cannot be read or answered.
        """
        self._withdraw()
        self._both.answers = True
        return await super().answer(offer_sdp, ice_servers=ice_servers)

    # -- media

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

    def _hand_over(self, frame: EncodedFrame) -> None:
        if self.on_frame is None:
            return
        try:
            self.on_frame(frame)
        except Exception:
            log.exception("a frame was not taken")


class _CallMedia(BothWays):
    """In an answer, what comes may come in other sections than what is sent goes out in: the MDN sample answers our
    offer with sections that only receive, and then offers its own streams in two more."""

    answers = False

    def wishes(self) -> tuple[OurMedia, ...]:
        """See ``LinkMedia``."""
        return (*super().wishes(), *(self.receiving.wishes() if self.answers else ()))

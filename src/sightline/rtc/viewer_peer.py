"""The connection to a master, as a viewer has it: the offer, and whole frames out of what comes.

It offers, controls ICE and receives; all else it has in common with the master's side, see ``link``.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Literal

from ..errors import PeerError
from ..sessions.connection_state import Reason
from ..timers import DEFAULT_TIMERS, Timers
from .certificates import Certificate
from .ice.config import IceConfig
from .offering_peer import OfferingPeer
from .peer import IceServer
from .receiving import EXTENSIONS, Receiving
from .rtp.incoming import EncodedFrame
from .stats import PeerStatistics

__all__ = ["EncodedFrame", "ViewerPeer"]


class ViewerPeer(OfferingPeer):
    """One connection to one master. Everything happens in the event loop's thread.

    ``offer`` and ``accept`` begin; ``restart`` and ``accept`` look for a new path, and ``answer`` answers a master that
    does, or that changes what it sends. ``on_frame`` gets whole frames in decode order. Silence is judged by who holds
    the connection, from ``last_heard``: by itself it is only given up when the timers say so.
    """

    def __init__(
        self,
        *,
        ice: IceConfig,
        certificate: Certificate,
        timers: Timers = DEFAULT_TIMERS,
        video: bool = True,
        audio: Literal["recvonly", "sendrecv"] | None = "recvonly",
        data: bool = True,
    ) -> None:
        """``ice``: with the servers of now; a restart may bring others. ``data``: whether to offer data channels."""
        super().__init__(
            controlling=True,
            ice=ice,
            certificate=certificate,
            timers=timers,
            extensions=EXTENSIONS,
            data_channels=data,
            takes_media=True,
        )
        self._receiving = Receiving(video=video, audio=audio, send=self._ice.send, on_frame=self._hand_over)

    @property
    def _media(self) -> Receiving:
        return self._receiving

    # -- how it is

    @property
    def turn_refused(self) -> bool:
        """Whether a TURN server has refused our credentials: they are wrong or have expired."""
        return self._ice.turn_refused

    @property
    def can_talk(self) -> bool:
        """Whether the master has agreed to hear us; False before its answer."""
        media = self._agreement.media if self._agreement is not None else ()
        return any(one.kind == "audio" and one.sends for one in media)

    def statistics(self) -> PeerStatistics:
        """The figures of now."""
        srtp = self._transport.srtp
        refused = sum(srtp.refused.values()) if srtp is not None else 0
        return PeerStatistics.of(
            self._ice.stats(),
            None,
            srtp_profile=srtp.profile.name if srtp is not None else None,
            malformed=self._malformed + self._receiving.malformed + refused,
            received=self._receiving.statistics(time.monotonic()),
        )

    # -- negotiation

    async def answer(self, offer_sdp: str, *, ice_servers: Sequence[IceServer] | None = None) -> str:
        """The answer to a master that restarts ICE, or that changes what it sends.

        Raises InvalidSdp for an offer that cannot be read or answered, and PeerError while an offer of ours is out:
        where both begin at once, the viewer's counts.
        """
        if self._offered is not None or self._agreement is None:
            raise PeerError("An offer of the viewer's is out, and counts.")
        return await super().answer(offer_sdp, ice_servers=ice_servers)

    # -- media

    def request_keyframe(self) -> None:
        """Ask the master for a keyframe; requests are joined."""
        self._receiving.request_keyframe()
        self._arrange()

    def send_audio(self, opus: bytes, samples: int) -> None:
        """Send an Opus packet of so many samples at 48 kHz. It is lost unless connected and ``sendrecv`` was agreed."""
        self._receiving.send_audio(opus, samples, time.monotonic())

    # -- what happens

    def _receive_rtp(self, packet: bytes) -> None:
        self._receiving.receive_rtp(packet, time.monotonic())

    def _receive_rtcp(self, packet: bytes) -> None:
        self._receiving.receive_rtcp(packet, time.monotonic())

    def _tick(self, now: float) -> None:
        self._receiving.tick(now, self._ice.rtt)
        if self._receiving.ended:
            self._apply(self._machine.ended(Reason.BYE, now))

    def _next_deadline(self) -> float | None:
        return self._receiving.next_time()

"""What a master needs of a peer connection, whatever engine stands behind it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from ..sessions.connection_state import ConnectionState, IceConnectionState, Reason
from .datachannel import DataChannels
from .outgoing import OutgoingMedia
from .rtp.incoming import EncodedFrame
from .stats import PeerStatistics

__all__ = [
    "CandidateListener",
    "ConnectionState",
    "EngineFactory",
    "IceConnectionState",
    "IceServer",
    "Peer",
    "PeerEngine",
    "Reason",
]


class IceServer(Protocol):
    """A STUN or TURN server, by the names of WebRTC's ``RTCIceServer``."""

    @property
    def urls(self) -> Sequence[str]:
        """``stun:``, ``turn:`` and ``turns:`` URIs (RFC 7064, RFC 7065)."""

    @property
    def username(self) -> str | None:
        """None for STUN."""

    @property
    def credential(self) -> str | None:
        """None for STUN."""


CandidateListener = Callable[[Mapping[str, object]], None]
"""Gets a candidate of ours in the form of the W3C's RTCIceCandidateInit."""


class Peer(Protocol):
    """One connection to one viewer. It sends what its source gives, over one path after the other."""

    @property
    def connection_state(self) -> ConnectionState:
        """The state now. ``failed`` may be followed by ``connecting`` (a late restart) and ends in ``closed``."""

    @property
    def ice_connection_state(self) -> IceConnectionState:
        """The path's; ``checking`` also during a restart."""

    @property
    def reason(self) -> Reason | None:
        """Why it came into its connection state."""

    @property
    def on_change(self) -> Callable[[], None] | None:
        """Called in the event loop after each change of either state."""

    @on_change.setter
    def on_change(self, listener: Callable[[], None] | None) -> None: ...

    @property
    def on_candidate(self) -> CandidateListener | None:
        """Called for each candidate that is found after the description went out (RFC 8838)."""

    @on_candidate.setter
    def on_candidate(self, listener: CandidateListener | None) -> None: ...

    @property
    def on_frame(self) -> Callable[[EncodedFrame], None] | None:
        """Called in the event loop with each packet of sound that the viewer says, where it may talk."""

    @on_frame.setter
    def on_frame(self, listener: Callable[[EncodedFrame], None] | None) -> None: ...

    @property
    def channels(self) -> DataChannels:
        """The data channels; there are none before the viewer opens one, or ``channels.open`` does."""

    async def answer(self, offer_sdp: str, *, ice_servers: Sequence[IceServer] | None = None) -> str:
        """The answer to the viewer's offer: its first, a renegotiation, or an ICE restart (RFC 8839 §4.4).

        ``ice_servers``: those of now, for a new path; None keeps the ones before. Raises InvalidSdp for an offer that
        cannot be read or answered; the connection goes on as it was then.
        """

    async def restart(self, *, ice_servers: Sequence[IceServer] | None = None) -> str:
        """An offer of ours that looks for a new path. Raises PeerError when there is nothing to restart."""

    async def accept(self, answer_sdp: str) -> None:
        """The viewer's answer to it. Raises InvalidSdp."""

    async def add_remote_candidate(self, candidate: Mapping[str, object]) -> None:
        """A candidate as the viewer sent it: ``candidate``, ``usernameFragment`` (RFC 8839 §5.1).

        May come before its description. One that cannot be read or used is ignored.
        """

    def signaling(self, *, is_open: bool) -> None:
        """Whether the viewer's signaling socket is open, where that is known."""

    def statistics(self) -> PeerStatistics:
        """The figures of now."""

    async def aclose(self, reason: Reason = Reason.ENDED) -> None:
        """Say goodbye, close and free everything. Idempotent, safe from any state."""


class PeerEngine(Protocol):
    """What all connections of one source share."""

    def new_peer(self, *, ice_servers: Sequence[IceServer] = (), certificate: int = 0, hears: bool = False) -> Peer:
        """The connection for a new viewer. ``ice_servers`` may be empty: then only the machine's own addresses are
        used. ``certificate``: which of our two, 0 or 1, see ``sessions.negotiation``. ``hears``: whether the viewer may
        talk."""

    async def aclose(self) -> None:
        """End what is shared. The peers are closed before. Idempotent."""


class EngineFactory(Protocol):
    """Makes the engine of a source."""

    def __call__(self, source: OutgoingMedia) -> PeerEngine:
        """Called once, in the event loop."""

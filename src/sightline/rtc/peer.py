"""What a master needs of a peer connection, whatever engine stands behind it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from ..sessions.connection_state import ConnectionState
from .outgoing import OutgoingMedia

__all__ = ["ConnectionState", "IceServer", "Peer", "PeerFactory", "StateListener"]


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


StateListener = Callable[[ConnectionState], None]


class Peer(Protocol):
    """One connection to one viewer, for one offer. It sends what its source gives."""

    @property
    def connection_state(self) -> ConnectionState:
        """The state now."""

    @property
    def on_state(self) -> StateListener | None:
        """Called in the event loop after each change of state."""

    @on_state.setter
    def on_state(self, listener: StateListener | None) -> None: ...

    async def answer(self, offer_sdp: str) -> str:
        """The answer to the viewer's offer; to be called once.

        Raises InvalidSdp for an offer that cannot be read or answered; the peer is closed then.
        """

    async def add_remote_candidate(self, candidate: Mapping[str, object]) -> None:
        """A candidate as the viewer sent it: ``candidate``, ``sdpMid``, ``sdpMLineIndex`` (RFC 8839 §5.1).

        May come before the offer. One that cannot be read or used is ignored.
        """

    async def aclose(self) -> None:
        """Close and free everything. Idempotent, safe from any state."""


class PeerFactory(Protocol):
    """Makes the peer for a new viewer."""

    def __call__(self, source: OutgoingMedia, *, ice_servers: Sequence[IceServer]) -> Peer:
        """``ice_servers`` may be empty: then only the machine's own addresses are used."""

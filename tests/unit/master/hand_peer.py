"""A `Peer` and its engine whose states are what the test says."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence

from sightline.rtc.datachannel import DataChannels
from sightline.rtc.peer import CandidateListener, ConnectionState, IceConnectionState, IceServer, Reason
from sightline.rtc.rtp.incoming import EncodedFrame
from sightline.rtc.stats import PeerStatistics


class HandPeer:
    def __init__(self, *, certificate: int = 0, fails: Exception | None = None) -> None:
        self.connection_state = ConnectionState.NEW
        self.ice_connection_state = IceConnectionState.NEW
        self.reason: Reason | None = None
        self.on_change: Callable[[], None] | None = None
        self.on_candidate: CandidateListener | None = None
        self.on_frame: Callable[[EncodedFrame], None] | None = None
        self.hears = False
        self.channels = DataChannels(lambda packet: None)
        self.certificate = certificate
        self.candidates: list[Mapping[str, object]] = []
        self.offers: list[str] = []
        self.answers: list[str] = []
        self.servers: list[object] = []
        self.signaling_open: list[bool] = []
        self.closed = 0
        self.fails = fails
        self.figures = PeerStatistics()
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    async def answer(self, offer_sdp: str, *, ice_servers: Sequence[IceServer] | None = None) -> str:
        self.offers.append(offer_sdp)
        self.servers.append(ice_servers)
        await self.may_answer.wait()
        if self.fails:
            raise self.fails
        return f"answer {len(self.offers)}"

    async def restart(self, *, ice_servers: Sequence[IceServer] | None = None) -> str:
        return "restart"

    async def accept(self, answer_sdp: str) -> None:
        if self.fails:
            raise self.fails
        self.answers.append(answer_sdp)

    async def add_remote_candidate(self, candidate: Mapping[str, object]) -> None:
        self.candidates.append(candidate)

    def signaling(self, *, is_open: bool) -> None:
        self.signaling_open.append(is_open)

    def statistics(self) -> PeerStatistics:
        return self.figures

    async def aclose(self, reason: Reason = Reason.ENDED) -> None:
        self.closed += 1
        if self.connection_state is not ConnectionState.CLOSED:
            self.become(ConnectionState.CLOSED, reason)

    def become(self, state: ConnectionState, reason: Reason | None = None) -> None:
        self.connection_state, self.reason = state, reason
        if self.on_change is not None:
            self.on_change()


class HandEngine:
    """Gives out the peers that were prepared, or new ones."""

    def __init__(self) -> None:
        self.prepared: list[HandPeer] = []
        self.made: list[HandPeer] = []
        self.closed = 0

    def new_peer(self, *, ice_servers: Sequence[IceServer] = (), certificate: int = 0, hears: bool = False) -> HandPeer:
        peer = self.prepared.pop(0) if self.prepared else HandPeer()
        peer.certificate, peer.hears = certificate, hears
        self.made.append(peer)
        return peer

    async def aclose(self) -> None:
        self.closed += 1

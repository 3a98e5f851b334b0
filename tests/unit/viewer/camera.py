"""A camera and its service for tests of the viewer: signaling that the test plays, a connection without a network."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from sightline import Viewer
from sightline.errors import InvalidSdp, PeerError
from sightline.rtc.peer import ConnectionState
from sightline.rtc.stats import PeerStatistics
from sightline.rtc.viewer_peer import EncodedFrame
from sightline.sessions.viewer import ViewerOptions
from sightline.viewer.link import SessionInfo
from tests.unit.client.fake_signaling import FakeSession, FakeSignaling, eventually
from tests.unit.media.received_frames import Frame

__all__ = ["CALM", "QUICK", "Camera", "HandPeer", "encoded", "eventually"]

CALM = ViewerOptions(silence=60, stall=60)
"""Nothing happens because a busy machine is slow."""

QUICK = ViewerOptions(silence=60, stall=60, answer=0.3, path=0.3)
"""For tests in which nobody answers."""


class HandChannels:
    """Data channels that only remember."""

    def __init__(self) -> None:
        self.on_message: Callable[[str, str | bytes], None] | None = None
        self.on_request: Callable[[Any], None] | None = None
        self.on_open: Callable[[str], None] | None = None
        self.labels: tuple[str, ...] = ()
        self.sent: list[tuple[str | bytes, str | None]] = []

    def open(self, label: str) -> None:
        self.labels = (*self.labels, label)
        if self.on_open is not None:
            self.on_open(label)

    def send(self, message: str | bytes, label: str | None = None) -> int:
        self.sent.append((message, label))
        return len(self.labels)

    async def request(self, value: object, *, label: str, timeout: float) -> object:
        return {"asked": value}

    def abandon(self) -> None:
        pass


class HandPeer:
    """See `sightline.viewer.attempt.CameraPeer`. What happens is what the test does."""

    def __init__(self, session: SessionInfo) -> None:
        self.session = session
        self.on_change: Callable[[], None] | None = None
        self.on_candidate: Callable[[Mapping[str, object]], None] | None = None
        self.on_frame: Callable[[EncodedFrame], None] | None = None
        self.connection_state = ConnectionState.NEW
        self.channels: Any = HandChannels()
        self.last_heard = float("-inf")
        self.turn_refused = False
        self.can_talk = False
        self.accepted: list[str] = []
        self.candidates: list[Mapping[str, object]] = []
        self.offers = 0
        self.restarted_with: Sequence[Any] | None = None
        self.can_restart = True
        self.keyframes = 0
        self.said: list[bytes] = []
        self.closed = 0

    def statistics(self) -> PeerStatistics:
        return PeerStatistics(bitrate=1_000_000.0, loss=0.0, round_trip_time=0.02, candidate_pair="host a -> host b")

    async def offer(self) -> str:
        self.offers += 1
        return f"v=0 offer {self.offers}"

    async def restart(self, *, ice_servers: Sequence[Any] | None = None) -> str:
        if not self.can_restart:
            raise PeerError("The connection is closed.")
        self.restarted_with = ice_servers
        self.offers += 1
        return f"v=0 restart {self.offers}"

    async def accept(self, answer_sdp: str) -> None:
        if "broken" in answer_sdp:
            raise InvalidSdp("This is no answer.")
        self.accepted.append(answer_sdp)

    async def answer(self, offer_sdp: str, *, ice_servers: Sequence[Any] | None = None) -> str:
        if "broken" in offer_sdp:
            raise InvalidSdp("This is no offer.")
        return f"answer to {offer_sdp}"

    async def add_remote_candidate(self, candidate: Mapping[str, object]) -> None:
        self.candidates.append(candidate)

    def request_keyframe(self) -> None:
        self.keyframes += 1

    def send_audio(self, opus: bytes, samples: int) -> None:
        self.said.append(opus)

    async def aclose(self) -> None:
        self.closed += 1

    # -- what the test does

    def become(self, state: ConnectionState) -> None:
        self.connection_state = state
        if self.on_change is not None:
            self.on_change()

    def show(self, *frames: Frame) -> None:
        for frame in frames:
            assert self.on_frame is not None
            self.on_frame(encoded(frame))


class Camera(FakeSignaling):
    """The service, and the connections of the viewer under test."""

    def __init__(self) -> None:
        super().__init__()
        self.peers: list[HandPeer] = []
        self.client_ids: list[str] = []
        self.error: Exception | None = None
        self.is_sightline = True

    async def provide(self, client_id: str) -> FakeSession:
        self.client_ids.append(client_id)
        if self.error is not None:
            raise self.error
        return await self.session()

    async def make_peer(self, session: SessionInfo) -> HandPeer:
        self.peers.append(HandPeer(session))
        return self.peers[-1]

    def viewer(self, **more: Any) -> Viewer:
        more = {"client_id": "alice", "options": CALM, **more}
        return Viewer("porch", session_provider=self.provide, peer_factory=self.make_peer, **more)

    @property
    def peer(self) -> HandPeer:
        return self.peers[-1]

    async def until(self, action: str) -> dict[str, Any]:
        """The next message of that kind; others on the way are passed over."""
        while (message := await self.next())["action"] != action:
            pass
        return message

    async def connect(self, *frames: Frame, can_restart: bool = True) -> HandPeer:
        """Answer the next offer; the connection stands, and these frames come."""
        await self.until("SDP_OFFER")
        await self.say("SDP_ANSWER", {"type": "answer", "sdp": "v=0 answer"})
        peer = self.peer
        await eventually(lambda: len(peer.accepted) > 0)
        peer.can_restart = can_restart
        peer.become(ConnectionState.CONNECTED)
        peer.show(*frames)
        return peer


def encoded(frame: Frame) -> EncodedFrame:
    """As the connection gives it."""
    return EncodedFrame(**msgspec.structs.asdict(frame))

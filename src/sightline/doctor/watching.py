"""One real connection to the camera, as any viewer's: offer, answer, candidates, the first picture."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Protocol

from ..errors import MalformedMessage
from ..wire.messages import MessageType, ServerMessage, Status
from ..wire.payload import decode_payload
from .socket import DoctorSocket

if TYPE_CHECKING:
    from ..rtc.viewer_peer import EncodedFrame

__all__ = ["Watching", "WatchingPeer"]


class WatchingPeer(Protocol):
    """What is needed of ``rtc.viewer_peer.ViewerPeer``."""

    on_change: Callable[[], None] | None
    on_candidate: Callable[[Mapping[str, object]], None] | None
    on_frame: Callable[[EncodedFrame], None] | None

    @property
    def connection_state(self) -> str:
        """The W3C's."""

    @property
    def turn_refused(self) -> bool:
        """Whether a relay did not accept its credentials."""

    async def offer(self) -> str:
        """The first offer."""

    async def accept(self, answer_sdp: str) -> None:
        """Raises InvalidSdp."""

    async def add_remote_candidate(self, candidate: Mapping[str, object]) -> None:
        """May come before the answer."""

    def request_keyframe(self) -> None:
        """By PLI."""

    def path(self) -> str:
        """The candidate pair, for people; empty while there is none."""

    async def aclose(self) -> None:
        """Idempotent."""


class Watching:
    """Moves messages between the socket and the peer whenever somebody waits. Times are monotonic seconds."""

    def __init__(self, socket: DoctorSocket, peer: WatchingPeer) -> None:
        self.socket = socket
        self.peer = peer
        self.answer: str | None = None
        self.refused: Status | None = None
        self.offered_at = self.answered_at = 0.0
        self.connected_at: float | None = None
        self.picture_at: float | None = None
        """When the first picture was whole with which decoding can begin."""
        self._candidates: list[Mapping[str, object]] = []
        self._offered = False
        peer.on_change = self._changed
        peer.on_candidate = self._found
        peer.on_frame = self._frame

    async def offer(self, *, ask: bool) -> None:
        """Send it. `ask` the service, too, whether the camera is alive (Sightline only)."""
        self.offered_at = time.monotonic()
        sdp = await self.peer.offer()
        if ask:
            await self.socket.ask()  # one that lost its power is found out in two seconds
        await self.socket.send(MessageType.SDP_OFFER, {"type": "offer", "sdp": sdp})
        self._offered = True

    async def until(self, condition: Callable[[], bool], within: float) -> bool:
        """Wait until it holds; whether it does before `within` seconds are over. Raises InvalidSdp for the answer."""
        end = time.monotonic() + within
        while True:
            self.socket.changed.clear()
            await self._pump()
            if condition():
                return True
            try:
                async with asyncio.timeout(end - time.monotonic()):
                    await self.socket.changed.wait()
            except TimeoutError:
                return condition()

    async def aclose(self) -> None:
        """Ends the connection; the socket stays its owner's. Idempotent."""
        await self.peer.aclose()

    async def _pump(self) -> None:
        while self._offered and self._candidates:
            await self.socket.send(MessageType.ICE_CANDIDATE, self._candidates.pop(0))
        while not self.socket.messages.empty():
            await self._take(self.socket.messages.get_nowait())

    async def _take(self, message: ServerMessage) -> None:
        if message.status is not None:
            self.refused = message.status
            return
        try:
            content = decode_payload(message.payload) if message.payload else None
        except MalformedMessage:
            return
        if message.message_type == MessageType.ICE_CANDIDATE and content:
            await self.peer.add_remote_candidate(content)
        elif message.message_type == MessageType.SDP_ANSWER and content and self.answer is None:
            self.answered_at = time.monotonic()
            self.answer = str(content.get("sdp", ""))
            await self.peer.accept(self.answer)

    def _found(self, candidate: Mapping[str, object]) -> None:
        self._candidates.append(candidate)
        self.socket.changed.set()

    def _changed(self) -> None:
        if self.connected_at is None and self.peer.connection_state == "connected":
            self.connected_at = time.monotonic()
        self.socket.changed.set()

    def _frame(self, frame: EncodedFrame) -> None:
        if self.picture_at is None and frame.kind == "video" and frame.keyframe:
            self.picture_at = time.monotonic()
            self.socket.changed.set()

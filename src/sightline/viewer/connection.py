"""The peer connection of one attempt, and what is said about it to the camera, one thing after the other.

It decides nothing. What happens goes out as inputs of the session's machine, what is to be done comes in as calls.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from typing import Final, Protocol

from ..errors import InvalidSdp, PeerError, SightlineError
from ..reasons import Reason
from ..rtc.datachannel import DataChannels
from ..rtc.operations import OperationsChain
from ..rtc.peer import CandidateListener, ConnectionState, IceServer
from ..rtc.stats import PeerStatistics
from ..rtc.viewer_peer import EncodedFrame
from ..sessions.viewer import messages as machine
from ..wire.extras import Extra
from ..wire.messages import MessageType
from .link import SessionInfo, SignalingLink

__all__ = ["CameraConnection", "CameraPeer", "PeerFactory"]

_FRAME_SPACING: Final = 0.1
"""Seconds between two words to the machine that pictures come."""


class CameraPeer(Protocol):
    """What an attempt needs of ``rtc.viewer_peer.ViewerPeer``; the docs stand there."""

    on_change: Callable[[], None] | None
    on_candidate: CandidateListener | None
    on_frame: Callable[[EncodedFrame], None] | None

    @property
    def connection_state(self) -> ConnectionState: ...
    @property
    def channels(self) -> DataChannels: ...
    @property
    def last_heard(self) -> float: ...
    @property
    def turn_refused(self) -> bool: ...
    @property
    def can_talk(self) -> bool: ...
    def statistics(self) -> PeerStatistics: ...
    async def offer(self) -> str: ...
    async def restart(self, *, ice_servers: Sequence[IceServer] | None = None) -> str: ...
    async def accept(self, answer_sdp: str) -> None: ...
    async def answer(self, offer_sdp: str, *, ice_servers: Sequence[IceServer] | None = None) -> str: ...
    async def add_remote_candidate(self, candidate: Mapping[str, object]) -> None: ...
    def request_keyframe(self) -> None: ...
    def send_audio(self, opus: bytes, samples: int) -> None: ...
    async def aclose(self) -> None: ...


PeerFactory = Callable[[SessionInfo], Awaitable[CameraPeer]]
"""Makes the connection for a session's ICE servers."""


class ConnectionOwner(Protocol):
    """What a connection asks of its ``Attempt``."""

    @property
    def link(self) -> SignalingLink | None: ...
    @property
    def ice_servers(self) -> Sequence[IceServer] | None: ...
    def say(self, message: machine.Input) -> None: ...


class CameraConnection:
    """From its making to ``aclose``. Sockets of signaling come and go meanwhile."""

    def __init__(
        self,
        attempt: ConnectionOwner,
        *,
        make_peer: PeerFactory,
        on_frame: Callable[[EncodedFrame], None],
        log: logging.LoggerAdapter[logging.Logger],
        trace_id: str,
    ) -> None:
        """``on_frame``: whole encoded frames; ``trace_id`` goes with the offers."""
        self.peer: CameraPeer | None = None
        self._attempt = attempt
        self._make_peer = make_peer
        self._on_frame = on_frame
        self._log = log
        self._trace_id = trace_id
        self._over = False
        self._operations = OperationsChain(failed=self._stumbled, name="attempt")
        # Our description, and what was found since.
        self._offer: str | None = None
        self._offer_number = 0
        self._offer_sent = False
        self._awaits_answer = False
        self._candidates: list[Mapping[str, object]] = []
        self._state = ConnectionState.NEW
        self._heard = float("-inf")
        self._framed_at = float("-inf")
        self._told_ice_expired = False

    # -- what is to be done

    def begin(self, session: SessionInfo) -> None:
        """Make the connection and its offer, unless that was done for an earlier session."""
        if self.peer is None:
            self._operations.add(self._make_offer(session))

    def perform(self, output: machine.Output) -> None:
        """What the machine wants of a connection, and to hear of the camera."""
        match output:
            case machine.SendOffer(again=again):
                self._operations.add(self._send_offer(again=again))
            case machine.Restart():
                self._operations.add(self._make_restart_offer())
            case machine.Ask():
                self._operations.add(self._ask())

    def answered(self, link: SignalingLink, content: Mapping[str, object]) -> None:
        """The camera's answer came on this link."""
        number = link.offers.popleft() if link.offers else self._offer_number
        self._operations.add(self._accept(content, number))

    def offered(self, content: Mapping[str, object]) -> None:
        """An offer of the camera came."""
        self._operations.add(self._answer(content))

    def add_candidate(self, content: Mapping[str, object]) -> None:
        """A candidate of the camera came."""
        self._operations.add(self._add_candidate(content))

    def look(self) -> None:
        """Tell the machine what was heard since the last time: before it judges a silence."""
        peer = self.peer
        if peer is None:
            return
        if peer.last_heard > self._heard:
            self._heard = peer.last_heard
            self._attempt.say(machine.Heard())
        if peer.turn_refused and not self._told_ice_expired:
            self._told_ice_expired = True
            self._attempt.say(machine.Notice(Reason.ICE_EXPIRED.value))

    def shown(self) -> None:
        """A new picture is there."""
        now = time.monotonic()
        if now - self._framed_at >= _FRAME_SPACING:
            self._framed_at = now
            self._attempt.say(machine.Frame())

    @property
    def addresses(self) -> Iterator[str]:
        """The camera's IP address, as far as it is known."""
        ice = self.peer.statistics().ice if self.peer is not None else None
        if ice is not None and ice.selected is not None:
            yield ice.selected.remote[0]

    def stop(self) -> None:
        """Nothing more is done or told; the connection itself ends with ``aclose``. Idempotent."""
        self._over = True
        self._operations.stop()

    async def aclose(self) -> None:
        """Let go of everything. Idempotent."""
        self.stop()
        try:
            await self._operations.aclose()
        finally:
            peer, self.peer = self.peer, None
            if peer is not None:
                peer.on_change = peer.on_candidate = peer.on_frame = None
                await peer.aclose()

    # -- one after the other: no candidate of ours overtakes its offer, and none of the camera's its answer

    def _stumbled(self, error: Exception) -> None:
        match error:
            case InvalidSdp():
                failure = machine.Failure(Reason.BAD_ANSWER.value, error.message)
            case SightlineError():
                self._log.warning("%s", error)
                failure = machine.Failure(Reason.INTERNAL.value, error.message)
            case _:
                # A camera's or a service's message reached a spot that did not expect it.
                self._log.exception("the attempt stumbled")
                failure = machine.Failure(Reason.INTERNAL.value)
        self._attempt.say(failure)

    async def _make_offer(self, session: SessionInfo) -> None:
        if self.peer is not None:
            return
        peer = self.peer = await self._make_peer(session)
        peer.on_change = self._follow_peer
        peer.on_candidate = self._found_candidate
        peer.on_frame = self._received
        self._set_offer(await peer.offer())

    async def _make_restart_offer(self) -> None:
        if self.peer is None:
            return
        try:
            self._set_offer(await self.peer.restart(ice_servers=self._attempt.ice_servers))
        except PeerError as error:
            self._log.info("no restart: %s", error)
            self._attempt.say(machine.Failure(Reason.CONNECTION_LOST.value))

    def _set_offer(self, sdp: str) -> None:
        self._offer, self._offer_sent, self._awaits_answer = sdp, False, True
        self._offer_number += 1
        self._candidates = []
        self._attempt.say(machine.OfferReady())

    async def _send_offer(self, *, again: bool) -> None:
        link = self._attempt.link
        if link is None or self._offer is None:
            return
        link.offers.append(self._offer_number)
        sent = await link.send(
            MessageType.SDP_OFFER, {"type": "offer", "sdp": self._offer}, correlation_id=self._trace_id
        )
        self._log.debug("the offer was sent%s: %s", " again" if again else "", sent)
        self._offer_sent = True
        for candidate in tuple(self._candidates):
            await link.send(MessageType.ICE_CANDIDATE, candidate)

    async def _accept(self, content: Mapping[str, object], number: int) -> None:
        sdp = content.get("sdp")
        if self.peer is None or not isinstance(sdp, str):
            return
        if number != self._offer_number or not self._awaits_answer:
            return  # to an offer that another one has overtaken, or the second to the same
        self._awaits_answer = False
        await self.peer.accept(sdp)
        self._attempt.say(machine.Answer())

    async def _answer(self, content: Mapping[str, object]) -> None:
        """The camera looks for another path, or changes what it sends."""
        sdp = content.get("sdp")
        if self.peer is None or self._attempt.link is None or not isinstance(sdp, str):
            return
        try:
            answer = await self.peer.answer(sdp)
        except SightlineError as error:
            self._log.warning("an offer of the camera was not answered: %s", error)
            return
        await self._attempt.link.send(MessageType.SDP_ANSWER, {"type": "answer", "sdp": answer})
        if self._awaits_answer:  # both of us began at once, and the camera's offer wins
            self._awaits_answer = False
            self._attempt.say(machine.Answer())

    async def _add_candidate(self, content: Mapping[str, object]) -> None:
        if self.peer is not None:
            await self.peer.add_remote_candidate(content)

    async def _send_candidate(self, candidate: Mapping[str, object]) -> None:
        self._candidates.append(candidate)
        if self._offer_sent and self._attempt.link is not None:
            await self._attempt.link.send(MessageType.ICE_CANDIDATE, candidate)

    async def _ask(self) -> None:
        if self._attempt.link is not None:
            await self._attempt.link.send(Extra.ASK)

    # -- what comes along

    def _found_candidate(self, candidate: Mapping[str, object]) -> None:
        self._operations.add(self._send_candidate(candidate))

    def _received(self, frame: EncodedFrame) -> None:
        if not self._over:
            self._on_frame(frame)

    def _follow_peer(self) -> None:
        state = self.peer.connection_state if self.peer is not None else self._state
        if state is self._state:
            return
        self._log.info("connection %s → %s", self._state, state)
        self._state = state
        self.look()
        match state:
            case ConnectionState.CONNECTED:
                self._attempt.say(machine.Peer("connected"))
            case ConnectionState.DISCONNECTED:
                self._attempt.say(machine.Peer("disconnected"))
            case ConnectionState.FAILED | ConnectionState.CLOSED:
                self._attempt.say(machine.Peer("failed"))

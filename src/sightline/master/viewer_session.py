"""One viewer of a master: its peer connection from the first offer to the end, negotiations and candidates in order."""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Protocol

import msgspec

from ..errors import ConnectError, InvalidSdp, SightlineError
from ..observe.log import bind
from ..rtc.candidates import candidate_ufrag
from ..rtc.data_requests import COMMANDS
from ..rtc.datachannel import DataRequest
from ..rtc.peer import ConnectionState, IceServer, Peer, Reason
from ..sessions.negotiation import OfferIdentity
from ..sessions.roster import Viewer
from ..sessions.viewer_role import HeldRole
from ..wire.messages import MessageType

__all__ = ["CommandCallback", "MessageCallback", "RequestCallback", "SendToViewer", "ViewerSession"]

MessageCallback = Callable[[str, str, str | bytes], None]
"""Gets the client id of a viewer, the label of its data channel, and a message."""

RequestCallback = Callable[[str, DataRequest], None]
"""Gets the client id of a viewer and its question, to be answered now or later."""

CommandCallback = Callable[[str, str | None, DataRequest], None]
"""Gets the client id of a viewer, its role and what it wants the device to do."""

_CLOSE_LIMIT = 5.0
"""Seconds in which a peer connection must have closed."""

_USEFUL = 10.0
"""Seconds for which an answer or a candidate is worth sending; a viewer's answer deadline is 15 (seed 001.3)."""


class SendToViewer(Protocol):
    """Sends a message to one viewer through the service. Raises ConnectError when it could not within some seconds."""

    async def __call__(
        self,
        kind: MessageType,
        content: Mapping[str, object],
        *,
        client_id: str,
        trace_id: str | None = None,
        within: float,
    ) -> None:
        """``trace_id``: with it the service reports what it cannot deliver (KVS.md §5.3)."""


class _Offer(msgspec.Struct, frozen=True):
    sdp: str
    servers: Sequence[IceServer]
    at: float


class _Answer(msgspec.Struct, frozen=True):
    sdp: str


class _RemoteCandidate(msgspec.Struct, frozen=True):
    content: Mapping[str, object]


class _LocalCandidate(msgspec.Struct, frozen=True):
    content: Mapping[str, object]
    at: float


class _Restart(msgspec.Struct, frozen=True):
    servers: Sequence[IceServer]


_Work = _Offer | _Answer | _RemoteCandidate | _LocalCandidate | _Restart


class ViewerSession:
    """Does one thing after the other, so that no candidate of ours overtakes its answer, and none of the viewer's its
    offer. Whatever goes wrong with one viewer is logged and ends this session, nothing else.
    """

    def __init__(
        self,
        client_id: str,
        identity: OfferIdentity,
        *,
        peer: Peer,
        certificate: int,
        send: SendToViewer,
        log: logging.Logger,
        channel: str,
        on_change: Callable[[ViewerSession], None],
        on_refused: Callable[[str, InvalidSdp], None],
        on_message: MessageCallback | None = None,
        on_request: RequestCallback | None = None,
        on_command: CommandCallback | None = None,
        role: str | None = None,
    ) -> None:
        """``on_change`` is called after each change of state, ``on_refused`` for an offer that cannot be answered;
        ``certificate`` is the number of the one it has; ``role`` that of the socket from which the offer came.
        """
        self.client_id = client_id
        self.trace_id = secrets.token_hex(6)
        self.certificate = certificate
        self.identity = identity
        """Of the viewer's newest offer."""
        self.log = bind(log, channel=channel, client_id=client_id, trace_id=self.trace_id)
        self._peer = peer
        self._send = send
        self._on_change = on_change
        self._on_refused = on_refused
        self._state = peer.connection_state
        self._since = time.time()
        self._ufrags = {identity.ufrag}
        self._work: asyncio.Queue[_Work] = asyncio.Queue()
        self._reason_to_end = Reason.ENDED
        self._answered = False
        self._task: asyncio.Task[None] | None = None
        self._ending = False
        peer.on_change = self._follow_peer
        peer.on_candidate = self._found_candidate
        if on_message is not None:
            peer.channels.on_message = partial(on_message, client_id)
        if on_request is not None:
            peer.channels.on_request = partial(on_request, client_id)
        self._role = HeldRole(role)
        if on_command is not None:
            peer.channels.answer_on(COMMANDS, lambda request: on_command(client_id, self.role, request))

    @property
    def connection_state(self) -> ConnectionState:
        """The state now."""
        return self._state

    @property
    def viewer(self) -> Viewer:
        """The viewer as it is now."""
        figures = self._peer.statistics()
        return Viewer(
            client_id=self.client_id,
            connection_state=self._state,
            ice_connection_state=self._peer.ice_connection_state,
            since=self._since,
            reason=self._peer.reason or "",
            candidate_pair=figures.candidate_pair,
            round_trip_time=figures.round_trip_time,
            loss=figures.loss,
            bitrate=figures.bitrate,
            available_bitrate=figures.available_bitrate,
            rendition=figures.rendition,
            role=self.role,
        )

    @property
    def role(self) -> str | None:
        """What it may do, by what the service says; None where it says nothing."""
        return self._role.at(time.monotonic())

    @property
    def answered(self) -> bool:
        """Whether the viewer was given an answer, so that there is something that it may want to go on with."""
        return self._answered

    @property
    def peer(self) -> Peer:
        """Its connection, for all figures and for data channels."""
        return self._peer

    # -- what comes

    def offer(self, sdp: str, identity: OfferIdentity, *, servers: Sequence[IceServer]) -> None:
        """An offer of this session: the first, a restart or a renegotiation. ``servers``: those of now."""
        self.identity = identity
        self._ufrags.add(identity.ufrag)
        self._work.put_nowait(_Offer(sdp, servers, time.monotonic()))

    def answer(self, sdp: str) -> None:
        """The viewer's answer to an offer of ours."""
        self._work.put_nowait(_Answer(sdp))

    def restart(self, *, servers: Sequence[IceServer]) -> None:
        """Look for a new path; media goes on over the old one."""
        self._work.put_nowait(_Restart(servers))

    def takes(self, candidate: Mapping[str, object]) -> bool:
        """Whether a candidate is for this session, and not for another offer of the same viewer."""
        ufrag = candidate_ufrag(candidate)
        return ufrag is None or ufrag in self._ufrags

    def add_candidate(self, candidate: Mapping[str, object]) -> None:
        """Hand on a candidate; those that come before the answer wait for it."""
        self._work.put_nowait(_RemoteCandidate(candidate))

    def signaling(self, *, is_open: bool, role: str | None) -> None:
        """Its signaling socket came or went, and with which role."""
        if is_open:
            self._role.opened(role)
        else:
            self._role.closed(role, time.monotonic())
        self._peer.signaling(is_open=is_open)

    def signaling_unknown(self) -> None:
        """Whether it has a signaling socket is about to be told."""
        self._role.unknown(time.monotonic())
        self._peer.signaling(is_open=True)

    # -- the session

    def start(self, tasks: asyncio.TaskGroup, *, ended: Callable[[ViewerSession], None]) -> None:
        """Begin, in a task of the group; ``ended`` is called when all is closed."""
        self._task = tasks.create_task(self._run(), name=f"viewer {self.client_id}")
        self._task.add_done_callback(lambda _: ended(self))

    def end(self, reason: Reason) -> None:
        """End it; the reason is for the log and for statistics. Idempotent."""
        if self._task is not None and not self._ending:
            self._ending = True
            self._reason_to_end = reason
            self._task.cancel()

    async def _run(self) -> None:
        try:
            while True:
                await self._do(await self._work.get())
        except (SightlineError, TimeoutError) as error:
            self.log.warning("%s cannot be served: %s", self.client_id, error)
        except Exception:
            # A viewer's input reached a spot that did not expect it: a defect, but not the other viewers'.
            self.log.exception("%s ended unexpectedly", self.client_id)
        finally:
            self._ending = True
            await self._close()

    async def _close(self) -> None:
        try:
            async with asyncio.timeout(_CLOSE_LIMIT):
                await self._peer.aclose(self._reason_to_end)
        except Exception:
            self.log.exception("the connection of %s could not be closed", self.client_id)

    async def _do(self, work: _Work) -> None:
        match work:
            case _Offer():
                await self._answer_offer(work)
            case _Answer(sdp):
                await self._or_warn(self._peer.accept(sdp))
            case _RemoteCandidate(content):
                await self._peer.add_remote_candidate(content)
            case _LocalCandidate(content, at):
                await self._or_warn(self._say(MessageType.ICE_CANDIDATE, content, since=at))
            case _Restart(servers):
                await self._or_warn(self._offer_restart(servers))

    async def _answer_offer(self, offer: _Offer) -> None:
        try:
            sdp = await self._peer.answer(offer.sdp, ice_servers=offer.servers)
            await self._say(MessageType.SDP_ANSWER, {"type": "answer", "sdp": sdp}, since=offer.at)
        except (InvalidSdp, ConnectError) as error:
            if isinstance(error, InvalidSdp):
                self._on_refused(self.client_id, error)
            if not self._answered:
                raise
            self.log.warning("an offer of %s was not answered: %s", self.client_id, error)
        else:
            self._answered = True

    async def _offer_restart(self, servers: Sequence[IceServer]) -> None:
        sdp = await self._peer.restart(ice_servers=servers)
        await self._say(MessageType.SDP_OFFER, {"type": "offer", "sdp": sdp}, since=time.monotonic())

    async def _say(self, kind: MessageType, content: Mapping[str, object], *, since: float) -> None:
        left = since + _USEFUL - time.monotonic()
        # The first word about a session carries its trace id; a candidate that is lost needs no report.
        trace_id = None if kind is MessageType.ICE_CANDIDATE else self.trace_id
        await self._send(kind, content, client_id=self.client_id, trace_id=trace_id, within=max(0.0, left))

    async def _or_warn(self, work: Awaitable[None]) -> None:
        try:
            await work
        except SightlineError as error:
            self.log.warning("%s: %s", self.client_id, error)

    # -- what its connection tells

    def _found_candidate(self, candidate: Mapping[str, object]) -> None:
        self._work.put_nowait(_LocalCandidate(candidate, time.monotonic()))

    def _follow_peer(self) -> None:
        before, state = self._state, self._peer.connection_state
        if state is not before:
            self._state, self._since = state, time.time()
            self.log.info("%s %s → %s (%s)", self.client_id, before, state, self._peer.reason)
        self._on_change(self)

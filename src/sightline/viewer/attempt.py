"""One attempt to watch: a peer connection and the signaling socket of the moment, let go of as one.

It decides nothing. What happens goes out as inputs of the session's machine, what is to be done comes in as calls.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping, Sequence
from typing import Any, Final, Protocol

import aiohttp

from ..client.refusals import SocketRefused, reason_of
from ..errors import InvalidSdp, PeerError, SightlineError
from ..observe.log import bind
from ..reasons import Reason, reason_of_close
from ..rtc.datachannel import DataChannels
from ..rtc.operations import OperationsChain
from ..rtc.peer import CandidateListener, ConnectionState, IceServer
from ..rtc.stats import PeerStatistics
from ..rtc.viewer_peer import EncodedFrame
from ..sessions.viewer import messages as machine
from ..timers import DEFAULT_TIMERS, Timers
from ..wire.extras import Extra, master_state, read_notice
from ..wire.messages import MessageType, ServerMessage, decode_payload
from .entry import SessionProvider
from .link import SessionInfo, SignalingLink

__all__ = ["Attempt", "CameraPeer", "LateTries", "PeerFactory"]

log = logging.getLogger(__name__)

_PULSE: Final = 0.25
"""Seconds between two looks whether the camera was heard."""

_FRAME_SPACING: Final = 0.1
"""Seconds between two words to the machine that pictures come."""

_HASTE: Final = 1.0
"""A socket that is closed within so many seconds of its opening is not opened again before that."""

_MOST_REOPENINGS: Final = 3
"""How many sockets are being opened at a time: a slow way needs longer than the machine waits for one."""

_LATE: Final = 60.0
"""Seconds within which a try that was given up may still come through: TCP repeats itself ever more slowly."""


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


class LateTries:
    """Of one viewer's attempts: tries to open a socket that were given up, and of which the service may hear yet.

    One that comes through late has the same client id, and for a moment takes the place of the socket in use.
    """

    def __init__(self) -> None:
        self._given_up_at = float("-inf")

    def gave_up(self) -> None:
        """On a socket that was not open."""
        self._given_up_at = time.monotonic()

    def explain(self, reason: str | None) -> bool:
        """Whether it may be the viewer itself who took its place."""
        return reason == Reason.CLIENT_ID_IN_USE and time.monotonic() - self._given_up_at < _LATE


class Attempt:
    """From ``begin`` to ``aclose``. After that it tells nobody anything."""

    def __init__(
        self,
        client_id: str,
        *,
        channel: str,
        http: aiohttp.ClientSession,
        sessions: SessionProvider,
        make_peer: PeerFactory,
        take: Callable[[machine.Input], None],
        on_frame: Callable[[EncodedFrame], None],
        late_tries: LateTries | None = None,
        timers: Timers = DEFAULT_TIMERS,
    ) -> None:
        """``take``: the session's machine; ``on_frame``: whole encoded frames; ``late_tries``: of all attempts."""
        self.client_id = client_id
        self.peer: CameraPeer | None = None
        self._http = http
        self._sessions = sessions
        self._make_peer = make_peer
        self._take = take
        self._on_frame = on_frame
        self._late_tries = late_tries or LateTries()
        self._timers = timers
        self._trace_id = secrets.token_hex(8)
        self.log = bind(log, channel=channel, client_id=client_id, trace_id=self._trace_id)
        self._over = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._operations = OperationsChain(failed=self._stumbled, name="attempt")
        # Signaling.
        self._link: SignalingLink | None = None
        self._opening: list[SignalingLink] = []
        self._dropped: set[SignalingLink] = set()
        self._session: SessionInfo | None = None
        self._session_at = 0.0
        self._opened_at = float("-inf")
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

    # -------------------------------------------------------------------------------------------- what is to be done

    def begin(self) -> None:
        """Ask for a session, then open its socket and make the peer connection's offer at the same time."""
        self._spawn(self._renew_ice_servers(), "ICE servers")
        self._spawn(self._feel_pulse(), "pulse")
        self._open_link()

    def perform(self, output: machine.Output) -> None:
        """What the machine wants of an attempt."""
        match output:
            case machine.SendOffer(again=again):
                self._operations.add(self._send_offer(again=again))
            case machine.Restart():
                self._operations.add(self._make_restart_offer())
            case machine.Reopen():
                self._reopen()
            case machine.Ask():
                self._operations.add(self._ask())

    def look(self) -> None:
        """Tell the machine what was heard since the last time: before it judges a silence."""
        peer = self.peer
        if peer is None:
            return
        if peer.last_heard > self._heard:
            self._heard = peer.last_heard
            self._say(machine.Heard())
        if peer.turn_refused and not self._told_ice_expired:
            self._told_ice_expired = True
            self._say(machine.Notice(Reason.ICE_EXPIRED.value))

    def shown(self) -> None:
        """A new picture is there."""
        now = time.monotonic()
        if now - self._framed_at >= _FRAME_SPACING:
            self._framed_at = now
            self._say(machine.Frame())

    @property
    def addresses(self) -> Iterator[str]:
        """IP addresses that this attempt talks to, as far as they are known."""
        if self._link is not None and (address := self._link.peer_address) is not None:
            yield address
        ice = self.peer.statistics().ice if self.peer is not None else None
        if ice is not None and ice.selected is not None:
            yield ice.selected.remote[0]

    async def aclose(self) -> None:
        """In the order of seed 001.7: timers and requests, signaling, the media and the connection. Idempotent."""
        self._over = True
        for task in self._tasks:
            task.cancel()
        self._operations.stop()
        current, self._link = self._link, None
        if self._opening:
            self._late_tries.gave_up()
        closing = [link.aclose() for link in (*self._opening, *self._dropped)]
        if current is not None:
            closing.append(current.aclose(farewell=True))
        self._opening = []
        try:
            await asyncio.gather(*closing)
            await self._operations.aclose()
            if self._tasks:
                await asyncio.wait(self._tasks)
        finally:
            peer, self.peer = self.peer, None
            if peer is not None:
                peer.on_change = peer.on_candidate = peer.on_frame = None
                await peer.aclose()

    # ------------------------------------------------------------------------------------------------------ signaling

    def _reopen(self) -> None:
        """Another socket under the same id; the one in use is closed when the new one is open."""
        self._open_link(self._recent_session())

    def _open_link(self, recent: SessionInfo | None = None) -> None:
        """``recent``: use this session, and a new one only if it is refused."""

        async def use_recent() -> SessionInfo:
            assert recent is not None
            return recent

        link = SignalingLink(
            self,
            http=self._http,
            session=self._request_session if recent is None else use_recent,
            delay=max(0.0, self._opened_at + _HASTE - time.monotonic()),
            timers=self._timers,
            log=self.log,
        )
        link.is_recycled = recent is not None
        while len(self._opening) >= _MOST_REOPENINGS:
            self._late_tries.gave_up()
            self._drop(self._opening.pop(0))
        self._opening.append(link)
        link.start()

    def _drop(self, link: SignalingLink) -> None:
        self._dropped.add(link)
        self._spawn(self._close_dropped(link), "closing signaling")

    async def _close_dropped(self, link: SignalingLink) -> None:
        await link.aclose()
        self._dropped.discard(link)

    async def _request_session(self) -> SessionInfo:
        session = await self._sessions(self.client_id)
        self._session, self._session_at = session, time.time()
        return session

    def _recent_session(self) -> SessionInfo | None:
        """The last one, while its URL is valid: a reopening is a matter of two round trips then. By the wall clock,
        because a steady one does not count a laptop's sleep."""
        age = time.time() - self._session_at
        return self._session if 0 <= age < self._timers.ice_servers else None

    def _open_anew(self, refused: SignalingLink) -> None:
        """A session that was used again is not good any more, as after a restart of the service: ask for a new one."""
        self.log.info("the last session is refused, a new one is asked for")
        self._session, self._opened_at = None, float("-inf")
        if self._link is refused:
            self._link = None
            self._drop(refused)
        self._open_link()
        self._opening[-1].by_request_of_service = refused.by_request_of_service

    def link_got_session(self, link: SignalingLink, session: SessionInfo) -> None:
        """See ``LinkListener``."""
        self._say(machine.Session(extras=session.is_sightline))
        if self.peer is None:
            self._operations.add(self._make_offer(session))

    def link_opened(self, link: SignalingLink) -> None:
        """See ``LinkListener``."""
        before, self._link = self._link, link
        others = [other for other in self._opening if other is not link]
        self._opening = []
        for other in others:
            self._late_tries.gave_up()
            self._drop(other)
        if before is not None:
            self._drop(before)
        self._opened_at = time.monotonic()
        self._say(machine.SocketOpen())

    def link_failed(self, link: SignalingLink, error: SightlineError) -> None:
        """See ``LinkListener``."""
        if link in self._opening:
            self._opening.remove(link)
        self.log.info("no signaling: %s", error)
        if link.is_recycled and isinstance(error, SocketRefused):
            self._open_anew(link)
            return
        if not link.by_request_of_service:
            self._say(machine.Failure(reason_of(error).value, error.message))

    def link_closed(self, link: SignalingLink) -> None:
        """See ``LinkListener``."""
        if link is not self._link:
            return
        if link.is_recycled and reason_of_close(link.close_code) is not None:
            self._open_anew(link)
            return
        self.log.info("the signaling socket was closed (%s)", link.close_code or "connection lost")
        self._link = None
        if self._opening:
            return  # its successor is on its way, and that is why the service closed it
        # The frame that names the reason comes before the close; the code is for when it got lost.
        reason = reason_of_close(link.close_code)
        if reason is not None and reason.value != link.notice and not self._late_tries.explain(reason.value):
            self._say(machine.Notice(reason.value))
        self._say(machine.SocketClosed())

    def link_received(self, link: SignalingLink, message: ServerMessage) -> None:
        """See ``LinkListener``."""
        if link is not self._link:
            return
        kind = message.message_type
        if link.is_recycled and kind == Extra.NOTICE:
            self._open_anew(link)
            return
        link.is_recycled = False
        match kind:
            case MessageType.GO_AWAY:
                self._reopen()
                self._opening[-1].by_request_of_service = True
                return
            case MessageType.RECONNECT_ICE_SERVER:
                self._spawn(self._leave_relay(), "another relay")
                return
            case MessageType.STATUS_RESPONSE:
                if message.status is not None:
                    self.log.warning("refused: %s %s", message.status.error_type, message.status.description)
                return
        content = decode_payload(message.payload) if message.payload else None
        if content is None:
            return  # the literal null with which Android ends its candidates
        match kind:
            case MessageType.SDP_ANSWER:
                number = link.offers.popleft() if link.offers else self._offer_number
                self._operations.add(self._accept(content, number))
            case MessageType.SDP_OFFER:
                self._operations.add(self._answer(content))
            case MessageType.ICE_CANDIDATE:
                self._operations.add(self._add_candidate(content))
            case Extra.MASTER:
                master = master_state(content)
                self._say(machine.Master(present=master.present, ours=master.ours))
            case Extra.NOTICE:
                notice = read_notice(content)
                link.notice = notice.reason
                if notice.reason == Reason.CLIENT_ID_IN_USE and self._opening:
                    return  # it is our own next socket that took the place
                if self._late_tries.explain(notice.reason):
                    return  # or an earlier one: the place is taken back when this one is closed
                self._say(machine.Notice(notice.reason, notice.message))

    # ------------------------------------------------------------------------------------------- one after the other

    def _stumbled(self, error: Exception) -> None:
        match error:
            case InvalidSdp():
                failure = machine.Failure(Reason.BAD_ANSWER.value, error.message)
            case SightlineError():
                self.log.warning("%s", error)
                failure = machine.Failure(Reason.INTERNAL.value, error.message)
            case _:
                # A camera's or a service's message reached a spot that did not expect it.
                self.log.exception("the attempt stumbled")
                failure = machine.Failure(Reason.INTERNAL.value)
        self._say(failure)

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
        servers = self._session.ice_servers if self._session is not None else None
        try:
            self._set_offer(await self.peer.restart(ice_servers=servers))
        except PeerError as error:
            self.log.info("no restart: %s", error)
            self._say(machine.Failure(Reason.CONNECTION_LOST.value))

    def _set_offer(self, sdp: str) -> None:
        self._offer, self._offer_sent, self._awaits_answer = sdp, False, True
        self._offer_number += 1
        self._candidates = []
        self._say(machine.OfferReady())

    async def _send_offer(self, *, again: bool) -> None:
        link = self._link
        if link is None or self._offer is None:
            return
        link.offers.append(self._offer_number)
        sent = await link.send(
            MessageType.SDP_OFFER, {"type": "offer", "sdp": self._offer}, correlation_id=self._trace_id
        )
        self.log.debug("the offer was sent%s: %s", " again" if again else "", sent)
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
        self._say(machine.Answer())

    async def _answer(self, content: Mapping[str, object]) -> None:
        """The camera looks for another path, or changes what it sends."""
        sdp = content.get("sdp")
        if self.peer is None or self._link is None or not isinstance(sdp, str):
            return
        try:
            answer = await self.peer.answer(sdp)
        except SightlineError as error:
            self.log.warning("an offer of the camera was not answered: %s", error)
            return
        await self._link.send(MessageType.SDP_ANSWER, {"type": "answer", "sdp": answer})
        if self._awaits_answer:  # both of us began at once, and the camera's offer wins
            self._awaits_answer = False
            self._say(machine.Answer())

    async def _add_candidate(self, content: Mapping[str, object]) -> None:
        if self.peer is not None:
            await self.peer.add_remote_candidate(content)

    async def _send_candidate(self, candidate: Mapping[str, object]) -> None:
        self._candidates.append(candidate)
        if self._offer_sent and self._link is not None:
            await self._link.send(MessageType.ICE_CANDIDATE, candidate)

    async def _ask(self) -> None:
        if self._link is not None:
            await self._link.send(Extra.ASK)

    # ----------------------------------------------------------------------------------------------- what comes along

    def _found_candidate(self, candidate: Mapping[str, object]) -> None:
        self._operations.add(self._send_candidate(candidate))

    def _received(self, frame: EncodedFrame) -> None:
        if not self._over:
            self._on_frame(frame)

    def _follow_peer(self) -> None:
        state = self.peer.connection_state if self.peer is not None else self._state
        if state is self._state:
            return
        self.log.info("connection %s → %s", self._state, state)
        self._state = state
        self.look()
        match state:
            case ConnectionState.CONNECTED:
                self._say(machine.Peer("connected"))
            case ConnectionState.DISCONNECTED:
                self._say(machine.Peer("disconnected"))
            case ConnectionState.FAILED | ConnectionState.CLOSED:
                self._say(machine.Peer("failed"))

    async def _feel_pulse(self) -> None:
        while True:
            await asyncio.sleep(_PULSE)
            self.look()

    async def _renew_ice_servers(self) -> None:
        """Credentials of relays live for minutes: fresh ones are at hand for the next gathering, and an address for
        the next socket. What works now is not touched."""
        while True:
            await asyncio.sleep(self._timers.ice_servers)
            try:
                await self._request_session()
            except SightlineError as error:
                self.log.warning("the ICE servers could not be renewed: %s", error)

    async def _leave_relay(self) -> None:
        """The relay in use goes away: look for another path while it still works, and nobody sees a thing."""
        try:
            await self._request_session()
        except SightlineError as error:
            self.log.warning("the ICE servers could not be renewed: %s", error)
            return
        self._operations.add(self._make_restart_offer())
        self._operations.add(self._send_offer(again=False))

    # --------------------------------------------------------------------------------------------------------- helpers

    def _say(self, message: machine.Input) -> None:
        if not self._over:
            self._take(message)

    def _spawn(self, work: Coroutine[Any, Any, None], name: str) -> None:
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

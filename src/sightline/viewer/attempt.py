"""One attempt to watch: a peer connection and the signaling socket of the moment, let go of as one.

It decides nothing. What happens goes out as inputs of the session's machine, what is to be done comes in as calls.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import Callable, Coroutine, Iterator, Sequence
from typing import Any, Final

import aiohttp

from ..client.refusals import SocketRefused, reason_of
from ..errors import SightlineError
from ..observe.log import bind
from ..reasons import Reason, reason_of_close
from ..rtc.peer import IceServer
from ..rtc.viewer_peer import EncodedFrame
from ..sessions.viewer import messages as machine
from ..timers import DEFAULT_TIMERS, Timers
from ..wire.extras import Extra, master_state, read_notice
from ..wire.messages import MessageType, ServerMessage, decode_payload
from .connection import CameraConnection, CameraPeer, PeerFactory
from .entry import SessionProvider
from .link import SessionInfo, SignalingLink

__all__ = ["Attempt", "LateTries"]

log = logging.getLogger(__name__)

_PULSE: Final = 0.25
"""Seconds between two looks whether the camera was heard."""

_HASTE: Final = 1.0
"""A socket that is closed within so many seconds of its opening is not opened again before that."""

_MOST_REOPENINGS: Final = 3
"""How many sockets are being opened at a time: a slow way needs longer than the machine waits for one."""

_LATE: Final = 60.0
"""Seconds within which a try that was given up may still come through: TCP repeats itself ever more slowly."""


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
        self._http = http
        self._sessions = sessions
        self._take = take
        self._late_tries = late_tries or LateTries()
        self._timers = timers
        trace_id = secrets.token_hex(8)
        self.log = bind(log, channel=channel, client_id=client_id, trace_id=trace_id)
        self._connection = CameraConnection(
            self, make_peer=make_peer, on_frame=on_frame, log=self.log, trace_id=trace_id
        )
        self._over = False
        self._tasks: set[asyncio.Task[None]] = set()
        # Signaling.
        self.link: SignalingLink | None = None
        """The one in use."""
        self._opening: list[SignalingLink] = []
        self._dropped: set[SignalingLink] = set()
        self._session: SessionInfo | None = None
        self._session_at = 0.0
        self._opened_at = float("-inf")

    # -------------------------------------------------------------------------------------------- what is to be done

    def begin(self) -> None:
        """Ask for a session, then open its socket and make the peer connection's offer at the same time."""
        self._spawn(self._renew_ice_servers(), "ICE servers")
        self._spawn(self._feel_pulse(), "pulse")
        self._open_link()

    def perform(self, output: machine.Output) -> None:
        """What the machine wants of an attempt."""
        if isinstance(output, machine.Reopen):
            self._reopen()
        else:
            self._connection.perform(output)

    def look(self) -> None:
        """Tell the machine what was heard since the last time: before it judges a silence."""
        self._connection.look()

    def shown(self) -> None:
        """A new picture is there."""
        self._connection.shown()

    def say(self, message: machine.Input) -> None:
        """Tell the machine; nothing after the end."""
        if not self._over:
            self._take(message)

    @property
    def peer(self) -> CameraPeer | None:
        """The connection to the camera; None before it is made."""
        return self._connection.peer

    @property
    def ice_servers(self) -> Sequence[IceServer] | None:
        """Those of the last session."""
        return self._session.ice_servers if self._session is not None else None

    @property
    def addresses(self) -> Iterator[str]:
        """IP addresses that this attempt talks to, as far as they are known."""
        if self.link is not None and (address := self.link.peer_address) is not None:
            yield address
        yield from self._connection.addresses

    async def aclose(self) -> None:
        """In the order of seed 001.7: timers and requests, signaling, the media and the connection. Idempotent."""
        self._over = True
        for task in self._tasks:
            task.cancel()
        self._connection.stop()
        current, self.link = self.link, None
        if self._opening:
            self._late_tries.gave_up()
        closing = [link.aclose() for link in (*self._opening, *self._dropped)]
        if current is not None:
            closing.append(current.aclose(farewell=True))
        self._opening = []
        try:
            await asyncio.gather(*closing)
            if self._tasks:
                await asyncio.wait(self._tasks)
        finally:
            await self._connection.aclose()

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
        if self.link is refused:
            self.link = None
            self._drop(refused)
        self._open_link()
        self._opening[-1].by_request_of_service = refused.by_request_of_service

    def link_got_session(self, link: SignalingLink, session: SessionInfo) -> None:
        """See ``LinkListener``."""
        self.say(machine.Session(extras=session.is_sightline))
        self._connection.begin(session)

    def link_opened(self, link: SignalingLink) -> None:
        """See ``LinkListener``."""
        before, self.link = self.link, link
        others = [other for other in self._opening if other is not link]
        self._opening = []
        for other in others:
            self._late_tries.gave_up()
            self._drop(other)
        if before is not None:
            self._drop(before)
        self._opened_at = time.monotonic()
        self.say(machine.SocketOpen())

    def link_failed(self, link: SignalingLink, error: SightlineError) -> None:
        """See ``LinkListener``."""
        if link in self._opening:
            self._opening.remove(link)
        self.log.info("no signaling: %s", error)
        if link.is_recycled and isinstance(error, SocketRefused):
            self._open_anew(link)
            return
        if not link.by_request_of_service:
            self.say(machine.Failure(reason_of(error).value, error.message))

    def link_closed(self, link: SignalingLink) -> None:
        """See ``LinkListener``."""
        if link is not self.link:
            return
        if link.is_recycled and reason_of_close(link.close_code) is not None:
            self._open_anew(link)
            return
        self.log.info("the signaling socket was closed (%s)", link.close_code or "connection lost")
        self.link = None
        if self._opening:
            return  # its successor is on its way, and that is why the service closed it
        # The frame that names the reason comes before the close; the code is for when it got lost.
        reason = reason_of_close(link.close_code)
        if reason is not None and reason.value != link.notice and not self._late_tries.explain(reason.value):
            self.say(machine.Notice(reason.value))
        self.say(machine.SocketClosed())

    def link_received(self, link: SignalingLink, message: ServerMessage) -> None:
        """See ``LinkListener``."""
        if link is not self.link:
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
                self._connection.answered(link, content)
            case MessageType.SDP_OFFER:
                self._connection.offered(content)
            case MessageType.ICE_CANDIDATE:
                self._connection.add_candidate(content)
            case Extra.MASTER:
                master = master_state(content)
                self.say(machine.Master(present=master.present, ours=master.ours))
            case Extra.NOTICE:
                notice = read_notice(content)
                link.notice = notice.reason
                if notice.reason == Reason.CLIENT_ID_IN_USE and self._opening:
                    return  # it is our own next socket that took the place
                if self._late_tries.explain(notice.reason):
                    return  # or an earlier one: the place is taken back when this one is closed
                self.say(machine.Notice(notice.reason, notice.message))

    # ------------------------------------------------------------------------------------------------- now and then

    async def _feel_pulse(self) -> None:
        while True:
            await asyncio.sleep(_PULSE)
            self.look()

    async def _renew_ice_servers(self) -> None:
        """Credentials of relays live for minutes: fresh ones are at hand for the next gathering, and an address for
        the next socket. What works now is not touched."""
        pause = self._timers.ice_servers
        while True:
            await asyncio.sleep(pause)
            pause = self._timers.ice_servers
            try:
                await self._request_session()
            except SightlineError as error:
                self.log.warning("the ICE servers could not be renewed: %s", error)
                pause = self._timers.ice_servers_again

    async def _leave_relay(self) -> None:
        """The relay in use goes away: look for another path while it still works, and nobody sees a thing."""
        try:
            await self._request_session()
        except SightlineError as error:
            self.log.warning("the ICE servers could not be renewed: %s", error)
            return
        self._connection.perform(machine.Restart())
        self._connection.perform(machine.SendOffer())

    def _spawn(self, work: Coroutine[Any, Any, None], name: str) -> None:
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

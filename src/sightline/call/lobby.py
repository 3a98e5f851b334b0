"""The lobby's socket, which comes back by itself: under the same name, with the calls that it had."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Final, Protocol

import aiohttp

from ..client.refusals import SocketRefused
from ..client.socket import SignalingSocket, open_socket
from ..errors import ConfigError, MalformedMessage, ServiceRefused, ServiceUnreachable, SightlineError
from ..observe.log import bind
from ..reasons import LobbyReason
from ..rtc.peer import IceServer
from ..sessions.backoff import Backoff
from ..sessions.call import messages as machine
from ..timers import DEFAULT_TIMERS, Timers
from .entry import RoomSession, SessionProvider
from .failure import FULL, RoomFull
from .lobby_messages import (
    PING,
    ChatLine,
    Greeting,
    NameGiven,
    Pong,
    Refusal,
    UserChanges,
    UserList,
    answer_frame,
    candidate_frame,
    chat_frame,
    claim_frame,
    hang_up_frame,
    offer_frame,
    read_lobby_frame,
)

__all__ = ["LobbyClient", "LobbyListener"]

log = logging.getLogger(__name__)

_FAREWELL_LIMIT: Final = 0.5
"""Seconds for the last words; a dead socket does not hold up the end."""

_FIRST_PAUSE: Final = 0.4
_LONGEST_PAUSE: Final = 8.0
"""Bounds of the wait between two tries, in seconds: the page's."""

_OPENING: Final = 8.0
"""Seconds for a session and its socket: on a network that is gone, another try finds another way."""

_FULL: Final = 5.0
"""Seconds until a full room is asked again whether there is a place: the page's."""

_REPLY: Final = 3.0
"""Seconds in which the service says that it is there, when it is asked because something is wrong."""


class LobbyListener(Protocol):
    """Whom the lobby tells what happens."""

    def lobby_said(self, message: machine.Input) -> None:
        """For the call's machine: who is here, what they send, whether there is a socket."""

    def lobby_wrote(self, line: ChatLine) -> None:
        """A line for us or for the room."""

    def lobby_refused(self, refusal: Refusal) -> None:
        """A message of ours was not taken."""

    def lobby_troubled(self, error: SightlineError, *, final: bool) -> None:
        """There is no way in, for now or (``final``) until somebody changes something."""


class LobbyClient:
    """One member of a room. ``start``, then ``aclose``; tells its listener nothing after that."""

    def __init__(
        self,
        name: str,
        listener: LobbyListener,
        *,
        session: SessionProvider,
        http: aiohttp.ClientSession,
        timers: Timers = DEFAULT_TIMERS,
        roll: Callable[[], float] = random.random,
    ) -> None:
        """``name``: the one to claim; ``http`` is from ``http_session``; ``roll``: from 0 up to 1."""
        self.name = name
        """The one that the service gave: another than the claimed one where somebody has that."""
        self.room = ""
        self.users: tuple[str, ...] = ()
        """Everybody in the room who has a name, ourselves too."""
        self.is_online = False
        self._listener = listener
        self._new_session = session
        self._http = http
        self._timers = timers
        self._roll = roll
        self._log = bind(log, channel="lobby", client_id=name)
        self._backoff = Backoff(first=_FIRST_PAUSE, longest=_LONGEST_PAUSE)
        self._session: RoomSession | None = None
        self._session_at = float("-inf")
        self._socket: SignalingSocket | None = None
        self._outbox: asyncio.Queue[bytes] = asyncio.Queue()
        self._resume = ""
        self._claimed = False
        self._is_full = False
        """The socket was told that there is no place, and is closed."""
        self._unanswered = 0
        """How often the service was asked whether it is there, and has not replied."""
        self._doubt: asyncio.TimerHandle | None = None
        self._farewells: dict[str, str] = {}
        """Hang-ups of which it is not known that they arrived: they are said again on the next socket."""
        self._task: asyncio.Task[None] | None = None
        self._ending: set[asyncio.Task[None]] = set()
        self._over = False

    # -- life

    def start(self) -> None:
        """Begin to connect."""
        # Owned: awaited in aclose().
        self._task = asyncio.get_running_loop().create_task(self._run(), name="lobby")

    def reconnect(self) -> None:
        """The network is another one: the socket of before may be dead without knowing."""
        before = self._task
        if self._over or before is None or before.done():
            return
        before.cancel()
        self._ending.add(before)
        before.add_done_callback(self._ending.discard)
        self._offline()
        self._backoff = Backoff(first=_FIRST_PAUSE, longest=_LONGEST_PAUSE)
        self.start()

    def check(self) -> None:
        """Something is wrong with the network: is the service still there? If not, another socket is opened."""
        if self._send(PING):
            self._unanswered += 1
            if self._doubt is None:
                self._doubt = asyncio.get_running_loop().call_later(_REPLY, self.reconnect)

    async def aclose(self) -> None:
        """Leave the room, after the last words. Idempotent."""
        self._over = True
        self._trust()
        if self.is_online:
            with suppress(TimeoutError):
                async with asyncio.timeout(_FAREWELL_LIMIT):
                    await self._outbox.join()
        self.is_online = False
        tasks = {*self._ending, *([self._task] if self._task is not None else [])}
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    @property
    def peer_address(self) -> str | None:
        """The service's IP address, while connected."""
        return self._socket.peer_address if self._socket is not None else None

    async def ice_servers(self) -> Sequence[IceServer]:
        """STUN and TURN servers with credentials that are good for a while; those of before when none can be had."""
        if time.monotonic() - self._session_at >= self._timers.ice_servers:
            try:
                await self._ask()
            except SightlineError as error:
                self._log.warning("the ICE servers could not be renewed: %s", error)
        return self._session.ice_servers if self._session is not None else ()

    @property
    def session(self) -> RoomSession | None:
        """The last one."""
        return self._session

    # -- what goes out: False when there is no socket, and nothing was sent

    def send_offer(self, to: str, sdp: str) -> bool:
        """An offer, the first or a later one."""
        self._farewells.pop(to, None)  # a late one would end the new call
        return self._send(offer_frame(to, sdp))

    def send_answer(self, to: str, sdp: str) -> bool:
        """The answer to theirs."""
        self._farewells.pop(to, None)
        return self._send(answer_frame(to, sdp))

    def send_candidate(self, to: str, candidate: Mapping[str, object]) -> bool:
        """A candidate of ours."""
        return self._send(candidate_frame(to, candidate))

    def send_hang_up(self, to: str, reason: str) -> bool:
        """There is no call (any more), and why. It is said again if the socket turns out to be dead."""
        self._farewells[to] = reason
        sent = self._send(hang_up_frame(to, reason))
        self.check()
        return sent

    def send_text(self, to: str, text: str) -> bool:
        """A chat line for one person."""
        return self._send(chat_frame(to, text))

    def _send(self, frame: bytes) -> bool:
        if not self.is_online or self._over:
            return False
        self._outbox.put_nowait(frame)
        return True

    # -- inside

    async def _run(self) -> None:
        while True:
            try:
                socket = await self._open()
            except SightlineError as error:
                # What no wait changes; a socket's refusal is explained by the next request for a session.
                refused = isinstance(error, ServiceRefused) and not isinstance(error, SocketRefused)
                final = refused or isinstance(error, ConfigError)
                self._log.log(logging.WARNING if final else logging.INFO, "no way into the room: %s", error)
                if not self._over:
                    self._listener.lobby_troubled(error, final=final)
                if final:
                    return
            else:
                self._is_full = False
                await self._serve(socket)
                if self._is_full:
                    await asyncio.sleep(_FULL)
                    continue
            await asyncio.sleep(self._backoff.lost(time.monotonic(), roll=self._roll()))

    async def _open(self) -> SignalingSocket:
        try:
            async with asyncio.timeout(_OPENING):
                session = await self._ask()
                return await open_socket(self._http, session, protocols=("json",), timers=self._timers, log=self._log)
        except TimeoutError:
            raise ServiceUnreachable("The service did not answer in time; it is asked again.") from None

    async def _ask(self) -> RoomSession:
        self._session = session = await self._new_session()
        self._session_at = time.monotonic()
        self.room = session.room
        return session

    async def _serve(self, socket: SignalingSocket) -> None:
        """Until the socket ends."""
        self._backoff.opened(time.monotonic())
        self._socket, self._outbox, self._claimed = socket, asyncio.Queue(), False
        outbox = self._outbox
        try:
            async with asyncio.TaskGroup() as tasks:
                beside = [
                    tasks.create_task(socket.keep_alive()),
                    tasks.create_task(self._write(socket, outbox)),
                ]
                while (frame := await socket.read_frame()) is not None and not self._over:
                    try:
                        self._read(frame, outbox)
                    except Exception:
                        # Somebody's message reached a spot that did not expect it: the room goes on.
                        self._log.exception("a frame of the lobby was not taken")
                for task in beside:
                    task.cancel()
        finally:
            if self._socket is socket:
                self._socket = None
                self._offline()
            await socket.aclose()
        self._log.info("the lobby's socket was closed (%s)", socket.close_code or "connection lost")

    @staticmethod
    async def _write(socket: SignalingSocket, outbox: asyncio.Queue[bytes]) -> None:
        while True:
            frame = await outbox.get()
            await socket.send(frame)
            outbox.task_done()

    def _read(self, frame: str, outbox: asyncio.Queue[bytes]) -> None:
        try:
            message = read_lobby_frame(frame)
        except MalformedMessage as error:
            self._log.debug("%s", error)
            return
        match message:
            case None:
                return
            case Greeting():
                outbox.put_nowait(claim_frame(self.name, message, resume=self._resume))
                self._resume = message.resume
            case NameGiven(name=name):
                self._log.warning("%r is taken in this room: here it is %r", self.name, name)
                self.name = name
            case UserList() | UserChanges():
                self._listed(message.applied_to(self.users))
            case ChatLine():
                self._listener.lobby_wrote(message)
            case Pong():
                self._unanswered -= 1
                if self._unanswered <= 0:
                    self._trust()
                    self._farewells.clear()
            case Refusal(reason=reason) if reason in FULL and not self._claimed:
                self._is_full = True
                self._log.info("no place in the room: %s", reason)
                if not self._over:
                    self._listener.lobby_troubled(RoomFull(LobbyReason(reason)), final=False)
            case Refusal():
                self._log.warning("the lobby refused a %s: %s", message.about or "message", message.message)
                self._listener.lobby_refused(message)
            case _:
                self._listener.lobby_said(message)

    def _listed(self, users: tuple[str, ...]) -> None:
        self.users = users
        if not self._claimed and self.name in users:
            self._claimed = self.is_online = True
            self._log.info("in the room %s as %s, with %d others", self.room, self.name, len(users) - 1)
            self._listener.lobby_said(machine.Name(self.name))
            for peer, reason in self._farewells.items():
                self._send(hang_up_frame(peer, reason))
            if self._farewells:
                self.check()
            self._listener.lobby_said(machine.Socket(True))
        self._listener.lobby_said(machine.Users(users))

    def _trust(self) -> None:
        """The socket lives, or is given up."""
        self._unanswered = 0
        if self._doubt is not None:
            self._doubt.cancel()
            self._doubt = None

    def _offline(self) -> None:
        self._trust()
        if self.is_online:
            self.is_online = False
            if not self._over:
                self._listener.lobby_said(machine.Socket(False))

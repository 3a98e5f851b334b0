"""Somebody in a room: who is there, who calls, and the one call at a time."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack
from typing import Final, Literal, Self

from ..client.driver import Driver
from ..client.network import NetworkWatcher
from ..client.socket import http_session
from ..errors import SightlineError
from ..media.source import Source
from ..observe.log import bind
from ..rtc.ice.config import IceConfig
from ..rtc.stats import PeerStatistics
from ..sessions.call import CallMachine, CallOptions
from ..sessions.call import messages as machine
from ..sessions.call.messages import CallState
from ..timers import DEFAULT_TIMERS, Timers
from ..viewer.peers import ice_wanted
from ..viewer.streams import Broadcast, Events, Stream
from ..wire.lobby import check_user_name
from ..wire.sigv4 import Credentials
from .connection import CallConnection
from .entry import KeyedEntry, SessionProvider, enter_by_link, read_call_link
from .events import (
    Callback,
    CallEvent,
    CallStateChanged,
    LobbyChanged,
    SendingChanged,
    TextReceived,
    UsersChanged,
)
from .failure import CallError, ending
from .lobby import LobbyClient
from .lobby_messages import ChatLine, Refusal
from .loudspeaker import Loudspeaker
from .outgoing import Sending
from .peers import Peers
from .sender import Sender
from .session import CallSession, Ring

__all__ = ["Call"]

log = logging.getLogger(__name__)

_RINGS: Final = 16
"""Rings that may wait for a reader: one rings at a time, the others are over."""


class Call(Sender):
    """A member of a room, who can call the others and be called::

        async with sightline.Call("Front door", room="family", source="/dev/video0") as call:
            async for ring in call.incoming():
                session = await ring.accept()
                await session.wait_ended()

    It enters the room with the block, comes back by itself when the network or the service was away, and leaves at
    the end. There is one call at a time; who calls meanwhile is told that we are busy.
    """

    def __init__(
        self,
        name: str,
        *,
        room: str | None = None,
        link: str | None = None,
        endpoint: str | None = None,
        region: str | None = None,
        credentials: Credentials | None = None,
        source: Source | str | None = None,
        speaker: str | None = None,
        ice_transport_policy: Literal["all", "relay"] = "all",
        ice: IceConfig | None = None,
        join_timeout: float | None = 15.0,
        options: CallOptions | None = None,
        timers: Timers = DEFAULT_TIMERS,
        on_event: Callback | None = None,
        session_provider: SessionProvider | None = None,
    ) -> None:
        """``name``: 1 to 32 letters, digits, spaces and ``._-``; where somebody has it, a number is added.

        ``room``: ``lobby`` by default. ``link``: ``https://HOST/call?room=ROOM#TOKEN``, which needs no key. Without
        one, a lobby that is open is entered as it is, and another with the key, by ``endpoint``, ``region`` and
        ``credentials`` as ``client.target.find_target`` says.
        ``source``: what the others see and hear; a text is opened by ``open_source``, None sends nothing.
        ``speaker``: where they are heard, as ``media.speaker.speaker_named`` takes it: ``default`` is the sound card.
        ``ice_transport_policy``: ``relay`` tells nobody an address of this machine; ``ice`` names ports and interfaces.
        ``join_timeout``: seconds to be in the room; None waits for ever. ``options``: all durations of a call,
        ``timers``: those of connections and sockets. ``on_event`` is called in the event loop with what ``events()``
        gives. A ``session_provider`` takes the place of link and key.

        Raises ConfigError, MediaError (the speaker) and LobbyRefusal (the name) before anything is sent.
        """
        self._wanted = check_user_name(name)
        self._keyed: KeyedEntry | None = None
        if session_provider is not None:
            self._sessions = session_provider
        elif link is not None:
            self._sessions = enter_by_link(read_call_link(link, room))
        else:
            self._keyed = KeyedEntry(room, endpoint=endpoint, region=region, credentials=credentials)
            self._sessions = self._keyed
        self._speaker = Loudspeaker(speaker) if speaker is not None else None
        super().__init__(Peers(source, ice=ice_wanted(ice, ice_transport_policy), timers=timers))
        self._join_timeout = join_timeout
        self._timers = timers
        self._machine = CallMachine(options, name=self._wanted)
        self._driver = Driver(self._machine, perform=self._perform)
        self._log = bind(log, channel=room or "", client_id=self._wanted)
        self._events = Events[CallEvent](on_event)
        self._rings = Broadcast[Ring](keep=_RINGS)
        self._ring: Ring | None = None
        self._session: CallSession | None = None
        self._lobby: LobbyClient | None = None
        self._network: NetworkWatcher | None = None
        self._users: tuple[str, ...] = ()
        self._arrived = asyncio.Event()
        self._trouble: SightlineError | None = None
        self._failure: SightlineError | None = None
        self._stack = AsyncExitStack()

    # -- how it is

    @property
    def name(self) -> str:
        """Under which the others see this one."""
        return self._lobby.name if self._lobby is not None else self._wanted

    @property
    def room(self) -> str:
        """Where it is; empty before that is known."""
        return self._lobby.room if self._lobby is not None else ""

    @property
    def users(self) -> tuple[str, ...]:
        """The others in the room, in the order of their coming."""
        return self._users

    @property
    def state(self) -> CallState:
        """Of the call that there is, or was last."""
        return self._machine.state

    @property
    def session(self) -> CallSession | None:
        """The call that there is; None while there is none."""
        return self._session

    @property
    def is_online(self) -> bool:
        """Whether it is in the room now. A call that is up goes on without."""
        return self._lobby is not None and self._lobby.is_online

    def events(self) -> Stream[CallEvent]:
        """What happens from now on: ``async for event in call.events()``. Raises what ends it for good."""
        return self._events.stream()

    # -- calls

    async def place(self, to: str) -> CallSession:
        """Call somebody, and wait until both see and hear each other.

        Raises CallEnded when that does not come about (``reason``: declined, busy, no-answer, gone, …), CallError
        while there is another call, and LobbyRefusal for what is no name.
        """
        to = check_user_name(to)
        if to == self.name:
            raise CallError("Nobody can call themselves. Choose somebody else.")
        if not self.is_online:
            raise CallError("There is no way to the room just now. Try again in a moment.")
        ring = self._ring
        if ring is not None and ring.is_ringing and ring.peer == to:
            return await ring.accept()  # both called each other
        if self._machine.is_busy:
            raise CallError(f"There is a call with {self._machine.peer} already, and one at a time is possible.")
        self.take(machine.Place(to))
        assert self._session is not None
        return await self._session.wait_up()

    def incoming(self) -> Stream[Ring]:
        """Who calls, from now on, and who rings already: ``async for ring in call.incoming()``."""
        stream = self._rings.stream()
        if self._ring is not None and self._ring.is_ringing:
            stream.put(self._ring)
        return stream

    async def hang_up(self) -> None:
        """End the call that there is, if any, and wait until everything is let go of."""
        if self._session is not None:
            await self._session.hang_up()

    # -- life

    async def __aenter__(self) -> Self:
        """Enters the room. Raises ConnectError and ConfigError when there is no way in, MediaError for the source."""
        try:
            await self._open()
        except BaseException:
            await self.aclose()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Hang up, leave the room, and let go of everything. Idempotent, safe from any state."""
        self.take(machine.HangUp())
        self._driver.stop()
        if self._network is not None:
            await self._network.aclose()
        if self._lobby is not None:
            await self._lobby.aclose()
        await self._driver.aclose()
        self._rings.end(None)
        self._events.end(None)
        await self._stack.aclose()

    async def _open(self) -> None:
        http = await self._stack.enter_async_context(http_session())
        if self._keyed is not None:
            self._stack.push_async_callback(self._keyed.aclose)
        self._stack.push_async_callback(self._peers.aclose)
        await self._peers.open()
        if self._speaker is not None:
            self._stack.push_async_callback(self._speaker.aclose)
            await self._speaker.open()
        self._network = NetworkWatcher(self._network_changed, destinations=self._destinations)
        await self._network.__aenter__()
        self._lobby = LobbyClient(self._wanted, self, session=self._sessions, http=http, timers=self._timers)
        self._lobby.start()
        try:
            async with asyncio.timeout(self._join_timeout):
                await self._arrived.wait()
        except TimeoutError:
            raise self._trouble or CallError("The service lets nobody into the room. Try again in a while.") from None
        if self._failure is not None:
            raise self._failure

    # -- the machine

    def take(self, message: machine.Input) -> None:
        """See ``SessionOwner``."""
        self._driver.take(message)

    def _perform(self, outputs: Sequence[machine.Output]) -> None:
        for output in outputs:
            match output:
                case machine.State():
                    self._follow(output)
                case machine.OpenMedia():
                    self.take(machine.Media())  # the source is open as long as we are
                case machine.Begin():
                    self._begin(offers=any(isinstance(one, machine.MakeOffer) for one in outputs))
                case machine.End():
                    self._drop_connection()
                case machine.SendHangUp(to=to, reason=reason) if self._lobby is not None:
                    self._lobby.send_hang_up(to, reason)
                case _ if self._connection is not None:
                    self._connection.perform(output)

    def _follow(self, change: machine.State) -> None:
        peer = change.peer or ""
        self._log.info("%s %s → %s%s", peer, change.before, change.after, f": {change.reason}" if change.reason else "")
        if change.before in (CallState.IDLE, CallState.ENDED):
            self._session = CallSession(self, peer, speaker=self._speaker)
        session = self._session
        if session is not None:
            session.follow(change.after, change.reason)
        message = ending(change.reason, peer) if change.reason is not None else ""
        self._events.publish(CallStateChanged(change.before, change.after, peer, change.reason, message))
        if change.after is CallState.RINGING and session is not None:
            self._ring = Ring(self, session)
            self._rings.put(self._ring)
        elif change.after is CallState.ENDED and session is not None:
            self._session = self._ring = None
            self._driver.spawn(session.aclose(), "end of a call")

    def _begin(self, *, offers: bool) -> None:
        session, lobby = self._session, self._lobby
        if session is None or lobby is None:
            return
        self._drop_connection()
        session.begin()
        self._connection = CallConnection(
            session.peer,
            lobby=lobby,
            offers=offers,
            make_peer=lambda: self._peers.make(lobby, offers=offers),
            take=self.take,
            on_frame=session.take_frame,
            on_text=self._wrote,
            on_sending=self._sends,
            outgoing=self._peers.outgoing,
        )

    def _drop_connection(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.silence()
            self._driver.spawn(connection.aclose(), "end of a connection")

    # -- what the lobby tells (``LobbyListener``)

    def lobby_said(self, message: machine.Input) -> None:
        """See ``LobbyListener``."""
        match message:
            case machine.Socket(open=is_open):
                self._events.publish(LobbyChanged(is_open, self.name, self.room))
                if is_open:
                    self._arrived.set()
            case machine.Users(users=users):
                self._users_are(tuple(user for user in users if user != self.name))
        self.take(message)

    def lobby_wrote(self, line: ChatLine) -> None:
        """See ``LobbyListener``. An MDN client writes to everybody; the lines of the one in the call are for us."""
        if self._machine.is_busy and line.name == self._machine.peer:
            self._wrote(line.text)

    def lobby_refused(self, refusal: Refusal) -> None:
        """See ``LobbyListener``."""
        if refusal.reason == "unknown-target":
            self.take(machine.Undeliverable(refusal.target))

    def lobby_troubled(self, error: SightlineError, *, final: bool) -> None:
        """See ``LobbyListener``."""
        self._trouble = error
        self._events.publish(LobbyChanged(False, self.name, self.room, error.message))
        if final:
            self._failure = error
            self._arrived.set()
            self._rings.end(error)
            self._events.end(error)

    def _users_are(self, users: tuple[str, ...]) -> None:
        before, self._users = self._users, users
        joined = tuple(user for user in users if user not in before)
        left = tuple(user for user in before if user not in users)
        if joined or left:
            self._events.publish(UsersChanged(users, joined, left))

    # -- what a session asks (``SessionOwner``)

    def request_keyframe(self) -> None:
        """See ``SessionOwner``."""
        if self._connection is not None:
            self._connection.request_keyframe()

    def send_text(self, to: str, text: str) -> bool:
        """See ``SessionOwner``. Where there is no data channel, through the lobby."""
        on_channel = self._connection is not None and self._connection.send_text(text)
        return on_channel or (self._lobby is not None and self._lobby.send_text(to, text))

    def peer_statistics(self) -> PeerStatistics | None:
        """See ``SessionOwner``."""
        return self._connection.statistics() if self._connection is not None else None

    # -- helpers

    def _sends(self, sending: Sending) -> None:
        session = self._session
        if session is not None and session.sending != sending:
            session.sending = sending
            self._events.publish(SendingChanged(session.peer, sending.sound, sending.picture))

    def _wrote(self, text: str) -> None:
        if self._session is not None:
            self._session.take_text(text)
            self._events.publish(TextReceived(self._session.peer, text))

    def _network_changed(self, online: bool) -> None:
        if online and self._lobby is not None:
            self._lobby.reconnect()
            self.take(machine.Network())

    def _destinations(self) -> Iterator[str]:
        if self._lobby is not None and (address := self._lobby.peer_address) is not None:
            yield address
        if self._connection is not None:
            yield from self._connection.addresses

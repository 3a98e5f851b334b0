"""The camera's side: answers every viewer of a channel with one source's encoded pictures and sound."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Sequence
from typing import Self, TypeVar

from ..client.control import ControlPlane
from ..client.signaling import Lost, Opened, Received, SignalingClient
from ..client.socket import trusting
from ..client.target import find_target
from ..errors import ConnectError, MalformedMessage, SightlineError
from ..media.source import Source, open_source
from ..observe.log import bind
from ..rtc.data_requests import Json
from ..rtc.datachannel import DataRequest, RequestFailed
from ..rtc.engine import Engine
from ..rtc.ice.config import IceConfig
from ..rtc.outgoing import OutgoingMedia
from ..rtc.peer import EngineFactory, IceServer, Peer, PeerEngine
from ..sessions.roster import Happening, Viewer, ViewerEvent
from ..timers import DEFAULT_TIMERS, Timers
from ..wire.sigv4 import Credentials
from .commands import CommandFunction, Commands
from .events import Events, EventStream, ViewerCallback, check_callbacks
from .presence import PresenceReporter
from .registry import Registry
from .signaling import MasterSession, SessionProvider, ViewerMessages, watched_network
from .source_state import FollowedSource, SourceState
from .viewer_session import MessageCallback, RequestCallback
from .voices import Voices, VoiceStream

__all__ = ["Master", "MasterSession", "SessionProvider"]

log = logging.getLogger(__name__)

Function = TypeVar("Function", bound=CommandFunction)


class Master:
    """Streams one source to all viewers of a channel, until it is closed.

    ::

        async with Master("front-door", source="clip.mp4") as master:
            await master.run()

    It reconnects to signaling for ever; media flows on while signaling is away.
    """

    def __init__(
        self,
        channel: str,
        *,
        source: Source | str,
        renditions: str = "auto",
        transcode: bool = True,
        endpoint: str | None = None,
        region: str | None = None,
        credentials: Credentials | None = None,
        create_channel: bool = False,
        session_provider: SessionProvider | None = None,
        ice: IceConfig | None = None,
        engine: EngineFactory | None = None,
        max_viewers: int | None = None,
        speaker: str | None = None,
        talk_roles: Collection[str] | None = None,
        on_viewer_joined: ViewerCallback | None = None,
        on_viewer_left: ViewerCallback | None = None,
        on_viewer_changed: ViewerCallback | None = None,
        on_message: MessageCallback | None = None,
        on_request: RequestCallback | None = None,
        timers: Timers = DEFAULT_TIMERS,
    ) -> None:
        """``channel``: name or ARN. ``source``: a source, which stays the caller's, or text for ``open_source``, as
        are ``renditions`` and ``transcode``: smaller pictures for viewers on narrow paths, and VP8 beside H.264.

        ``endpoint``, ``region`` and ``credentials`` default as ``client.target.find_target`` says; ``create_channel``
        makes the channel when there is none. A ``session_provider`` takes the place of all four. ``ice`` names ports,
        interfaces and addresses to use; an ``engine`` takes its place. ``max_viewers``: sessions at a time, None is
        any number. ``speaker``: where viewers' voices are played, as ``media.speaker.speaker_named`` takes it;
        ``talk_roles``: the roles of those who may talk, ``viewer`` or ``operator``, None is everybody.

        Raises ConfigError and MediaError for a speaker that cannot be, and ConfigError for an ``async`` callback.

        The callbacks are plain functions and run in the event loop: joined when a viewer is ``connected``, changed when
        its states change, left when one that was connected is gone. ``events`` has the same to iterate over. Messages
        and questions are those of viewers' data channels.
        """
        self.channel = channel
        self._source = source if not isinstance(source, str) else None
        self._source_name = source if isinstance(source, str) else None
        self._renditions, self._transcode = renditions, transcode
        self._where = (endpoint, region, credentials)
        self._create_channel = create_channel
        self._session_provider = session_provider
        self._ice = ice
        check_callbacks(
            on_viewer_joined=on_viewer_joined,
            on_viewer_left=on_viewer_left,
            on_viewer_changed=on_viewer_changed,
            on_message=on_message,
            on_request=on_request,
        )
        self._engine_factory: EngineFactory = engine or self._make_engine
        self._max_viewers = max_viewers
        self._on_message = on_message
        self._on_request = on_request
        self._commands = Commands(channel)
        self._voices = Voices(speaker, roles=talk_roles)
        self._timers = timers
        self._log = bind(log, channel=channel)
        self._events = Events(
            {
                Happening.JOINED: on_viewer_joined,
                Happening.LEFT: on_viewer_left,
                Happening.CHANGED: on_viewer_changed,
            }
        )
        self._control: ControlPlane | None = None
        self._signaling: SignalingClient[MasterSession] | None = None
        self._engine: Engine | None = None
        self._trusts = False
        self._registry: Registry | None = None
        self._service_is_sightline = False
        self._presence: PresenceReporter | None = None
        self._ice_servers: Sequence[IceServer] = ()
        self._running: asyncio.Event | None = None
        """Set when the ``run`` that is under way has ended."""
        self._closed = False

    # -- who watches

    @property
    def viewers(self) -> tuple[Viewer, ...]:
        """Those who watch: they were ``connected`` and are not gone. A ``disconnected`` one keeps its place."""
        return self._registry.viewers if self._registry is not None else ()

    @property
    def sessions(self) -> tuple[Viewer, ...]:
        """The viewers, and those who are still connecting."""
        return self._registry.sessions if self._registry is not None else ()

    def is_connected(self, client_id: str) -> bool:
        """Whether this viewer is connected now."""
        return self._registry is not None and self._registry.is_connected(client_id)

    def events(self) -> EventStream:
        """What happens to viewers from now on: ``async for event in master.events()``; ends when the master does."""
        return self._events.stream()

    def voice(self) -> VoiceStream:
        """What viewers say from now on, mixed and each by itself: ``async for frame in master.voice()``.

        It needs no speaker. Viewers who connected before the first call are not heard: call it before ``run``.
        """
        return self._voices.stream()

    def peer(self, client_id: str) -> Peer | None:
        """The viewer's connection, for all of its figures; None when it is gone."""
        session = self._registry.session(client_id) if self._registry is not None else None
        return session.peer if session is not None else None

    # -- what they may do

    def command(
        self, name: str, *, roles: Collection[str] | None = ("operator",), timeout: float = 5.0
    ) -> Callable[[Function], Function]:
        """Decorates the function that carries out a command of viewers (docs/topics/commands.md).

        ::

            @master.command("ptz")
            async def ptz(call: CommandCall) -> dict[str, float]:
                return {"pan": await motor.turn(call.value["pan"])}

        It gets a ``CommandCall`` and returns what is JSON. One that is not ``async`` runs in a thread, one call after
        the other. ``roles``: who may send it; None is anybody who watches, also through a service that tells no roles.
        ``timeout``: seconds, after which the viewer is told that it took too long; a coroutine is cancelled then.

        ``CommandRefused`` tells the viewer why not. Any other exception is logged, and the viewer told that it failed.
        Raises ConfigError for a name that is taken or none.
        """

        def decorate(function: Function) -> Function:
            self._commands.add(name, function, roles=roles, timeout=timeout)
            return function

        return decorate

    # -- what to do with them

    def send(self, client_id: str, message: str | bytes, *, label: str | None = None) -> bool:
        """Send to a viewer through its data channels (or the one of that label); whether it went out."""
        return self._registry is not None and self._registry.send(client_id, message, label=label)

    def broadcast(self, message: str | bytes, *, label: str | None = None) -> int:
        """Send to all viewers that opened a data channel; to how many it went out."""
        return self._registry.broadcast(message, label=label) if self._registry is not None else 0

    async def request(self, client_id: str, value: Json, *, label: str, timeout: float = 5.0) -> object:
        """Ask a viewer through its data channel of that label, and wait for its answer, at most ``timeout`` seconds.

        Raises RequestFailed when there is none.
        """
        peer = self.peer(client_id)
        if peer is None:
            raise RequestFailed(f"There is no viewer {client_id!r}.")
        return await peer.channels.request(value, label=label, timeout=timeout)

    def restart_ice(self, client_id: str) -> bool:
        """Look for a new path to a viewer, by an offer of ours; whether there is such a viewer.

        Media goes on over the old path. Browsers' peer connections take such offers; whether the viewer's program
        does is its own affair.
        """
        return self._registry is not None and self._registry.restart(client_id, servers=self._ice_servers)

    # -- life

    async def __aenter__(self) -> Self:
        """Opens the source and the speaker, and finds the service; raises MediaError and ConfigError."""
        try:
            await self._voices.open()
            if self._source_name is not None:
                self._source = await asyncio.to_thread(
                    open_source, self._source_name, renditions=self._renditions, transcode=self._transcode
                )
            if self._session_provider is None:
                endpoint, region, credentials = self._where
                target = await asyncio.to_thread(find_target, endpoint, region=region, credentials=credentials)
                self._control = ControlPlane(target=target)
        except BaseException:
            await self.aclose()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """End ``run``, all viewers and the source that was opened by name. Idempotent.

        A ``run`` in another task has ended when this returns, and nothing of it is left but the task's own end.
        """
        self._closed = True
        if self._signaling is not None:
            await self._signaling.aclose()
        if self._running is not None:
            await self._running.wait()
        if self._control is not None:
            await self._control.aclose()
        if self._source_name is not None and self._source is not None:
            await self._source.aclose()
        await self._voices.aclose()

    async def run(self) -> None:
        """Serve viewers until cancelled or closed.

        Raises ConnectError if the first connection is refused for a reason that waiting does not cure, WireError for a
        channel that cannot be, and RuntimeError for a master that was not entered or runs already.
        """
        if self._closed:
            return
        if self._source is None or (self._session_provider is None and self._control is None):
            raise RuntimeError("use the master as `async with Master(...) as master`: it is not open yet")
        if self._running is not None:
            raise RuntimeError("this master runs already; another camera needs another Master")
        self._running = asyncio.Event()
        try:
            await self._run(self._engine_factory(self._source))
        finally:
            self._running.set()
            self._running = None

    async def _run(self, engine: PeerEngine) -> None:
        error: SightlineError | None = None
        signaling = self._signaling = SignalingClient(self._new_session, timers=self._timers, log=self._log)
        try:
            async with signaling, watched_network(signaling), asyncio.TaskGroup() as tasks:
                error = await self._serve(signaling, engine, tasks)
        finally:
            self._events.close()
            await engine.aclose()
        if error is not None:
            raise error

    async def _serve(
        self, signaling: SignalingClient[MasterSession], engine: PeerEngine, tasks: asyncio.TaskGroup
    ) -> SightlineError | None:
        """Handle what the service sends. A refusal is returned: raised here, the task group would wrap it."""

        def carry_out(client_id: str, role: str | None, request: DataRequest) -> None:
            self._commands.receive(client_id, role, request, tasks=tasks)

        messages = ViewerMessages(signaling, tasks=tasks, log=self._log)
        registry = self._registry = Registry(
            self.channel,
            engine=engine,
            tasks=tasks,
            send=messages.send,
            notify=messages.notify,
            publish=self._publish,
            on_message=self._on_message,
            on_request=self._on_request,
            on_command=carry_out,
            voices=self._voices,
            max_viewers=self._max_viewers,
            timers=self._timers,
        )
        source_state = SourceState(tell=registry.tell_all)
        background = [tasks.create_task(source_state.run(), name="source")]
        if isinstance(self._source, FollowedSource):
            self._source.follow(source_state.changed)
        presence = self._presence = PresenceReporter(
            sessions=lambda: registry.sessions, send=signaling.send_now, timers=self._timers
        )
        background.append(tasks.create_task(self._renew_ice_servers(), name="ICE servers"))
        background.append(tasks.create_task(presence.run(), name="presence"))
        try:
            async for event in signaling:
                self._handle(event, messages, registry, presence)
        except SightlineError as refused:
            return refused
        finally:
            for task in background:
                task.cancel()
            self._commands.close()
            registry.close()
        return None

    def _handle(
        self,
        event: Opened[MasterSession] | Received | Lost,
        messages: ViewerMessages,
        registry: Registry,
        presence: PresenceReporter,
    ) -> None:
        match event:
            case Opened(session):
                self._ice_servers = session.ice_servers
                self._service_is_sightline = session.is_sightline
                registry.forget_signaling()
                presence.enable(enabled=session.is_sightline)
                self._log.info("connected to signaling, waiting for viewers")
            case Lost(reason, retry_in):
                self._log.warning("signaling is away: %s Next attempt in %.1f s.", reason, retry_in)
            case Received(message):
                try:
                    messages.receive(
                        message, registry, servers=self._ice_servers, from_sightline=self._service_is_sightline
                    )
                except MalformedMessage as error:
                    self._log.warning("a message of %s cannot be read: %s", message.sender_client_id, error)

    def _publish(self, events: Sequence[ViewerEvent]) -> None:
        if events and self._presence is not None:
            self._presence.changed()
        self._events.publish(events)

    def _make_engine(self, source: OutgoingMedia) -> PeerEngine:
        self._engine = Engine(source, ice=self._ice, timers=self._timers)
        return self._engine

    async def _new_session(self) -> MasterSession:
        session = await self._ask_for_session()
        if self._engine is not None and session.ca_files and not self._trusts:
            # TURN over TLS has the service's own certificate, too.
            self._trusts = True
            self._engine.trust(await asyncio.to_thread(trusting, session.ca_files))
        return session

    async def _ask_for_session(self) -> MasterSession:
        if self._session_provider is not None:
            return await self._session_provider()
        if self._control is None:
            raise RuntimeError("use the master as `async with Master(...) as master`")
        return await self._control.master_session(self.channel, create=self._create_channel)

    async def _renew_ice_servers(self) -> None:
        pause = self._timers.ice_servers
        while True:
            await asyncio.sleep(pause)
            pause = self._timers.ice_servers
            if any(server.credential for server in self._ice_servers):
                try:
                    self._ice_servers = (await self._new_session()).ice_servers
                except ConnectError as error:
                    self._log.warning("the ICE servers could not be renewed: %s", error)
                    pause = self._timers.ice_servers_again

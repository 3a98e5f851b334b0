"""The camera's side: answers every viewer of a channel with one source's encoded pictures and sound."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Protocol, Self

from ..client.control import ControlPlane
from ..client.signaling import Lost, Opened, Received, SignalingClient
from ..client.target import find_target
from ..errors import ConnectError, MalformedMessage
from ..media.source import Source, open_source
from ..observe.log import bind
from ..rtc.aiortc_peer import AiortcPeer
from ..rtc.peer import IceServer, PeerFactory
from ..timers import DEFAULT_TIMERS, Timers
from ..wire.messages import MessageType, ServerMessage, decode_payload, encode_payload
from ..wire.sigv4 import Credentials
from .registry import Registry, ViewerCallback
from .viewer_session import Viewer, ViewerSession

__all__ = ["Master", "MasterSession", "SessionProvider"]

log = logging.getLogger(__name__)

_ICE_REFRESH = 240.0
"""Seconds after which relay credentials are fetched anew: they live 300 (KVS.md §4.1)."""


class MasterSession(Protocol):
    """What a master needs for one connection to signaling, as ``ControlPlane.master_session`` gives it."""

    @property
    def url(self) -> str:
        """Presigned WebSocket URL."""

    @property
    def ice_servers(self) -> Sequence[IceServer]:
        """STUN and TURN servers for the viewers' connections."""

    @property
    def ca_files(self) -> Sequence[Path]:
        """Certificates to trust beside the system's."""


SessionProvider = Callable[[], Awaitable[MasterSession]]
"""Asked before each connection to signaling; raises ConnectError."""


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
        endpoint: str | None = None,
        region: str | None = None,
        credentials: Credentials | None = None,
        create_channel: bool = False,
        session_provider: SessionProvider | None = None,
        peer_factory: PeerFactory = AiortcPeer,
        on_viewer_joined: ViewerCallback | None = None,
        on_viewer_left: ViewerCallback | None = None,
        timers: Timers = DEFAULT_TIMERS,
    ) -> None:
        """``channel``: name or ARN. ``source``: a source, which stays the caller's, or text for ``open_source``.

        ``endpoint``, ``region`` and ``credentials`` default as ``client.target.find_target`` says; ``create_channel``
        makes the channel when there is none. A ``session_provider`` takes the place of all four. The callbacks run in
        the event loop: joined when a viewer is ``connected``, left when one that was connected is gone.
        """
        self.channel = channel
        self._source = source if not isinstance(source, str) else None
        self._source_name = source if isinstance(source, str) else None
        self._where = (endpoint, region, credentials)
        self._create_channel = create_channel
        self._session_provider = session_provider
        self._control: ControlPlane | None = None
        self._peer_factory = peer_factory
        self._timers = timers
        self._log = bind(log, channel=channel)
        self._registry = Registry(channel, on_joined=on_viewer_joined, on_left=on_viewer_left)
        self._ice_servers: Sequence[IceServer] = ()
        self._signaling: SignalingClient[MasterSession] | None = None

    @property
    def viewers(self) -> tuple[Viewer, ...]:
        """Those who watch: they were ``connected`` and are not gone (seed 000.3)."""
        return self._registry.viewers

    @property
    def sessions(self) -> tuple[Viewer, ...]:
        """The viewers, and those who are still connecting."""
        return self._registry.sessions

    def is_connected(self, client_id: str) -> bool:
        """Whether this viewer is connected now (seed 000.4)."""
        return self._registry.is_connected(client_id)

    async def __aenter__(self) -> Self:
        """Opens the source and finds the service; raises MediaError and ConfigError."""
        if self._source_name is not None:
            self._source = await asyncio.to_thread(open_source, self._source_name)
        if self._session_provider is None:
            endpoint, region, credentials = self._where
            target = await asyncio.to_thread(find_target, endpoint, region=region, credentials=credentials)
            self._control = ControlPlane(target=target)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """End ``run``, all viewers and the source that was opened by name. Idempotent."""
        if self._signaling is not None:
            await self._signaling.aclose()
        if self._control is not None:
            await self._control.aclose()
        if self._source_name is not None and self._source is not None:
            await self._source.aclose()

    async def run(self) -> None:
        """Serve viewers until cancelled or closed.

        Raises ConnectError if the first connection is refused for a reason that waiting does not cure.
        """
        error: ConnectError | None = None
        async with SignalingClient(self._new_session, timers=self._timers, log=self._log) as signaling:
            self._signaling = signaling
            async with asyncio.TaskGroup() as tasks:
                renewal = tasks.create_task(self._renew_ice_servers(), name="ICE servers")
                try:
                    async for event in signaling:
                        self._handle(event, tasks)
                except ConnectError as refused:
                    error = refused  # raised outside the group, which would wrap it
                finally:
                    renewal.cancel()
                    self._registry.close()
        if error is not None:
            raise error

    def _handle(self, event: Opened[MasterSession] | Received | Lost, tasks: asyncio.TaskGroup) -> None:
        match event:
            case Opened(session):
                self._ice_servers = session.ice_servers
                self._log.info("connected to signaling, waiting for viewers")
            case Lost(reason, retry_in):
                self._log.warning("signaling is away: %s Next attempt in %.1f s.", reason, retry_in)
            case Received(message):
                try:
                    self._receive(message, tasks)
                except MalformedMessage as error:
                    self._log.warning("a message of %s cannot be read: %s", message.sender_client_id, error)

    def _receive(self, message: ServerMessage, tasks: asyncio.TaskGroup) -> None:
        if message.message_type == MessageType.STATUS_RESPONSE and message.status is not None:
            status = message.status
            viewer = self._registry.client_of(status.correlation_id)
            self._log.warning("the answer to %s was refused: %s %s", viewer, status.error_type, status.description)
            return
        if message.message_type not in (MessageType.SDP_OFFER, MessageType.ICE_CANDIDATE):
            return
        client_id = message.sender_client_id
        content = decode_payload(message.payload)
        if client_id is None or content is None:
            return  # nobody to answer; or the literal null with which Android ends its candidates
        if message.message_type == MessageType.ICE_CANDIDATE:
            self._registry.candidate(client_id, content)
            return
        sdp = content.get("sdp")
        if not isinstance(sdp, str):
            raise MalformedMessage("The offer has no sdp.")
        assert self._source is not None
        self._registry.offer(
            client_id,
            sdp,
            make_peer=partial(self._peer_factory, self._source, ice_servers=self._ice_servers),
            tasks=tasks,
            send_answer=self._send_answer,
        )

    async def _send_answer(self, session: ViewerSession, sdp: str) -> None:
        assert self._signaling is not None
        await self._signaling.send(
            MessageType.SDP_ANSWER,
            encode_payload({"type": "answer", "sdp": sdp}),
            recipient=session.client_id,
            # With it the service reports what it cannot deliver (KVS.md §5.3).
            correlation_id=session.trace_id,
        )

    async def _new_session(self) -> MasterSession:
        if self._session_provider is not None:
            return await self._session_provider()
        if self._control is None:
            raise RuntimeError("use the master as `async with Master(...) as master`")
        return await self._control.master_session(self.channel, create=self._create_channel)

    async def _renew_ice_servers(self) -> None:
        while True:
            await asyncio.sleep(_ICE_REFRESH)
            if any(server.credential for server in self._ice_servers):
                try:
                    self._ice_servers = (await self._new_session()).ice_servers
                except ConnectError as error:
                    self._log.warning("the ICE servers could not be renewed: %s", error)

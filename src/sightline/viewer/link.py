"""One signaling socket of an attempt: from the request for a session to the socket's end."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from enum import StrEnum
from pathlib import Path
from typing import Final, Protocol

import aiohttp

from ..client.socket import SignalingSocket, open_socket
from ..errors import MalformedMessage, SightlineError
from ..rtc.peer import IceServer
from ..timers import DEFAULT_TIMERS, Timers
from ..wire.extras import Extra, empty_payload
from ..wire.messages import ServerMessage, encode_client_message, encode_payload

__all__ = ["LinkListener", "SessionInfo", "SignalingLink"]

_FAREWELL_LIMIT: Final = 0.5
"""Seconds for the last word; a dead socket does not hold up the end."""


class SessionInfo(Protocol):
    """What a viewer needs for one connection to signaling, as ``ControlPlane.viewer_session`` gives it."""

    @property
    def url(self) -> str:
        """Presigned WebSocket URL."""

    @property
    def ice_servers(self) -> Sequence[IceServer]:
        """STUN and TURN servers."""

    @property
    def ca_files(self) -> Sequence[Path]:
        """Certificates to trust beside the system's."""

    @property
    def is_sightline(self) -> bool:
        """Whether the service has said so: only then it is told more than KVS knows."""


class LinkListener(Protocol):
    """Whom a link tells what happens to it."""

    def link_got_session(self, link: SignalingLink, session: SessionInfo) -> None: ...

    def link_opened(self, link: SignalingLink) -> None: ...

    def link_received(self, link: SignalingLink, message: ServerMessage) -> None: ...

    def link_failed(self, link: SignalingLink, error: SightlineError) -> None:
        """There is no session, or the socket was refused."""

    def link_closed(self, link: SignalingLink) -> None:
        """The socket was open, and is closed now."""


class SignalingLink:
    """Begun by ``start``, ended by ``aclose``; tells its listener nothing after that."""

    def __init__(
        self,
        listener: LinkListener,
        *,
        http: aiohttp.ClientSession,
        session: Callable[[], Awaitable[SessionInfo]],
        delay: float = 0.0,
        timers: Timers = DEFAULT_TIMERS,
        log: logging.Logger | logging.LoggerAdapter[logging.Logger],
    ) -> None:
        """``delay``: seconds before it begins."""
        self.offers: deque[int] = deque()
        """Numbers of the offers that went out here: answers come in this order."""
        self.notice: str | None = None
        """The reason that was told on it last."""
        self.is_recycled = False
        """It uses the session of another one, and has not been welcomed yet."""
        self.by_request_of_service = False
        """It is to take the place of one that still works: when it cannot be opened, nothing is lost yet."""
        self._listener = listener
        self._http = http
        self._new_session = session
        self._delay = delay
        self._timers = timers
        self._log = log
        self._extras = False
        self._socket: SignalingSocket | None = None
        self._task: asyncio.Task[None] | None = None
        self._over = False

    @property
    def close_code(self) -> int | None:
        """With which the socket was closed."""
        return self._socket.close_code if self._socket is not None else None

    @property
    def peer_address(self) -> str | None:
        """The service's IP address, while connected."""
        return self._socket.peer_address if self._socket is not None else None

    def start(self) -> None:
        """Begin."""
        # Owned: awaited in aclose().
        self._task = asyncio.get_running_loop().create_task(self._run(), name="viewer's signaling")

    async def send(
        self, action: StrEnum, content: Mapping[str, object] | None = None, *, correlation_id: str | None = None
    ) -> bool:
        """Whether it went out. What only a Sightline knows goes nowhere else. Raises MalformedMessage when it is
        larger than the wire carries."""
        if self._socket is None or (isinstance(action, Extra) and not self._extras):
            return False
        payload = encode_payload(content) if content is not None else empty_payload()
        return await self._socket.send(encode_client_message(action, payload, correlation_id=correlation_id))

    async def aclose(self, *, farewell: bool = False) -> None:
        """Close the socket, after a last word if the viewer leaves for good. Idempotent."""
        self._over = True
        if farewell:
            with suppress(TimeoutError):
                async with asyncio.timeout(_FAREWELL_LIMIT):
                    await self.send(Extra.FAREWELL)
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _run(self) -> None:
        try:
            await asyncio.sleep(self._delay)
            session = await self._new_session()
            self._listener.link_got_session(self, session)
            self._extras = session.is_sightline
            socket = await open_socket(self._http, session, timers=self._timers, log=self._log)
        except SightlineError as error:
            if not self._over:
                self._listener.link_failed(self, error)
            return
        self._socket = socket
        try:
            self._listener.link_opened(self)
            await self._read(socket)
        finally:
            await socket.aclose()
        if not self._over:
            self._listener.link_closed(self)

    async def _read(self, socket: SignalingSocket) -> None:
        async with asyncio.TaskGroup() as tasks:
            keeper = tasks.create_task(socket.keep_alive())
            while (message := await socket.read()) is not None and not self._over:
                try:
                    self._listener.link_received(self, message)
                except MalformedMessage as error:
                    self._log.warning("a message cannot be read: %s", error)
            keeper.cancel()

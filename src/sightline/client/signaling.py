"""The signaling socket of a master or a viewer: stays connected for ever (KVS.md §5)."""

from __future__ import annotations

import asyncio
import logging
import random
import ssl
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from enum import StrEnum
from pathlib import Path
from typing import Generic, Protocol, Self, TypeVar
from urllib.parse import unquote

import aiohttp
import msgspec
import yarl

from ..errors import ConnectError, MalformedMessage, ServiceRefused, ServiceUnreachable
from ..sessions.backoff import Backoff
from ..sessions.liveness import Liveness, Pulse
from ..timers import DEFAULT_TIMERS, Timers
from ..wire.messages import MessageType, ServerMessage, decode_server_message, encode_client_message

__all__ = ["Lost", "Opened", "Received", "SignalingClient", "SignalingSession"]

_CONNECT_LIMIT = 15.0
"""Seconds for TCP, TLS and the upgrade."""

_CLOSE_LIMIT = 1.0
"""Seconds to wait for the service's side of a close."""

_SEND_LIMIT = 10.0
"""Seconds for which a message waits for the socket to come back; a viewer's answer deadline is 15 (seed 001.3)."""

_MAX_FRAME = 1 << 20

_QUEUE = 256
"""Events that may wait for the reader; then the socket is not read any further."""

_RECONNECT = frozenset({MessageType.GO_AWAY, MessageType.RECONNECT_ICE_SERVER})
"""Both are answered with a new session: it has a new URL and new ICE servers (KVS.md §5.3)."""


class SignalingSession(Protocol):
    """What one connection needs; a new one is asked for each time, since the URL ends after 299 s."""

    @property
    def url(self) -> str:
        """Presigned WebSocket URL."""

    @property
    def ca_files(self) -> Sequence[Path]:
        """Certificates to trust beside the system's."""


S = TypeVar("S", bound=SignalingSession)


class Opened(msgspec.Struct, Generic[S], frozen=True):
    """The socket is open."""

    session: S


class Received(msgspec.Struct, frozen=True):
    """A message arrived."""

    message: ServerMessage


class Lost(msgspec.Struct, frozen=True):
    """The socket closed or could not be opened; the next attempt comes in ``retry_in`` seconds."""

    reason: str
    retry_in: float


class SignalingClient(Generic[S]):
    """Iterate over it for ``Opened``, ``Received`` and ``Lost``; it reconnects until it is closed.

    Use as ``async with``. Only if the very first attempt is refused for a reason that waiting does not cure (an unknown
    channel, a wrong key), the iteration raises that ConnectError.
    """

    def __init__(
        self,
        new_session: Callable[[], Awaitable[S]],
        *,
        timers: Timers = DEFAULT_TIMERS,
        log: logging.Logger | logging.LoggerAdapter[logging.Logger] | None = None,
    ) -> None:
        """``new_session`` is asked before each attempt; it raises ConnectError when there is none."""
        self._new_session = new_session
        self._timers = timers
        self._log = log or logging.getLogger(__name__)
        self._backoff = Backoff()
        self._events: asyncio.Queue[Opened[S] | Received | Lost | None] = asyncio.Queue(_QUEUE)
        self._open = asyncio.Event()
        self._socket: aiohttp.ClientWebSocketResponse | None = None
        self._proven = False
        self._error: Exception | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def is_connected(self) -> bool:
        """Whether the socket is open now."""
        return self._open.is_set()

    async def __aenter__(self) -> Self:
        # Owned: awaited in aclose().
        self._task = asyncio.get_running_loop().create_task(self._run(), name="signaling")
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the socket and stop. Idempotent."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Opened[S] | Received | Lost:
        event = await self._events.get()
        if event is not None:
            return event
        self._events.put_nowait(None)  # for who asks again
        if self._error is not None:
            raise self._error
        raise StopAsyncIteration

    async def send(
        self,
        action: StrEnum,
        payload: str,
        *,
        recipient: str | None = None,
        correlation_id: str | None = None,
        within: float = _SEND_LIMIT,
    ) -> None:
        """Send an offer, an answer, a candidate or an extra; ``payload`` is base64 (``encode_payload``).

        While the socket is away it waits for up to ``within`` seconds. Raises ServiceUnreachable then, and
        MalformedMessage for what the wire does not carry.
        """
        frame = encode_client_message(action, payload, recipient=recipient, correlation_id=correlation_id)
        try:
            async with asyncio.timeout(within):
                while True:
                    await self._open.wait()
                    if self._socket is not None and await _sent(self._socket, frame):
                        return
                    self._open.clear()
        except TimeoutError as error:
            raise ServiceUnreachable(
                f"The {action.value} could not be sent: there is no connection to the service since {within:.0f} s."
            ) from error

    async def send_now(self, frame: bytes) -> bool:
        """Send a whole frame if the socket is open now; whether it went out."""
        return self._socket is not None and await _sent(self._socket, frame)

    # ---------------------------------------------------------------------------------- the owned task

    async def _run(self) -> None:
        try:
            # No limit on the whole: the socket stays open for hours.
            async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=None)) as http:
                while True:
                    reason = await self._one_connection(http)
                    delay = self._backoff.lost(time.monotonic(), roll=random.random())
                    await self._events.put(Lost(reason, delay))
                    await asyncio.sleep(delay)
        except Exception as error:
            self._error = error  # raised to who iterates
        finally:
            self._end_events()

    async def _one_connection(self, http: aiohttp.ClientSession) -> str:
        """One attempt, and the connection if it succeeds; returns why it ended."""
        try:
            session = await self._new_session()
            socket = await _connect(http, session)
        except ServiceRefused as error:
            if not self._proven:
                raise
            return str(error)
        except ConnectError as error:
            return str(error)
        try:
            self._proven = True
            self._backoff.opened(time.monotonic())
            self._socket = socket
            self._open.set()
            await self._events.put(Opened(session))
            return await self._serve(socket)
        finally:
            self._open.clear()
            self._socket = None
            await socket.close()

    async def _serve(self, socket: aiohttp.ClientWebSocketResponse) -> str:
        liveness = Liveness(time.monotonic(), ping=self._timers.ping, dead=self._timers.dead)
        async with asyncio.TaskGroup() as tasks:
            keeper = tasks.create_task(_keep_alive(socket, liveness))
            reason = await self._read(socket, liveness)
            keeper.cancel()
        return reason

    async def _read(self, socket: aiohttp.ClientWebSocketResponse, liveness: Liveness) -> str:
        while True:
            frame = await socket.receive()
            liveness.heard(time.monotonic())
            if frame.type is aiohttp.WSMsgType.TEXT:
                message = self._decode(frame.data)
                if message is None:
                    continue
                if message.message_type in _RECONNECT:
                    return f"The service asked for a new connection ({message.message_type})."
                await self._events.put(Received(message))
            elif frame.type is aiohttp.WSMsgType.PING:
                await socket.pong(frame.data)
            elif frame.type not in (aiohttp.WSMsgType.PONG, aiohttp.WSMsgType.BINARY):
                return f"The connection was closed ({socket.close_code})."

    def _decode(self, data: str) -> ServerMessage | None:
        try:
            return decode_server_message(data)
        except MalformedMessage as error:
            self._log.warning("a message of the service cannot be read: %s", error)
            return None

    def _end_events(self) -> None:
        if self._events.full():
            self._events.get_nowait()
        self._events.put_nowait(None)


async def _connect(http: aiohttp.ClientSession, session: SignalingSession) -> aiohttp.ClientWebSocketResponse:
    trust: ssl.SSLContext | bool = True
    if session.ca_files and session.url.startswith("wss:"):
        trust = await asyncio.to_thread(_trusting, session.ca_files)
    try:
        async with asyncio.timeout(_CONNECT_LIMIT):
            return await http.ws_connect(
                # The signature is over these very characters.
                yarl.URL(session.url, encoded=True),
                ssl=trust,
                autoping=False,
                max_msg_size=_MAX_FRAME,
                timeout=aiohttp.ClientWSTimeout(ws_close=_CLOSE_LIMIT),
            )
    except aiohttp.WSServerHandshakeError as error:
        reason = unquote(error.headers.get("x-sightline-reason", "")) if error.headers else ""
        message = f"The service refused the signaling socket (HTTP {error.status}). {reason}".rstrip()
        if error.status in (401, 403, 404):
            raise ServiceRefused(message, status=error.status) from error
        raise ServiceUnreachable(message) from error
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        what = str(error) or type(error).__name__
        raise ServiceUnreachable(f"The signaling socket cannot be opened: {what}.") from error


def _trusting(ca_files: Sequence[Path]) -> ssl.SSLContext:
    context = ssl.create_default_context()
    for file in ca_files:
        context.load_verify_locations(file)
    return context


async def _sent(socket: aiohttp.ClientWebSocketResponse, frame: bytes) -> bool:
    """Whether the frame went out; False when the socket is closed."""
    try:
        await socket.send_frame(frame, aiohttp.WSMsgType.TEXT)
    except (aiohttp.ClientError, ConnectionError):
        return False
    return True


async def _keep_alive(socket: aiohttp.ClientWebSocketResponse, liveness: Liveness) -> None:
    while True:
        await asyncio.sleep(liveness.wait(time.monotonic()))
        pulse = liveness.check(time.monotonic())
        if pulse is Pulse.DEAD:
            await socket.close(code=aiohttp.WSCloseCode.GOING_AWAY)  # receive() returns then
            return
        if pulse is Pulse.PING:
            with suppress(aiohttp.ClientError, ConnectionError):
                await socket.ping()

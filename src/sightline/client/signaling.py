"""The signaling socket of a master: stays connected for ever (KVS.md §5)."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from enum import StrEnum
from typing import Generic, Self, TypeVar

import aiohttp
import msgspec

from ..errors import ConnectError, MalformedMessage, ServiceRefused, ServiceUnreachable
from ..reasons import REASONS, Reason, reason_of_close
from ..sessions.backoff import Backoff
from ..timers import DEFAULT_TIMERS, Timers
from ..wire.extras import Extra, read_notice
from ..wire.messages import MessageType, ServerMessage, decode_payload, encode_client_message
from .refusals import SocketRefused
from .socket import Logger, SignalingSession, SignalingSocket, http_session, open_socket

__all__ = ["Lost", "Opened", "Received", "SignalingClient", "SignalingSession"]

_SEND_LIMIT = 10.0
"""Seconds for which a message waits for the socket to come back; a viewer's answer deadline is 15 (seed 001.3)."""

_DOOR = 2.0
"""A Sightline that refuses a socket opens it, says why and closes it at once; a later close is none."""

_QUEUE = 256
"""Events that may wait for the reader; then the socket is not read any further."""

_RECONNECT = frozenset({MessageType.GO_AWAY, MessageType.RECONNECT_ICE_SERVER})
"""Both are answered with a new session: it has a new URL and new ICE servers (KVS.md §5.3)."""


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
        log: Logger | None = None,
    ) -> None:
        """``new_session`` is asked before each attempt; it raises ConnectError when there is none."""
        self._new_session = new_session
        self._timers = timers
        self._log = log or logging.getLogger(__name__)
        self._backoff = Backoff()
        self._events: asyncio.Queue[Opened[S] | Received | Lost | None] = asyncio.Queue(_QUEUE)
        self._open = asyncio.Event()
        self._socket: SignalingSocket | None = None
        self._proven = False
        self._error: Exception | None = None
        self._hurry = asyncio.Event()
        self._connections: set[asyncio.Task[str]] = set()
        self._task: asyncio.Task[None] | None = None

    @property
    def is_connected(self) -> bool:
        """Whether the socket is open now."""
        return self._open.is_set()

    @property
    def peer_address(self) -> str | None:
        """The service's IP address, None while there is no socket."""
        return self._socket.peer_address if self._socket is not None else None

    def renew(self) -> None:
        """Connect anew at once: the machine's network is another one, on which the socket may never hear of its end."""
        self._hurry.set()

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
                    if self._socket is not None and await self._socket.send(frame):
                        return
                    self._open.clear()
        except TimeoutError as error:
            raise ServiceUnreachable(
                f"The {action.value} could not be sent: there is no connection to the service since {within:.0f} s."
            ) from error

    async def send_now(self, frame: bytes) -> bool:
        """Send a whole frame if the socket is open now; whether it went out."""
        return self._socket is not None and await self._socket.send(frame)

    # ---------------------------------------------------------------------------------- the owned task

    async def _run(self) -> None:
        try:
            async with http_session() as http:
                try:
                    while True:
                        reason = await self._until_lost(http)
                        delay = self._backoff.lost(time.monotonic(), roll=random.random())
                        if self._hurry.is_set():
                            delay = 0.0
                        await self._events.put(Lost(reason, delay))
                        with suppress(TimeoutError):
                            async with asyncio.timeout(delay):
                                await self._hurry.wait()
                        self._hurry.clear()
                finally:
                    if self._connections:
                        await asyncio.wait(self._connections)
        except Exception as error:
            self._error = error  # raised to who iterates
        finally:
            self._end_events()

    async def _until_lost(self, http: aiohttp.ClientSession) -> str:
        """A connection to its end, or to ``renew``: then it is left to close by itself, which may take a while."""
        loop = asyncio.get_running_loop()
        # Owned: awaited in _run().
        connection = loop.create_task(self._one_connection(http), name="signaling connection")
        self._connections.add(connection)
        connection.add_done_callback(self._ended)
        hurried = loop.create_task(self._hurry.wait(), name="signaling renewal")
        try:
            await asyncio.wait({connection, hurried}, return_when=asyncio.FIRST_COMPLETED)
            if connection.done():
                return await connection
            self._open.clear()
            self._socket = None
            return "The network of this machine has changed."
        finally:
            hurried.cancel()
            connection.cancel()

    def _ended(self, connection: asyncio.Task[str]) -> None:
        self._connections.discard(connection)
        if not connection.cancelled():
            connection.exception()  # raised to who awaited it; of one that was left it is of no interest

    async def _one_connection(self, http: aiohttp.ClientSession) -> str:
        """One attempt, and the connection if it succeeds; returns why it ended."""
        try:
            session = await self._new_session()
            socket = await open_socket(http, session, timers=self._timers, log=self._log)
        except ServiceRefused as error:
            if not self._proven and not _passes(error):
                raise
            return str(error)
        except ConnectError as error:
            return str(error)
        try:
            proven, self._proven = self._proven, True
            opened = time.monotonic()
            self._backoff.opened(opened)
            self._socket = socket
            self._open.set()
            await self._events.put(Opened(session))
            reason = await self._serve(socket)
            if not proven and time.monotonic() < opened + _DOOR:
                _raise_if_refused(socket.close_code, reason)
            return reason
        finally:
            if self._socket is socket:
                self._open.clear()
                self._socket = None
            await socket.aclose()

    async def _serve(self, socket: SignalingSocket) -> str:
        async with asyncio.TaskGroup() as tasks:
            keeper = tasks.create_task(socket.keep_alive())
            reason = await self._read(socket)
            keeper.cancel()
        return reason

    async def _read(self, socket: SignalingSocket) -> str:
        notice = ""
        while (message := await socket.read()) is not None:
            if message.message_type in _RECONNECT:
                return f"The service asked for a new connection ({message.message_type})."
            if message.message_type == Extra.NOTICE and message.sender_client_id is None:
                notice = _sentence(message) or notice
            await self._events.put(Received(message))
        return notice or f"The connection was closed ({socket.close_code})."

    def _end_events(self) -> None:
        if self._events.full():
            self._events.get_nowait()
        self._events.put_nowait(None)


def _sentence(message: ServerMessage) -> str:
    """What a notice says to people."""
    try:
        return read_notice(decode_payload(message.payload) or {}).message
    except MalformedMessage:
        return ""


def _raise_if_refused(close_code: int | None, text: str) -> None:
    """Raise SocketRefused for a close that says that waiting does not help. Two that fight for a place both may."""
    reason = reason_of_close(close_code)
    if reason is not None and REASONS[reason].final and reason is not Reason.CLIENT_ID_IN_USE:
        raise SocketRefused(text, reason=reason, code=reason.value)


def _passes(error: ServiceRefused) -> bool:
    """Whether waiting may cure it."""
    return isinstance(error, SocketRefused) and not REASONS[error.reason].final

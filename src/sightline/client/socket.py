"""One signaling socket, from its upgrade to its end (KVS.md §5). Who wants another one opens another one."""

from __future__ import annotations

import asyncio
import logging
import ssl
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, Protocol
from urllib.parse import unquote

import aiohttp
import msgspec
import yarl

from ..errors import MalformedMessage, ServiceUnreachable
from ..sessions.liveness import Liveness, Pulse
from ..timers import DEFAULT_TIMERS, Timers
from ..wire.messages import ServerMessage, decode_server_message
from .refusals import Refusal, SocketRefused, reason_of_refusal

__all__ = ["Logger", "SignalingSession", "SignalingSocket", "http_session", "open_socket", "trusting"]

Logger = logging.Logger | logging.LoggerAdapter[logging.Logger]

_CONNECT_LIMIT: Final = 15.0
"""Seconds for TCP, TLS and the upgrade."""

_CLOSE_LIMIT: Final = 1.0
"""Seconds to wait for the service's side of a close."""

_MAX_FRAME: Final = 1 << 20
_MAX_REFUSAL: Final = 4096
"""Bytes of a refusal that are read."""


class SignalingSession(Protocol):
    """What one connection needs; a new one is asked for each time, since the URL ends after 299 s."""

    @property
    def url(self) -> str:
        """Presigned WebSocket URL."""

    @property
    def ca_files(self) -> Sequence[Path]:
        """Certificates to trust beside the system's."""


class SignalingSocket:
    """An open socket. ``read`` until it ends; ``aclose`` in any case."""

    def __init__(
        self, socket: aiohttp.ClientWebSocketResponse, *, timers: Timers = DEFAULT_TIMERS, log: Logger | None = None
    ) -> None:
        self._socket = socket
        self._log = log or logging.getLogger(__name__)
        self._liveness = Liveness(time.monotonic(), ping=timers.ping, dead=timers.dead)

    @property
    def close_code(self) -> int | None:
        """With which it was closed; None while it is open, or when there was no close frame."""
        return self._socket.close_code

    @property
    def peer_address(self) -> str | None:
        """The service's IP address; None when it is not connected any more."""
        peer = self._socket.get_extra_info("peername")
        return str(peer[0]) if peer else None

    async def send(self, frame: bytes) -> bool:
        """Whether the frame went out; False when the socket is closed."""
        try:
            await self._socket.send_frame(frame, aiohttp.WSMsgType.TEXT)
        except (aiohttp.ClientError, ConnectionError):
            return False
        return True

    async def read(self) -> ServerMessage | None:
        """The next message; None at the end. Pings are answered meanwhile, and what cannot be read is logged."""
        while (frame := await self.read_frame()) is not None:
            try:
                return decode_server_message(frame)
            except MalformedMessage as error:
                self._log.warning("a message of the service cannot be read: %s", error)
        return None

    async def read_frame(self) -> str | None:
        """The next text frame as it came; None at the end. Pings are answered meanwhile."""
        while True:
            frame = await self._socket.receive()
            self._liveness.heard(time.monotonic())
            if frame.type is aiohttp.WSMsgType.TEXT:
                return str(frame.data)
            if frame.type is aiohttp.WSMsgType.PING:
                await self._socket.pong(frame.data)
            elif frame.type not in (aiohttp.WSMsgType.PONG, aiohttp.WSMsgType.BINARY):
                return None

    async def keep_alive(self) -> None:
        """Ping a silent service, and close the socket when it stays silent; until cancelled."""
        while True:
            await asyncio.sleep(self._liveness.wait(time.monotonic()))
            pulse = self._liveness.check(time.monotonic())
            if pulse is Pulse.DEAD:
                await self._socket.close(code=aiohttp.WSCloseCode.GOING_AWAY)  # read() returns then
                return
            if pulse is Pulse.PING:
                with suppress(aiohttp.ClientError, ConnectionError):
                    await self._socket.ping()

    async def aclose(self) -> None:
        """Close it. Idempotent."""
        await self._socket.close()


async def open_socket(
    http: aiohttp.ClientSession,
    session: SignalingSession,
    *,
    protocols: Sequence[str] = (),
    timers: Timers = DEFAULT_TIMERS,
    log: Logger | None = None,
) -> SignalingSocket:
    """Open a session's socket; ``http`` is from ``http_session``, ``protocols`` are WebSocket sub-protocols.

    Raises ServiceUnreachable, and SocketRefused when the service said why.
    """
    trust: ssl.SSLContext | bool = True
    if session.ca_files and session.url.startswith("wss:"):
        trust = await asyncio.to_thread(trusting, session.ca_files)
    try:
        async with asyncio.timeout(_CONNECT_LIMIT):
            socket = await http.ws_connect(
                # The signature is over these very characters.
                yarl.URL(session.url, encoded=True),
                protocols=protocols,
                ssl=trust,
                autoping=False,
                max_msg_size=_MAX_FRAME,
                timeout=aiohttp.ClientWSTimeout(ws_close=_CLOSE_LIMIT),
            )
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        what = str(error) or type(error).__name__
        raise ServiceUnreachable(f"The signaling socket cannot be opened: {what}.") from error
    return SignalingSocket(socket, timers=timers, log=log)


def http_session() -> aiohttp.ClientSession:
    """For ``open_socket``. No limit on the whole of a request: a socket stays open for hours."""
    return aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=None), middlewares=(_look_at_upgrade,))


async def _look_at_upgrade(
    request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
) -> aiohttp.ClientResponse:
    """Raise for a refused upgrade: aiohttp's own error has no body, and there KVS says why (KVS.md §2.4)."""
    response = await handler(request)
    if response.status != 101 and "Upgrade" in request.headers:
        body = await response.content.read(_MAX_REFUSAL)
        response.close()
        raise _refused(response.status, response.headers, body)
    return response


def _refused(status: int, headers: Mapping[str, str], body: bytes) -> SocketRefused | ServiceUnreachable:
    try:
        members = msgspec.json.decode(body, type=dict[str, object])
    except (msgspec.DecodeError, UnicodeError):
        members = {}
    name = str(headers.get("x-amzn-ErrorType") or members.get("__type") or "")
    said = unquote(headers.get("x-sightline-reason", "")) or str(members.get("Message") or members.get("message") or "")
    refusal = Refusal(status, name.partition(":")[0].rpartition("#")[2], said)
    message = f"The service refused the signaling socket (HTTP {status}). {said}".rstrip()
    reason = reason_of_refusal(refusal)
    if reason is None:
        return ServiceUnreachable(message)
    return SocketRefused(message, reason=reason, code=refusal.code, status=status)


def trusting(ca_files: Sequence[Path]) -> ssl.SSLContext:
    """Trusts these certificates beside the system's. Blocks while it reads them."""
    context = ssl.create_default_context()
    for file in ca_files:
        context.load_verify_locations(file)
    return context

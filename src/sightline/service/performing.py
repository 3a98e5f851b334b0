"""Carries out what the exchange decided, on real sockets."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Iterable
from typing import cast

from aiohttp import web

from ..errors import InvalidArgument
from ..exchange import Close, Connection, Drop, Muted, Output, Ping, Send
from ..observe.log import Log, bind
from ..wire.close_codes import CloseCode
from .outbox import Outbox, text_head

__all__ = ["MAX_BACKLOG", "Socket", "open_websocket", "perform"]

logger = logging.getLogger("sightline.signaling")

MAX_BACKLOG = 1 << 20
"""Bytes that may wait for a slow reader before its socket is cut; nobody else waits for it."""

_NEVER = 1 << 62
"""aiohttp never waits for a reader: `Socket` cuts slow ones."""

_CLOSE_TIMEOUT = 2.0


async def open_websocket(
    request: web.BaseRequest, *, protocol: str, limit: int
) -> tuple[web.WebSocketResponse[bool], asyncio.Transport | None]:
    """The upgrade. ``limit``: bytes of the longest message, beyond which the socket is closed (1009).

    The transport is None when the client has gone meanwhile. Raises InvalidArgument for a handshake that is wrong.
    """
    ws = web.WebSocketResponse(
        timeout=_CLOSE_TIMEOUT,
        autoping=False,
        compress=False,
        decode_text=False,
        max_msg_size=limit,
        protocols=(protocol,),
        writer_limit=_NEVER,
    )
    ws.headers["x-sightline"] = "1"
    try:
        await ws.prepare(request)
    except web.HTTPBadRequest as error:
        raise InvalidArgument(f"The WebSocket handshake is not right: {error.text}") from None
    return ws, request.transport


class Socket:
    """A WebSocket as the exchange's connections see it: sends at once or not at all, closes in the background."""

    __slots__ = ("_closing", "_outbox", "_transport", "_unsent", "_ws", "trace_id")

    def __init__(
        self, ws: web.WebSocketResponse[bool], transport: asyncio.Transport, *, outbox: Outbox, trace_id: str
    ) -> None:
        self._ws = ws
        self._transport = transport
        self._outbox = outbox
        self._unsent: list[bytes] = []
        self._closing: asyncio.Task[None] | None = None
        self.trace_id = trace_id

    def send(self, frame: bytes) -> bool:
        """Send a text frame when this turn of the loop ends; False, and the socket is cut, for too slow a reader."""
        unsent = self._unsent
        if not unsent:
            if self._transport.get_write_buffer_size() > MAX_BACKLOG:
                self.drop()
                return False
            self._outbox.add(self)
        unsent.append(text_head(len(frame)))
        unsent.append(frame)
        return True

    def flush(self) -> None:
        """Write what was sent in this turn; nothing, once the close frame is out."""
        unsent = self._unsent
        if unsent and not (self._ws.closed or self._transport.is_closing()):
            self._transport.write(b"".join(unsent))
        unsent.clear()

    def ping(self) -> None:
        """Send a ping; the answer comes through the socket's handler."""
        try:
            _run_now(self._ws.ping())
        except ConnectionError:
            return

    def pong(self, data: bytes) -> None:
        """Answer a ping."""
        try:
            _run_now(self._ws.pong(data))
        except ConnectionError:
            return

    def close(self, code: int, reason: str, after: float) -> None:
        """Close with a handshake, ``after`` seconds; later calls change nothing."""
        if self._closing is None:
            self._closing = asyncio.get_running_loop().create_task(self._close(code, reason, after))

    async def _close(self, code: int, reason: str, after: float) -> None:
        if after:
            await asyncio.sleep(after)
        self.flush()
        try:
            await self._ws.close(code=code, message=reason.encode())
        finally:
            # A peer that does not answer the handshake keeps nothing open.
            self._transport.abort()

    def drop(self) -> None:
        """Cut the connection."""
        self._transport.abort()

    async def aclose(self) -> None:
        """The handler is done: end what still runs for this socket."""
        if self._closing is not None:
            self._closing.cancel()
            await asyncio.wait([self._closing])


def _run_now(coroutine: Coroutine[object, object, None]) -> None:
    """Run a coroutine that never waits. aiohttp's senders wait only for a writer limit, and ours is out of reach."""
    try:
        coroutine.send(None)
    except StopIteration:
        return
    coroutine.close()
    raise RuntimeError("a send that should not have waited did")


def perform(outputs: Iterable[Output]) -> None:
    """Do what the exchange asks for, in order."""
    for output in outputs:
        socket = cast(Socket, output.to.shell)
        if type(output) is Send:
            if not socket.send(output.frame):
                log_of(output.to).warning("cut: it reads too slowly, %d bytes were waiting", MAX_BACKLOG)
        elif type(output) is Close:
            if output.code is not CloseCode.GOING_AWAY:
                log_of(output.to).info("closing with %d: %s", output.code, output.reason)
            socket.close(output.code, output.reason, output.after)
        elif type(output) is Ping:
            socket.ping()
        elif type(output) is Drop:
            log_of(output.to).info("cut: %s", output.reason)
            socket.drop()
        elif type(output) is Muted:
            log_of(output.to).warning(
                "two clients fight for this id: the older one stays open and unheard for %g s. "
                "Give each client an id of its own, and run one master per channel.",
                output.seconds,
            )


def log_of(connection: Connection) -> Log:
    """A log with the connection's fields."""
    socket = cast(Socket, connection.shell)
    name = connection.channel_arn.rsplit("/", 2)[-2]
    return bind(
        logger, channel=name, client_id=connection.client_id or connection.role.lower(), trace_id=socket.trace_id
    )

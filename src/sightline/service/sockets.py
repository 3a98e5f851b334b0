"""Signaling sockets: the upgrade, and frames to and from the exchange (KVS.md §5)."""

from __future__ import annotations

import logging
import secrets
from urllib.parse import parse_qsl

from aiohttp import WSMsgType, web

from ..errors import (
    ClientLimitExceeded,
    InvalidArgument,
    InvalidArn,
    InvalidClientId,
    KvsError,
    MalformedMessage,
    ResourceNotFound,
)
from ..exchange import Connection, Role
from ..reasons import Reason
from ..wire.arn import ChannelArn
from ..wire.close_codes import CloseCode
from ..wire.extras import Extra, ViewerRole
from ..wire.ids import check_client_id
from ..wire.messages import MAX_FRAME, decode_client_message
from ..wire.sigv4 import EXTRAS_PARAMETER
from .auth import authenticate, authorise
from .context import Context
from .performing import Socket, log_of, open_websocket, perform
from .presence import receive_presence
from .refusals import close_refused, refuse_socket
from .store import OPERATE, Key

__all__ = ["SOCKET_PATHS", "is_upgrade", "serve_socket"]

SOCKET_PATHS = ("/", "/master", "/viewer")
_C_SDK = ("AWS-WEBRTC-KVS-AGENT", "AWS-SDK-KVS")
"""How the user agent of the C SDK, new and old, begins; it obeys GO_AWAY without being asked."""
_TEXT = WSMsgType.TEXT
"""Looked up once: in Python 3.11 a member of an enum costs 0.1 µs at each look."""

# A client that offers a sub-protocol of its own is no reason for a warning.
logging.getLogger("aiohttp.websocket").setLevel(logging.ERROR)


def is_upgrade(request: web.BaseRequest) -> bool:
    """Whether the request asks for a WebSocket."""
    return request.method == "GET" and request.headers.get("Upgrade", "").lower() == "websocket"


async def serve_socket(context: Context, request: web.BaseRequest, path: str) -> web.StreamResponse:
    """Authenticate, admit and serve one socket until it is gone. Raises KvsError before the upgrade."""
    try:
        connection = _admit(context, request, path)
    except KvsError as error:
        return await refuse_socket(context, request, error)
    ws, transport = await open_websocket(request, protocol="wss", limit=MAX_FRAME)
    if transport is None:
        return ws
    trace_id = request.headers.get("x-amzn-trace-id", "") or secrets.token_hex(4)
    socket = Socket(ws, transport, outbox=context.outbox, trace_id=trace_id)
    connection.shell = socket
    channel = context.store.channel(connection.channel_arn)
    try:
        if channel is None:
            raise ResourceNotFound("The channel was deleted.")
        outputs = context.exchange.connect(connection, ttl=float(channel.message_ttl), now=context.steady())
    except (ClientLimitExceeded, ResourceNotFound) as error:
        # The last place went to somebody else while this one was shaking hands.
        context.refusals["socket", error.reason] += 1
        await close_refused(context, ws, error, extras=connection.extras)
        return ws
    log_of(connection).info("%s connected from %s", connection.role.lower(), request.remote)
    try:
        perform(outputs)
        await _read(context, connection, socket, ws)
    finally:
        context.presence.forget(connection)
        perform(context.exchange.disconnect(connection))
        log_of(connection).info("%s left (%s)", connection.role.lower(), ws.close_code or "connection lost")
        await socket.aclose()
    return ws


async def _read(context: Context, connection: Connection, socket: Socket, ws: web.WebSocketResponse[bool]) -> None:
    exchange, steady = context.exchange, context.steady
    while True:
        frame = await ws.receive()
        kind = frame.type
        if kind is _TEXT:
            now = steady()
            try:
                message = decode_client_message(frame.data)
            except MalformedMessage as error:
                log_of(connection).warning("a frame was ignored: %s", error)
                perform(exchange.malformed(connection, now))
            else:
                if connection.extras and message.action == Extra.PRESENCE:
                    perform(receive_presence(context, connection, frame.data, now))
                else:
                    perform(exchange.message(connection, message, now))
        elif kind is WSMsgType.PING:
            exchange.seen(connection, steady(), active=True)
            socket.pong(frame.data)
        elif kind is WSMsgType.PONG:
            exchange.seen(connection, steady(), active=False)
        elif kind is WSMsgType.BINARY:
            log_of(connection).warning("closing: it sent a binary frame, and signaling is text")
            await ws.close(code=CloseCode.UNSUPPORTED_DATA, message=b"signaling is text frames only")
            return
        else:
            return


def _admit(context: Context, request: web.BaseRequest, path: str) -> Connection:
    """Who this is and what it may do; raises the errors that KVS gives on the upgrade (KVS.md §5.1)."""
    key = authenticate(context, request)
    query = dict(parse_qsl(request.raw_path.partition("?")[2], keep_blank_values=True))
    client_id = query.get("X-Amz-ClientId", "")
    role = _role(path, client_id)
    arn_text = query.get("X-Amz-ChannelARN", "")
    if not arn_text:
        raise InvalidArgument("X-Amz-ChannelARN is missing.", reason=Reason.UNKNOWN_CHANNEL)
    try:
        arn = ChannelArn.parse(arn_text)
        if role is Role.VIEWER:
            check_client_id(client_id)
    except InvalidArn as error:
        raise InvalidArgument(error.message, reason=Reason.UNKNOWN_CHANNEL) from None
    except InvalidClientId as error:
        raise InvalidArgument(error.message, reason=Reason.BAD_CLIENT_ID) from None
    # What is deduced is what is authorised.
    authorise(key, f"kinesisvideo:ConnectAs{role.value.capitalize()}", arn.name)
    if context.store.channel(arn_text) is None:
        raise ResourceNotFound(f"The requested channel is not found or not active: {arn_text}")
    if role is Role.MASTER:
        client_id = ""
    context.exchange.check_admission(arn_text, role, client_id)
    extras = query.get(EXTRAS_PARAMETER) == "1"
    return Connection(
        arn_text,
        role,
        client_id,
        access_key_id=key.access_key_id,
        obeys_go_away=extras or request.headers.get("User-Agent", "").startswith(_C_SDK),
        extras=extras,
        viewer_role=_viewer_role(key, arn.name) if role is Role.VIEWER else None,
        now=context.steady(),
    )


def _viewer_role(key: Key, channel_name: str) -> ViewerRole:
    """What the master is told of a viewer: by what its key or link may do, never by what it says of itself."""
    return ViewerRole.OPERATOR if key.grant.allows(OPERATE, channel_name) else ViewerRole.VIEWER


def _role(path: str, client_id: str) -> Role:
    """By path; on ``/``, where clients land that drop the path, a client id makes a viewer (KVS.md §9.9).

    The exception is the one that AWS's Python sample gives its master.
    """
    if path == "/master":
        return Role.MASTER
    if path == "/viewer":
        return Role.VIEWER
    return Role.MASTER if client_id in ("", "MASTER") else Role.VIEWER

"""The lobby's socket and its session: who may enter which room, and frames to and from the lobby (MDN_CALL.md)."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Iterable
from typing import Final, cast
from urllib.parse import parse_qsl, urlencode, urlsplit

import msgspec
from aiohttp import WSMsgType, web

from ..errors import InvalidArgument, LinkError
from ..exchange import Member, MemberClose, MemberDrop, MemberOutput, MemberSend
from ..observe.log import Log, bind
from ..reasons import Reason
from ..wire.close_codes import CloseCode
from ..wire.ids import is_name
from ..wire.link_token import read_token
from ..wire.lobby import MAX_LOBBY_FRAME, LobbyRefusal, error_frame
from ..wire.lobby_ticket import make_ticket, read_ticket
from .context import Context
from .endpoints import base_url
from .ice_servers import page_ice_servers
from .pages import is_local
from .performing import MAX_BACKLOG, Socket, open_websocket
from .store import Key, KeyKind, KeyRole, KeyState

__all__ = [
    "CALL_SESSION_PATH",
    "LOBBY_PATH",
    "OPEN_ROOM",
    "call_session",
    "perform_lobby",
    "serve_lobby",
    "serve_member",
]

logger = logging.getLogger("sightline.lobby")

CALL_SESSION_PATH: Final = "/sightline/v1/call-session"
LOBBY_PATH: Final = "/lobby"
OPEN_ROOM: Final = "lobby"
"""The room of those who name none: of the open lobby, and of the MDN sample's port."""
_TICKET: Final = 60
"""Seconds in which a page must have opened its socket."""
_MAX_MESSAGE: Final = 4 * MAX_LOBBY_FRAME
"""What is larger than a frame may be is refused with an error; what is larger than this ends the socket (1009)."""
_NO_LINK: Final = "This room needs a link. Ask for one: sightline link --room ROOM"


class _CallRequest(msgspec.Struct, rename="camel"):
    room: str | None = None


# ---------------------------------------------------------------------------------------------- sessions


def call_session(context: Context, request: web.BaseRequest, body: bytes) -> dict[str, object]:
    """What a page needs to enter a room: the socket's address, good for a minute, and ICE servers; raises LinkError."""
    try:
        wanted = msgspec.json.decode(body.strip() or b"{}", type=_CallRequest).room
    except (msgspec.DecodeError, UnicodeError) as error:
        raise LinkError(Reason.BAD_REQUEST, f"The session request is not right: {error}", http_status=400) from None
    token = request.headers.get("X-Sightline-Link", "")
    if token:
        link = _active_link(context, read_token(context.store.service_secret, token))
        room = wanted or link.grant.channels
        _check_scope(link, room)
        link_id = link.access_key_id
    else:
        _check_open(context, request)
        if request.content_type != "application/json":
            # So that a page of somebody else cannot ask without the browser asking us first.
            raise LinkError(Reason.BAD_REQUEST, "The session request is not JSON.", http_status=400)
        room, link_id = wanted or OPEN_ROOM, ""
    if not is_name(room):
        raise LinkError(Reason.BAD_REQUEST, f"{room[:40]!r} is not the name of a room.", http_status=400)
    expires_at = int(context.wall()) + _TICKET
    ticket = make_ticket(context.store.service_secret, room=room, link_id=link_id, expires_at=expires_at)
    scheme, _, rest = base_url(context.settings, request).partition("://")
    query = urlencode({"room": room, "token": ticket, "extras": "1"})
    return {
        "url": f"{'wss' if scheme == 'https' else 'ws'}://{rest}{LOBBY_PATH}?{query}",
        "room": room,
        "iceServers": page_ice_servers(
            context, request, channel_arn=f"room:{room}", client_id=f"caller-{secrets.token_hex(6)}"
        ),
        "expiresAt": expires_at,
    }


def _active_link(context: Context, link_id: str) -> Key:
    key = context.store.key(link_id)
    if key is None or key.kind is not KeyKind.LINK:
        raise LinkError(Reason.LINK_INVALID, "This link is not known here. Ask for a new one.")
    match key.state(context.wall()):
        case KeyState.REVOKED:
            raise LinkError(Reason.LINK_REVOKED, "This link was revoked. Ask for a new one.")
        case KeyState.EXPIRED:
            raise LinkError(Reason.LINK_EXPIRED, "This link has expired. Ask for a new one.")
    return key


def _still_lets_in(context: Context, link: Key) -> bool:
    key = context.store.key(link.access_key_id)
    return key is not None and key.state(context.wall()) is KeyState.ACTIVE


def _check_scope(link: Key, room: str) -> None:
    if link.role is not KeyRole.CALLER:
        raise LinkError(
            Reason.LINK_SCOPE, f"This link is for the {link.role.value} of a channel, not for calls.", http_status=403
        )
    if link.grant.channels != room:
        raise LinkError(
            Reason.LINK_SCOPE, f"This link is for calls in the room {link.grant.channels!r}.", http_status=403
        )


def _check_open(context: Context, request: web.BaseRequest) -> None:
    """Only an open lobby lets anybody in without a link: from this very machine, or from the network if so wished."""
    match context.settings.open_lobby:
        case "lan":
            pass
        case "local" if is_local(request) and not context.settings.public_url:
            pass
        case _:
            raise LinkError(Reason.LINK_REQUIRED, _NO_LINK)
    if _is_foreign(context, request):
        raise LinkError(Reason.FOREIGN_ORIGIN, "This page is not of this service.", http_status=403)


def _is_foreign(context: Context, request: web.BaseRequest) -> bool:
    """Whether a browser says that the page which asks is of another origin. What is no browser says nothing."""
    origin = request.headers.get("Origin")
    if origin is None:
        return request.headers.get("Sec-Fetch-Site", "same-origin") not in ("same-origin", "none")
    own = base_url(context.settings, request)
    there, here = urlsplit(origin), urlsplit(own)
    return (there.scheme, there.netloc) != (here.scheme, here.netloc)


# ----------------------------------------------------------------------------------------------- sockets


async def serve_lobby(context: Context, request: web.BaseRequest) -> web.StreamResponse:
    """Let one socket into its room, and serve it until it is gone. Raises LinkError and KvsError before the upgrade."""
    query = dict(parse_qsl(request.raw_path.partition("?")[2], keep_blank_values=True))
    room, ticket = query.get("room") or OPEN_ROOM, query.get("token", "")
    if _is_foreign(context, request):
        raise LinkError(Reason.FOREIGN_ORIGIN, "This page is not of this service.", http_status=403)
    link: Key | None = None
    if ticket:
        link_id = read_ticket(context.store.service_secret, ticket, room=room, now=context.wall())
        if link_id:
            link = _active_link(context, link_id)
            _check_scope(link, room)
    else:
        _check_open(context, request)
    return await serve_member(context, request, room=room, link=link, extras=query.get("extras") == "1")


async def serve_member(
    context: Context, request: web.BaseRequest, *, room: str, link: Key | None = None, extras: bool = False
) -> web.StreamResponse:
    """Serve a socket that may enter that room. Raises KvsError before the upgrade."""
    if not is_name(room):
        raise InvalidArgument(f"{room[:40]!r} is not the name of a room.")
    offered = [name.strip() for name in request.headers.get("Sec-WebSocket-Protocol", "").split(",")]
    if "json" not in offered:
        raise InvalidArgument("The lobby speaks the WebSocket sub-protocol 'json'. Offer it.")
    ws, transport = await open_websocket(request, protocol="json", limit=_MAX_MESSAGE)
    if transport is None:
        return ws
    if link is not None and not _still_lets_in(context, link):
        # Whoever revoked it found no socket to close: this one was shaking hands.
        await ws.close(code=CloseCode.NOT_ALLOWED, message=b"the link was revoked")
        return ws
    socket = Socket(ws, transport, outbox=context.outbox, trace_id=secrets.token_hex(4))
    now = context.steady()
    member = Member(
        room,
        resume=secrets.token_urlsafe(16),
        key_id=link.access_key_id if link else "",
        until=now + link.expires_at - context.wall() if link and link.expires_at is not None else None,
        extras=extras,
        now=now,
        shell=socket,
    )
    try:
        outputs = context.lobby.join(member)
    except LobbyRefusal as refusal:
        # A browser does not show its page why an upgrade was refused; a frame it does.
        _log_of(member).info("%s had no place: %s", request.remote, refusal.reason)
        await ws.send_str(error_frame(refusal).decode())
        await ws.close(code=CloseCode.TRY_LATER, message=b"there is no place")
        return ws
    _log_of(member).info("somebody entered from %s", request.remote)
    try:
        perform_lobby(outputs)
        await _read(context, member, socket, ws)
    finally:
        name = member.name
        context.lobby.leave(member, context.steady())
        _log_of(member).info("%s left (%s)", name or "somebody without a name", ws.close_code or "connection lost")
        await socket.aclose()
    return ws


async def _read(context: Context, member: Member, socket: Socket, ws: web.WebSocketResponse[bool]) -> None:
    lobby, steady = context.lobby, context.steady
    while True:
        frame = await ws.receive()
        if frame.type is WSMsgType.TEXT:
            perform_lobby(lobby.receive(member, frame.data, steady()))
        elif frame.type is WSMsgType.BINARY:
            # Whatever is in it, it is no text: refused as what cannot be read.
            perform_lobby(lobby.receive(member, b"", steady()))
        elif frame.type is WSMsgType.PING:
            lobby.seen(member, steady())
            socket.pong(frame.data)
        elif frame.type is WSMsgType.PONG:
            lobby.seen(member, steady())
        else:
            return


def perform_lobby(outputs: Iterable[MemberOutput]) -> None:
    """Do what the lobby asks for, in order."""
    for output in outputs:
        socket = cast(Socket, output.to.shell)
        if isinstance(output, MemberSend):
            if not socket.send(output.frame):
                _log_of(output.to).warning("cut: it reads too slowly, %d bytes were waiting", MAX_BACKLOG)
        elif isinstance(output, MemberClose):
            if output.code is not CloseCode.GOING_AWAY:
                _log_of(output.to).info("closing with %d: %s", output.code, output.reason)
            socket.close(output.code, output.reason, 0.0)
        elif isinstance(output, MemberDrop):
            _log_of(output.to).info("cut: %s", output.reason)
            socket.drop()
        else:
            socket.ping()


def _log_of(member: Member) -> Log:
    return bind(logger, channel=member.room, trace_id=cast(Socket, member.shell).trace_id)

"""Pages, their modules and their sessions (presigned socket URL, ICE servers, client id; never a secret)."""

from __future__ import annotations

import ipaddress
import re
import secrets
from pathlib import Path
from typing import Final, Literal
from urllib.parse import urlsplit

import msgspec
from aiohttp import web

from ..errors import InvalidClientId, LinkError
from ..exchange import Role
from ..reasons import Reason
from ..wire.ids import check_client_id
from ..wire.link_token import link_secret, read_token
from ..wire.sigv4 import Credentials, presign_websocket
from .context import Context
from .endpoints import base_url, socket_url
from .ice_servers import page_ice_servers
from .store import OPERATE, Channel, Key, KeyKind, KeyRole, KeyState

__all__ = ["SESSION_PATH", "is_local", "page", "session"]

SESSION_PATH: Final = "/sightline/v1/session"
_WEB: Final = Path(__file__).parent.parent / "web"
_LOCAL_HOSTS: Final = frozenset(("localhost", "127.0.0.1", "[::1]"))
_ID_ALPHABET: Final = "abcdefghjkmnpqrstuvwxyz23456789"
_TYPES: Final = {
    ".html": "text/html",
    ".js": "text/javascript",
    ".css": "text/css",
    ".svg": "image/svg+xml",
    ".json": "application/json",
}


class _SessionRequest(msgspec.Struct, rename="camel"):
    channel: str
    role: Literal["viewer", "master"] = "viewer"
    client_id: str | None = None


# ---------------------------------------------------------------------------------------------- sessions


def session(context: Context, request: web.BaseRequest, body: bytes) -> dict[str, object]:
    """What a page needs to open its socket; raises LinkError."""
    try:
        wanted = msgspec.json.decode(body, type=_SessionRequest)
    except (msgspec.DecodeError, UnicodeError) as error:
        raise LinkError(Reason.BAD_REQUEST, f"The session request is not right: {error}", http_status=400) from None
    key = _authority(context, request, wanted)
    role = Role(wanted.role.upper())
    channel = context.store.channel_named(wanted.channel)
    if channel is None:
        raise LinkError(
            Reason.UNKNOWN_CHANNEL,
            f"There is no channel {wanted.channel!r} here. Check the name, or create it: "
            f"sightline channel create {wanted.channel[:64]}",
            http_status=404,
        )
    return _session(context, request, key=key, channel=channel, role=role, client_id=_client_id(wanted, role))


def _session(
    context: Context, request: web.BaseRequest, *, key: Key, channel: Channel, role: Role, client_id: str | None
) -> dict[str, object]:
    now, valid = context.wall(), context.timers.page_url
    master = context.exchange.master(channel.arn)
    url = presign_websocket(
        socket_url(context.settings, request, role),
        credentials=Credentials(key.access_key_id, key.secret_access_key),
        region=context.settings.region,
        channel_arn=channel.arn,
        client_id=client_id,
        now=now,
        expires=valid,
        extras=True,
    )
    return {
        "url": url,
        "iceServers": page_ice_servers(context, request, channel_arn=channel.arn, client_id=client_id or ""),
        "clientId": client_id,
        "channel": channel.name,
        "channelArn": channel.arn,
        "role": role.value.lower(),
        # So that a page shows controls to those only whose commands are obeyed. The master hears it from the service.
        "operator": role is Role.VIEWER and key.grant.allows(OPERATE, channel.name),
        "expiresAt": int(now) + valid,
        # So that a page can say so before it has a socket, and a second camera that it would drive out the first.
        "camera": {"present": master is not None, "ours": master is not None and master.extras},
    }


def _client_id(wanted: _SessionRequest, role: Role) -> str | None:
    if role is Role.MASTER:
        return None
    if wanted.client_id is None:
        return "viewer-" + "".join(secrets.choice(_ID_ALPHABET) for _ in range(6))
    try:
        return check_client_id(wanted.client_id)
    except InvalidClientId as error:
        raise LinkError(Reason.BAD_CLIENT_ID, error.message, http_status=400) from None


def _authority(context: Context, request: web.BaseRequest, wanted: _SessionRequest) -> Key:
    """The key in whose name the page may connect: its link's, or this machine's own for a page on loopback."""
    token = request.headers.get("X-Sightline-Link", "")
    if not token:
        _check_local(context, request)
        return context.local_key
    link_id = read_token(context.store.service_secret, token)
    key = context.store.key(link_id)
    if key is None or key.kind is not KeyKind.LINK:
        raise LinkError(Reason.LINK_INVALID, "This link is not known here. Ask for a new one.")
    match key.state(context.wall()):
        case KeyState.REVOKED:
            raise LinkError(Reason.LINK_REVOKED, "This link was revoked. Ask for a new one.")
        case KeyState.EXPIRED:
            raise LinkError(Reason.LINK_EXPIRED, "This link has expired. Ask for a new one.")
    role = KeyRole.VIEWER if key.role is KeyRole.OPERATOR else key.role
    if key.grant.channels != wanted.channel or role.value != wanted.role:
        raise LinkError(
            Reason.LINK_SCOPE,
            f"This link is for the {key.role.value} of the channel {key.grant.channels!r}.",
            http_status=403,
        )
    return msgspec.structs.replace(key, secret_access_key=link_secret(context.store.service_secret, key.access_key_id))


def _check_local(context: Context, request: web.BaseRequest) -> None:
    """Only a page of ours, opened on this very machine, may go without a link."""
    if context.settings.public_url or request.secure:
        raise LinkError(Reason.LINK_REQUIRED, "This page needs a link. Ask for one: sightline link CHANNEL")
    host = request.headers.get("Host", "")
    origin = request.headers.get("Origin")
    foreign = (
        not is_local(request)
        or request.headers.get("Sec-Fetch-Site", "same-origin") != "same-origin"
        or (origin is not None and urlsplit(origin).netloc != host)
        or request.content_type != "application/json"
    )
    if foreign:
        raise LinkError(
            Reason.FOREIGN_ORIGIN,
            "Without a link only pages at http://localhost of this machine are served. Ask for a link: "
            "sightline link CHANNEL",
            http_status=403,
        )


def is_local(request: web.BaseRequest) -> bool:
    """Whether the request came from this machine to the loopback listener, under one of its names.

    A name that only resolves to loopback (DNS rebinding) is not local, nor is what a proxy hands on.
    """
    host = request.headers.get("Host", "")
    name = host if host.endswith("]") else re.sub(r":\d+$", "", host)
    proxied = any(name in request.headers for name in ("Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "Via"))
    return not request.secure and _is_loopback(request.remote) and name in _LOCAL_HOSTS and not proxied


def _is_loopback(address: str | None) -> bool:
    try:
        return ipaddress.ip_address(address or "").is_loopback
    except ValueError:
        return False


# ------------------------------------------------------------------------------------------------- pages


def page(context: Context, request: web.BaseRequest, path: str) -> web.Response | None:
    """A page, a module or a style sheet; None when there is nothing at that path."""
    file = _FILES.get(_file_name(path))
    if file is None:
        return None
    body, content_type = file
    answer = web.Response(body=body, content_type=content_type, charset="utf-8")
    answer.headers.update(_headers(context, request))
    return answer


def _read_files() -> dict[str, tuple[bytes, str]]:
    """All there is to serve, by path: read once, so that no request touches the disk or wanders about in it."""
    return {
        f"/{file.parent.name}/{file.name}": (file.read_bytes(), _TYPES[file.suffix])
        for folder in ("sdk", "pages")
        for file in (_WEB / folder).iterdir()
        if file.suffix in _TYPES
    }


_FILES: Final = _read_files()


def _file_name(path: str) -> str:
    if path == "/":
        return "/pages/index.html"
    if path == "/call":
        return "/pages/call.html"
    if path == "/sdk/sightline.js":
        return "/sdk/index.js"
    folder, _, name = path.strip("/").partition("/")
    return f"/pages/{folder}.html" if folder in ("view", "broadcast") and name and "/" not in name else path


def _headers(context: Context, request: web.BaseRequest) -> dict[str, str]:
    own = base_url(context.settings, request)
    scheme, _, host = own.partition("://")
    socket = f"{'wss' if scheme == 'https' else 'ws'}://{host.partition('/')[0]}"
    return {
        "Content-Security-Policy": (
            f"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
            f"media-src 'self' blob:; connect-src 'self' {socket}; base-uri 'none'; form-action 'none'; "
            "frame-ancestors 'self'"
        ),
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "no-cache",
        "x-sightline": "1",
        "Server": "Sightline",
    }

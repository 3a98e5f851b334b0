"""Keys and links: making, listing, revoking (the admin API under ``/sightline/v1``)."""

from __future__ import annotations

import re
import secrets
import string
from collections.abc import Awaitable, Callable, Mapping
from typing import Annotated, Any, Literal
from urllib.parse import quote

import ifaddr
import msgspec
from aiohttp import web

from ..errors import InvalidArgument, ResourceInUse, ResourceNotFound
from ..exchange import Close, MemberClose
from ..reasons import Reason
from ..wire.ids import is_name
from ..wire.link_token import link_secret, make_token
from .auth import authenticate, authorise
from .context import Context
from .endpoints import base_url
from .listening import LOOPBACK
from .lobby import perform_lobby
from .performing import perform
from .store import ROLE_ACTIONS, Grant, Key, KeyKind, KeyRole, KeyState

__all__ = ["ADMIN_PATHS", "admin_call", "new_key"]

_PATTERN = re.compile(r"[a-zA-Z0-9_.*?-]{1,256}")
_PAGES = {
    KeyRole.VIEWER: "view/{}",
    KeyRole.OPERATOR: "view/{}",
    KeyRole.MASTER: "broadcast/{}",
    KeyRole.CALLER: "call?room={}",
}
_MAX_LIFE = 10 * 366 * 86_400


_Handler = Callable[[Context, web.BaseRequest, Any], Awaitable[dict[str, object]]]
"""Takes the struct that stands beside it in the table."""


class _CreateKey(msgspec.Struct, rename="camel"):
    role: KeyRole
    channel: str = "*"
    expires_in: Annotated[float, msgspec.Meta(gt=0, le=_MAX_LIFE)] | None = None
    note: Annotated[str, msgspec.Meta(max_length=200)] = ""


class _KeyId(msgspec.Struct, rename="camel"):
    access_key_id: str


class _CreateLink(msgspec.Struct, rename="camel"):
    channel: str
    """Or, for a caller, the room."""
    role: Literal["viewer", "operator", "master", "caller"] = "viewer"
    expires_in: Annotated[float, msgspec.Meta(gt=0, le=86_400)] = 8 * 3600.0


class _LinkId(msgspec.Struct, rename="camel"):
    link_id: str


class _Nothing(msgspec.Struct):
    pass


async def admin_call(context: Context, request: web.BaseRequest, path: str, body: bytes) -> dict[str, object]:
    """One call of the admin API; raises KvsError."""
    key = authenticate(context, request, body)
    action, shape, handler = ADMIN_PATHS[path]
    authorise(key, action, None)
    try:
        return await handler(context, request, msgspec.json.decode(body.strip() or b"{}", type=shape))
    except (msgspec.DecodeError, UnicodeError) as error:
        raise InvalidArgument(f"The request is not right: {error}") from None


def new_key(*, role: KeyRole, channels: str, now: float, expires_at: float | None, note: str) -> Key:
    """A key of our own making: 20 characters of id, 40 of secret, as AWS's have."""
    alphabet = string.ascii_uppercase + "234567"
    return Key(
        access_key_id="SLKY" + "".join(secrets.choice(alphabet) for _ in range(16)),
        secret_access_key=secrets.token_urlsafe(30),
        kind=KeyKind.KEY,
        role=role,
        grant=Grant(ROLE_ACTIONS[role], channels),
        created_at=now,
        expires_at=expires_at,
        note=note,
    )


async def _create_key(context: Context, _: web.BaseRequest, wanted: _CreateKey) -> dict[str, object]:
    if _PATTERN.fullmatch(wanted.channel) is None:
        raise InvalidArgument("channel must be a channel name in which '*' and '?' may stand for any characters.")
    if wanted.role is KeyRole.CALLER:
        raise InvalidArgument("Rooms are entered with a link, not with a key: sightline link --room ROOM")
    if wanted.role is KeyRole.ADMIN and wanted.channel != "*":
        raise InvalidArgument("An administrator's key is for all channels; leave the channel out.")
    now = context.wall()
    expires_at = None if wanted.expires_in is None else now + wanted.expires_in
    key = new_key(role=wanted.role, channels=wanted.channel, now=now, expires_at=expires_at, note=wanted.note)
    await context.store.put_key(key)
    return {
        "accessKeyId": key.access_key_id,
        "secretAccessKey": key.secret_access_key,
        "role": key.role.value,
        "channel": key.grant.channels,
        "expiresAt": key.expires_at,
    }


async def _list_keys(context: Context, _: web.BaseRequest, __: _Nothing) -> dict[str, object]:
    return {
        "credentials": [
            {
                "accessKeyId": key.access_key_id,
                "role": key.role.value,
                "channel": key.grant.channels,
                "createdAt": key.created_at,
                "expiresAt": key.expires_at,
                "note": key.note,
                "state": key.state(context.wall()).value,
            }
            for key in context.store.all_keys()
            if key.kind is KeyKind.KEY
        ]
    }


async def _revoke_key(context: Context, _: web.BaseRequest, wanted: _KeyId) -> dict[str, object]:
    key = context.store.key(wanted.access_key_id)
    if key is None or key.kind is not KeyKind.KEY:
        raise ResourceNotFound(f"There is no key {wanted.access_key_id!r}.")
    others = any(
        other.role is KeyRole.ADMIN and other.state(context.wall()) is KeyState.ACTIVE and other is not key
        for other in context.store.all_keys()
    )
    if key.role is KeyRole.ADMIN and not others:
        raise ResourceInUse("This is the last administrator's key. Create another one before you revoke it.")
    return await _revoke(context, key)


async def _create_link(context: Context, request: web.BaseRequest, wanted: _CreateLink) -> dict[str, object]:
    if wanted.role == "caller":
        if not is_name(wanted.channel):
            raise InvalidArgument(
                f"{wanted.channel[:40]!r} is not the name of a room: letters, digits, '_', '.' and '-'."
            )
    elif not is_name(wanted.channel) or context.store.channel_named(wanted.channel) is None:
        raise ResourceNotFound(
            f"There is no channel {wanted.channel!r}. Create it first: sightline channel create {wanted.channel}"
        )
    now, role = context.wall(), KeyRole(wanted.role)
    link_id = secrets.token_hex(8)
    key = Key(
        access_key_id=link_id,
        secret_access_key=link_secret(context.store.service_secret, link_id),
        kind=KeyKind.LINK,
        role=role,
        grant=Grant(ROLE_ACTIONS[role], wanted.channel),
        created_at=now,
        expires_at=now + wanted.expires_in,
    )
    await context.store.put_key(key)
    token = make_token(context.store.service_secret, link_id)
    page = _PAGES[role].format(quote(wanted.channel))
    return {
        "token": token,
        "linkId": link_id,
        "channel": wanted.channel,
        "role": role.value,
        "expiresAt": key.expires_at,
        "urls": [f"{base}/{page}#{token}" for base in _page_bases(context, request)],
    }


async def _list_links(context: Context, _: web.BaseRequest, __: _Nothing) -> dict[str, object]:
    return {
        "links": [
            {
                "linkId": key.access_key_id,
                "channel": key.grant.channels,
                "role": key.role.value,
                "createdAt": key.created_at,
                "expiresAt": key.expires_at,
                "state": key.state(context.wall()).value,
            }
            for key in context.store.all_keys()
            if key.kind is KeyKind.LINK
        ]
    }


async def _revoke_link(context: Context, _: web.BaseRequest, wanted: _LinkId) -> dict[str, object]:
    key = context.store.key(wanted.link_id)
    if key is None or key.kind is not KeyKind.LINK:
        raise ResourceNotFound(f"There is no link {wanted.link_id!r}.")
    return await _revoke(context, key)


async def _revoke(context: Context, key: Key) -> dict[str, object]:
    if key.revoked_at is None:
        await context.store.put_key(msgspec.structs.replace(key, revoked_at=context.wall()))
    reason = Reason.LINK_REVOKED if key.kind is KeyKind.LINK else Reason.NOT_ALLOWED
    outputs = context.exchange.revoke(key.access_key_id, reason)
    perform(outputs)
    callers = context.lobby.revoke(key.access_key_id, context.steady())
    perform_lobby(callers)
    return {"closedSockets": sum(isinstance(output, Close | MemberClose) for output in (*outputs, *callers))}


def _page_bases(context: Context, request: web.BaseRequest) -> list[str]:
    """Where people reach this service, the address that most of them can use first."""
    settings = context.settings
    if settings.public_url:
        return [base_url(settings, request)]
    local = f"http://localhost:{settings.http_port}" if settings.http_port else ""
    if not settings.https_port or (settings.tls == "off" and settings.tls_cert is None):
        return [local]
    port = "" if settings.https_port == 443 else f":{settings.https_port}"
    bound = [host for host in settings.bind if host not in ("0.0.0.0", "::", "*")]
    hosts = list(settings.public_host) or bound or _addresses()
    bases = [f"https://{f'[{host}]' if ':' in host else host}{port}" for host in hosts]
    if not local:
        return bases
    # A service that only this machine reaches is watched on this machine, where no certificate is in the way.
    return [local, *bases] if all(host in LOOPBACK for host in hosts) else [*bases, local]


def _addresses() -> list[str]:
    """This machine's IPv4 addresses as seen from elsewhere; loopback where there is nothing else."""
    found = [
        str(address.ip)
        for adapter in ifaddr.get_adapters()
        for address in adapter.ips
        if address.is_IPv4 and not str(address.ip).startswith(("127.", "169.254."))
    ]
    return found or ["127.0.0.1"]


ADMIN_PATHS: Mapping[str, tuple[str, type, _Handler]] = {
    "/sightline/v1/credentials/create": ("sightline:CreateCredentials", _CreateKey, _create_key),
    "/sightline/v1/credentials/list": ("sightline:ListCredentials", _Nothing, _list_keys),
    "/sightline/v1/credentials/revoke": ("sightline:RevokeCredentials", _KeyId, _revoke_key),
    "/sightline/v1/links/create": ("sightline:CreateLink", _CreateLink, _create_link),
    "/sightline/v1/links/list": ("sightline:ListLinks", _Nothing, _list_links),
    "/sightline/v1/links/revoke": ("sightline:RevokeLink", _LinkId, _revoke_link),
}

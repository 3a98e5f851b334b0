"""STUN and TURN servers for clients, with credentials that last minutes (KVS.md §4.1)."""

from __future__ import annotations

import msgspec
from aiohttp import web

from ..errors import ClientLimitExceeded
from ..wire import turn_credentials
from .context import Context
from .endpoints import client_host
from .turn import turn_secret

__all__ = ["IceServer", "kvs_ice_servers", "page_ice_servers"]


class IceServer(msgspec.Struct, frozen=True):
    """One server with its addresses and a credential. ``ttl`` is in seconds."""

    uris: tuple[str, ...]
    username: str
    password: str
    ttl: int

    def __repr__(self) -> str:
        return f"IceServer({self.uris!r}, {self.username!r}, …, ttl={self.ttl})"


def kvs_ice_servers(
    context: Context, request: web.BaseRequest, *, channel_arn: str, client_id: str, viewer: bool = False
) -> list[IceServer]:
    """The servers for one client of one channel; never an empty list, which the C SDK cannot bear.

    The owner in the user name binds a credential to its channel and client without naming either. ``viewer``: the
    client cannot be a master, and the built-in server grants it less. Raises ClientLimitExceeded when so many
    credentials were asked for that somebody seems to collect them.
    """
    ttl, now = context.timers.turn_credential, context.wall()
    if not context.turn.minting.may_mint(channel_arn, context.steady()):
        raise ClientLimitExceeded("Too many TURN credentials were asked for within a minute. Try again in a moment.")
    owner = turn_credentials.owner_id(channel_arn, client_id, viewer=viewer)
    servers = []
    for turn in context.turn.external.in_use:
        credential = turn_credentials.mint(turn.secret, owner, ttl=ttl, now=now)
        servers.append(IceServer(turn.urls, credential.username, credential.password, ttl))
    if not servers:
        credential = turn_credentials.mint(turn_secret(context.store.service_secret), owner, ttl=ttl, now=now)
        servers.append(IceServer(_own_uris(context, request), credential.username, credential.password, ttl))
    return servers


def page_ice_servers(
    context: Context, request: web.BaseRequest, *, channel_arn: str, client_id: str
) -> list[dict[str, object]]:
    """The same as a browser's ``RTCIceServer`` objects, with our STUN server first; without TURN where it is off."""
    servers: list[dict[str, object]] = []
    if context.turn.udp_port:
        servers.append({"urls": [f"stun:{client_host(context.settings, request)}:{context.turn.udp_port}"]})
    if not context.settings.turn and not context.turn.is_listening:
        return servers
    try:
        relays = kvs_ice_servers(context, request, channel_arn=channel_arn, client_id=client_id, viewer=bool(client_id))
    except ClientLimitExceeded:
        return servers  # most pictures need no relay
    for server in relays:
        servers.append({"urls": list(server.uris), "username": server.username, "credential": server.password})
    return servers


def _own_uris(context: Context, request: web.BaseRequest) -> tuple[str, ...]:
    """In KVS's order, with explicit ports, and never ``turns:…udp``: we have no DTLS (KVS.md §4.1).

    A server that does not listen at all is named too, since the list must not be empty; that port refuses at once.
    """
    host, turn = client_host(context.settings, request), context.turn
    uris = []
    if turn.udp_port:
        uris.append(f"turn:{host}:{turn.udp_port}?transport=udp")
    if turn.tcp_port:
        uris.append(f"turn:{host}:{turn.tcp_port}?transport=tcp")
    tls_port = _tls_port(context, request)
    if tls_port:
        uris.append(f"turns:{host}:{tls_port}?transport=tcp")
    return tuple(uris) or (f"turn:{host}:{context.settings.turn_port or 3478}?transport=udp",)


def _tls_port(context: Context, request: web.BaseRequest) -> int:
    """The port of HTTPS for a client that has just come through it: where that is open, so is TURN over TLS."""
    turn = context.turn
    if turn.shared_port and request.secure and not context.settings.public_url:
        return turn.shared_port
    return turn.tls_port or (0 if context.settings.public_url else turn.shared_port)

"""STUN and TURN servers for clients, with credentials that last minutes (KVS.md §4.1)."""

from __future__ import annotations

import msgspec
from aiohttp import web

from ..wire import turn_credentials
from .context import Context
from .endpoints import client_host

__all__ = ["IceServer", "kvs_ice_servers", "page_ice_servers"]


class IceServer(msgspec.Struct, frozen=True):
    """One server with its addresses and a credential. ``ttl`` is in seconds."""

    uris: tuple[str, ...]
    username: str
    password: str
    ttl: int


def kvs_ice_servers(context: Context, request: web.BaseRequest, *, channel_arn: str, client_id: str) -> list[IceServer]:
    """The servers for one client of one channel; never an empty list, which the C SDK cannot bear.

    The owner in the user name binds a credential to its channel and client without naming either.
    """
    ttl, now = context.timers.turn_credential, context.wall()
    owner = turn_credentials.owner_id(channel_arn, client_id)
    servers = []
    for turn in context.settings.turn:
        credential = turn_credentials.mint(turn.secret, owner, ttl=ttl, now=now)
        servers.append(IceServer(turn.urls, credential.username, credential.password, ttl))
    if not servers:
        # The service names itself although it only answers STUN yet: it refuses an allocation at once, while a dead
        # or missing server costs clients five to ten seconds of gathering.
        credential = turn_credentials.mint(context.store.service_secret.hex(), owner, ttl=ttl, now=now)
        uri = f"turn:{client_host(context.settings, request)}:{_stun_port(context)}?transport=udp"
        servers.append(IceServer((uri,), credential.username, credential.password, ttl))
    return servers


def page_ice_servers(
    context: Context, request: web.BaseRequest, *, channel_arn: str, client_id: str
) -> list[dict[str, object]]:
    """The same as a browser's ``RTCIceServer`` objects, with our STUN server and without relays that we have not."""
    servers: list[dict[str, object]] = []
    if context.stun.port:
        servers.append({"urls": [f"stun:{client_host(context.settings, request)}:{context.stun.port}"]})
    if context.settings.turn:
        for server in kvs_ice_servers(context, request, channel_arn=channel_arn, client_id=client_id):
            servers.append({"urls": list(server.uris), "username": server.username, "credential": server.password})
    return servers


def _stun_port(context: Context) -> int:
    return context.stun.port or 3478

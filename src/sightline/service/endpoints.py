"""The addresses that a client is told: always ones that it can reach the way it came."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from aiohttp import web

from ..config import Settings
from ..exchange import Role

__all__ = ["base_url", "client_host", "socket_url"]

_HOST = re.compile(r"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]{0,252}[A-Za-z0-9])?|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?")


def base_url(settings: Settings, request: web.BaseRequest) -> str:
    """``https://HOST:PORT`` without a trailing slash: the configured address, or the one the client came through.

    ``:443`` is never written: signers sign it and WebSocket clients leave it out (KVS.md §3.3).
    """
    if settings.public_url:
        parts = urlsplit(settings.public_url)
        return f"{parts.scheme}://{_without_default_port(parts.scheme, parts.netloc)}{parts.path.rstrip('/')}"
    scheme = "https" if request.secure else "http"
    host = request.headers.get("Host", "")
    if not _HOST.fullmatch(host):
        host = _local_address(request)
    return f"{scheme}://{_without_default_port(scheme, host)}"


def socket_url(settings: Settings, request: web.BaseRequest, role: Role) -> str:
    """The WSS endpoint of a role. Role by path: clients that drop the path are told apart on ``/`` (KVS.md §9.9)."""
    scheme, _, rest = base_url(settings, request).partition("://")
    return f"{'wss' if scheme == 'https' else 'ws'}://{rest}/{role.value.lower()}"


def client_host(settings: Settings, request: web.BaseRequest) -> str:
    """The host for TURN and STUN addresses: the first public one, or the one the client came through.

    Where it came through somebody else's proxy (``public_url``), that one relays no UDP: then the external address.
    """
    named = settings.public_host or (settings.turn_external_ip if settings.public_url else ())
    if named:
        host = named[0]
        return f"[{host}]" if ":" in host and not host.startswith("[") else host
    netloc = base_url(settings, request).partition("://")[2].partition("/")[0]
    host = netloc if netloc.endswith("]") else re.sub(r":\d+$", "", netloc)
    # Browsers may try ::1 first for this name and not find the IPv4 socket there.
    return "127.0.0.1" if host == "localhost" else host


def _without_default_port(scheme: str, netloc: str) -> str:
    return netloc.removesuffix(":443" if scheme == "https" else ":80")


def _local_address(request: web.BaseRequest) -> str:
    name = request.transport.get_extra_info("sockname") if request.transport else None
    if not name:
        return "localhost"
    host = f"[{name[0]}]" if ":" in name[0] else name[0]
    return f"{host}:{name[1]}"

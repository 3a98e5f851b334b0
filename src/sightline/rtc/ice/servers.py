"""Addresses of STUN and TURN servers (RFC 7064, RFC 7065)."""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence

import msgspec

from .config import IceServer

__all__ = ["StunServer", "TurnServer", "parse_servers"]

log = logging.getLogger(__name__)

_URL = re.compile(
    r"(?P<scheme>stuns?|turns?):(?://)?"
    r"(?:\[(?P<v6>[0-9a-f:.]+)\]|(?P<host>[a-z0-9._-]{1,253}))"
    r"(?::(?P<port>\d{1,5}))?"
    r"(?:\?transport=(?P<transport>[a-z]+))?",
    re.I,
)

_MAX_SERVERS = 16
"""Each TURN server costs an allocation for each viewer; no real configuration has more addresses."""


class StunServer(msgspec.Struct, frozen=True):
    """A server that tells us our own address."""

    host: str
    port: int


class TurnServer(msgspec.Struct, frozen=True):
    """A relay. ``transport`` is how we speak with it; what it relays is UDP in any case."""

    host: str
    port: int
    transport: str
    """``udp``, ``tcp`` or ``tls``."""
    username: str
    password: str

    def __repr__(self) -> str:
        return f"TurnServer({self.host}:{self.port} over {self.transport})"  # never the password


def parse_servers(servers: Sequence[IceServer]) -> tuple[list[StunServer], list[TurnServer]]:
    """All usable addresses, each once. One that cannot be used is left out with a line in the log.

    Of no use are ``stuns:`` (an address seen by a TCP connection says nothing about UDP), TURN over DTLS
    (``turns:…?transport=udp``), and TURN without credentials.
    """
    stun: dict[StunServer, None] = {}
    turn: dict[TurnServer, None] = {}
    for server in servers:
        for url in server.urls:
            problem = _parse(url, server, stun, turn)
            if problem:
                log.info("ICE server %s is left out: %s", url, problem)
    return list(stun)[:_MAX_SERVERS], list(turn)[:_MAX_SERVERS]


def _parse(url: str, server: IceServer, stun: dict[StunServer, None], turn: dict[TurnServer, None]) -> str:
    match = _URL.fullmatch(url.strip())
    if match is None:
        return "not an address of the form stun:HOST:PORT or turn:HOST:PORT?transport=udp"
    scheme, transport = match["scheme"].lower(), (match["transport"] or "").lower()
    host = (match["v6"] or match["host"]).lower()
    port = int(match["port"] or (5349 if scheme.endswith("s") else 3478))
    if not 0 < port < 65536:
        return "no such port"
    if scheme == "stun":
        stun[StunServer(host, port)] = None
        return ""
    if scheme == "stuns":
        return "STUN over TLS cannot tell a UDP address"
    if not server.username or not server.credential:
        return "a TURN server needs a user name and a credential"
    if scheme == "turns":
        if transport == "udp":
            return "TURN over DTLS is not supported"
        kind = "tls"
    elif transport in ("", "udp", "tcp"):
        kind = transport or "udp"
    else:
        return f"unknown transport {transport!r}"
    turn[TurnServer(host, port, kind, server.username, server.credential)] = None
    return ""

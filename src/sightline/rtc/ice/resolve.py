"""Names of STUN and TURN servers, looked up without holding up the event loop."""

from __future__ import annotations

import asyncio
import ipaddress
import socket

__all__ = ["resolve"]


async def resolve(host: str, port: int) -> list[tuple[str, int]]:
    """A server's addresses, at most one of each family. Raises OSError when its name is not known."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_DGRAM)
        by_family = {family: (str(address[0]), port) for family, _, _, _, address in reversed(found)}
        return list(by_family.values())
    return [(host, port)]

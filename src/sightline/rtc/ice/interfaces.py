"""The addresses of this machine that others may reach, and sockets on them."""

from __future__ import annotations

import errno
import ipaddress
import socket
from collections.abc import Sequence

import ifaddr

__all__ = ["bind_udp", "host_addresses", "interface_problem"]

_RECEIVE_BUFFER = 262_144
"""Bytes; what arrives while the event loop is busy with one frame for all viewers."""

_SKIP = (errno.EADDRINUSE, errno.EACCES)
"""Another port may do."""


def host_addresses(interfaces: Sequence[str] = ()) -> list[str]:
    """Addresses for host candidates, best first: those of the named interfaces, or of all.

    Loopback is used when it was named, or when the machine has nothing else: then the peer can only be on this machine.
    IPv6 link-local addresses are left out: they are no use without a zone, which SDP cannot say (RFC 8445 §5.1.1.1).
    """
    found: list[str] = []
    loopback: list[str] = []
    for adapter in ifaddr.get_adapters():
        if interfaces and adapter.name not in interfaces and adapter.nice_name not in interfaces:
            continue
        for ip in adapter.ips:
            address = ipaddress.ip_address(ip.ip if isinstance(ip.ip, str) else ip.ip[0])
            if address.is_loopback:
                loopback.append(str(address))
            elif not (address.version == 6 and address.is_link_local):
                found.append(str(address))
    if interfaces:
        return found + loopback
    return found or loopback


def interface_problem(interfaces: Sequence[str]) -> str | None:
    """What people should know of the names they gave: one that this machine has not, or none that has an address."""
    adapters = ifaddr.get_adapters(include_unconfigured=True)
    known = {name for adapter in adapters for name in (adapter.name, adapter.nice_name)}
    unknown = next((name for name in interfaces if name not in known), None)
    if unknown is not None:
        has = ", ".join(sorted(adapter.nice_name for adapter in adapters))
        return f"This machine has no network interface {unknown!r} now; it has {has}."
    if interfaces and not host_addresses(interfaces):
        return f"{' and '.join(interfaces)} has no address now."
    return None


def bind_udp(address: str, *, ports: tuple[int, int] | None = None, roll: float = 0.0) -> socket.socket:
    """A non-blocking UDP socket on ``address``, on a free port, or on a free one from ``ports`` (first, last).

    ``roll``, from 0 up to 1, says where in the range the search begins: two sessions that start together, or a
    generation that follows another, seldom ask for the same port.
    Raises OSError when the address is not this machine's or all the ports are taken.
    """
    if ports is None:
        return _bind(address, 0)
    first, last = ports
    count = last - first + 1
    start = int(roll * count)
    problem = OSError(errno.EADDRINUSE, f"all UDP ports from {first} to {last} are taken there; give it more of them")
    for step in range(count):
        try:
            return _bind(address, first + (start + step) % count)
        except OSError as error:
            if error.errno not in _SKIP:
                raise
    raise problem


def _bind(address: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_DGRAM)
    try:
        sock.setblocking(False)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)  # IPv4 has its own socket
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
        sock.bind((address, port))
    except BaseException:
        sock.close()
        raise
    return sock

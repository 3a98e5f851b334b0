"""Tests talk to this machine only. Anything else is refused, and fails the test that tried.

Done with an audit hook, which sees every socket of Python's own, asyncio's included (not what libuv or another
process opens). Refused connections look like a machine without a network. Addresses and names that are
reserved for documentation (RFC 5737, RFC 3849, RFC 6761) are refused in the same way without failing the
test: use them where a test needs a dead address.
"""

import errno
import ipaddress
import socket
import sys
from collections.abc import Iterator
from functools import cache

import ifaddr
import pytest

DOCUMENTATION = [
    ipaddress.ip_network(block) for block in ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32")
]
CONNECTS = frozenset({"socket.connect", "socket.sendto", "socket.sendmsg"})
LOOKUPS = frozenset({"socket.getaddrinfo", "socket.gethostbyname"})

_attempts: list[str] = []


@pytest.fixture(autouse=True)
def _only_this_machine() -> Iterator[None]:
    _attempts.clear()
    yield
    attempts = "\n  ".join(_attempts)
    _attempts.clear()
    if attempts:
        pytest.fail(f"The test tried to leave this machine:\n  {attempts}", pytrace=False)


def pytest_configure(config: pytest.Config) -> None:
    install_hook()


@cache
def install_hook() -> None:
    """Once for a process: an audit hook cannot be taken away."""
    sys.addaudithook(on_audit_event)


def on_audit_event(event: str, arguments: tuple[object, ...]) -> None:
    if event in CONNECTS:
        address = arguments[1]
        if isinstance(address, tuple) and address and not is_here(str(address[0])):
            refuse(f"{event} {address[0]}", str(address[0]))
            raise OSError(errno.ENETUNREACH, f"tests may only talk to this machine, not to {address[0]}")
    elif event in LOOKUPS:
        name = arguments[0]
        host = name.decode() if isinstance(name, bytes) else name
        if isinstance(host, str) and not is_here(host):
            refuse(f"{event} {host}", host)
            raise socket.gaierror(socket.EAI_NONAME, f"tests may not look up {host}")


def refuse(attempt: str, host: str) -> None:
    """Remember an attempt for the report, unless it was made at a dead address on purpose."""
    address = as_address(host)
    if address is None:
        reserved = host.rstrip(".").endswith((".invalid", ".test", ".example"))
    else:
        reserved = any(address in block for block in DOCUMENTATION if block.version == address.version)
    if not reserved:
        _attempts.append(attempt)


def is_here(host: str) -> bool:
    """Whether an address or name is this machine's: loopback, any, or one of its interfaces'."""
    address = as_address(host)
    if address is None:
        return host in ("", "localhost", socket.gethostname()) or host.endswith(".localhost")
    return address.is_loopback or address.is_unspecified or str(address) in own_addresses()


def as_address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


@cache
def own_addresses() -> frozenset[str]:
    # Peer connections of one process reach each other through the interfaces' addresses, not loopback.
    ips = (ip.ip for adapter in ifaddr.get_adapters() for ip in adapter.ips)
    return frozenset(ip if isinstance(ip, str) else ip[0] for ip in ips)

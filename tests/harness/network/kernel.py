"""Namespaces, TUN interfaces and routes by system calls: needs neither root nor iproute2."""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import socket
import struct
from collections.abc import Iterator

CLONE_NEWUSER = 0x10000000
CLONE_NEWNET = 0x40000000

TUNSETIFF = 0x400454CA
TUNSETCARRIER = 0x400454E2
IFF_TUN, IFF_NO_PI = 0x0001, 0x1000
SIOCADDRT = 0x890B
SIOCGIFFLAGS, SIOCSIFFLAGS = 0x8913, 0x8914
SIOCSIFADDR, SIOCSIFNETMASK = 0x8916, 0x891C
IFF_UP = 0x1
LINKDOWN = "/proc/sys/net/ipv4/conf/all/ignore_routes_with_linkdown"
RTF_UP = 0x1

_libc = ctypes.CDLL(None, use_errno=True)


class RouteEntry(ctypes.Structure):
    """`struct rtentry` of <linux/route.h>."""

    _fields_ = (
        ("pad1", ctypes.c_ulong),
        ("destination", ctypes.c_ubyte * 16),
        ("gateway", ctypes.c_ubyte * 16),
        ("mask", ctypes.c_ubyte * 16),
        ("flags", ctypes.c_ushort),
        ("pad2", ctypes.c_short),
        ("pad3", ctypes.c_ulong),
        ("pad4", ctypes.c_void_p),
        ("metric", ctypes.c_short),
        ("device", ctypes.c_char_p),
        ("mtu", ctypes.c_ulong),
        ("window", ctypes.c_ulong),
        ("rtt", ctypes.c_ushort),
    )


def _check(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def become_root_of_own_namespaces() -> None:
    """Move this process, which must have one thread, into a user and a network namespace of its own."""
    user, group = os.geteuid(), os.getegid()
    _check(_libc.unshare(CLONE_NEWUSER | CLONE_NEWNET), "unshare")
    for file, text in (("setgroups", "deny"), ("uid_map", f"0 {user} 1"), ("gid_map", f"0 {group} 1")):
        with open(f"/proc/self/{file}", "w", encoding="ascii") as writer:
            writer.write(text)


def new_network() -> int:
    """Make one more network namespace and go there; the descriptor that keeps it alive and leads back to it."""
    _check(_libc.unshare(CLONE_NEWNET), "unshare")
    set_up_interface("lo", up=True)
    with contextlib.suppress(OSError), open(LINKDOWN, "w", encoding="ascii") as writer:
        writer.write("1")  # as network managers see to: no way over an interface without a carrier
    return os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)


@contextlib.contextmanager
def inside(network: int) -> Iterator[None]:
    """Sockets made in the block belong to that network namespace."""
    before = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        _check(_libc.setns(network, CLONE_NEWNET), "setns")
        yield
    finally:
        _check(_libc.setns(before, CLONE_NEWNET), "setns")
        os.close(before)


def open_tun(name: str, address: str) -> int:
    """Make a TUN interface with an IPv4 address (/24) in the current namespace; it is down still.

    TUN and not a veth pair: the kernel hands out finished packets here. From a veth, AF_PACKET would get segments
    of up to 64 KiB with checksums that a network card was to complete.
    """
    tun = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    fcntl.ioctl(tun, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TUN | IFF_NO_PI))
    _ioctl(SIOCSIFADDR, struct.pack("16s16s8x", name.encode(), _sockaddr(address)))
    _ioctl(SIOCSIFNETMASK, struct.pack("16s16s8x", name.encode(), _sockaddr("255.255.255.0")))
    return tun


def set_carrier(tun: int, *, on: bool) -> None:
    """As a cable or an access point that comes or goes: the interface stays up, with its address and its routes."""
    with open(LINKDOWN, encoding="ascii") as reader:
        if reader.read().strip() != "1":
            raise OSError("net.ipv4.conf.all.ignore_routes_with_linkdown cannot be set here")
    fcntl.ioctl(tun, TUNSETCARRIER, struct.pack("i", on))


def set_up_interface(name: str, *, up: bool) -> None:
    """As `ip link set NAME up` or `down`. With the interface its routes go."""
    flags = struct.unpack_from("16xh", _ioctl(SIOCGIFFLAGS, struct.pack("16s24x", name.encode())))[0]
    flags = flags | IFF_UP if up else flags & ~IFF_UP
    _ioctl(SIOCSIFFLAGS, struct.pack("16sh22x", name.encode(), flags))


def add_default_route(name: str, *, metric: int) -> None:
    """Everything through this interface, unless another one's metric is lower."""
    route = RouteEntry(flags=RTF_UP, metric=metric + 1, device=name.encode())
    for field in (route.destination, route.gateway, route.mask):
        field[:] = list(_sockaddr("0.0.0.0"))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        _check(_libc.ioctl(any_socket.fileno(), ctypes.c_ulong(SIOCADDRT), ctypes.byref(route)), "SIOCADDRT")


def _ioctl(request: int, argument: bytes) -> bytes:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        return fcntl.ioctl(any_socket.fileno(), request, argument)


def _sockaddr(address: str) -> bytes:
    return struct.pack("=HH4s8x", socket.AF_INET, 0, socket.inet_aton(address))

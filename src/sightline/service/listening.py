"""Listening sockets: bound one by one, so that a busy port is one clear sentence."""

from __future__ import annotations

import errno
import socket
from collections.abc import Sequence

from ..errors import ConfigError

__all__ = ["LOOPBACK", "listen"]

LOOPBACK = ("127.0.0.1", "::1")
_BACKLOG = 4096


def listen(hosts: Sequence[str], port: int, *, setting: str) -> list[socket.socket]:
    """Listening TCP sockets on those addresses, empty for all; IPv6 only where the machine has it.

    Raises ConfigError with one sentence, which names the setting to change.
    """
    sockets: list[socket.socket] = []
    try:
        for host in hosts or ("0.0.0.0", "::"):
            try:
                sockets.append(_listen(host, port))
            except OSError as error:
                if error.errno in (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL) and ":" in host:
                    continue
                raise ConfigError(_sentence(host, port, error, setting)) from error
    except ConfigError:
        for sock in sockets:
            sock.close()
        raise
    return sockets


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.setblocking(False)
        sock.bind((host, port))
        sock.listen(_BACKLOG)
    except BaseException:
        sock.close()
        raise
    return sock


def _sentence(host: str, port: int, error: OSError, setting: str) -> str:
    flag = "--" + setting.replace("_", "-")
    match error.errno:
        case errno.EADDRINUSE:
            return f"Port {port} is in use by another program. Stop that one, or choose another port with {flag}."
        case errno.EACCES:
            return (
                f"Port {port} needs more rights than this user has. Choose one above 1023 with {flag}, or allow it: "
                "sudo sysctl net.ipv4.ip_unprivileged_port_start=443"
            )
        case errno.EADDRNOTAVAIL:
            return f"This machine has no address {host}. Choose one that it has with --bind."
        case _:
            return f"{host} port {port} cannot be listened on: {error.strerror or error}."

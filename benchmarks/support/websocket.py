"""The client's side of a WebSocket, as little of it as a load generator needs (RFC 6455)."""

from __future__ import annotations

import base64
import os
import socket
import ssl
import struct

HEAD_END = b"\r\n\r\n"


def text_frame(text: bytes) -> bytes:
    """A masked text frame, made once and sent many times. The mask is random but fixed: the server has to unmask."""
    mask = os.urandom(4)
    size = len(text)
    head = struct.pack("!BB", 0x81, 0x80 | size) if size < 126 else struct.pack("!BBH", 0x81, 0x80 | 126, size)
    repeated = mask * (size // 4 + 1)
    return head + mask + bytes(a ^ b for a, b in zip(text, repeated, strict=False))


def frame_length(data: bytes) -> int | None:
    """Bytes of the unmasked frame that ``data`` begins with, its head included; None when the head is not all there."""
    if len(data) < 2:
        return None
    if data[1] < 126:
        return 2 + data[1]
    if len(data) < 4:
        return None
    return 4 + int.from_bytes(data[2:4], "big")


def frame_text(frame: bytes) -> bytes:
    """The payload of a whole unmasked frame."""
    return frame[2:] if frame[1] < 126 else frame[4:]


def upgrade_request(path: str, *, host: str) -> bytes:
    """The request that opens a socket."""
    key = base64.b64encode(os.urandom(16)).decode()
    return (
        f"GET {path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n"
    ).encode()


def open_socket(port: int, path: str, *, tls: ssl.SSLContext | None) -> tuple[socket.socket, bytes]:
    """Connect to 127.0.0.1 and upgrade; the socket, blocking, and what came behind the answer's head."""
    sock: socket.socket = socket.create_connection(("127.0.0.1", port), timeout=10)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if tls is not None:
        sock = tls.wrap_socket(sock, server_hostname="localhost")
    sock.sendall(upgrade_request(path, host=f"localhost:{port}"))
    data = b""
    while HEAD_END not in data:
        more = sock.recv(65536)
        if not more:
            raise RuntimeError(f"the server closed the connection during the upgrade: {data[:200]!r}")
        data += more
    head, _, rest = data.partition(HEAD_END)
    if not head.startswith(b"HTTP/1.1 101"):
        raise RuntimeError(f"no upgrade: {head[:300]!r} {rest[:300]!r}")
    return sock, rest


def any_certificate() -> ssl.SSLContext:
    """TLS 1.3 that takes whatever certificate the server has: on loopback only speed is asked about."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    return context

"""Connections to a TURN server: a UDP socket, or a TCP or TLS connection that rather drops than delays."""

from __future__ import annotations

import asyncio
import functools
import socket
import ssl
import sys
from collections.abc import Callable, Sequence
from typing import cast

from .paths import DatagramBurst
from .servers import TurnServer
from .turn_channel import Wire
from .turn_messages import StreamFrames, TurnUnreachable

__all__ = ["open_wire"]

_CONNECT_PATIENCE = 5.0
"""Seconds for TCP and TLS together."""

_BACKLOG = 65_536
"""Bytes that wait for the connection, beyond which bursts are dropped: a quarter of a second at 2 Mbit/s."""

_UNSENT = 32_768
"""Bytes that the kernel may hold unsent; its own buffers would grow to seconds of pictures."""

_TCP_NOTSENT_LOWAT = 25
"""Linux (tcp(7)); the socket module has no name for it."""

Received = Callable[[bytes], None]
Lost = Callable[[str], None]


async def open_wire(
    server: TurnServer, address: tuple[str, int], *, tls: ssl.SSLContext | None, received: Received, lost: Lost
) -> Wire:
    """Connect to one of the server's addresses. Raises TurnUnreachable.

    ``received`` gets STUN messages and ChannelData whole; ``lost`` is called at most once, with a reason for people.
    """
    try:
        if server.transport == "udp":
            return await _open_udp(address, received)
        async with asyncio.timeout(_CONNECT_PATIENCE):
            return await _open_stream(server, address, tls, received, lost)
    except TimeoutError:
        raise TurnUnreachable(f"no connection within {_CONNECT_PATIENCE:g} s") from None
    except OSError as error:  # ssl.SSLError is one, too
        raise TurnUnreachable(f"no connection: {error}") from error


async def _open_udp(address: tuple[str, int], received: Received) -> Wire:
    sock = _socket(address, socket.SOCK_DGRAM)
    try:
        sock.connect(address)  # does not wait: it only sets the address, and lets the kernel report refusals
        protocol = _UdpProtocol(received)
        transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(lambda: protocol, sock=sock)
    except BaseException:
        sock.close()
        raise
    return _UdpWire(transport, protocol, DatagramBurst(sock, None))


async def _open_stream(
    server: TurnServer, address: tuple[str, int], tls: ssl.SSLContext | None, received: Received, lost: Lost
) -> Wire:
    loop = asyncio.get_running_loop()
    context = None
    if server.transport == "tls":
        context = tls or await asyncio.to_thread(_system_tls)
    sock = _socket(address, socket.SOCK_STREAM)
    try:
        await loop.sock_connect(sock, address)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if sys.platform == "linux":
            sock.setsockopt(socket.IPPROTO_TCP, _TCP_NOTSENT_LOWAT, _UNSENT)
        transport, protocol = await loop.create_connection(
            lambda: _StreamProtocol(received, lost),
            sock=sock,
            ssl=context,
            server_hostname=server.host if context else None,
        )
    except BaseException:
        sock.close()
        raise
    return _StreamWire(transport, protocol)


class _UdpProtocol(asyncio.DatagramProtocol):
    def __init__(self, received: Received) -> None:
        self._received = received
        self.closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def datagram_received(self, data: bytes | str, addr: tuple[object, ...]) -> None:
        self._received(cast(bytes, data))

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.closed.done():
            self.closed.set_result(None)


class _UdpWire:
    reliable = False

    def __init__(self, transport: asyncio.DatagramTransport, protocol: _UdpProtocol, burst: DatagramBurst) -> None:
        self._transport = transport
        self._protocol = protocol
        self.send = burst.send

    def send_message(self, message: bytes) -> None:
        self._transport.sendto(message)

    async def aclose(self) -> None:
        self._transport.abort()
        await self._protocol.closed


class _StreamProtocol(asyncio.Protocol):
    def __init__(self, received: Received, lost: Lost) -> None:
        self._received = received
        self._lost: Lost | None = lost
        self._frames = StreamFrames()
        self._transport: asyncio.Transport | None = None
        self.closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        try:
            frames = self._frames.feed(data)
        except ValueError as error:
            self._report(str(error))
            assert self._transport is not None
            self._transport.abort()
            return
        for frame in frames:
            self._received(frame)

    def connection_lost(self, exc: Exception | None) -> None:
        self._report(str(exc or "the server has closed the connection"))
        if not self.closed.done():
            self.closed.set_result(None)

    def quiet(self) -> None:
        """From now on its end is our own doing."""
        self._lost = None

    def _report(self, reason: str) -> None:
        lost, self._lost = self._lost, None
        if lost is not None:
            lost(reason)


class _StreamWire:
    reliable = True

    def __init__(self, transport: asyncio.Transport, protocol: _StreamProtocol) -> None:
        self._transport = transport
        self._protocol = protocol

    def send_message(self, message: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(message)

    def send(self, frames: Sequence[bytes]) -> int:
        transport = self._transport
        if transport.is_closing() or transport.get_write_buffer_size() > _BACKLOG:
            return 0
        transport.write(b"".join(frames))
        return len(frames)

    async def aclose(self) -> None:
        self._protocol.quiet()
        # Not close(): over TLS that would wait for the other side's farewell.
        self._transport.abort()
        await self._protocol.closed


def _socket(address: tuple[str, int], kind: socket.SocketKind) -> socket.socket:
    sock = socket.socket(socket.AF_INET6 if ":" in address[0] else socket.AF_INET, kind)
    sock.setblocking(False)
    return sock


@functools.cache
def _system_tls() -> ssl.SSLContext:
    """In a thread: reading the system's certificates takes tens of milliseconds."""
    return ssl.create_default_context()

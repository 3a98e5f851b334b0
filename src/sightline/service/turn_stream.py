"""TURN over TCP and TLS, also on the port of HTTPS: the first decrypted byte tells the two apart."""

from __future__ import annotations

import asyncio
import itertools
import socket
import sys
from collections.abc import Callable
from typing import cast

from ..relay import CHANNEL_HEADER, Allocation, ClientPath, StreamCutter
from .turn_bursts import StreamRoute
from .turn_relaying import Relaying

__all__ = ["FirstByte", "TurnConnections"]

_TCP_NOTSENT_LOWAT, _UNSENT = 25, 65_536
"""Linux (tcp(7)): bytes that the kernel may hold unsent; its own buffers would grow to seconds of pictures."""
_numbers = itertools.count()


class TurnConnections:
    """Protocols for the connections of TURN clients, and their end."""

    def __init__(self, relaying: Relaying, *, wall: Callable[[], float], stranger: float, most: int) -> None:
        """``stranger``: seconds that a connection without an allocation is kept; ``most``: connections at once."""
        self._most = most
        self.relaying = relaying
        self.wall = wall
        self.stranger = stranger
        self._open: set[asyncio.Protocol] = set()

    def accept(self) -> asyncio.Protocol:
        """For ``loop.create_server``."""
        return _Connection(self)

    def shared_with(self, http: Callable[[], asyncio.Protocol]) -> Callable[[], asyncio.Protocol]:
        """For ``loop.create_server``: HTTP and TURN on one port."""
        return lambda: FirstByte(self, http)

    def opened(self, connection: asyncio.Protocol, transport: asyncio.Transport) -> None:
        """It counts from now on."""
        if len(self._open) >= self._most:
            transport.abort()
        self._open.add(connection)

    def closed(self, connection: asyncio.Protocol) -> None:
        """It is over, or somebody else's."""
        self._open.discard(connection)

    def __len__(self) -> int:
        return len(self._open)

    async def aclose(self) -> None:
        """Cut all. Idempotent."""
        for connection in list(self._open):
            cast("FirstByte | _Connection", connection).abort()
        while self._open:  # noqa: ASYNC110 - connection_lost comes on the next turns of the loop
            await asyncio.sleep(0.001)


class FirstByte(asyncio.Protocol):
    """A connection of which nobody knows yet whose it is. STUN begins with 0 or 1, HTTP with a letter."""

    _PATIENCE = 75.0
    """Seconds for the first byte, as long as HTTP connections are kept alive: browsers open some in advance."""

    def __init__(self, turn: TurnConnections, http: Callable[[], asyncio.Protocol]) -> None:
        self._turn = turn
        self._http = http
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio."""
        self._transport = cast(asyncio.Transport, transport)
        self._timer = asyncio.get_running_loop().call_later(self._PATIENCE, self._transport.abort)
        self._turn.opened(self, self._transport)

    def data_received(self, data: bytes) -> None:
        """Hands the connection over."""
        assert self._transport is not None
        chosen = self._turn.accept() if data[0] < 0x40 and data[0] not in b"\r\n" else self._http()
        self._over()
        self._transport.set_protocol(chosen)
        chosen.connection_made(self._transport)
        chosen.data_received(data)

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio."""
        self._over()

    def abort(self) -> None:
        """Cut it."""
        assert self._transport is not None
        self._transport.abort()

    def _over(self) -> None:
        self._turn.closed(self)
        if self._timer is not None:
            self._timer.cancel()


class _Connection(asyncio.Protocol):
    def __init__(self, turn: TurnConnections) -> None:
        self._turn = turn
        self._cutter = StreamCutter()
        self._key = ("tcp", next(_numbers))
        self._transport: asyncio.Transport | None = None
        self._route: StreamRoute | None = None
        self._path: ClientPath | None = None
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport = cast(asyncio.Transport, transport)
        self._transport = transport
        self._route = StreamRoute(transport)
        peer = transport.get_extra_info("peername") or ("0.0.0.0", 0)
        local = transport.get_extra_info("sockname") or ("",)
        self._path = ClientPath(self._key, (str(peer[0]).partition("%")[0], int(peer[1])), str(local[0]), True)
        sock = transport.get_extra_info("socket")
        if sock is not None and sys.platform == "linux":
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.setsockopt(socket.IPPROTO_TCP, _TCP_NOTSENT_LOWAT, _UNSENT)
        self._turn.opened(self, transport)
        self._look()

    def data_received(self, data: bytes) -> None:
        turn, path, transport = self._turn, self._path, self._transport
        assert path is not None
        assert transport is not None
        relaying = turn.relaying
        now = relaying.steady()
        try:
            frames = self._cutter.feed(data)
        except ValueError:
            relaying.server.counters.ignored += 1
            transport.abort()
            return
        allocation = relaying.server.allocation(self._key)
        pieces: list[memoryview] = []
        current = total = 0
        for frame in frames:
            if frame[0] >= 0x40:
                if allocation is None:
                    relaying.server.counters.rejected["no-allocation"] += 1
                    continue
                number, length = CHANNEL_HEADER.unpack_from(frame)
                if number != current:
                    self._forward(allocation, current, pieces, total, now)
                    pieces, total, current = [], 0, number
                pieces.append(memoryview(frame)[4:])
                total += length
                continue
            self._forward(allocation, current, pieces, total, now)
            pieces, total, current = [], 0, 0
            outputs = relaying.server.take(frame, path, now=now, wall=turn.wall())
            if transport.get_write_buffer_size() > 1 << 20:
                transport.abort()  # it asks and asks, and reads nothing
                return
            relaying.perform(outputs, transport.write, self._route)
            allocation = relaying.server.allocation(self._key)
        self._forward(allocation, current, pieces, total, now)
        relaying.flush()

    def _forward(
        self, allocation: Allocation | None, number: int, pieces: list[memoryview], size: int, now: float
    ) -> None:
        if pieces and allocation is not None:
            self._turn.relaying.from_client(allocation, number, pieces, size, now)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._turn.closed(self)
        relaying = self._turn.relaying
        relaying.perform(relaying.server.lost(self._key), None, None)

    def abort(self) -> None:
        """Cut it."""
        assert self._transport is not None
        self._transport.abort()

    def _look(self) -> None:
        """Whether it still has an allocation, from time to time; without one it is a stranger's."""
        if self._timer is not None and self._turn.relaying.server.allocation(self._key) is None:
            self.abort()
            return
        self._timer = asyncio.get_running_loop().call_later(self._turn.stranger, self._look)

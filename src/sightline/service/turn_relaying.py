"""Carries out what the relay decided: sockets for allocations, and data between them and their clients."""

from __future__ import annotations

import asyncio
import errno
import os
import random
import socket
import sys
from collections.abc import Callable, Sequence
from typing import cast

from ..relay import (
    Allocation,
    Channel,
    Closed,
    Opened,
    Output,
    RelayedPort,
    RelayServer,
    Reply,
    ToClient,
    ToPeer,
    data_indication,
)
from .turn_addresses import RelayAddresses
from .turn_bursts import SEGMENTED, DatagramRoute, Route, receive_in_bursts

__all__ = ["BURST", "SLOT", "Relay", "RelayPorts", "Relaying"]

SLOT = 65_536
"""Bytes for one datagram, or for as many as the kernel hands over together."""
BURST = 32
"""Datagrams read from one socket before the others have their turn."""
_RECEIVE_BUFFER = 1 << 20
_TRIES = 40
"""Ports that are tried before a range counts as full."""
_CHECK = b"\0\1"
"""How a Binding request begins. Media begin with other bytes (RFC 7983)."""

Pieces = Sequence[memoryview | bytes]


class Relaying:
    """Between clients and relayed sockets. ``server`` decides, ``steady`` is its clock."""

    def __init__(self, server: RelayServer, *, steady: Callable[[], float]) -> None:
        self.server = server
        self.steady = steady
        memory = memoryview(bytearray(SLOT * BURST))
        self.slots = [memory[at : at + SLOT] for at in range(0, len(memory), SLOT)]
        """Whoever reads a socket reads into these, and flushes before he returns: nothing is copied."""
        self.control_space = socket.CMSG_SPACE(4) + socket.CMSG_SPACE(20)
        self._dirty: list[Route] = []

    def from_client(self, allocation: Allocation, number: int, pieces: Pieces, size: int, now: float) -> None:
        """ChannelData: what its frames carry, ``size`` bytes together."""
        channel = self.server.outgoing(allocation, number, size, len(pieces), now)
        if channel is None:
            return
        target, leaves = self.server.target(allocation, channel.peer, channel.verdict, len(pieces), now)
        if target is not None:
            self.to_client(target, allocation.relayed, pieces, size, now)
        if not leaves:
            return
        route = cast("DatagramRoute | None", channel.handle)
        if route is None:
            relay = cast(Relay, allocation.handle)
            route = channel.handle = DatagramRoute(relay.socket, channel.peer, [], headers=False)
        if not route.waiting:
            self._dirty.append(route)
        if size == len(pieces) * len(pieces[0]) and len(set(map(len, pieces))) == 1:
            route.add_equal(b"", pieces)
        else:
            for piece in pieces:
                route.add(b"", piece)

    def from_peer(
        self, allocation: Allocation, peer: tuple[str, int], pieces: Sequence[memoryview], size: int, now: float
    ) -> None:
        """Datagrams that came from the network, ``size`` bytes together."""
        if pieces[0][:2] == _CHECK:
            self.server.heard(allocation, peer, bytes(pieces[0]), now)
        self.to_client(allocation, peer, pieces, size, now)

    def to_client(self, allocation: Allocation, peer: tuple[str, int], pieces: Pieces, size: int, now: float) -> None:
        """Data of a peer, ``size`` bytes together."""
        channel = self.server.incoming(allocation, peer, size, len(pieces), now)
        if channel is None:
            return
        route = cast(Relay, allocation.handle).client
        if route is None:
            return
        if not route.waiting:
            self._dirty.append(route)
        if isinstance(channel, Channel):
            length, header = -1, b""
            if size == len(pieces) * len(pieces[0]) and len(set(map(len, pieces))) == 1:
                route.add_equal(channel.header(len(pieces[0])), pieces)
                return
            for piece in pieces:
                if len(piece) != length:
                    length = len(piece)
                    header = channel.header(length)
                route.add(header, piece)
        else:
            for piece in pieces:
                route.add(b"", data_indication(peer, bytes(piece), os.urandom(12)))

    def flush(self) -> None:
        """Send all that waits."""
        dirty, self._dirty = self._dirty, []
        for route in dirty:
            if route.waiting:
                route.flush()

    def perform(self, outputs: Sequence[Output], reply: Callable[[bytes], None] | None, client: Route | None) -> None:
        """Do what the server asks for, in order. ``reply`` answers the message that was taken, ``client`` sends data
        to whom it came from."""
        for output in outputs:
            if type(output) is Reply:
                assert reply is not None
                reply(output.data)
            elif type(output) is ToPeer:
                cast(Relay, output.allocation.handle).send(output.data, output.peer)
            elif type(output) is ToClient:
                route = cast(Relay, output.allocation.handle).client
                if route is not None:
                    if not route.waiting:
                        self._dirty.append(route)
                    route.add(b"", output.data)
            elif type(output) is Opened:
                cast(Relay, output.allocation.handle).serve(output.allocation, client)
            elif type(output) is Closed:
                cast(Relay, output.allocation.handle).close()


class Relay:
    """The socket of one allocation."""

    __slots__ = ("_allocation", "_loop", "_relaying", "client", "socket")

    def __init__(self, sock: socket.socket, relaying: Relaying) -> None:
        self.socket = sock
        self.client: Route | None = None
        self._relaying = relaying
        self._allocation: Allocation | None = None
        self._loop = asyncio.get_running_loop()

    def serve(self, allocation: Allocation, client: Route | None) -> None:
        """From now on data are taken from peers."""
        self._allocation = allocation
        self.client = client
        self._loop.add_reader(self.socket, self._drain)

    def send(self, data: bytes, peer: tuple[str, int]) -> None:
        """One datagram."""
        try:
            self.socket.sendto(data, peer)
        except OSError:
            return  # a full buffer or an unreachable peer: datagrams get lost

    def close(self) -> None:
        """The allocation has ended."""
        self._loop.remove_reader(self.socket)
        self.socket.close()
        self.client = None

    def _drain(self) -> None:
        relaying, sock, allocation = self._relaying, self.socket, self._allocation
        assert allocation is not None
        now = relaying.steady()
        receive, space = sock.recvmsg_into, relaying.control_space
        pieces: list[memoryview] = []
        peer: object = None
        total = 0
        for slot in relaying.slots:
            try:
                size, control, _, source = receive((slot,), space)
            except (BlockingIOError, InterruptedError):
                break
            except OSError:
                continue  # an ICMP answer to something that was sent before
            if source != peer:
                if pieces:
                    relaying.from_peer(allocation, cast("tuple[str, int]", peer)[:2], pieces, total, now)
                    pieces, total = [], 0
                peer = source
            total += size
            segment = 0
            if control and control[0][:2] == SEGMENTED:
                segment = int.from_bytes(control[0][2][:4], sys.byteorder)
            if 0 < segment < size:
                pieces += [slot[at : min(at + segment, size)] for at in range(0, size, segment)]
            else:
                pieces.append(slot[:size])
        if pieces:
            relaying.from_peer(allocation, cast("tuple[str, int]", peer)[:2], pieces, total, now)
        relaying.flush()


class RelayPorts:
    """Opens sockets for allocations, in a range of ports. ``addresses`` may be exchanged while it is used."""

    def __init__(self, addresses: RelayAddresses, ports: tuple[int, int]) -> None:
        self.addresses = addresses
        self._ports = ports
        self.relaying: Relaying | None = None
        """To be set before the first one is opened."""

    def has(self, version: int) -> bool:
        """See `relay.Ports`."""
        return version in self.addresses.bound

    def open(self, version: int, *, local: str, even: bool) -> RelayedPort | None:
        """See `relay.Ports`."""
        assert self.relaying is not None
        host = self.addresses.bound[version]
        sock = self._bind(host, even=even)
        if sock is None:
            return None
        port = int(sock.getsockname()[1])
        return RelayedPort((self.addresses.told[version], port), Relay(sock, self.relaying))

    def _bind(self, host: str, *, even: bool) -> socket.socket | None:
        first, last = self._ports
        try:
            sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
        except OSError:  # no descriptor left
            return None
        try:
            sock.setblocking(False)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
            if ":" in host:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            receive_in_bursts(sock)
            # Ports that nobody can guess (RFC 8656 §7.2).
            count = last - first + 1
            for port in random.SystemRandom().sample(range(first, last + 1), min(count, _TRIES)):
                try:
                    sock.bind((host, port - port % 2 if even and port > first else port))
                except OSError as error:
                    if error.errno not in (errno.EADDRINUSE, errno.EACCES):
                        break
                else:
                    return sock
        except OSError:
            pass
        sock.close()
        return None

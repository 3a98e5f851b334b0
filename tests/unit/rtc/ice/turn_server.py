"""A TURN server for tests, on aioice's STUN codec: UDP, TCP and TLS, with the faults that real ones have.

It relays between 127.0.0.1 addresses, checks credentials and permissions, and counts what it is asked.
"""

from __future__ import annotations

import asyncio
import hashlib
import ssl
import struct
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import cast

from aioice import stun

Address = tuple[str, int]


class TurnServerForTests:
    """``errors``: answer a method with this code; ``silent``: answer nothing; ``forbidden``: ports not relayed to."""

    def __init__(self, *, username: str = "user", password: str = "secret", lifetime: int = 600) -> None:
        self.username = username
        self.password = password
        self.lifetime = lifetime
        self.realm = "test"
        self.nonce = b"nonce-1"
        self.requests: Counter[str] = Counter()
        self.errors: dict[stun.Method, int] = {}
        self.forbidden: set[int] = set()
        self.silent = False
        self.allocations: dict[object, _Allocation] = {}
        self.released = 0
        self.channel_data_in = 0
        self.indications_in = 0
        self.port = 0
        self._turn = asyncio.Lock()
        self._udp: asyncio.DatagramTransport | None = None
        self._tcp: asyncio.Server | None = None
        self._streams: set[_Stream] = set()

    @property
    def key(self) -> bytes:
        return hashlib.md5(f"{self.username}:{self.realm}:{self.password}".encode()).digest()

    async def start(self, *, transport: str = "udp", tls: ssl.SSLContext | None = None) -> None:
        loop = asyncio.get_running_loop()
        if transport == "udp":
            self._udp, _ = await loop.create_datagram_endpoint(lambda: _Datagrams(self), local_addr=("127.0.0.1", 0))
            self.port = self._udp.get_extra_info("sockname")[1]
        else:
            self._tcp = await loop.create_server(lambda: _Stream(self), "127.0.0.1", 0, ssl=tls)
            self.port = self._tcp.sockets[0].getsockname()[1]

    async def aclose(self) -> None:
        for allocation in list(self.allocations.values()):
            allocation.close()
        if self._udp is not None:
            self._udp.abort()
        for stream in list(self._streams):
            stream.abort()
        if self._tcp is not None:
            self._tcp.close()
        await asyncio.sleep(0)

    def new_nonce(self) -> None:
        """From now on the old one is stale."""
        self.nonce = b"nonce-" + str(len(self.nonce) + self.requests.total()).encode()

    def cut_connections(self) -> None:
        """As a server that dies."""
        for stream in list(self._streams):
            stream.abort()

    def forget(self) -> None:
        """All allocations, without telling anybody."""
        for allocation in list(self.allocations.values()):
            allocation.close()
        self.allocations.clear()

    # -- what comes in

    def received(self, data: bytes, client: object, mapped: Address, reply: Callable[[bytes], None]) -> None:
        if self.silent:
            return
        if data[0] & 0xC0 == 0x40:
            self.channel_data_in += 1
            number, length = struct.unpack_from("!HH", data)
            allocation = self.allocations.get(client)
            if allocation is not None and number in allocation.channels:
                allocation.send(data[4 : 4 + length], allocation.channels[number])
            return
        message = stun.parse_message(data)
        if message.message_class is stun.Class.INDICATION:
            self.indications_in += 1
            return
        self.requests[message.message_method.name] += 1
        asyncio.get_running_loop().create_task(self._answer_in_turn(message, client, mapped, reply))

    async def _answer_in_turn(
        self, message: stun.Message, client: object, mapped: Address, reply: Callable[[bytes], None]
    ) -> None:
        async with self._turn:
            await self._answer(message, client, mapped, reply)

    async def _answer(
        self, message: stun.Message, client: object, mapped: Address, reply: Callable[[bytes], None]
    ) -> None:
        def refuse(code: int, reason: str = "", *, challenge: bool = False) -> None:
            answer = stun.Message(message.message_method, stun.Class.ERROR, message.transaction_id)
            answer.attributes["ERROR-CODE"] = (code, reason)
            if challenge:
                answer.attributes["REALM"] = self.realm
                answer.attributes["NONCE"] = self.nonce
            else:
                answer.add_message_integrity(self.key)
            reply(bytes(answer))

        if "MESSAGE-INTEGRITY" not in message.attributes:
            return refuse(401, "Unauthorized", challenge=True)
        if message.attributes["NONCE"] != self.nonce:
            return refuse(438, "Stale Nonce", challenge=True)
        if message.attributes["USERNAME"] != self.username or not message.check_message_integrity(self.key):
            return refuse(401, "Unauthorized", challenge=True)
        if message.message_method in self.errors:
            return refuse(self.errors[message.message_method], "as the test wants it")
        allocation = self.allocations.get(client)
        answer = stun.Message(message.message_method, stun.Class.RESPONSE, message.transaction_id)
        if message.message_method is stun.Method.ALLOCATE:
            if allocation is not None:
                return refuse(437, "Allocation Mismatch")
            allocation = _Allocation(reply)
            await allocation.start()
            self.allocations[client] = allocation
            answer.attributes["XOR-RELAYED-ADDRESS"] = allocation.address
            answer.attributes["XOR-MAPPED-ADDRESS"] = mapped
            answer.attributes["LIFETIME"] = self.lifetime
        elif allocation is None:
            return refuse(437, "Allocation Mismatch")
        elif message.message_method is stun.Method.REFRESH:
            if message.attributes["LIFETIME"] == 0:
                allocation.close()
                del self.allocations[client]
                self.released += 1
            answer.attributes["LIFETIME"] = min(message.attributes["LIFETIME"], self.lifetime)
        elif message.message_method is stun.Method.CHANNEL_BIND:
            peer = message.attributes["XOR-PEER-ADDRESS"]
            if peer[1] in self.forbidden:
                return refuse(403, "Forbidden")
            allocation.channels[message.attributes["CHANNEL-NUMBER"]] = peer
        answer.add_message_integrity(self.key)
        reply(bytes(answer))


class _Allocation(asyncio.DatagramProtocol):
    def __init__(self, reply: Callable[[bytes], None]) -> None:
        self.channels: dict[int, Address] = {}
        self.address: Address = ("", 0)
        self._reply = reply
        self._transport: asyncio.DatagramTransport | None = None

    async def start(self) -> None:
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_datagram_endpoint(lambda: self, local_addr=("127.0.0.1", 0))
        self.address = self._transport.get_extra_info("sockname")

    def send(self, data: bytes, peer: Address) -> None:
        assert self._transport is not None
        self._transport.sendto(data, peer)

    def datagram_received(self, data: bytes | str, addr: Address) -> None:  # type: ignore[override]
        data = cast(bytes, data)
        for number, peer in self.channels.items():
            if peer == addr:
                self._reply(struct.pack("!HH", number, len(data)) + data + bytes(-len(data) % 4))
                return
        if any(peer[0] == addr[0] for peer in self.channels.values()):  # a permission, but no channel
            indication = stun.Message(stun.Method.DATA, stun.Class.INDICATION)
            indication.attributes["XOR-PEER-ADDRESS"] = addr
            indication.attributes["DATA"] = data
            self._reply(bytes(indication))

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, server: TurnServerForTests) -> None:
        self._server = server

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes | str, addr: Address) -> None:  # type: ignore[override]
        self._server.received(cast(bytes, data), addr, addr, lambda reply: self._transport.sendto(reply, addr))


class _Stream(asyncio.Protocol):
    def __init__(self, server: TurnServerForTests) -> None:
        self._server = server
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._server._streams.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._server._streams.discard(self)

    def abort(self) -> None:
        self._transport.abort()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while len(self._buffer) >= 4:
            length = struct.unpack_from("!H", self._buffer, 2)[0]
            size = 4 + length + -length % 4 if self._buffer[0] & 0xC0 == 0x40 else 20 + length
            if len(self._buffer) < size:
                return
            frame, self._buffer = self._buffer[:size], self._buffer[size:]
            peer = self._transport.get_extra_info("peername")
            self._server.received(frame, self, peer, self._transport.write)


@asynccontextmanager
async def turn_server(
    *, transport: str = "udp", tls: ssl.SSLContext | None = None, lifetime: int = 600
) -> AsyncIterator[TurnServerForTests]:
    server = TurnServerForTests(lifetime=lifetime)
    await server.start(transport=transport, tls=tls)
    try:
        yield server
    finally:
        await server.aclose()

"""A STUN server for tests that tells clients they are somebody else, or nothing at all."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

from aioice import stun


class StunServerForTests(asyncio.DatagramProtocol):
    def __init__(self, mapped: str | None, silent: bool) -> None:
        self.mapped = mapped
        self.silent = silent
        self.requests = 0
        self.port = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)
        self.port = transport.get_extra_info("sockname")[1]

    def datagram_received(self, data: bytes | str, addr: tuple[str, int]) -> None:  # type: ignore[override]
        self.requests += 1
        if self.silent:
            return
        request = stun.parse_message(cast(bytes, data))
        response = stun.Message(stun.Method.BINDING, stun.Class.RESPONSE, request.transaction_id)
        response.attributes["XOR-MAPPED-ADDRESS"] = (self.mapped or addr[0], addr[1])
        self._transport.sendto(bytes(response), addr)

    def close(self) -> None:
        self._transport.abort()


@asynccontextmanager
async def stun_server(
    host: str = "127.0.0.1", *, mapped: str | None = "203.0.113.5", silent: bool = False
) -> AsyncIterator[StunServerForTests]:
    _, server = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: StunServerForTests(mapped, silent), local_addr=(host, 0)
    )
    try:
        yield server
    finally:
        server.close()

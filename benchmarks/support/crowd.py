"""Thousands of clients in one process, for memory.py: ``python -m support.crowd``, commands on standard input.

The first line is the plan as JSON. ``open`` opens all sockets, ``talk`` lets every viewer send one message to its
master and every master one to each viewer, each answered with a line of JSON. Pings are answered all the time.
"""

from __future__ import annotations

import asyncio
import json
import os
import ssl
import sys
import time
from collections.abc import Callable
from typing import cast

import uvloop

from support.websocket import any_certificate, frame_length, text_frame, upgrade_request

PONG = b"\x8a\x80\x00\x00\x00\x00"


class Client(asyncio.Protocol):
    """One socket that counts the text frames it gets."""

    def __init__(self, request: bytes, opened: asyncio.Future[None]) -> None:
        self.request = request
        self.opened = opened
        self.transport: asyncio.Transport | None = None
        self.frames = 0
        self.lost = False
        self._rest = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.transport.write(self.request)

    def send(self, frame: bytes) -> None:
        """Send a ready frame."""
        assert self.transport is not None
        self.transport.write(frame)

    def data_received(self, data: bytes) -> None:
        data = self._rest + data
        if not self.opened.done():
            head, end, data = data.partition(b"\r\n\r\n")
            if not end:
                self._rest = head
                return
            if head.startswith(b"HTTP/1.1 101"):
                self.opened.set_result(None)
            else:
                self.opened.set_exception(RuntimeError(f"no upgrade: {head[:200]!r}"))
        while (length := frame_length(data)) is not None and len(data) >= length:
            if data[0] == 0x81:
                self.frames += 1
            elif data[0] == 0x89:
                self.send(PONG)
            data = data[length:]
        self._rest = data

    def connection_lost(self, error: Exception | None) -> None:
        self.lost = True
        if not self.opened.done():
            self.opened.set_exception(error or ConnectionError("closed during the upgrade"))


class Crowd:
    """All clients, by channel, the master first."""

    def __init__(self, plan: dict) -> None:
        self.plan = plan
        self.channels: list[list[Client]] = [[] for _ in plan["channels"]]

    async def open(self) -> dict[str, object]:
        """Open everything, ``in_flight`` handshakes at a time."""
        tls: ssl.SSLContext | None = any_certificate() if self.plan["tls"] else None
        places = asyncio.Semaphore(self.plan["in_flight"])
        loop, port = asyncio.get_running_loop(), self.plan["port"]

        async def join(channel: int, path: str) -> None:
            async with places:
                opened = loop.create_future()
                request = upgrade_request(path, host=f"localhost:{port}")
                _, client = await loop.create_connection(
                    lambda: Client(request, opened),
                    "127.0.0.1",
                    port,
                    ssl=tls,
                    server_hostname="localhost" if tls else None,
                )
                await asyncio.wait_for(opened, 30)
                self.channels[channel].append(client)

        start = time.perf_counter()
        for position in (slice(0, 1), slice(1, None)):  # masters, then viewers
            await asyncio.gather(
                *(
                    join(number, path)
                    for number, channel in enumerate(self.plan["channels"])
                    for path in channel["paths"][position]
                )
            )
        return {"opened": sum(map(len, self.channels)), "seconds": round(time.perf_counter() - start, 2)}

    async def talk(self) -> dict[str, object]:
        """One message each way between every viewer and its master, a few channels at a time."""
        places = asyncio.Semaphore(4)
        to_master = text_frame(self.plan["to_master"].encode())
        to_viewers = [text_frame(text.encode()) for text in self.plan["to_viewers"]]

        async def one(clients: list[Client]) -> None:
            async with places:
                master, *viewers = clients
                for viewer in viewers:
                    viewer.send(to_master)
                await until(lambda: master.frames >= len(viewers))
                for frame in to_viewers:
                    master.send(frame)
                await until(lambda: all(viewer.frames > 0 for viewer in viewers))

        await asyncio.gather(*(one(clients) for clients in self.channels))
        return {"lost": sum(client.lost for clients in self.channels for client in clients)}


async def until(condition: Callable[[], bool]) -> None:
    """Wait for it, at most half a minute."""
    deadline = time.monotonic() + 30
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError("messages got lost")
        await asyncio.sleep(0.01)


async def main() -> None:
    reader = asyncio.StreamReader(limit=1 << 26)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    plan = json.loads(await reader.readline())
    os.sched_setaffinity(0, set(plan["cores"]))
    crowd = Crowd(plan)
    while command := (await reader.readline()).decode().strip():
        print(json.dumps(await (crowd.open() if command == "open" else crowd.talk())), flush=True)


if __name__ == "__main__":
    uvloop.run(main())

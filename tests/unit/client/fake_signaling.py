"""A signaling service for tests: one WebSocket endpoint that the test plays by hand."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Self

import aiohttp
import msgspec
from aiohttp import web


async def eventually(condition: Callable[[], bool], *, within: float = 30) -> None:
    """Return as soon as the condition holds; TimeoutError after `within` seconds."""
    async with asyncio.timeout(within):
        while True:
            if condition():
                return
            await asyncio.sleep(0.005)


class FakeSession(msgspec.Struct, frozen=True):
    url: str
    ice_servers: tuple[object, ...] = ()
    ca_files: Sequence[Path] = ()
    is_sightline: bool = False


class FakeSignaling:
    """`status` other than 101 refuses sockets; `answer_pings` off makes a dead service."""

    def __init__(self) -> None:
        self.status = 101
        self.refused = 0
        self.refuse_once = False
        self.refusal: dict[str, Any] = {}
        self.refusal_headers: dict[str, str] = {}
        self.answer_pings = True
        self.sockets: list[web.WebSocketResponse] = []
        self.received: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.open_before: list[int] = []
        """How many sockets were open when each of them was asked for."""
        self.frame_types: list[aiohttp.WSMsgType] = []
        self.queries: list[str] = []
        self.pongs = 0
        self.sessions = 0
        self.is_sightline = False

    async def __aenter__(self) -> Self:
        application = web.Application()
        application.router.add_get("/", self._serve)
        self._runner = web.AppRunner(application, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    async def session(self) -> FakeSession:
        self.sessions += 1
        url = f"ws://127.0.0.1:{self.port}/?X-Amz-ChannelARN=arn%3Aaws&n={self.sessions}"
        return FakeSession(url, is_sightline=self.is_sightline)

    @property
    def socket(self) -> web.WebSocketResponse:
        return self.sockets[-1]

    async def open_sockets(self, count: int) -> None:
        """Wait until so many have been opened in all."""
        await eventually(lambda: len(self.sockets) >= count)

    async def say(self, kind: str, payload: object = None, *, sender: str | None = None) -> None:
        message = {"messageType": kind}
        if payload is not None:
            message["messagePayload"] = base64.b64encode(json.dumps(payload).encode()).decode()
        if sender is not None:
            message["senderClientId"] = sender
        await self.socket.send_str(json.dumps(message))

    async def next(self) -> dict[str, Any]:
        return await asyncio.wait_for(self.received.get(), 30)

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        if self.status != 101:
            self.refused += 1
            status = self.status
            if self.refuse_once:
                self.status = 101
            return web.json_response(self.refusal, status=status, headers=self.refusal_headers)
        self.open_before.append(sum(not socket.closed for socket in self.sockets))
        socket = web.WebSocketResponse(autoping=False)
        await socket.prepare(request)
        self.queries.append(request.raw_path)
        self.sockets.append(socket)
        async for frame in socket:
            self.frame_types.append(frame.type)
            if frame.type is aiohttp.WSMsgType.PING and self.answer_pings:
                await socket.pong(frame.data)
            elif frame.type is aiohttp.WSMsgType.PONG:
                self.pongs += 1
            elif frame.type is aiohttp.WSMsgType.TEXT:
                self.received.put_nowait(json.loads(frame.data))
        return socket

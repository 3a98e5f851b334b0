"""A viewer's signaling in asyncio, for viewers that are Python programs: on the `websockets` library, nobody's SDK."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from types import TracebackType
from typing import Any

from websockets.asyncio.client import connect

from tests.harness.kvs import decode, encode

OnCandidate = Callable[[Mapping[str, Any]], Awaitable[None]]


class ViewerSignaling:
    """One viewer's socket: use as `async with`. Candidates that come before the answer wait for it."""

    def __init__(self, url: str) -> None:
        """`url`: presigned, as `Kvs.socket_url` makes it."""
        self._url = url
        self._answers: asyncio.Queue[str] = asyncio.Queue()
        self._candidates: asyncio.Queue[Mapping[str, Any]] = asyncio.Queue()
        self._reader: asyncio.Task[None] | None = None

    async def __aenter__(self) -> ViewerSignaling:
        self._socket = await connect(self._url, ping_interval=None, max_size=1 << 20, proxy=None)
        self._reader = asyncio.create_task(self._read())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._reader is not None
        await self._socket.close()
        await asyncio.wait([self._reader])

    async def exchange(self, offer: str, *, within: float = 10.0) -> str:
        """Send an offer: the answer to it."""
        await self._send("SDP_OFFER", {"type": "offer", "sdp": offer})
        async with asyncio.timeout(within):
            return await self._answers.get()

    async def send_candidate(self, candidate: Mapping[str, Any]) -> None:
        """`candidate`, `sdpMid`, `sdpMLineIndex`."""
        await self._send("ICE_CANDIDATE", candidate)

    async def next_candidate(self) -> Mapping[str, Any]:
        """The master's next candidate."""
        return await self._candidates.get()

    async def _send(self, action: str, payload: Mapping[str, Any]) -> None:
        await self._socket.send(json.dumps({"action": action, "messagePayload": encode(payload)}))

    async def _read(self) -> None:
        async for frame in self._socket:
            message = json.loads(frame)
            if message["messageType"] == "SDP_ANSWER":
                self._answers.put_nowait(decode(message["messagePayload"])["sdp"])
            elif message["messageType"] == "ICE_CANDIDATE":
                self._candidates.put_nowait(decode(message["messagePayload"]))

"""Signaling for a master on the KVS wire and viewers on plain HTTP: ``python -m support.hub PORT [DELAY]``.

Nearly nothing happens in this process, so its clock is good for measuring the master's answers. ``DELAY``: seconds
that every message takes in either direction.
"""

from __future__ import annotations

import asyncio
import base64
import json
import sys
import time

import uvloop
from aiohttp import WSMsgType, web

KEPT_OPEN = 3.0
"""Seconds for which candidates may follow an answer."""


class Hub:
    def __init__(self, delay: float) -> None:
        self._delay = delay
        self._master: web.WebSocketResponse | None = None
        self._waiting: dict[str, asyncio.Queue[tuple[str, dict[str, object]]]] = {}
        self._answer_seconds: list[float] = []

    async def master(self, request: web.Request) -> web.WebSocketResponse:
        """The master's socket."""
        socket = web.WebSocketResponse(max_msg_size=1 << 20)
        await socket.prepare(request)
        self._master = socket
        async for frame in socket:
            if frame.type is not WSMsgType.TEXT:
                continue
            message = json.loads(frame.data)
            queue = self._waiting.get(message.get("recipientClientId", ""))
            if queue is not None:
                queue.put_nowait((message["action"], json.loads(base64.b64decode(message["messagePayload"]))))
        self._master = None
        return socket

    async def ready(self, request: web.Request) -> web.Response:
        """Whether the master is there."""
        return web.Response(status=200 if self._master is not None else 503)

    async def answers(self, request: web.Request) -> web.Response:
        """Seconds from each offer that went to the master to its answer, since the last time this was asked."""
        seen, self._answer_seconds = self._answer_seconds, []
        return web.json_response(seen)

    async def offer(self, request: web.Request) -> web.StreamResponse:
        """A viewer's offer: the first line of the answer is the description, the next ones are candidates."""
        asked = await request.json()
        client = asked["client"]
        queue: asyncio.Queue[tuple[str, dict[str, object]]] = asyncio.Queue()
        self._waiting[client] = queue
        payload = base64.b64encode(json.dumps({"type": "offer", "sdp": asked["sdp"]}).encode()).decode()
        await asyncio.sleep(self._delay)
        assert self._master is not None
        sent = time.monotonic()
        await self._master.send_json({"messageType": "SDP_OFFER", "messagePayload": payload, "senderClientId": client})
        early: list[dict[str, object]] = []
        async with asyncio.timeout(20):
            while True:
                action, content = await queue.get()
                if action == "SDP_ANSWER":
                    break
                early.append(content)
        self._answer_seconds.append(time.monotonic() - sent)
        await asyncio.sleep(self._delay)
        response = web.StreamResponse()
        await response.prepare(request)
        for line in [content, *early]:
            await response.write(json.dumps(line).encode() + b"\n")
        try:
            async with asyncio.timeout(KEPT_OPEN):
                while True:
                    action, content = await queue.get()
                    if action == "ICE_CANDIDATE":
                        await asyncio.sleep(self._delay)
                        await response.write(json.dumps(content).encode() + b"\n")
        except (TimeoutError, ConnectionError):
            pass
        if self._waiting.get(client) is queue:
            del self._waiting[client]
        return response


def main() -> None:
    hub = Hub(float(sys.argv[2]) if len(sys.argv) > 2 else 0.0)
    app = web.Application()
    app.add_routes([web.get("/master", hub.master), web.get("/ready", hub.ready), web.get("/answers", hub.answers)])
    app.add_routes([web.post("/offer", hub.offer)])
    uvloop.install()
    web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), print=None, access_log=None)


if __name__ == "__main__":
    main()

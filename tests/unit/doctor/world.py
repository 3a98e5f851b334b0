"""A visit whose service is a script, and small servers on loopback for the checks that speak with the network."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from email.utils import formatdate
from typing import Any

from aiohttp import web

from sightline.client.api import KvsApi
from sightline.client.target import Target
from sightline.doctor.visit import Visit
from sightline.wire.sigv4 import Credentials

NOW = 1_790_000_000.0
KEY = Credentials("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
ARN = "arn:aws:kinesisvideo:us-west-2:000000000000:channel/porch/1700000000123"
DESCRIBED = {"ChannelInfo": {"ChannelName": "porch", "ChannelARN": ARN}}


def target(endpoint: str = "http://localhost:8080", *, region: str | None = "us-west-2") -> Target:
    return Target(endpoint=endpoint, region=region, credentials=KEY, credentials_from="the test")


class ScriptedVisit(Visit):
    """`answers` maps an operation to what it gives: members, or an error that it raises."""

    def __init__(self, answers: Mapping[str, object] | None = None, **options: Any) -> None:
        super().__init__(options.pop("target", None) or target(), **options)
        self.answers = dict(answers or {})
        self.asked: list[str] = []
        self.api = KvsApi(self.target, clock=self.clock)
        self.region = self.api.region

    async def call(self, operation: str, members: dict[str, object], **options: Any) -> dict[str, object]:
        return self._answer(operation)

    async def post(self, path: str, members: dict[str, object]) -> dict[str, object]:
        return self._answer(path)

    def _answer(self, what: str) -> dict[str, object]:
        self.asked.append(what)
        answer = self.answers[what]
        if isinstance(answer, Exception):
            raise answer
        assert isinstance(answer, dict)
        return answer


@asynccontextmanager
async def http_server(
    handler: Callable[[web.BaseRequest], Any], *, tls: ssl.SSLContext | None = None
) -> AsyncIterator[int]:
    """An HTTP server on 127.0.0.1; gives its port."""
    server = web.Server(handler)
    runner = web.ServerRunner(server, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
    await site.start()
    try:
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()
        await asyncio.sleep(0)


def dated(seconds: float) -> Callable[[web.BaseRequest], Any]:
    """Refuses everything, as a KVS does that was asked without a signature, and tells its time."""

    async def handle(_: web.BaseRequest) -> web.Response:
        headers = {"Date": formatdate(seconds, usegmt=True), "x-sightline": "1"}
        return web.json_response({"__type": "MissingAuthenticationTokenException"}, status=403, headers=headers)

    return handle

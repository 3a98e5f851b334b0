"""A service's rooms without its ports and timers: a real store, a clock to set, and one loopback listener."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

from sightline.config import Settings
from sightline.service.context import Context
from sightline.service.quiet import http_logger
from sightline.service.routing import Router
from sightline.service.store import ROLE_ACTIONS, Channel, Grant, Key, KeyKind, KeyRole, SqliteStore
from tests.harness import signing

ADMIN = signing.Key("ADMINKEY", "admin-secret")
REGION = "us-west-2"


class Clock:
    """Both clocks of a context; they only move when told to."""

    def __init__(self) -> None:
        self.wall = 1_790_000_000.0
        self.steady = 5000.0

    def later(self, seconds: float) -> None:
        self.wall += seconds
        self.steady += seconds


@dataclass(frozen=True)
class Answer:
    """An HTTP answer, read to its end."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> dict[str, object]:
        value = json.loads(self.body)
        assert isinstance(value, dict)
        return value

    @property
    def kind(self) -> str:
        """The error's name, which header and body must agree on."""
        assert self.headers["x-amzn-errortype"] == self.json["__type"]
        return self.headers["x-amzn-errortype"]

    @property
    def message(self) -> str:
        return str(self.json["Message"])


class Inside:
    """A context with an administrator's key, and its router behind a port of loopback."""

    def __init__(self, context: Context, clock: Clock, port: int) -> None:
        self.context = context
        self.clock = clock
        self.port = port
        self.host = f"localhost:{port}"

    async def channel(self, name: str = "demo", **more: object) -> Channel:
        """Make a channel."""
        values: dict[str, object] = {"message_ttl": 60, "version": "V1", "tags": {}, "created_ms": 1_790_000_000_000}
        made = Channel.new(region=REGION, account="000000000000", name=name, **(values | more))  # type: ignore[arg-type]
        await self.context.store.create_channel(made)
        return made

    async def key(self, role: KeyRole, channels: str = "*", **more: object) -> signing.Key:
        """Make a key."""
        name = f"{role.value.upper()}{sum(1 for _ in self.context.store.all_keys())}"
        await put_key(self.context.store, name, f"secret-of-{name}", role, channels, **more)
        return signing.Key(name, f"secret-of-{name}")

    async def raw(self, *parts: bytes, pause: float = 0.0) -> Answer:
        """Send bytes as they are, with a pause between the parts, and read one answer."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            for part in parts:
                writer.write(part)
                await writer.drain()
                await asyncio.sleep(pause)
            head = await reader.readuntil(b"\r\n\r\n")
            lines = head.decode("latin-1").split("\r\n")
            headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:-2])}
            body = await reader.readexactly(int(headers.get("content-length", 0)))
            return Answer(int(lines[0].split()[1]), headers, body)
        finally:
            writer.close()
            await writer.wait_closed()

    async def ask(
        self, method: str, path: str, *, headers: Mapping[str, str] | None = None, body: bytes = b""
    ) -> Answer:
        """One request."""
        sent = {"host": self.host, "content-length": str(len(body))}
        sent.update({name.lower(): value for name, value in (headers or {}).items()})
        head = "".join(f"{name}: {value}\r\n" for name, value in sent.items())
        return await self.raw(f"{method} {path} HTTP/1.1\r\n{head}\r\n".encode("utf-8", "surrogateescape") + body)

    async def call(
        self, path: str, value: object = None, *, key: signing.Key = ADMIN, age: float = 0.0, **more: str
    ) -> Answer:
        """One signed call; `age` is how long ago it was signed."""
        body = json.dumps({} if value is None else value).encode()
        headers = signing.sign_headers(
            "POST", f"http://{self.host}{path}", body, key=key, now=self.clock.wall - age, headers=more
        )
        return await self.ask("POST", path, headers=headers, body=body)


async def put_key(
    store: SqliteStore, name: str, secret: str, role: KeyRole, channels: str = "*", **more: object
) -> None:
    """Add a key to a store."""
    key = Key(
        access_key_id=name,
        secret_access_key=secret,
        kind=KeyKind.KEY,
        role=role,
        grant=Grant(ROLE_ACTIONS[role], channels),
        created_at=1_789_000_000.0,
        **more,  # type: ignore[arg-type]
    )
    await store.put_key(key)


@asynccontextmanager
async def inside(**settings: object) -> AsyncIterator[Inside]:
    """Start it; `settings` are those of `Settings`."""
    clock = Clock()
    # In memory where there is such a place: what the disk promises is the business of test_store.py.
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    directory = Path(tempfile.mkdtemp(prefix="sightline-test-", dir=memory))
    store = SqliteStore(directory)
    try:
        await put_key(store, ADMIN.access_key_id, ADMIN.secret_access_key, KeyRole.ADMIN)
        context = Context(
            Settings(data_dir=directory, **settings),  # type: ignore[arg-type]
            store,
            wall=lambda: clock.wall,
            steady=lambda: clock.steady,
        )
        runner = web.ServerRunner(
            web.Server(Router(context).handle, logger=http_logger(), lingering_time=0.0), shutdown_timeout=0.2
        )
        await runner.setup()
        try:
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            yield Inside(context, clock, runner.addresses[0][1])
        finally:
            await runner.cleanup()
    finally:
        await store.aclose()
        shutil.rmtree(directory)

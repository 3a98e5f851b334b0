"""One service: listeners, timers, start and stop."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
import signal
import socket
from collections.abc import Callable
from pathlib import Path

from aiohttp import web

from ..config import Settings
from ..errors import ConfigError
from ..observe.log import set_up_logging
from .context import Context
from .keys import new_key
from .listening import LOOPBACK, listen
from .lobby import perform_lobby
from .lobby_mdn import MdnPort
from .performing import perform
from .quiet import http_logger
from .routing import Router
from .store import ROLE_ACTIONS, Grant, Key, KeyKind, KeyRole, SqliteStore
from .tls import TlsKeeper

__all__ = ["Service", "run"]

logger = logging.getLogger("sightline.service")

_TICK = 0.25
"""Seconds between looks at the exchange's deadlines; none of its timers is finer."""
_DRAIN = 0.8
"""Seconds beyond the shutdown spread that sockets get to say goodbye."""


class Service:
    """A running service. ``async with Service(settings) as service`` starts and stops it."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.context: Context | None = None
        self.ca_path: Path | None = None
        """The local CA's certificate, when the TLS listener uses it."""
        self._stack = contextlib.AsyncExitStack()

    async def __aenter__(self) -> Service:
        try:
            await self._start()
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Say goodbye to all sockets, then stop. Repeatable; takes less than 5 s."""
        await self._stack.aclose()

    async def _start(self) -> None:
        settings = self.settings
        store = SqliteStore(settings.data_dir, max_channels=settings.max_channels)
        self._stack.push_async_callback(store.aclose)
        context = self.context = Context(settings, store)
        await _ensure_administrator(context)
        tls = self._tls(context)
        await context.turn.start(tls.context if tls else None)
        self._stack.push_async_callback(context.turn.aclose)
        plain = listen(LOOPBACK, settings.http_port, setting="http_port") if settings.http_port else []
        self._stack.callback(_close_all, plain)
        secure = listen(settings.bind, settings.https_port, setting="https_port") if tls else []
        self._stack.callback(_close_all, secure)

        # Idle connections live a short while: a browser whose network died would ask for its next session on each.
        server = web.Server(
            Router(context).handle, access_log=None, logger=http_logger(), keepalive_timeout=15.0, lingering_time=1.0
        )
        runner = web.ServerRunner(server, shutdown_timeout=0.5)
        await runner.setup()
        self._stack.push_async_callback(runner.cleanup)
        for sock in plain:
            await web.SockSite(runner, sock).start()
        for sock in secure:
            assert tls is not None
            shared = await context.turn.share(sock, server, tls.context)
            self._stack.push_async_callback(shared.wait_closed)
            self._stack.callback(shared.close)
        if settings.mdn_port:
            mdn = MdnPort(context)
            self._stack.push_async_callback(mdn.aclose)
            await mdn.start()
        self._stack.push_async_callback(self._drain, context)
        tasks = [asyncio.create_task(_keep_time(context))]
        if tls is not None:
            tasks.append(asyncio.create_task(_keep_certificate(context, tls)))
        self._stack.push_async_callback(_cancel, tasks)
        # What is here now stays; opening ten thousand sockets must not be slowed by the collector (SERVER.md §0).
        gc.collect()
        gc.freeze()
        gc.set_threshold(100_000, 50, 1000)

    def _tls(self, context: Context) -> TlsKeeper | None:
        settings = self.settings
        if settings.tls_cert is not None:
            return TlsKeeper.from_files(settings.tls_cert, settings.tls_key)
        if settings.tls == "off" or not settings.https_port:
            return None
        keeper = TlsKeeper.automatic(
            settings.data_dir, now=context.wall(), public_hosts=(*settings.public_host, *settings.turn_external_ip)
        )
        self.ca_path = keeper.ca_path
        context.ca_pem = keeper.ca_path.read_text() if keeper.ca_path else ""
        return keeper

    async def _drain(self, context: Context) -> None:
        context.draining = True
        perform(context.exchange.shut_down())
        perform_lobby(context.lobby.shut_down())
        deadline = context.steady() + context.timers.shutdown_spread + _DRAIN
        while len(context.exchange) and context.steady() < deadline:  # noqa: ASYNC110 - a few turns, then over
            await asyncio.sleep(0.02)


def _close_all(sockets: list[socket.socket]) -> None:
    for sock in sockets:
        sock.close()


async def _keep_time(context: Context) -> None:
    while True:
        await asyncio.sleep(_TICK)
        perform(context.exchange.tick(context.steady()))
        perform_lobby(context.lobby.tick(context.steady()))


async def _keep_certificate(context: Context, tls: TlsKeeper) -> None:
    while True:
        await asyncio.sleep(context.timers.certificate_check)
        await tls.refresh(context.wall())


async def _cancel(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)


async def _ensure_administrator(context: Context) -> None:
    """The first administrator's key: the configured one, else one made at the first start and written to a file."""
    settings, store, now = context.settings, context.store, context.wall()
    if settings.access_key_id:
        known = store.key(settings.access_key_id)
        if known is None or known.secret_access_key != settings.secret_access_key or known.revoked_at is not None:
            await store.put_key(
                Key(
                    access_key_id=settings.access_key_id,
                    secret_access_key=settings.secret_access_key,
                    kind=KeyKind.KEY,
                    role=KeyRole.ADMIN,
                    grant=Grant(ROLE_ACTIONS[KeyRole.ADMIN], "*"),
                    created_at=known.created_at if known else now,
                    note="from the configuration",
                )
            )
        return
    path = settings.data_dir / "credentials"
    if path.exists() and any(key.role is KeyRole.ADMIN for key in store.all_keys()):
        return
    key = new_key(role=KeyRole.ADMIN, channels="*", now=now, expires_at=None, note="made at the first start")
    await store.put_key(key)
    _write_profile(path, key, settings.region)
    logger.info("a key for the administrator is in %s", path)


def _write_profile(path: Path, key: Key, region: str) -> None:
    text = (
        "[default]\n"
        f"aws_access_key_id = {key.access_key_id}\n"
        f"aws_secret_access_key = {key.secret_access_key}\n"
        f"region = {region}\n"
    )
    temporary = path.with_suffix(".new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {error.strerror}.") from error


def run(settings: Settings, *, ready: Callable[[Service], None] | None = None) -> None:
    """Serve until SIGINT or SIGTERM. ``ready`` is called when clients can connect. Raises ConfigError."""
    import uvloop

    set_up_logging(level=settings.log_level, form=settings.log_format)

    async def main() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop.set)
        async with Service(settings) as service:
            if ready is not None:
                ready(service)
            await stop.wait()
            logger.info("stopping")

    uvloop.run(main())

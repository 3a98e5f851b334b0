"""External TURN servers: are they there, and do they know our secret? A dead one is left out of what clients get.

Each URL is asked for a real allocation with a credential like the clients', which is released at once. So a wrong
secret is found as well as a server that is gone, before people report that there is no picture.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import os
import re
import ssl
import time
from collections.abc import Sequence

import msgspec

from ..config import TurnServer as TurnSettings
from ..relay import StreamCutter
from ..relay.stun_format import Attribute, Kind, MalformedMessage, Message, Method, encode, parse
from ..timers import Timers
from ..wire.turn_credentials import mint

__all__ = ["ExternalServers", "Health", "check_url"]

logger = logging.getLogger("sightline.turn")

_URL = re.compile(r"(turns?):\[?([^\s?\]]+)\]?:(\d+)\?transport=(udp|tcp)")
_UDP_REQUESTED = (Attribute.REQUESTED_TRANSPORT, b"\x11\0\0\0")
_FAILURES = 2
"""Checks that must fail, one after the other, before a server is left out: a lost packet is no dead server."""


class Health(msgspec.Struct, frozen=True):
    """What the last checks of a URL have said; ``problem`` is empty for one that works."""

    url: str
    problem: str
    failures: int


class ExternalServers:
    """The configured servers, checked from time to time. All count as well until they have failed."""

    def __init__(self, servers: Sequence[TurnSettings], *, timers: Timers) -> None:
        self._servers = tuple(servers)
        self._timers = timers
        self._health = {url: Health(url, "", 0) for server in servers for url in server.urls}
        self._task: asyncio.Task[None] | None = None

    @property
    def in_use(self) -> list[TurnSettings]:
        """For clients, without URLs that do not work. If none does, all: the list must not be empty, and who knows."""
        working = []
        for server in self._servers:
            urls = tuple(url for url in server.urls if self._health[url].failures < _FAILURES)
            if urls:
                working.append(TurnSettings(urls, server.secret))
        return working or list(self._servers)

    def report(self) -> list[Health]:
        """Each URL's health."""
        return list(self._health.values())

    def start(self) -> None:
        """Check them from now on; without any, nothing runs."""
        if self._servers:
            self._task = asyncio.create_task(self._keep_checking(), name="TURN health")

    async def aclose(self) -> None:
        """Stop checking. Idempotent."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait([task])

    async def check(self) -> None:
        """Check all, once."""
        urls = [(url, server.secret) for server in self._servers for url in server.urls]
        problems = await asyncio.gather(
            *(check_url(url, secret, patience=self._timers.turn_health_patience) for url, secret in urls)
        )
        for (url, _), problem in zip(urls, problems, strict=True):
            before = self._health[url]
            failures = before.failures + 1 if problem else 0
            self._health[url] = Health(url, problem, failures)
            if failures == _FAILURES:
                logger.warning("%s does not work and is left out: %s", url, problem)
            elif before.failures >= _FAILURES and not failures:
                logger.info("%s works again", url)

    async def _keep_checking(self) -> None:
        while True:
            await self.check()
            await asyncio.sleep(self._timers.turn_health)


async def check_url(url: str, secret: str, *, patience: float, tls: ssl.SSLContext | None = None) -> str:
    """What is wrong with a TURN server, in words for its operator; empty when it gives allocations. Raises nothing.

    ``patience``: seconds for all of it. ``tls``: for ``turns:``; None trusts what the system trusts.
    """
    found = _URL.fullmatch(url)
    if found is None:
        return "the address is not one of TURN"
    scheme, host, port, transport = found[1], found[2], int(found[3]), found[4]
    try:
        async with asyncio.timeout(patience):
            if transport == "udp":
                return await _over_udp(host, port, secret)
            context = None
            if scheme == "turns":
                context = tls or await asyncio.to_thread(ssl.create_default_context)
            return await _over_stream(host, port, secret, context)
    except TimeoutError:
        return f"no answer within {patience:g} s"
    except ssl.SSLCertVerificationError as error:
        return f"its certificate is not trusted: {error.verify_message}"
    except OSError as error:
        return f"it cannot be reached: {error.strerror or error}"
    except (EOFError, ValueError):
        return "what answers there is no TURN server"


class _Exchange:
    """The four messages of a check; the transports carry them."""

    def __init__(self, secret: str) -> None:
        self._credential = mint(secret, "health-check", ttl=60, now=time.time())
        self._signing: list[tuple[int, bytes]] = []
        self._key: bytes | None = None

    def request(self, method: int, *attributes: tuple[int, bytes]) -> bytes:
        return encode(Kind.REQUEST, method, os.urandom(12), [*attributes, *self._signing], key=self._key)

    def learn(self, challenge: Message) -> bool:
        """Take realm and nonce from a 401; False when it is something else."""
        realm, nonce = challenge.attributes.get(Attribute.REALM), challenge.attributes.get(Attribute.NONCE)
        if challenge.kind != Kind.ERROR or realm is None or nonce is None:
            return False
        name, password = self._credential.username, self._credential.password
        self._signing = [
            (Attribute.USERNAME, name.encode()),
            (Attribute.REALM, realm),
            (Attribute.NONCE, nonce),
        ]
        secret = name.encode() + b":" + realm + b":" + password.encode()
        self._key = hashlib.md5(secret, usedforsecurity=False).digest()
        return True

    def verdict(self, answer: Message) -> str:
        if answer.kind == Kind.SUCCESS:
            return ""
        code = answer.attributes.get(Attribute.ERROR_CODE, bytes(4))
        number = code[2] * 100 + code[3] if len(code) >= 4 else 0
        if number == 401:
            return "it does not accept our credentials: is the secret the same there, and the clock right?"
        return f"it refuses an allocation ({number} {code[4:60].decode('utf-8', 'replace')})".replace(" )", ")")


async def _over_udp(host: str, port: int, secret: str) -> str:
    loop = asyncio.get_running_loop()
    answers: asyncio.Queue[Message | OSError] = asyncio.Queue()

    class Answers(asyncio.DatagramProtocol):
        def datagram_received(self, data: bytes | str, addr: object) -> None:
            try:
                answers.put_nowait(parse(data if isinstance(data, bytes) else b""))
            except MalformedMessage:
                return

        def error_received(self, exc: Exception) -> None:
            if isinstance(exc, OSError):
                answers.put_nowait(exc)

    transport, _ = await loop.create_datagram_endpoint(Answers, remote_addr=(host, port))

    async def ask(request: bytes) -> Message:
        while True:
            transport.sendto(request)
            try:
                async with asyncio.timeout(0.5):
                    while True:
                        answer = await answers.get()
                        if isinstance(answer, OSError):
                            raise answer
                        if answer.transaction == request[8:20]:
                            return answer
            except TimeoutError:
                continue  # a datagram got lost; the check's own time is limited outside

    try:
        exchange = _Exchange(secret)
        if not exchange.learn(await ask(exchange.request(Method.ALLOCATE, _UDP_REQUESTED))):
            return "it asks for no credentials"
        verdict = exchange.verdict(await ask(exchange.request(Method.ALLOCATE, _UDP_REQUESTED)))
        if not verdict:
            await ask(exchange.request(Method.REFRESH, (Attribute.LIFETIME, bytes(4))))
        return verdict
    finally:
        transport.abort()


async def _over_stream(host: str, port: int, secret: str, tls: ssl.SSLContext | None) -> str:
    reader, writer = await asyncio.open_connection(host, port, ssl=tls)
    cutter, frames = StreamCutter(), list[bytes]()

    async def ask(request: bytes) -> Message:
        writer.write(request)
        while not frames:
            data = await reader.read(4096)
            if not data:
                raise EOFError
            frames.extend(cutter.feed(data))
        return parse(frames.pop(0))

    try:
        exchange = _Exchange(secret)
        if not exchange.learn(await ask(exchange.request(Method.ALLOCATE, _UDP_REQUESTED))):
            return "it asks for no credentials"
        verdict = exchange.verdict(await ask(exchange.request(Method.ALLOCATE, _UDP_REQUESTED)))
        if not verdict:
            await ask(exchange.request(Method.REFRESH, (Attribute.LIFETIME, bytes(4))))
        return verdict
    finally:
        writer.transport.abort()

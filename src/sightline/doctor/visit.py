"""One examination: what is asked, and what the checks have learned so far for those after them."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Literal
from urllib.parse import unquote, urlsplit

import msgspec

from ..client.api import KvsApi
from ..client.target import Target
from ..client.worker import Worker
from ..errors import ConfigError, SightlineError
from ..wire.sigv4 import Credentials
from .findings import Stage
from .socket import DoctorSocket
from .watching import Watching, WatchingPeer

__all__ = ["IceEntry", "Link", "Visit", "parse_link"]

PATIENCE = 15.0
"""Seconds for the camera's answer and again for each step after it: the viewers' own deadline (seed 001.3)."""


class Link(msgspec.Struct, frozen=True):
    """A page's address, taken apart. ``token`` is a secret; empty for a page of this machine."""

    base: str
    channel: str
    role: Literal["viewer", "master"]
    token: str

    def __repr__(self) -> str:
        return f"Link({self.base}, {self.channel!r}, {self.role})"


class IceEntry(msgspec.Struct, frozen=True):
    """A STUN or TURN server of the ICE configuration, by W3C's names. ``ttl`` in seconds, None where nobody said it."""

    urls: tuple[str, ...]
    username: str | None = None
    credential: str | None = None
    ttl: int | None = None

    def __repr__(self) -> str:
        return f"IceEntry({self.urls!r}, …)"


class Visit:
    """Arguments and facts. Only the check that learns a fact sets it; ``None`` is: not known (yet)."""

    def __init__(
        self,
        target: Target,
        *,
        channel: str | None = None,
        role: Literal["viewer", "master"] = "viewer",
        link: Link | None = None,
        patience: float = PATIENCE,
        clock: Callable[[], float] = time.time,
        make_peer: Callable[[Visit], WatchingPeer] | None = None,
    ) -> None:
        """`clock` gives epoch seconds; `make_peer` replaces the peer connection that watches the camera."""
        self.target = target
        self.channel = link.channel if link else channel
        self.role = link.role if link else role
        self.link = link
        self.patience = patience
        self.clock = clock
        self.make_peer = make_peer
        self.client_id = f"doctor-{secrets.token_hex(3)}"
        self.stages: list[Stage] = []

        self.endpoint = link.base if link else target.endpoint
        """URL; ``aws`` is resolved by `start`."""
        self.api: KvsApi | None = None
        self.region = ""
        """For which is signed; empty with a link."""
        self.credentials: Credentials | None = None
        self.date: str | None = None
        """The service's ``Date``, when it was asked first."""
        self.offset = 0.0
        """Seconds by which the service's clock is ahead of ours."""
        self.is_sightline = False
        self.proxy: str | None = None
        """Through which connections go, where the environment says so."""
        self.found: SightlineError | None = None
        """How the first signed request was refused."""
        self.arn = ""
        self.endpoints: dict[str, str] = {}
        self.url = ""
        """Presigned WebSocket URL; a secret."""
        self.ice: tuple[IceEntry, ...] = ()
        self.socket: DoctorSocket | None = None
        self.watching: Watching | None = None
        self._worker = Worker("sightline-doctor")

    @property
    def name(self) -> str:
        """What messages call the service."""
        return "AWS" if self.target.is_aws else self.endpoint

    @property
    def now(self) -> float:
        """Epoch seconds by the service's clock, as far as it is known."""
        return self.clock() + self.offset

    async def start(self) -> None:
        """Find out what needs no network. Raises ConfigError."""
        if self.link is None:
            await self._worker.run(self._configure)

    def _configure(self) -> None:
        self.api = KvsApi(self.target, clock=self.clock)
        self.region = self.api.region
        if self.target.is_aws:
            suffix = ".cn" if self.region.startswith("cn-") else ""
            self.endpoint = f"https://kinesisvideo.{self.region}.amazonaws.com{suffix}"

    async def find_key(self) -> Credentials:
        """The key of this moment. Raises WrongKey where there is none."""
        self.credentials = await self._worker.run(self._api().credentials)
        return self.credentials

    async def call(self, operation: str, members: dict[str, object], **options: Any) -> dict[str, object]:
        """A signed call of the KVS API. Raises ConnectError."""
        api = self._api()
        answer = await self._worker.run(
            lambda: api.call(operation, members, channel=options.pop("channel", self.channel), **options)
        )
        self.is_sightline |= answer.is_sightline
        return dict(answer.members)

    async def post(self, path: str, members: dict[str, object]) -> dict[str, object]:
        """A signed call of Sightline's own. Raises ConnectError."""
        api = self._api()
        return dict(await self._worker.run(lambda: api.post(path, members)))

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """What runs in the block is a part of the way to the first frame, if it ends well."""
        started = time.monotonic()
        yield
        self.stages.append(Stage(name, time.monotonic() - started))

    async def aclose(self) -> None:
        """Hang up. Idempotent."""
        watching, self.watching = self.watching, None
        socket, self.socket = self.socket, None
        try:
            if watching is not None:
                await watching.aclose()
        finally:
            if socket is not None:
                await socket.aclose()
            await self._worker.aclose(lambda: self.api.close() if self.api else None)

    def _api(self) -> KvsApi:
        assert self.api is not None, "a check that signs is not for links"
        return self.api


def parse_link(text: str) -> Link:
    """Take a page's address apart: ``https://HOST:8443/view/CHANNEL#TOKEN``. Raises ConfigError."""
    parts = urlsplit(text.strip())
    before, slash, channel = parts.path.rstrip("/").rpartition("/")
    base, _, page = before.rpartition("/")
    role: Literal["viewer", "master"] | None = {"view": "viewer", "broadcast": "master"}.get(page)  # type: ignore[assignment]
    if parts.scheme not in ("http", "https") or not parts.hostname or not (slash and channel) or role is None:
        raise ConfigError(
            "This is not a link to a camera's page: it reads https://HOST:8443/view/CHANNEL#TOKEN. Copy it whole, "
            "in quotes."
        )
    return Link(f"{parts.scheme}://{parts.netloc}{base}", unquote(channel), role, parts.fragment)

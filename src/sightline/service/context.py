"""What all parts of a running service share."""

from __future__ import annotations

import secrets
import time
from collections import Counter
from collections.abc import Callable

import msgspec

from ..config import Settings
from ..exchange import Exchange, ExchangeLimits, FailureLimiter, Lobby, PresenceBoard
from ..reasons import Reason
from ..timers import Timers
from .outbox import Outbox
from .store import ROLE_ACTIONS, Grant, Key, KeyKind, KeyRole, Store
from .turn import TurnServer

__all__ = ["Context"]


class Context:
    """The state of one service and its clocks. ``wall`` is epoch seconds, ``steady`` never jumps."""

    def __init__(
        self,
        settings: Settings,
        store: Store,
        *,
        wall: Callable[[], float] = time.time,
        steady: Callable[[], float] = time.monotonic,
    ) -> None:
        self.settings = settings
        self.store = store
        self.wall = wall
        self.steady = steady
        self.timers = msgspec.structs.replace(Timers(), idle=settings.socket_idle, lifetime=settings.socket_lifetime)
        self.exchange = Exchange(
            limits=ExchangeLimits(max_viewers=settings.max_viewers, message_rate=float(settings.message_rate)),
            timers=self.timers,
        )
        self.lobby = Lobby(timers=self.timers)
        self.outbox = Outbox()
        self.presence = PresenceBoard(timers=self.timers)
        self.failures = FailureLimiter()
        self.turn = TurnServer(
            settings, service_secret=store.service_secret, timers=self.timers, wall=wall, steady=steady
        )
        self.requests: Counter[tuple[str, int]] = Counter()
        """Answers by operation and HTTP status."""
        self.refusals: Counter[tuple[str, Reason]] = Counter()
        """Refused sockets and sessions by reason."""
        self.lingering = 0
        """Refused sockets whose other side has yet to close."""
        self.draining = False
        self.ca_pem = ""
        """The local CA's certificate, when the TLS listener uses it."""
        # Pages on the loopback listener are presigned for with a key that lives as long as this process.
        self.local_key = Key(
            access_key_id="LOCAL" + secrets.token_hex(8).upper(),
            secret_access_key=secrets.token_urlsafe(32),
            kind=KeyKind.LINK,
            role=KeyRole.VIEWER,
            grant=Grant(
                (*ROLE_ACTIONS[KeyRole.OPERATOR], "kinesisvideo:ConnectAsMaster"),
                "*",
            ),
            created_at=wall(),
            note="pages on this machine",
        )

    def find_key(self, access_key_id: str) -> Key | None:
        """The key with which a request says it was signed."""
        if access_key_id == self.local_key.access_key_id:
            return self.local_key
        return self.store.key(access_key_id)

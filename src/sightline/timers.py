"""Every timer of Sightline in one table: value in seconds, the reason, where it comes from. All can be overridden."""

from __future__ import annotations

from typing import Final

import msgspec

__all__ = ["DEFAULT_TIMERS", "Timers"]


class Timers(msgspec.Struct, frozen=True, kw_only=True):
    """Durations in seconds."""

    # -- the service's sockets
    ping: float = 20.0
    """Silence after which the service pings a socket: below every NAT timeout seen (DESIGN.md)."""
    dead: float = 40.0
    """Silence after which a socket is given up: two pings."""
    idle: float = 0.0
    """Close a socket without traffic; 0 is never. KVS has 600 (KVS.md §5.6), the most frequent complaint."""
    lifetime: float = 0.0
    """Close a socket of that age; 0 is never. KVS has 3600 (KVS.md §5.6)."""
    eviction_window: float = 60.0
    """Within it, the third eviction of one id mutes the loser: KVS clients reconnect for ever (KVS.md §5.5)."""
    mute: float = 60.0
    """How long a loser stays open and muted."""
    shutdown_spread: float = 3.0
    """Closes at shutdown are spread over this time, so that clients do not come back all at once."""

    # -- credentials
    turn_credential: int = 300
    """KVS's own TTL for TURN credentials (KVS.md §4.1); the C SDK needs more than 30."""
    page_url: int = 299
    """How long a page's presigned URL is valid, as in the JS SDK (KVS.md §3.2)."""
    link_max: int = 86_400
    """A link token lives a day at the most."""
    certificate_check: float = 60.0
    """How often the host's names and addresses are compared with those in the certificate."""


DEFAULT_TIMERS: Final = Timers()

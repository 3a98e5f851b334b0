"""What the relay has done since the start."""

from __future__ import annotations

from collections import Counter

import msgspec

__all__ = ["RelayCounters"]


class RelayCounters(msgspec.Struct, gc=False):
    """Counted where it happens; metrics read it."""

    bindings: int = 0
    """Binding requests answered."""
    ignored: int = 0
    """Datagrams left unanswered: not STUN, malformed, or nothing that a client may send."""
    allocations: int = 0
    """Allocations made."""
    expired: int = 0
    """Allocations that nobody refreshed in time."""
    packets_to_peers: int = 0
    bytes_to_peers: int = 0
    packets_to_clients: int = 0
    bytes_to_clients: int = 0
    packets_in_memory: int = 0
    """From relay to relay, counted in the two above as well."""
    rejected: Counter[str] = msgspec.field(default_factory=Counter)
    """Requests that were refused and data that were dropped, by cause."""

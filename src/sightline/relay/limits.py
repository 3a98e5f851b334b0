"""How much of the relay one may have: allocations, bandwidth, answers to strangers. Buckets that drain by the clock."""

from __future__ import annotations

from collections import OrderedDict

import msgspec

__all__ = ["Bucket", "RelayLimits", "Strangers"]


class RelayLimits(msgspec.Struct, frozen=True, kw_only=True):
    """All of them can be set; see docs/topics/turn.md for what they protect."""

    allocations: int = 4000
    """Relays at once, of all clients together; each is a socket."""
    per_credential: int = 400
    """Relays of one credential: a master has up to three for each viewer (UDP, TCP, TLS)."""
    per_viewer: int = 24
    """Relays of a credential that was given to one viewer: three for each of its networks, and those of a restart."""
    bytes_per_second: float = 25_000_000.0
    """What one credential relays, both directions together; what comes on top is dropped."""
    permissions: int = 128
    """Addresses for which one relay is open."""
    channels: int = 128
    """Peers with a channel, of one relay."""
    strangers_per_second: float = 50.0
    """Answers per second to one address before a client has proved that it is there; bursts of ten times that."""


class Bucket:
    """Lets ``rate`` units pass per second, and up to ``burst`` at once."""

    __slots__ = ("_at", "_burst", "_level", "_rate")

    def __init__(self, rate: float, burst: float, now: float) -> None:
        self._rate = rate
        self._burst = burst
        self._level = 0.0
        self._at = now

    def take(self, amount: float, now: float) -> bool:
        """Whether so much may pass now."""
        level = self._level - (now - self._at) * self._rate
        level = amount if level < 0.0 else level + amount
        if level > self._burst:
            return False
        self._level = level
        self._at = now
        return True


class Strangers:
    """Bounds the answers that go to an address which nobody has proved to be the sender's.

    A forged source address makes us send to a victim what the attacker has asked. Each answer is hardly longer than
    its question; this makes it hardly more often, too.
    """

    def __init__(self, per_second: float, *, remembered: int = 10_000) -> None:
        self._rate = per_second
        self._remembered = remembered
        self._buckets: OrderedDict[str, Bucket] = OrderedDict()

    def may_answer(self, host: str, now: float) -> bool:
        """Whether one more answer may go to that address."""
        bucket = self._buckets.get(host)
        if bucket is None:
            bucket = self._buckets[host] = Bucket(self._rate, self._rate * 10, now)
            if len(self._buckets) > self._remembered:
                self._buckets.popitem(last=False)
        else:
            self._buckets.move_to_end(host)
        return bucket.take(1.0, now)

    def __len__(self) -> int:
        return len(self._buckets)

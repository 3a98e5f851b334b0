"""How much of the relay one may have: allocations, bandwidth, credentials, answers to strangers."""

from __future__ import annotations

from collections import OrderedDict

import msgspec

__all__ = ["Bucket", "Minting", "RelayLimits", "Strangers"]


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
    credentials_per_minute: float = 600.0
    """New credentials for one channel: a crowd that comes at once, and again."""
    all_credentials_per_minute: float = 6000.0
    """For all channels together."""
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


class Buckets:
    """One bucket for each name, of the most recent names."""

    def __init__(self, rate: float, burst: float, *, remembered: int = 10_000) -> None:
        self._rate = rate
        self._burst = burst
        self._remembered = remembered
        self._buckets: OrderedDict[str, Bucket] = OrderedDict()

    def take(self, name: str, now: float) -> bool:
        """Whether one more may pass under that name."""
        bucket = self._buckets.get(name)
        if bucket is None:
            bucket = self._buckets[name] = Bucket(self._rate, self._burst, now)
            if len(self._buckets) > self._remembered:
                self._buckets.popitem(last=False)
        else:
            self._buckets.move_to_end(name)
        return bucket.take(1.0, now)

    def __len__(self) -> int:
        return len(self._buckets)


class Strangers:
    """Bounds the answers that go to an address which nobody has proved to be the sender's.

    A forged source address makes us send to a victim what the attacker has asked. Each answer is hardly longer than
    its question; this makes it hardly more often, too.
    """

    def __init__(self, per_second: float, *, remembered: int = 10_000) -> None:
        self._buckets = Buckets(per_second, per_second * 10, remembered=remembered)

    def may_answer(self, host: str, now: float) -> bool:
        """Whether one more answer may go to that address."""
        return self._buckets.take(host, now)

    def __len__(self) -> int:
        return len(self._buckets)


class Minting:
    """Bounds new credentials, since each has quotas of its own: per channel, and in total."""

    def __init__(self, limits: RelayLimits) -> None:
        per_channel, of_all = limits.credentials_per_minute, limits.all_credentials_per_minute
        self._channels = Buckets(per_channel / 60, per_channel)
        self._all = Buckets(of_all / 60, of_all)

    def may_mint(self, channel: str, now: float) -> bool:
        """Whether one more may be made for that channel."""
        return self._channels.take(channel, now) and self._all.take("", now)

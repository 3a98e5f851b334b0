"""Failed signatures, counted per address and key, so that nobody can guess secrets at leisure."""

from __future__ import annotations

from collections import OrderedDict

__all__ = ["FailureLimiter"]


class FailureLimiter:
    """A bucket of failures for each (address, key id); full, that pair is refused until it has drained.

    Per pair and not per address: behind one NAT stand many cameras, and one with a wrong secret must not lock out the
    others. All unknown key ids of an address share one bucket.
    """

    def __init__(self, *, burst: float = 20.0, per_second: float = 0.2, remembered: int = 10_000) -> None:
        self._burst = burst
        self._per_second = per_second
        self._remembered = remembered
        self._buckets: OrderedDict[tuple[str, str], tuple[float, float]] = OrderedDict()

    def wait(self, address: str, key_id: str, now: float) -> float:
        """Seconds until the pair may try again; 0 when it may now."""
        level = self._level((address, key_id), now)
        return 0.0 if level < self._burst else (level - self._burst + 1) / self._per_second

    def failed(self, address: str, key_id: str, now: float) -> None:
        """A signature of that pair was wrong."""
        pair = (address, key_id)
        self._buckets[pair] = (self._level(pair, now) + 1, now)
        self._buckets.move_to_end(pair)
        if len(self._buckets) > self._remembered:
            self._buckets.popitem(last=False)

    def _level(self, pair: tuple[str, str], now: float) -> float:
        level, since = self._buckets.get(pair, (0.0, now))
        return max(0.0, level - (now - since) * self._per_second)

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
        self._buckets: OrderedDict[tuple[str, str], _Bucket] = OrderedDict()

    def wait(self, address: str, key_id: str, now: float) -> float:
        """Seconds until the pair may try again; 0 when it may now. Who is told to wait has to wait that long."""
        bucket = self._buckets.get((address, key_id))
        if bucket is None or not bucket.is_full:
            return 0.0
        left = (self._level(bucket, now) - self._burst + 1) / self._per_second
        if left <= 0:
            bucket.is_full = False
        return max(0.0, left)

    def failed(self, address: str, key_id: str, now: float) -> None:
        """A signature of that pair was wrong."""
        pair = (address, key_id)
        bucket = self._buckets.setdefault(pair, _Bucket(now))
        bucket.level, bucket.since = self._level(bucket, now) + 1, now
        bucket.is_full = bucket.is_full or bucket.level >= self._burst
        self._buckets.move_to_end(pair)
        if len(self._buckets) > self._remembered:
            self._buckets.popitem(last=False)

    def _level(self, bucket: _Bucket, now: float) -> float:
        return max(0.0, bucket.level - (now - bucket.since) * self._per_second)


class _Bucket:
    __slots__ = ("is_full", "level", "since")

    def __init__(self, now: float) -> None:
        self.level = 0.0
        self.since = now
        self.is_full = False

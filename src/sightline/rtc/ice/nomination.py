"""Which valid pair the controlling agent nominates, and when (RFC 8445 §8.1.1). No input or output.

The first pair that answers need not be the best: a relay in the same building may answer before the peer across the
street. So the best one is taken a moment later, and what waits for it loses nothing, because media goes out on a valid
pair at once. Later another one is nominated where that is better than to restart: a direct pair after a relayed one,
and one that answers after one that is silent.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Generic, Protocol, TypeVar

__all__ = ["Nominator"]

_DIRECT_WAIT = 0.05
"""Seconds after the first valid pair in which a better direct one may still answer."""

_RELAY_WAIT = 0.3
"""Seconds in which any direct pair may still answer, when only relayed ones have."""

_SILENT = 1.0
"""Seconds without a sign of life on the nominated pair, after which one that answers is nominated instead."""

_ANSWERS = 1.5
"""Seconds: a pair answers when its last answer is no older."""

_REPEAT = 0.1
"""Seconds until a nomination without an answer is repeated, at the least: then twice the round trip."""

_POLL = 0.25


class Candidate(Protocol):
    """What is known of a path, see ``PeerPath``."""

    kind: str
    priority: int
    heard: float
    answered: float
    rtt: float | None
    closed: bool

    @property
    def remote_kind(self) -> str:
        """Type of the remote candidate."""


C = TypeVar("C", bound=Candidate)


class Nominator(Generic[C]):
    """One generation's. Times in seconds of one clock."""

    def __init__(self) -> None:
        self._since: float | None = None
        self._wanted: C | None = None
        self._sent_at = 0.0

    def update(self, paths: Sequence[C], nominated: C | None, now: float) -> tuple[C | None, float | None]:
        """The pair to nominate now, if any, and when to ask again, if that is known.

        ``paths``: all valid pairs; ``nominated``: the one for which it has succeeded.
        """
        open_paths = [path for path in paths if not path.closed]
        if not open_paths:
            self._since = None
            return None, None
        if self._since is None:
            self._since = now
        best = max(open_paths, key=lambda path: (_is_direct(path), path.priority))
        if nominated is None or nominated.closed:
            due = self._since + (_DIRECT_WAIT if _is_direct(best) else _RELAY_WAIT)
            if now < due and nominated is None:
                return None, due
            return self._send(self._answering(open_paths, now) or best, now)
        if now - nominated.heard >= _SILENT:
            other = self._answering([path for path in open_paths if path.answered > nominated.heard], now)
            return self._send(other, now) if other is not None else (None, now + _POLL)
        if _is_direct(best) and not _is_direct(nominated):
            return self._send(best, now)
        self._wanted = None
        return None, None

    def _answering(self, paths: Sequence[C], now: float) -> C | None:
        return max(
            (path for path in paths if now - path.answered <= _ANSWERS),
            key=lambda path: (_is_direct(path), path.priority),
            default=None,
        )

    def _send(self, path: C, now: float) -> tuple[C | None, float | None]:
        pause = max(_REPEAT, 2 * path.rtt if path.rtt is not None else 0.0)
        if path is self._wanted and now < self._sent_at + pause:
            return None, self._sent_at + pause
        self._wanted, self._sent_at = path, now
        return path, now + pause


def _is_direct(path: Candidate) -> bool:
    return "relay" not in (path.kind, path.remote_kind)

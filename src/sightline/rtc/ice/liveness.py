"""When to ask a valid pair whether the peer is still there (RFC 7675's checks, as reports instead of verdicts)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeVar

__all__ = ["Pulse", "due_checks"]

_QUIET = 0.25
"""Seconds without a sign of life after which the selected pair is asked out of turn, and asked again: half of what
counts as silence."""

_QUIET_NEAR = 0.38
"""The same, less two round trips, where the answer is back in time all the same."""

_QUIET_ALONE = 0.9
"""The same where there is no other pair to go over to: three seconds have to pass before it matters."""

_SEARCH = 0.4
"""Seconds without one after which all other pairs are asked, so that their answers are there when it counts."""

_SEARCH_AGAIN = 0.5

_MAX_PAIRS = 16
"""So many pairs of a generation are kept alive; a peer that makes up more gets no more of our time."""


class Pulse(Protocol):
    """What is known of a pair: times in seconds of one clock."""

    heard: float
    asked: float
    closed: bool
    rtt: float | None


P = TypeVar("P", bound=Pulse)


def due_checks(
    pairs: Sequence[P], *, now: float, consent: float, backup: float, roll: float = 0.5
) -> tuple[list[P], float]:
    """The pairs to ask now, and the seconds until more can be due (at least 10 ms: rounding makes no busy loop).

    ``pairs[0]`` is the selected one; see ``IceTimes`` for ``consent`` and ``backup``. ``roll``, from 0 up to 1, spreads
    the checks of many sessions: intervals are 0.8 to 1.2 times the nominal ones.
    """
    stretch = 0.8 + 0.4 * roll
    due: list[P] = []
    next_at = now + backup
    search_from = pairs[0].heard + _SEARCH if pairs else now
    for index, pair in enumerate(pairs[:_MAX_PAIRS]):
        if pair.closed:
            continue
        if index == 0:
            at = min(pair.asked + consent * stretch, max(pair.heard + _quiet(pairs), pair.asked + _QUIET))
        else:
            at = min(pair.asked + backup * stretch, max(search_from, pair.asked + _SEARCH_AGAIN))
        if at <= now:
            due.append(pair)
            at = now + _QUIET
        next_at = min(next_at, at)
    return due, max(next_at - now, 0.01)


def _quiet(pairs: Sequence[Pulse]) -> float:
    """How long the selected pair may be quiet before it is asked. A viewer's reports come once or twice a second."""
    if all(pair.closed for pair in pairs[1:_MAX_PAIRS]):
        return _QUIET_ALONE
    rtt = pairs[0].rtt
    return _QUIET if rtt is None else max(_QUIET, _QUIET_NEAR - 2 * rtt)

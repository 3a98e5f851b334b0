"""When to ask a valid pair whether the peer is still there (RFC 7675's checks, as reports instead of verdicts)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeVar

__all__ = ["Pulse", "due_checks", "next_check"]

_QUIET = 0.25
"""Seconds without a sign of life after which the selected pair is asked out of turn; half of what counts as silence."""

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


P = TypeVar("P", bound=Pulse)


def due_checks(pairs: Sequence[P], *, now: float, consent: float, backup: float, roll: float = 0.5) -> list[P]:
    """The pairs to ask now. ``pairs[0]`` is the selected one; see ``IceTimes`` for ``consent`` and ``backup``.

    ``roll``, from 0 up to 1, spreads the checks of many sessions: intervals are 0.8 to 1.2 times the nominal ones.
    """
    return [pair for pair, at in _plan(pairs, now, consent, backup, roll) if at <= now]


def next_check(pairs: Sequence[Pulse], *, now: float, consent: float, backup: float, roll: float = 0.5) -> float:
    """Seconds until the next check can be due; at least 10 ms, so that rounding makes no busy loop."""
    times = [at for _, at in _plan(pairs, now, consent, backup, roll)]
    return max(min(times, default=now + backup) - now, 0.01)


def _plan(pairs: Sequence[P], now: float, consent: float, backup: float, roll: float) -> list[tuple[P, float]]:
    if not pairs:
        return []
    stretch = 0.8 + 0.4 * roll
    selected = pairs[0]
    # Quiet: asked once 0.25 s after the last sign of life, and again each 0.25 s until there is one.
    quiet = max(selected.heard, selected.asked) + _QUIET
    plan = [(selected, min(selected.asked + consent * stretch, quiet))]
    search_from = selected.heard + _SEARCH
    for pair in pairs[1:_MAX_PAIRS]:
        regular = pair.asked + backup * stretch
        search = max(search_from, pair.asked + _SEARCH_AGAIN)
        plan.append((pair, min(regular, search)))
    return [(pair, at) for pair, at in plan if not pair.closed]

"""How often one viewer may ask the source for a keyframe, which all viewers then get; and how often ours asks for one.

Requests of several viewers are joined where the keyframe is made: ``sightline.media.keyframes`` is the only policy.
What stands here keeps one viewer on a bad path from using it up.
"""

from __future__ import annotations

__all__ = ["KeyframeRequests"]

_SPACING = 0.5
"""Seconds between two requests of one viewer."""

_FIRST_PENALTY, _LAST_PENALTY = 0.5, 2.0
"""Seconds until a request after frames that could not be sent; doubled each time, as the path is too narrow then."""

_FORGIVEN = 10.0
"""Seconds without such a loss after which the first penalty holds again."""


class KeyframeRequests:
    """One viewer's. A request is never lost, only delayed."""

    def __init__(self, spacing: float = _SPACING) -> None:
        self._spacing = spacing
        self._wanted = False
        self._not_before = 0.0
        self._penalty = _FIRST_PENALTY
        self._lost_at = float("-inf")

    @property
    def next_time(self) -> float | None:
        """When ``due`` will be true; None when nothing is wanted."""
        return self._not_before if self._wanted else None

    def ask(self, *, not_before: float = 0.0) -> None:
        """The viewer joined, switched its path or lost its picture (PLI, FIR)."""
        self._wanted = True
        self._not_before = max(self._not_before, not_before)

    def ask_at_once(self) -> None:
        """The same without waiting for what was asked before."""
        self._wanted, self._not_before = True, 0.0

    def lost(self, now: float) -> None:
        """Frames were dropped because they could not be sent."""
        if now - self._lost_at > _FORGIVEN:
            self._penalty = _FIRST_PENALTY
        self._lost_at = now
        self._not_before = max(self._not_before, now + self._penalty)
        self._penalty = min(_LAST_PENALTY, self._penalty * 2)
        self._wanted = True

    def due(self, now: float) -> bool:
        """Whether the source is asked now. Until ``served`` it is asked again after each spacing."""
        if not self._wanted or now < self._not_before:
            return False
        self._not_before = now + self._spacing
        return True

    def served(self) -> None:
        """A keyframe is on its way to the viewer."""
        self._wanted = False

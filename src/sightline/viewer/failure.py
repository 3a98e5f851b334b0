"""The error with which a viewer ends."""

from __future__ import annotations

from ..errors import SightlineError
from ..reasons import REASONS, Reason

__all__ = ["ViewerFailed", "sentence"]


class ViewerFailed(SightlineError):
    """There is no picture, and the viewer has given up. ``str(error)`` is a sentence for a person."""

    id = "viewer/failed"

    def __init__(self, reason: str, message: str = "") -> None:
        """``reason``: an id of ``sightline.reasons``; its own sentence stands in for a missing ``message``."""
        super().__init__(sentence(reason, message))
        self.reason = reason


def sentence(reason: str, message: str = "") -> str:
    """What to tell a person about a reason: what was said in this very case, or what is always right."""
    if message:
        return message
    return REASONS[Reason(reason)].message if reason in REASONS else reason

"""How long a viewer's session waits, and when it gives up: every number can be replaced."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import msgspec

__all__ = ["Persistent", "RetryOnce", "RetryPolicy", "ViewerOptions"]


class ViewerOptions(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Durations in seconds."""

    open: float = 15.0
    """The session request, the socket and the offer together; a service that needs longer is not there."""
    answer: float = 15.0
    """The offer is sent, the camera has not answered (seed 001.3)."""
    ask: float = 1.0
    """No answer so far: a Sightline is asked whether the camera lives. A camera answers in milliseconds."""
    path: float = 15.0
    """From the answer to ``connected``: an answer is not a picture."""
    media: float = 5.0
    """From ``connected`` to the first decoded frame."""
    silence: float = 1.0
    """No packet for that long: the path is dead, whatever the browser's state says. Cameras of ours send a sender
    report at least every 500 ms."""
    silence_without_camera: float = 0.5
    """The same while the camera's own signaling is gone: most likely the camera is too."""
    stall: float = 2.0
    """Packets come and no new frame does: the person is told."""
    socket_reply: float = 0.5
    """A Sightline answers a question at once; a socket without a reply is as dead as the path."""
    reach: float = 1.0
    """How long one try to reach the service again may take, since TCP's own retries come ever later."""
    reach_longest: float = 30.0
    """While the picture flows there is no hurry: that pause doubles up to this."""
    restart_answer: float = 3.0
    """An ICE restart that is not answered: the camera cannot do it, everything is made anew."""
    restart_path: float = 4.0
    """An ICE restart that was answered and does not bring the picture back: the same."""
    recover: float = 60.0
    """Without a way to the service for that long, the attempt has failed."""


class RetryPolicy(Protocol):
    """Whether to try again. Replaces the seed's rule where somebody knows better."""

    def delay(self, attempt: int, *, elapsed: float, reason: str) -> float | None:
        """Seconds to wait before the next attempt; None gives up.

        ``attempt``: how many failed since the last picture, from 1. ``elapsed``: seconds since the first of them
        began. ``reason``: why this one failed, an id of ``sightline.reasons``.
        """


class RetryOnce(msgspec.Struct, frozen=True, kw_only=True):
    """Seed 001.3: wait 4 s, try once more, then say plainly what is wrong."""

    pause: float = 4.0
    retries: int = 1

    def delay(self, attempt: int, *, elapsed: float, reason: str) -> float | None:
        """See ``RetryPolicy``."""
        return self.pause if attempt <= self.retries else None


class Persistent(msgspec.Struct, frozen=True, kw_only=True):
    """For a display on a wall: never gives up, waits longer each time, with jitter so that a hundred displays do not
    come at once. ``roll`` gives a number from 0 up to 1."""

    roll: Callable[[], float]
    first: float = 1.0
    longest: float = 30.0

    def delay(self, attempt: int, *, elapsed: float, reason: str) -> float | None:
        """See ``RetryPolicy``: between a half and the whole of a wait that doubles."""
        bound = min(self.longest, self.first * 2.0 ** min(attempt - 1, 32))
        return bound * (0.5 + self.roll() / 2)

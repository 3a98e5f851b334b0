"""What a peer connection sends, seen from its side: anything of this shape will do (``sightline.media`` has it)."""

from __future__ import annotations

from typing import Protocol

__all__ = ["OutgoingFeed", "OutgoingMedia", "OutgoingUnit", "UnitReader"]


class OutgoingUnit(Protocol):
    """An encoded picture (H.264 access unit, Annex B) or an Opus packet."""

    @property
    def data(self) -> bytes:
        """The bytes, shared by all connections."""

    @property
    def timestamp(self) -> int:
        """In ticks of the feed's clock, without wrapping."""

    @property
    def keyframe(self) -> bool:
        """Whether decoding can begin here."""


class UnitReader(Protocol):
    """One connection's place in a feed."""

    async def next(self) -> OutgoingUnit | None:
        """The next unit, the first one being a keyframe made after this call; None at the end."""

    def close(self) -> None:
        """Stop. A pending ``next`` returns None."""


class OutgoingFeed(Protocol):
    """One encoded stream for any number of connections."""

    @property
    def clock_rate(self) -> int:
        """Ticks per second of its timestamps."""

    def subscribe(self) -> UnitReader:
        """A place for one more connection."""


class OutgoingMedia(Protocol):
    """What a master streams."""

    @property
    def video(self) -> OutgoingFeed | None:
        """H.264, or None."""

    @property
    def audio(self) -> OutgoingFeed | None:
        """Opus, or None."""

    def request_keyframe(self) -> None:
        """A viewer lost its picture (PLI, FIR)."""

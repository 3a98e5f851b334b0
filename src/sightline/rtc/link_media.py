"""What a connection needs of the streams that flow over it, whichever way they go."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from .sdp import Agreement, OurMedia
from .srtp import SrtpSession

__all__ = ["LinkMedia"]


class LinkMedia(Protocol):
    """The streams of one connection: ``Sending`` of a master, ``Receiving`` of a viewer."""

    def wishes(self) -> Sequence[OurMedia]:
        """What we bring into a negotiation."""

    def agreed(self, agreement: Agreement) -> None:
        """A negotiation is done, the first or a later one."""

    def keys(self, srtp: SrtpSession) -> None:
        """The handshake is done."""

    def start(self) -> None:
        """Both ends are connected (again)."""

    def pause(self) -> None:
        """Nothing is sent any more until ``start``."""

    def path_changed(self) -> None:
        """What is on its way may be lost."""

    def goodbye(self) -> None:
        """Say that the streams end (RFC 3550 §6.6)."""

    def close(self) -> None:
        """Let go of everything. Idempotent."""

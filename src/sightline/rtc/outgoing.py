"""What a peer connection sends, seen from its side: anything of this shape will do (``sightline.media`` has it)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from .rtp.fanout import Feed

__all__ = ["OutgoingMedia"]


class OutgoingMedia(Protocol):
    """What a master streams."""

    @property
    def video_feeds(self) -> Mapping[str, Feed]:
        """One feed for each codec that the pictures can be had in, ``H264`` or ``VP8``, the preferred one first."""

    def renditions(self, codec: str) -> Sequence[Feed]:
        """The pictures in one of those codecs in all their sizes, the greatest first, which is ``video_feeds[codec]``.

        All are on one timeline: a viewer may go on with another one at any of its keyframes.
        """

    @property
    def audio(self) -> Feed | None:
        """Opus, or None."""

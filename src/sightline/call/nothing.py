"""What somebody sends who only listens and looks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..rtc.rtp.fanout import Feed

__all__ = ["Nothing"]


class Nothing:
    """See ``rtc.outgoing.OutgoingMedia``."""

    @property
    def video_feeds(self) -> Mapping[str, Feed]:
        """None at all."""
        return {}

    def renditions(self, codec: str) -> Sequence[Feed]:
        """None."""
        return ()

    @property
    def audio(self) -> Feed | None:
        """None."""
        return None

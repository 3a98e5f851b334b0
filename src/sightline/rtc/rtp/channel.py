"""One feed on its way to viewers: what is the same for all of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from .bandwidth import RateMeter
from .clock import LiveClock
from .outlet import Outlet
from .packetize import Unit, packetizer
from .recent import Recent

__all__ = ["Channel", "Feed"]


class Feed(Protocol):
    """One encoded stream (``sightline.media.feed`` has it)."""

    @property
    def codec(self) -> str:
        """``H264``, ``VP8`` or ``opus``."""

    @property
    def clock_rate(self) -> int:
        """Ticks per second of the units' timestamps."""

    @property
    def profile_level_id(self) -> str:
        """H.264 only: what the stream's SPS says, in six hexadecimal digits; else empty."""

    @property
    def label(self) -> str:
        """What people call it, for instance ``720p``; empty for sound."""

    @property
    def bitrate(self) -> int | None:
        """Bits per second that it takes; None while nobody knows."""

    @property
    def fit(self) -> Callable[[int | None], None]:
        """Say how many bits per second its viewers' narrowest path leaves for it: one that can follow does."""

    @property
    def request_keyframe(self) -> Callable[[], None]:
        """Ask for a keyframe; requests are joined."""

    @property
    def makes_keyframes(self) -> bool:
        """Whether it makes a keyframe when asked; else a viewer is given what it holds (``replay``)."""

    def listen(self, listener: Callable[[Unit], None]) -> Callable[[], None]:
        """Call ``listener`` with every unit, in the event loop's thread; returns what ends that."""

    def replay(self, now: float) -> Sequence[tuple[Unit, float, int]]:
        """What a viewer begins with at once: units, when each is due, and the timestamp that makes it live.

        Empty when nothing is held.
        """


class Channel:
    """A feed and the outlets that it is for."""

    def __init__(self, feed: Feed) -> None:
        self.feed = feed
        self.outlets: list[Outlet] = []
        self.waiting: list[Outlet] = []
        """Those that go over to it at its next keyframe."""
        self.packetize = packetizer(feed.codec)
        self.clock = LiveClock(feed.clock_rate)
        self.meter = RateMeter()
        self.recent = Recent(feed.clock_rate)
        self.is_audio = feed.codec.lower() == "opus"
        self.stop_listening: Callable[[], None] | None = None
        self.left: dict[Outlet, int] = {}
        """Bits per second that viewers' paths leave for it, of those whose path was full."""
        self.fitted_at = float("-inf")

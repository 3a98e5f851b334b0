"""From one rendition to another: at a keyframe of the new one, and until that comes the old one goes on.

A viewer's stream stays what it is, with its numbers, timestamps and history; only the feed behind it changes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from .channel import Channel, Feed
from .outlet import Outlet
from .rung_choice import RungChoice

__all__ = ["Member", "Switching"]

_SPACING = 0.2
"""Seconds between two looks at a viewer, and at what all of a rendition's viewers leave for it."""

_PACKETS = 1.06
"""What headers and protection add to pictures."""

_SOUND_PACKETS = 1.3
"""The same of sound, whose packets are small."""

_SHARE = 0.9
"""Of a path that is full, what the pictures may take: the rest is for repeats, and lets the queue on it run empty."""


class Member:
    """A viewer's place in the fan-out: what it gets, and what it might get."""

    __slots__ = ("audio", "choice", "dropped", "looked_at", "pending", "rungs", "video")

    def __init__(self) -> None:
        self.video: Channel | None = None
        self.audio: Channel | None = None
        self.rungs: tuple[Feed, ...] = ()
        """The renditions of its codec, the greatest first."""
        self.choice = RungChoice()
        self.pending: Channel | None = None
        """The rendition that it goes over to."""
        self.dropped = 0
        self.looked_at = float("-inf")

    def take(self, video: Feed | None, renditions: Sequence[Feed]) -> Feed | None:
        """What it may have from now on; returns what it begins with: the size that it has, or ``video``."""
        self.rungs = tuple(renditions) if video is not None else ()
        at = self.rung
        if at is None:
            self.choice, at = RungChoice(), 0
        self.choice.rung = at
        return self.rungs[at] if self.rungs else video

    @property
    def rung(self) -> int | None:
        """The number of the rendition that it gets now."""
        feed = None if self.video is None else self.video.feed
        return next((number for number, rung in enumerate(self.rungs) if rung is feed), None)


class Join(Protocol):
    """Puts an outlet into a feed's channel."""

    def __call__(self, feed: Feed, outlet: Outlet, *, waits: bool = False) -> Channel: ...


class Leave(Protocol):
    """Takes it out."""

    def __call__(self, channel: Channel, outlet: Outlet, *, waits: bool = False) -> None: ...


class Switching:
    """Asks each viewer's ``RungChoice``, and does what it says. The fan-out's own, in its thread."""

    def __init__(self, *, join: Join, leave: Leave) -> None:
        self._join = join
        self._leave = leave

    def adapt(self, outlet: Outlet, member: Member, now: float) -> None:
        """Look at a viewer with several renditions; may be called at any time."""
        if now - member.looked_at < _SPACING:
            return
        member.looked_at = now
        current = member.rung
        if current is None or outlet.video is None:
            return
        available, limited = outlet.bandwidth.available(now), outlet.bandwidth.limited(now)
        dropped = outlet.video.counters.frames_dropped
        starved, member.dropped = dropped > member.dropped, dropped
        sound = _sound(member, now)
        needs: list[float | None] = [_need(feed.bitrate, sound) for feed in member.rungs]
        if member.video is not None and (sent := member.video.meter.rate(now)):
            needs[current] = sent * _PACKETS + sound
        probe = member.choice.step(now, needs=needs, available=available, limited=limited, starved=starved)
        if probe is not None:
            member.choice.probed(now, possible=outlet.probe(probe, now))
        self._go_over(outlet, member, current)
        self._fit(outlet, member, available, sound, now, limited=limited)

    def arrive(self, outlet: Outlet, member: Member, now: float) -> None:
        """The keyframe has come: from this picture on it is the other rendition."""
        before, after = member.video, member.pending
        if after is None:
            return
        member.pending = None
        member.video = after
        after.waiting.remove(outlet)
        after.outlets.append(outlet)
        if before is not None:
            self._leave(before, outlet)
        member.choice.switched(now)

    def cancel(self, outlet: Outlet, member: Member) -> None:
        """It stays with what it has."""
        pending, member.pending = member.pending, None
        if pending is not None:
            self._leave(pending, outlet, waits=True)

    # -- inside

    def _go_over(self, outlet: Outlet, member: Member, current: int) -> None:
        feed = member.rungs[member.choice.rung]
        if member.pending is not None and member.pending.feed is not feed:
            self.cancel(outlet, member)
        if member.choice.rung == current:
            return
        if member.pending is None:
            member.pending = self._join(feed, outlet, waits=True)
        if feed.makes_keyframes:
            feed.request_keyframe()  # again and again, until it is there; they are joined

    @staticmethod
    def _fit(outlet: Outlet, member: Member, available: int | None, sound: float, now: float, *, limited: bool) -> None:
        """Tell the lowest rendition, where this viewer takes it or is about to, how much is left for it."""
        channel = member.pending or member.video
        if channel is None or channel.feed is not member.rungs[-1]:
            return
        if available is not None:
            left = round(max(0.0, available * _SHARE - sound) / _PACKETS)
            if limited:
                channel.left[outlet] = left
            elif outlet in channel.left:
                # There may be more than is known: it is never a reason to take less.
                channel.left[outlet] = max(channel.left[outlet], left)
        if now - channel.fitted_at >= _SPACING or channel is member.pending:
            channel.fitted_at = now
            channel.feed.fit(min(channel.left.values(), default=None))


def _sound(member: Member, now: float) -> float:
    """Bits per second of the sound beside the pictures."""
    return 0.0 if member.audio is None else member.audio.meter.rate(now) * _SOUND_PACKETS


def _need(bitrate: int | None, sound: float) -> float | None:
    return None if bitrate is None else bitrate * _PACKETS + sound

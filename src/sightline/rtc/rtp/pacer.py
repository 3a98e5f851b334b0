"""One viewer's queue: sound first, small pictures at once, large ones spread over some milliseconds."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from .packetize import Packets
from .stream import OutgoingStream

__all__ = ["Pacer"]

_OVERHEAD = 38
"""Bytes that surround a payload."""

_BURST = 12 * 1200
"""Bytes that may leave at once after a pause: an ordinary picture, and what every path's buffers hold."""

_BURST_SECONDS = 0.01
"""The same at high rates, as time."""

_TICK = 0.005
"""Seconds between two parts of a picture; a part is at least ``_PART`` bytes, for the system calls' sake."""

_PART = 6 * 1200

_STRAY = 3
"""Packets by which a part may be larger, so that no call is made for so few."""

_PATIENCE = 1.0
"""Seconds after which a picture that waits is too old to be sent."""

_BACKLOG = 0.1
"""Seconds of backlog that a new keyframe makes obsolete. Less is sent before it: no frame is lost without need."""


@dataclass(slots=True)
class _Item:
    stream: OutgoingStream
    packets: Packets
    pushed_at: float
    timestamp: int | None
    urgent: bool
    sent: int = 0


class Pacer:
    """Decides what leaves when; keeps no clock. A picture that was begun is always finished."""

    def __init__(self, rate: float) -> None:
        """``rate`` in bits per second; it may be changed at any time."""
        self.rate = rate
        self._audio: deque[_Item] = deque()
        self._video: deque[_Item] = deque()
        self._budget = float(_BURST)
        self._refilled_at = 0.0

    @property
    def waiting(self) -> int:
        """Units that are not sent yet, or not wholly."""
        return len(self._audio) + len(self._video)

    def push_audio(self, stream: OutgoingStream, packets: Packets, now: float) -> None:
        """Sound, which goes out with the next ``take`` whatever waits."""
        self._audio.append(_Item(stream, packets, now, None, True))

    def push_video(
        self,
        stream: OutgoingStream,
        packets: Packets,
        now: float,
        *,
        timestamp: int | None = None,
        urgent: bool = False,
    ) -> int:
        """A picture. ``urgent`` ones do not wait for the rate: their own plan spreads them (a GOP that is replayed).

        Returns how many pictures were dropped for it, when it is a keyframe that makes them obsolete.
        """
        dropped = 0
        if packets.keyframe and self._video and self._backlog() > _BACKLOG:
            dropped = self.drop_video()
        self._video.append(_Item(stream, packets, now, timestamp, urgent))
        return dropped

    def drop_video(self) -> int:
        """Drop all pictures that were not begun; returns how many."""
        begun = [item for item in self._video if item.sent]
        dropped = len(self._video) - len(begun)
        self._video = deque(begun)
        return dropped

    def is_stuck(self, now: float) -> bool:
        """Whether pictures wait for so long that a viewer would rather see the present."""
        return bool(self._video) and now - self._video[0].pushed_at > _PATIENCE

    def charge(self, octets: int) -> None:
        """So many bytes left by another way (repeats); they count for the rate too."""
        self._budget -= octets

    def take_audio(self, now: float) -> list[bytes]:
        """The sound that waits."""
        taken: list[bytes] = []
        while self._audio:
            item = self._audio.popleft()
            taken += item.stream.build(item.packets, now)
            self._budget -= item.packets.octets + _OVERHEAD
        return taken

    def take_video(self, now: float) -> list[bytes]:
        """The packets of pictures that may leave now."""
        self._refill(now)
        taken: list[bytes] = []
        while self._video:
            item = self._video[0]
            packets = item.packets
            total = len(packets.payloads)
            stop = total
            if not item.urgent:
                size = packets.octets // total + _OVERHEAD
                if self._budget <= 0:
                    break
                stop = item.sent + int(self._budget // size) + 1
                if stop + _STRAY >= total:
                    stop = total
                self._budget -= (stop - item.sent) * size
            taken += item.stream.build(packets, now, start=item.sent, stop=stop, timestamp=item.timestamp)
            if stop < total:
                item.sent = stop
                break
            self._video.popleft()
        return taken

    def next_time(self, now: float) -> float | None:
        """When to take again; None when nothing waits."""
        if self._audio:
            return now
        if not self._video:
            return None
        missing = min(_PART, self._size(self._video[0])) - self._budget
        return now + max(_TICK, missing * 8 / self.rate)

    def _refill(self, now: float) -> None:
        most = max(_BURST, self.rate / 8 * _BURST_SECONDS)
        # A long pause or a debt of many repeats is not carried on for ever.
        earned = min(most, (now - self._refilled_at) * self.rate / 8)
        self._budget = max(-most, min(most, self._budget + earned))
        self._refilled_at = now

    def _size(self, item: _Item) -> float:
        total = len(item.packets.payloads)
        return (item.packets.octets / total + _OVERHEAD) * (total - item.sent)

    def _backlog(self) -> float:
        return sum(map(self._size, self._video)) * 8 / self.rate

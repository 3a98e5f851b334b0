"""Fan-out of one encoded stream: every subscriber has its own short queue, and a slow one disturbs nobody."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from .units import AudioFormat, EncodedUnit, VideoFormat

__all__ = ["Feed", "Subscription"]

QUEUE_LIMIT = 45
"""Units that may wait for one subscriber: 1.5 s of video at 30 per second, 0.9 s of sound."""


def _nothing() -> None:
    pass


class Feed:
    """One encoded stream and its subscribers. All methods belong to the event loop's thread."""

    def __init__(
        self,
        format: VideoFormat | AudioFormat,
        *,
        request_keyframe: Callable[[], None] = _nothing,
        on_demand_change: Callable[[], None] = _nothing,
    ) -> None:
        """``on_demand_change`` is called when the first subscriber comes and when the last one goes."""
        self.format = format
        self.request_keyframe = request_keyframe
        self._on_demand_change = on_demand_change
        self._subscriptions: set[Subscription] = set()
        self._ended = False

    @property
    def clock_rate(self) -> int:
        """Ticks per second of the units' timestamps."""
        return self.format.clock_rate

    @property
    def subscribers(self) -> int:
        """How many are subscribed now."""
        return len(self._subscriptions)

    def subscribe(self, *, limit: int = QUEUE_LIMIT) -> Subscription:
        """A new subscriber, whose first unit is a keyframe; ``limit``: units that may wait for it.

        The source begins to work, but no keyframe is made for the subscriber until it reads: a viewer subscribes when
        it is answered, and can use pictures only when it is connected.
        """
        subscription = Subscription(self, limit)
        if self._ended:
            subscription.end()
            return subscription
        self._subscriptions.add(subscription)
        if len(self._subscriptions) == 1:
            self._on_demand_change()
        return subscription

    def publish(self, unit: EncodedUnit) -> None:
        """Hand a unit to every subscriber; never waits."""
        for subscription in self._subscriptions:
            subscription.push(unit)

    def end(self) -> None:
        """No more units: subscribers take what is queued and then see the end."""
        self._ended = True
        for subscription in self._subscriptions:
            subscription.end()
        self._discard_all()

    def discard(self, subscription: Subscription) -> None:
        """Forget a subscriber; harmless for one that is not known."""
        if subscription in self._subscriptions:
            self._subscriptions.remove(subscription)
            if not self._subscriptions:
                self._on_demand_change()

    def _discard_all(self) -> None:
        if self._subscriptions:
            self._subscriptions = set()
            self._on_demand_change()


class Subscription:
    """A subscriber's queue. When it overflows, everything up to the next keyframe is lost to this subscriber only.

    ``dropped`` counts the units lost since the start, without those before the first keyframe.
    """

    def __init__(self, feed: Feed, limit: int) -> None:
        self.dropped = 0
        self._feed = feed
        self._limit = limit
        self._queue: deque[EncodedUnit] = deque()
        self._needs_keyframe = True
        self._begun = False
        self._reading = False
        self._ask = False
        self._ended = False
        self._arrival = asyncio.Event()

    def push(self, unit: EncodedUnit) -> None:
        """Called by the feed for each unit."""
        if not self._reading:
            return
        if self._needs_keyframe:
            if not unit.keyframe:
                self.dropped += self._begun
                return
            self._needs_keyframe = False
            self._begun = True
        elif len(self._queue) >= self._limit:
            self.dropped += len(self._queue)
            self._queue.clear()
            if not unit.keyframe:
                self.dropped += 1
                self._needs_keyframe = self._ask = True
                return
        self._queue.append(unit)
        self._arrival.set()

    async def next(self) -> EncodedUnit | None:
        """The next unit, or None when the stream has ended or the subscription was closed.

        The first call begins at a new keyframe, whatever was published before.
        """
        if not self._reading:
            self._reading = self._ask = True
        while not self._queue:
            if self._ended:
                return None
            if self._ask:
                # Asked for only when the subscriber reads (again): one that is stuck costs the others no keyframes.
                self._ask = False
                self._feed.request_keyframe()
            self._arrival.clear()
            await self._arrival.wait()
        return self._queue.popleft()

    def end(self) -> None:
        """No more units will come; what is queued may still be taken."""
        self._ended = True
        self._arrival.set()

    def close(self) -> None:
        """Stop. A pending ``next`` returns None."""
        self._queue.clear()
        self.end()
        self._feed.discard(self)

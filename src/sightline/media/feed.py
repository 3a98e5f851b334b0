"""One encoded stream for whoever wants it: listeners are called at once, subscribers have a short queue each."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence

from .gop_cache import GopCache
from .peak_rate import PeakRate
from .units import AudioFormat, EncodedUnit, VideoFormat

__all__ = ["Feed", "Subscription"]

QUEUE_LIMIT = 45
"""Units that may wait for one subscriber: 1.5 s of video at 30 per second, 0.9 s of sound."""


_BUSIER = 1.1
"""A stream that was never as busy as its encoder would let it be may be a little busier than so far."""


def _nothing() -> None:
    pass


def _any_rate(_: int | None) -> None:
    pass


class Feed:
    """One encoded stream and those who take it. All methods belong to the event loop's thread."""

    def __init__(
        self,
        format: VideoFormat | AudioFormat,
        *,
        request_keyframe: Callable[[], None] = _nothing,
        on_demand_change: Callable[[], None] = _nothing,
        gop: GopCache | None = None,
        fit: Callable[[int | None], None] = _any_rate,
        aim: int | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``on_demand_change`` is called when the first one comes who takes the stream, and when the last one goes.

        ``gop`` is for a source that makes no keyframes on request: it holds what a new viewer begins with. ``fit``: of
        one that follows what its viewers' narrowest path carries.
        """
        self.format = format
        self.request_keyframe = request_keyframe
        self.fit = fit
        """Called with the bits per second that the narrowest path leaves for it; None: not known, or nobody there."""
        self.aim = aim
        """Bits per second that its encoder keeps to; None where nothing is encoded."""
        self._peak = PeakRate()
        self._on_demand_change = on_demand_change
        self._gop = gop
        self._clock = clock
        self._subscriptions: set[Subscription] = set()
        self._listeners: list[_Listener] = []
        self._ended = False

    @property
    def codec(self) -> str:
        """``H264``, ``VP8`` or ``opus``."""
        return self.format.codec

    @property
    def profile_level_id(self) -> str:
        """Of H.264 (RFC 6184 §8.1); empty for everything else."""
        format = self.format
        return format.profile_level_id if isinstance(format, VideoFormat) and format.codec == "H264" else ""

    @property
    def label(self) -> str:
        """What people call it: ``720p``. Empty for sound."""
        format = self.format
        return f"{min(format.width, format.height)}p" if isinstance(format, VideoFormat) else ""

    @property
    def bitrate(self) -> int | None:
        """Bits per second that a viewer's path should have for it; None while nobody knows."""
        seen = self._peak.rate
        if self.aim is None or seen is None:
            return self.aim if seen is None else seen
        return min(self.aim, round(seen * _BUSIER))

    @property
    def clock_rate(self) -> int:
        """Ticks per second of the units' timestamps."""
        return self.format.clock_rate

    @property
    def subscribers(self) -> int:
        """How many take the stream now."""
        return len(self._subscriptions) + len(self._listeners)

    @property
    def makes_keyframes(self) -> bool:
        """Whether a keyframe follows when one is requested; else ``replay`` has what a viewer begins with."""
        return self._gop is None

    def replay(self, now: float) -> Sequence[tuple[EncodedUnit, float, int]]:
        """The newest group of pictures (``GopCache.replay``); ``now`` by the feed's clock. Empty when none is held."""
        return () if self._gop is None else self._gop.replay(now)

    def held(self) -> Sequence[EncodedUnit]:
        """The units of that group."""
        return () if self._gop is None else self._gop.units

    def listen(self, listener: Callable[[EncodedUnit], None]) -> Callable[[], None]:
        """Call ``listener`` with every unit, within ``publish``; it must be quick. Returns what ends that.

        The source begins to work as for a subscriber.
        """
        place = _Listener(listener)
        if not self._ended:
            self._listeners.append(place)
            self._count_one_more()
        return lambda: self._discard_listener(place)

    def subscribe(self, *, limit: int = QUEUE_LIMIT) -> Subscription:
        """A new subscriber, whose first unit is a keyframe; ``limit``: units that may wait for it.

        Where keyframes cannot be made, it begins with the group of pictures that is held.

        The source begins to work, but no keyframe is made for the subscriber until it reads: a viewer subscribes when
        it is answered, and can use pictures only when it is connected.
        """
        subscription = Subscription(self, limit)
        if self._ended:
            subscription.end()
            return subscription
        self._subscriptions.add(subscription)
        self._count_one_more()
        return subscription

    def publish(self, unit: EncodedUnit) -> None:
        """Hand a unit to everyone; never waits."""
        now = self._clock()
        self._peak.add(len(unit.data), now)
        if self._gop is not None:
            self._gop.push(unit, now)
        for place in tuple(self._listeners):
            place.listener(unit)
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
            self._count_one_less()

    def _discard_listener(self, place: _Listener) -> None:
        if place in self._listeners:
            self._listeners.remove(place)
            self._count_one_less()

    def _discard_all(self) -> None:
        if self.subscribers:
            self._subscriptions = set()
            self._listeners = []
            self._count_one_less()

    def _count_one_more(self) -> None:
        if self.subscribers == 1:
            self._on_demand_change()

    def _count_one_less(self) -> None:
        if self.subscribers == 0:
            self._on_demand_change()


class _Listener:
    """One call of ``listen``: the same function may listen twice."""

    __slots__ = ("listener",)

    def __init__(self, listener: Callable[[EncodedUnit], None]) -> None:
        self.listener = listener


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
            self._begin_with(self._feed.held())
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

    def _begin_with(self, held: Sequence[EncodedUnit]) -> None:
        if held:
            self._queue.extend(held)
            self._limit += len(held)
            self._begun = True
            self._needs_keyframe = self._ask = False

    def end(self) -> None:
        """No more units will come; what is queued may still be taken."""
        self._ended = True
        self._arrival.set()

    def close(self) -> None:
        """Stop. A pending ``next`` returns None."""
        self._queue.clear()
        self.end()
        self._feed.discard(self)

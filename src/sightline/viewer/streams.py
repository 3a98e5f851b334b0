"""Hands what comes to all who read it: each has a place of its own, and one who is slow misses some."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from typing import Generic, Self, TypeVar
from weakref import WeakSet

__all__ = ["Broadcast", "Events", "Stream"]

log = logging.getLogger(__name__)

_EVENTS = 1024
"""Events that may wait for a reader; then the oldest are left out."""

T = TypeVar("T")


class Stream(Generic[T]):
    """``async for item in stream``: what comes from its making on, until the end. Raises what ended it, if anything."""

    def __init__(self, keep: int) -> None:
        """``keep``: how many items wait for the reader; then the oldest are left out."""
        self.missed = 0
        """Items that were left out because they were not read in time."""
        self._items: deque[T] = deque(maxlen=keep)
        self._arrival = asyncio.Event()
        self._ended = False
        self._error: Exception | None = None

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> T:
        while not self._items:
            if self._error is not None:
                raise self._error
            if self._ended:
                raise StopAsyncIteration
            self._arrival.clear()
            await self._arrival.wait()
        return self._items.popleft()

    def put(self, item: T) -> None:
        """Called by ``Broadcast``."""
        if self._ended:
            return
        self.missed += len(self._items) == self._items.maxlen
        self._items.append(item)
        self._arrival.set()

    def end(self, error: Exception | None = None) -> None:
        """Nothing more comes; what waits may still be read. Idempotent."""
        if not self._ended:
            self._ended, self._error = True, error
            self._arrival.set()


class Broadcast(Generic[T]):
    """Makes streams. One that nobody holds any more, as after a ``break`` out of ``async for``, is forgotten."""

    def __init__(self, *, keep: int) -> None:
        self._keep = keep
        self._streams: WeakSet[Stream[T]] = WeakSet()
        self._ended = False
        self._error: Exception | None = None

    @property
    def is_wanted(self) -> bool:
        """Whether there is anybody who may read."""
        return len(self._streams) > 0

    def stream(self) -> Stream[T]:
        """A new stream, which has ended if all have."""
        stream = Stream[T](self._keep)
        if self._ended:
            stream.end(self._error)
        else:
            self._streams.add(stream)
        return stream

    def put(self, item: T) -> None:
        """It came."""
        for stream in self._streams:
            stream.put(item)

    def end(self, error: Exception | None = None) -> None:
        """End all streams, with an error for their readers if there is one. Idempotent."""
        if not self._ended:
            self._ended, self._error = True, error
            for stream in self._streams:
                stream.end(error)


class Events(Generic[T]):
    """Hands every event to the callback and to all streams. A callback's own error is logged and harms nobody."""

    def __init__(self, callback: Callable[[T], None] | None) -> None:
        self._callback = callback
        self._streams = Broadcast[T](keep=_EVENTS)

    def stream(self) -> Stream[T]:
        """What happens from now on."""
        return self._streams.stream()

    def publish(self, event: T) -> None:
        """It happened."""
        self._streams.put(event)
        if self._callback is not None:
            try:
                self._callback(event)
            except Exception:
                log.exception("a callback for an event failed")

    def end(self, error: Exception | None) -> None:
        """End all streams. Idempotent."""
        self._streams.end(error)

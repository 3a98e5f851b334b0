"""What happens to viewers, for programs: callbacks, and streams to iterate over."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Callable, Iterable
from typing import Self

from ..errors import ConfigError
from ..sessions.roster import Happening, Viewer, ViewerEvent

__all__ = ["EventStream", "Events", "ViewerCallback", "check_callbacks"]

log = logging.getLogger(__name__)

ViewerCallback = Callable[[Viewer], None]

_QUEUE = 1024
"""Events that may wait for a reader; then the oldest are left out."""


def check_callbacks(**callbacks: Callable[..., object] | None) -> None:
    """Raises ConfigError for one that is ``async``: called as a function it would do nothing, and nobody would know."""
    for name, callback in callbacks.items():
        if inspect.iscoroutinefunction(callback):
            raise ConfigError(
                f"{name} is an async function, which nobody would wait for. Give a plain function: it may start a task "
                "of yours. What takes time has its place in `async for event in master.events()`."
            )


class EventStream:
    """``async for event in stream``: what happens from its making until the master or the stream is closed."""

    def __init__(self, events: Events) -> None:
        self.missed = 0
        """Events that were left out because they were not read in time."""
        self._events = events
        self._queue: asyncio.Queue[ViewerEvent | None] = asyncio.Queue(_QUEUE)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> ViewerEvent:
        event = await self._queue.get()
        if event is None:
            self._queue.put_nowait(None)  # for whoever asks once more
            raise StopAsyncIteration
        return event

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """No more events. Idempotent."""
        self._events.discard(self)
        self.put(None)

    def put(self, event: ViewerEvent | None) -> None:
        """Called by ``Events``."""
        if self._queue.full():
            self._queue.get_nowait()
            self.missed += 1
        self._queue.put_nowait(event)


class Events:
    """Hands every event to the callbacks and to all streams. A callback's own error is logged and harms nobody."""

    def __init__(self, callbacks: dict[Happening, ViewerCallback | None]) -> None:
        self._callbacks = callbacks
        self._streams: set[EventStream] = set()
        self._closed = False

    def stream(self) -> EventStream:
        """A new stream."""
        stream = EventStream(self)
        if self._closed:
            stream.put(None)
        else:
            self._streams.add(stream)
        return stream

    def discard(self, stream: EventStream) -> None:
        """A stream was closed."""
        self._streams.discard(stream)

    def publish(self, events: Iterable[ViewerEvent]) -> None:
        """They happened."""
        for event in events:
            for stream in self._streams:
                stream.put(event)
            callback = self._callbacks.get(event.kind)
            if callback is None:
                continue
            try:
                callback(event.viewer)
            except Exception:
                log.exception("a callback for %s failed", event.viewer.client_id)

    def close(self) -> None:
        """End all streams. Idempotent."""
        self._closed = True
        for stream in list(self._streams):
            stream.close()

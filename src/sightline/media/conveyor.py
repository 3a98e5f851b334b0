"""A thread that works off what the event loop gives it, in order: decoding and writing never hold the loop up."""

from __future__ import annotations

import asyncio
import logging
import queue
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

__all__ = ["Conveyor"]

log = logging.getLogger(__name__)

T = TypeVar("T")


class _End:
    pass


class Conveyor(Generic[T]):
    """The thread starts with the first item. ``aclose`` works off what waits, calls ``last`` there and ends it."""

    def __init__(self, name: str, *, work: Callable[[T], None], last: Callable[[], None] = lambda: None) -> None:
        """``work`` is called with each item, in the thread; its own exceptions are logged and cost that item."""
        self._name = name
        self._work = work
        self._last = last
        self._items: queue.SimpleQueue[T | _End] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._closed = False

    @property
    def waiting(self) -> int:
        """How many items wait."""
        return self._items.qsize()

    def put(self, item: T) -> None:
        """Hand an item over; never waits. After ``aclose`` it is dropped."""
        if self._closed:
            return
        if self._thread is None:
            self._thread = threading.Thread(target=self._main, name=f"sightline-{self._name}", daemon=True)
            self._thread.start()
        self._items.put(item)

    async def aclose(self) -> None:
        """End the thread, when it has done what waits. Idempotent."""
        self._closed = True
        thread = self._thread
        if thread is not None:
            self._items.put(_End())
            await asyncio.to_thread(thread.join)

    def _main(self) -> None:
        while not isinstance(item := self._items.get(), _End):
            self._guarded(self._work, item)
        self._guarded(self._last)

    def _guarded(self, call: Callable[..., None], *arguments: T) -> None:
        try:
            call(*arguments)
        except Exception:
            log.exception("the thread %s stumbled", self._name)

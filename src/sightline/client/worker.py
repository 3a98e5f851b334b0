"""One thread that does the blocking calls of one client, in order."""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
from collections.abc import Callable
from typing import ParamSpec, TypeVar

__all__ = ["Worker"]

P = ParamSpec("P")
T = TypeVar("T")


class Worker:
    """Runs functions in a thread of its own, so that what they use needs no locks.

    A daemon, unlike an executor's: a program that ends does not wait for a call to a dead address.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._calls: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._closed = False

    async def run(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Awaits ``function(*args, **kwargs)`` in the thread. Cancelling does not stop a call under way."""
        if self._closed:
            raise RuntimeError("this client is closed")
        loop = asyncio.get_running_loop()
        made: asyncio.Future[T] = loop.create_future()

        def call() -> None:
            if made.cancelled():
                return
            deliver: Callable[[], None]
            try:
                result = function(*args, **kwargs)
            except BaseException as error:
                deliver = _unless_done(made, lambda error=error: made.set_exception(error))  # type: ignore[misc]
            else:
                deliver = _unless_done(made, lambda: made.set_result(result))
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(deliver)

        self._put(call)
        return await made

    async def aclose(self, last: Callable[[], None]) -> None:
        """Runs `last` in the thread, after the calls that were made, and ends it; waits for none. Idempotent."""
        if self._closed:
            return
        self._closed = True
        self._put(last)
        self._calls.put(None)

    def _put(self, call: Callable[[], None]) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._main, name=self._name, daemon=True)
            self._thread.start()
        self._calls.put(call)

    def _main(self) -> None:
        while (call := self._calls.get()) is not None:
            call()


def _unless_done(made: asyncio.Future[T], deliver: Callable[[], None]) -> Callable[[], None]:
    """Who was cancelled meanwhile wants nothing any more."""
    return lambda: None if made.done() else deliver()

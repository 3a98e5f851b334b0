"""Functions that block, in a thread that holds up neither the event loop nor the end of the program."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

__all__ = ["BlockingCalls"]


class BlockingCalls:
    """One thread, which works off one call after the other.

    The threads of ``concurrent.futures`` are waited for when Python ends: a motor that never answers would keep a
    camera from being stopped.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._waiting: queue.SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    async def call(self, function: Callable[[], Any]) -> Any:
        """What the function returns or raises, when its turn has come. Cancelled before that, it is not called."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._main, name=self._name, daemon=True)
            self._thread.start()
        result: Future[Any] = Future()
        self._waiting.put((result, function))
        return await asyncio.wrap_future(result)

    def close(self) -> None:
        """Calls that wait, and are cancelled, are left out; one that is under way runs to its end. Idempotent."""
        self._waiting.put(None)

    def _main(self) -> None:
        while (item := self._waiting.get()) is not None:
            result, function = item
            if not result.set_running_or_notify_cancel():
                continue
            try:
                value = function()
            except StopIteration as error:  # asyncio has another meaning for it
                result.set_exception(RuntimeError(f"the function raised {error!r}"))
            except BaseException as error:
                result.set_exception(error)
            else:
                result.set_result(value)

"""One thread that does the blocking calls of one client, in order."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

__all__ = ["Worker"]

P = ParamSpec("P")
T = TypeVar("T")


class Worker:
    """Runs functions in a thread of its own, so that what they use needs no locks."""

    def __init__(self, name: str) -> None:
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix=name)
        self._closed = False

    async def run(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Awaits ``function(*args, **kwargs)`` in the thread. Cancelling does not stop a call under way."""
        if self._closed:
            raise RuntimeError("this client is closed")
        return await asyncio.get_running_loop().run_in_executor(self._executor, lambda: function(*args, **kwargs))

    async def aclose(self, last: Callable[[], None]) -> None:
        """Drops what has not begun, runs `last` in the thread and ends it. Idempotent."""
        if self._closed:
            return
        self._closed = True
        self._executor.submit(last)
        # Not waiting: a call to a dead address may take seconds yet, and `last` follows it.
        self._executor.shutdown(wait=False)

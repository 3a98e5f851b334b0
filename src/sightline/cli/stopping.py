"""How long-running commands end: SIGINT, SIGTERM, or the death of the process that started them."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["stop_on_signals"]


@contextmanager
def stop_on_signals(*, with_parent: bool = False) -> Iterator[None]:
    """Cancels what runs in the block at SIGINT or SIGTERM, and then leaves the block normally.

    `with_parent` does the same when standard input ends: the parent holds the other end of that pipe, so the kernel
    tells of its death however it died. Signals that come while the block cleans up change nothing.
    """
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None
    stopped = False

    def stop() -> None:
        nonlocal stopped
        if not stopped:
            stopped = True
            task.cancel()

    def read_from_parent() -> None:
        if not os.read(sys.stdin.fileno(), 1024):
            loop.remove_reader(sys.stdin.fileno())
            stop()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop)
    if with_parent:
        loop.add_reader(sys.stdin.fileno(), read_from_parent)
    try:
        yield
    except asyncio.CancelledError:
        if not stopped:
            raise
        task.uncancel()
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)
        if with_parent:
            loop.remove_reader(sys.stdin.fileno())

"""Waiting for something to become true, with a deadline, instead of sleeping and hoping."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
SOON = 3.0
"""Seconds: what has to be done within one may take three on a machine that has other work."""


def eventually(
    probe: Callable[[], T | None],
    what: str,
    *,
    within: float = 30.0,
    every: float = 0.05,
) -> T:
    """Call `probe` until it returns something true, and return that.

    `what` finishes the sentence "waited … s for …" of the failure. `within` and `every` are seconds.
    """
    deadline = time.monotonic() + within
    while True:
        seen = probe()
        if seen:
            return seen
        if time.monotonic() >= deadline:
            raise AssertionError(f"waited {within:g} s for {what}, last saw {seen!r}")
        time.sleep(every)

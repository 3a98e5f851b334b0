"""Tells viewers that the camera's own source is lost, as long as it is."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol, runtime_checkable

from ..reasons import REASONS, Reason

__all__ = ["FollowedSource", "SourceState"]

_AGAIN = 2.0
"""Seconds until it is said again: to those who came meanwhile, and who take a late picture for its return."""


@runtime_checkable
class FollowedSource(Protocol):
    """A source that may be lost and come back."""

    def follow(self, told: Callable[[str | None], None]) -> None:
        """Call ``told`` with why, in the event loop's thread, and with None when it is back."""


class SourceState:
    """Whether the source is there. What exactly is wrong with it stands in the camera's log, not with the viewers."""

    def __init__(self, *, tell: Callable[[Reason, str], None]) -> None:
        """``tell`` gives a notice to all viewers."""
        self._tell = tell
        self._lost = False
        self._wanted = asyncio.Event()

    def changed(self, reason: str | None) -> None:
        """The source was lost, or is back."""
        self._lost = reason is not None
        self._wanted.set()

    async def run(self) -> None:
        """Tell them until cancelled."""
        while True:
            if self._lost:
                with suppress(TimeoutError):
                    async with asyncio.timeout(_AGAIN):
                        await self._wanted.wait()
            else:
                await self._wanted.wait()
            self._wanted.clear()
            if self._lost:
                self._tell(Reason.SOURCE_LOST, REASONS[Reason.SOURCE_LOST].message)

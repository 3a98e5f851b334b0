"""What the clients of a service's API have in common: the service, and the thread in which it is called."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Self

from .api import KvsApi
from .target import Target, find_target
from .worker import Worker

__all__ = ["ApiClient"]


class ApiClient:
    """botocore blocks, so all of it happens in one thread of this object. Use as ``async with``, or call `aclose`."""

    def __init__(
        self,
        endpoint: str | None = None,
        *,
        target: Target | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`endpoint` defaults as `target.find_target` says; a `target` takes its place. `clock`: epoch seconds."""
        self.target = target or find_target(endpoint)
        self._clock = clock
        self._worker = Worker(f"sightline-{type(self).__name__.lower()}")
        self._api_made: KvsApi | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Ends the thread and gives connections back. Idempotent; does not wait for a call under way."""
        await self._worker.aclose(lambda: self._api_made.close() if self._api_made else None)

    @property
    def _api(self) -> KvsApi:
        """To be used in the worker's thread only."""
        if self._api_made is None:
            self._api_made = KvsApi(self.target, clock=self._clock)
        return self._api_made

"""What is to be done with one connection, one thing after the other."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

__all__ = ["OperationsChain"]


class OperationsChain:
    """Descriptions and candidates take their time, and none may overtake another (W3C WebRTC §4.4.1.2).

    From its making to ``aclose``.
    """

    def __init__(self, *, failed: Callable[[Exception], None], name: str) -> None:
        """``failed`` is told, within the ``except``, what an operation raised; those behind it go on."""
        self._failed = failed
        self._waiting: asyncio.Queue[Coroutine[Any, Any, None]] = asyncio.Queue()
        self._stopped = False
        # Owned: awaited in aclose().
        self._worker = asyncio.get_running_loop().create_task(self._run(), name=name)

    def add(self, operation: Coroutine[Any, Any, None]) -> None:
        """To be done when all before it are; never, once it is stopped."""
        if self._stopped:
            operation.close()
        else:
            self._waiting.put_nowait(operation)

    def stop(self) -> None:
        """Nothing more is done, and what is being done is cancelled. Idempotent."""
        self._stopped = True
        self._worker.cancel()
        while not self._waiting.empty():
            self._waiting.get_nowait().close()

    async def aclose(self) -> None:
        """Stop, and wait until nothing is being done any more. Idempotent."""
        self.stop()
        await asyncio.wait([self._worker])

    async def _run(self) -> None:
        while True:
            operation = await self._waiting.get()
            try:
                await operation
            except Exception as error:
                self._failed(error)

"""Runs a machine of ``sessions`` in the event loop: what happens goes in, and what it wants is done, in that order."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from typing import Any, Generic, Protocol, TypeVar

__all__ = ["Driver", "Machine"]

Input = TypeVar("Input")
Output = TypeVar("Output")
Input_contra = TypeVar("Input_contra", contravariant=True)
Output_co = TypeVar("Output_co", covariant=True)


class Machine(Protocol[Input_contra, Output_co]):
    """Decides, and does nothing; ``now`` in seconds."""

    def take(self, message: Input_contra, now: float) -> Sequence[Output_co]: ...
    def tick(self, now: float) -> Sequence[Output_co]: ...
    def next_deadline(self) -> float | None: ...


class Driver(Generic[Input, Output]):
    """The clock of one machine, the order of its inputs, and the tasks that go on after what it wanted.

    One thing after the other: an input that comes of what is being done is handed over when all of that is done.
    """

    def __init__(
        self,
        machine: Machine[Input, Output],
        *,
        perform: Callable[[Sequence[Output]], None],
        before_tick: Callable[[], None] = lambda: None,
    ) -> None:
        """``perform`` does what the machine wants, and waits for nothing. ``before_tick`` hands over what the machine
        is to know before it hears that time has passed."""
        self._machine = machine
        self._perform = perform
        self._before_tick = before_tick
        self._steps: deque[Callable[[float], Sequence[Output]]] = deque()
        self._is_stepping = False
        self._timer: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._stopped = False

    def take(self, message: Input) -> None:
        """Something happened."""
        self._step(partial(self._machine.take, message))

    def spawn(self, work: Coroutine[Any, Any, None], name: str) -> None:
        """Begin what takes its time, as the end of a connection; ``aclose`` waits for it."""
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def stop(self) -> None:
        """The machine hears nothing more, neither inputs nor time. Idempotent."""
        self._stopped = True
        self._disarm()

    async def aclose(self) -> None:
        """Stop, and wait for what was begun. Idempotent."""
        self.stop()
        while self._tasks:
            await asyncio.wait(self._tasks)

    def _step(self, step: Callable[[float], Sequence[Output]]) -> None:
        if self._stopped:
            return
        self._steps.append(step)
        if self._is_stepping:
            return
        self._is_stepping = True
        try:
            while self._steps:
                self._perform(self._steps.popleft()(time.monotonic()))
        finally:
            self._is_stepping = False
            self._arm()

    def _tick(self) -> None:
        self._timer = None
        self._before_tick()
        self._step(self._machine.tick)

    def _arm(self) -> None:
        self._disarm()
        due = self._machine.next_deadline()
        if due is not None and not self._stopped:
            self._timer = asyncio.get_running_loop().call_later(max(0.0, due - time.monotonic()), self._tick)

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

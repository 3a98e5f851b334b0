"""The threads of a source, from the first one who takes a stream to the last one's end."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterable
from functools import partial
from typing import TypeAlias

import msgspec

from .feed import Feed
from .pacing import Pacer
from .pump import Pump, Step
from .units import EncodedUnit

__all__ = ["Made", "PumpPlan", "Run", "Threads"]

Made: TypeAlias = tuple[Feed, EncodedUnit]
"""A unit and the feed that it is for: one picture may be encoded for several."""


class PumpPlan(msgspec.Struct, frozen=True):
    """A thread to be started. ``ends``: feeds that end with it; ``may_drop``: late frames are left out.

    ``stop`` is called before the thread is stopped, from another one: for steps that wait for something.
    """

    name: str
    steps: Callable[[], Iterable[Step[Made]]]
    ends: tuple[Feed, ...]
    may_drop: bool
    stop: Callable[[], None] | None = None


class Threads:
    """Runs while any of the feeds is taken. Belongs to the event loop's thread."""

    def __init__(self, plan: Callable[[], Iterable[PumpPlan]], feeds: Callable[[], Iterable[Feed]]) -> None:
        """``plan`` is asked at each start."""
        self._plan = plan
        self._feeds = feeds
        self._run: Run | None = None
        self._ending: list[Run] = []
        self._closed = False

    def follow_demand(self) -> None:
        """The first one came to a feed, or the last one went."""
        wanted = not self._closed and any(feed.subscribers for feed in self._feeds())
        if wanted and self._run is None:
            self._run = Run(self._plan())
            self._run.start()
        elif not wanted:
            self._stop()

    async def aclose(self) -> None:
        """End all feeds and threads. Idempotent."""
        self._closed = True
        for feed in self._feeds():
            feed.end()
        self._stop()
        ending, self._ending = self._ending, []
        for run in ending:
            await run.ended()

    def _stop(self) -> None:
        self._ending = [run for run in self._ending if run.alive]
        if self._run is not None:
            self._run.stop()
            self._ending.append(self._run)
            self._run = None


class Run:
    """One time that the threads run. After ``stop`` nothing of it reaches a feed any more."""

    def __init__(self, plans: Iterable[PumpPlan]) -> None:
        self._loop = asyncio.get_running_loop()
        self._stopped = False
        self._plans = tuple(plans)
        self._pumps = [
            Pump(
                plan.name,
                steps=plan.steps,
                publish=self._publish,
                ended=partial(self._from_thread, partial(_end, plan.ends)),
                may_drop=plan.may_drop,
            )
            for plan in self._plans
        ]

    @property
    def alive(self) -> bool:
        """Whether a thread still runs."""
        return any(pump.alive for pump in self._pumps)

    def start(self) -> None:
        """Start the threads, on one clock."""
        pacer = Pacer(time.monotonic())
        for pump in self._pumps:
            pump.start(pacer)

    def stop(self) -> None:
        """Ask the threads to end. Idempotent."""
        self._stopped = True
        for plan, pump in zip(self._plans, self._pumps, strict=True):
            pump.stop()
            if plan.stop is not None:
                plan.stop()

    async def ended(self) -> None:
        """Wait until they have ended."""
        await asyncio.to_thread(self._join)

    def _publish(self, made: Made) -> None:
        feed, unit = made
        self._from_thread(partial(feed.publish, unit))

    def _from_thread(self, deliver: Callable[[], None]) -> None:
        # The loop is closed when a program ends without aclose(): there is nobody left to tell.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._deliver, deliver)

    def _deliver(self, deliver: Callable[[], None]) -> None:
        if not self._stopped:
            deliver()

    def _join(self) -> None:
        for pump in self._pumps:
            pump.join()


def _end(feeds: tuple[Feed, ...]) -> None:
    for feed in feeds:
        feed.end()

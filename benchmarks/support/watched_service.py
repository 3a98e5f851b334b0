"""The service with a watch on its event loop, for memory.py: SIGUSR1 asks for the figures, into the file BENCH_STALLS.

The watch sleeps 1 ms, again and again. What it oversleeps, less the time in which somebody else had the core, is time
in which the service's loop served nobody.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import time
from pathlib import Path

from sightline.config import load_settings
from sightline.service import Service, run
from support.processes import own_waiting

STEP = 0.001


class Watch:
    """The stalls since the last report, in seconds."""

    def __init__(self) -> None:
        self.stalls: list[float] = []
        self.wall = 0.0

    async def keep(self) -> None:
        """Watch until cancelled. To be called on the loop's own thread."""
        then, waited_then = time.perf_counter(), own_waiting()
        while True:
            await asyncio.sleep(STEP)
            now, waited_now = time.perf_counter(), own_waiting()
            late = now - then - STEP
            self.wall = max(self.wall, late)
            self.stalls.append(late - (waited_now - waited_then))
            then, waited_then = now, waited_now

    def report(self, path: Path) -> None:
        """Write the figures of the time since the last report."""
        stalls, wall = sorted(self.stalls), self.wall
        self.stalls, self.wall = [], 0.0
        figures = {
            "longest_ms": round(stalls[-1] * 1e3, 2),
            "p99_ms": round(stalls[int(len(stalls) * 0.99)] * 1e3, 2),
            "longest_with_others_on_the_core_ms": round(wall * 1e3, 2),
        }
        new = path.with_suffix(".new")
        new.write_text(json.dumps(figures))
        new.replace(path)


def main() -> None:
    watch = Watch()
    tasks: set[asyncio.Task[None]] = set()

    def ready(_: Service) -> None:
        tasks.add(asyncio.create_task(watch.keep()))
        path = Path(os.environ["BENCH_STALLS"])
        asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, watch.report, path)

    with contextlib.suppress(KeyboardInterrupt):
        run(load_settings(), ready=ready)


if __name__ == "__main__":
    main()

"""A program: `python -m tests.harness.recovery_viewer LINK` watches with `sightline.Viewer` and prints what a person
would see, a JSON object a line: pictures, notices and states, each with the wall clock. It ends with SIGTERM."""

from __future__ import annotations

import asyncio
import json
import logging
import signal
import sys
import time

from sightline import Viewer
from sightline.viewer.events import NoticeGiven, StateChanged, ViewerEvent


def note(**what: object) -> None:
    print(json.dumps({"at": time.time(), **what}), flush=True)


def on_event(event: ViewerEvent) -> None:
    if isinstance(event, NoticeGiven):
        note(notice=event.reason or "")
    elif isinstance(event, StateChanged):
        note(state=str(event.after))


async def watch(link: str) -> None:
    async with Viewer(link, on_event=on_event) as viewer:
        async for frame in viewer.video:
            note(frame=frame.timestamp)


async def main() -> None:
    watching = asyncio.ensure_future(watch(sys.argv[1]))
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, watching.cancel)
    await asyncio.wait([watching])
    if not watching.cancelled() and (error := watching.exception()):
        raise error


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    asyncio.run(main())

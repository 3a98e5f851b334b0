"""A camera with a motor, as a program of its own: `python -m tests.harness.ptz_camera CHANNEL` on the service that the
environment names. Prints a line for each command that is carried out, and ends with SIGTERM or its standard input.
"""

from __future__ import annotations

import asyncio
import sys
import threading
from typing import Any

from sightline import CommandCall, CommandRefused, Master
from sightline.observe.log import set_up_logging


async def main(channel: str) -> None:
    master = Master(channel, source="test:320x180@15", create_channel=True)
    pan = 0.0

    @master.command("ptz")
    async def ptz(call: CommandCall) -> dict[str, Any]:
        nonlocal pan
        assert isinstance(call.value, dict)
        wanted = call.value["pan"]
        if not -170 <= wanted <= 170:
            raise CommandRefused("The camera turns from -170° to 170°.")
        pan = wanted
        print(f"ptz {pan} by {call.client_id} ({call.role})", flush=True)
        return {"pan": pan}

    @master.command("where", roles=None)
    def where(call: CommandCall) -> dict[str, Any]:
        return {"pan": pan, "you": call.role, "thread": threading.current_thread() is threading.main_thread()}

    @master.command("hang", roles=None)
    async def hang(call: CommandCall) -> None:
        print(f"hang by {call.client_id}", flush=True)
        await asyncio.Event().wait()

    async with master:
        running = asyncio.create_task(master.run())
        print("ready", flush=True)
        await asyncio.wait(
            [running, asyncio.ensure_future(asyncio.to_thread(sys.stdin.read))], return_when=asyncio.FIRST_COMPLETED
        )
        await master.aclose()
        await running


if __name__ == "__main__":
    set_up_logging(level="error")
    asyncio.run(main(sys.argv[1]))

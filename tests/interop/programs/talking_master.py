"""A camera that talks with its viewers over data channels: `python talking_master.py CHANNEL`, as its owner writes it.

It says every message back, answers questions with what was asked, tells everybody who comes, and restarts ICE towards
a viewer that says so.
"""

from __future__ import annotations

import asyncio
import sys

from sightline import Master
from sightline.rtc.datachannel import DataRequest


async def main(channel: str) -> None:
    def on_message(client_id: str, label: str, message: str | bytes) -> None:
        if message == "restart":
            print(f"restarting: {master.restart_ice(client_id)}", flush=True)
        elif message == "everybody":
            master.broadcast(f"{client_id} says hello")
        else:
            master.send(client_id, message, label=label)

    def on_request(client_id: str, request: DataRequest) -> None:
        if request.value == "impossible":
            request.refuse("That cannot be done.")
        else:
            request.reply({"you": client_id, "asked": request.value})  # type: ignore[dict-item]

    master = Master(
        channel, source="test:320x240@15", create_channel=True, on_message=on_message, on_request=on_request
    )
    async with master:
        print("on air", flush=True)
        await master.run()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))

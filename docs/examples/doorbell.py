"""A doorbell: at each press it rings the people who are in the room, one after the other, until somebody takes it.

    sightline link --room family --expires 24h
    python doorbell.py 'https://HOST:8443/call?room=family#TOKEN' /dev/video0

The people open the same link on their phones. The button is the Enter key here; who writes "open" opens the door.
"""

import asyncio
import sys

import sightline

PEOPLE = ("Ann", "Ben")


def open_the_door() -> None:
    print("The door is open.", flush=True)


async def ring(call: sightline.Call) -> None:
    for who in PEOPLE:
        if who not in call.users:
            continue
        try:
            session = await call.place(who)
        except sightline.CallEnded as ended:
            print(ended, flush=True)  # Ann declined the call.
            continue
        async with session:
            session.record("visit.mp4")  # what they show; an existing file is kept, and visit-2.mp4 is next
            session.send_text("Somebody is at the door.")
            async for text in session.texts():  # until either hangs up
                if text.strip().lower() == "open":
                    open_the_door()
        return
    print("Nobody takes it.", flush=True)


async def main(link: str, source: str) -> None:
    async with sightline.Call("Front door", link=link, source=source) as call:
        print("Press Enter to ring.", flush=True)
        while await asyncio.to_thread(sys.stdin.readline):
            await ring(call)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))

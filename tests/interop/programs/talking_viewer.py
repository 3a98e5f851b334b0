"""A viewer that looks, asks and talks: `python talking_viewer.py CHANNEL`, as its owner writes it.

It prints what it got as one line of JSON.
"""

from __future__ import annotations

import asyncio
import json
import sys

from sightline import Viewer
from sightline.viewer import Message


async def main(channel: str) -> None:
    async with Viewer(channel, client_id="program", data_channels=["chat"]) as viewer:
        events = viewer.events()
        shapes = []
        async for frame in viewer.video:
            shapes.append(frame.to_ndarray().shape)
            if len(shapes) == 20:
                break
        samples = 0
        async for sound in viewer.audio:
            samples += len(sound.to_ndarray())
            if samples >= 48_000 // 2:
                break
        answer = await viewer.request({"battery": None}, label="chat")
        viewer.send("restart", label="chat")  # the camera looks for another path
        viewer.send("hello", label="chat")
        async for event in events:
            if isinstance(event, Message):
                break
        before = viewer.statistics().pictures
        await asyncio.sleep(2)
        figures = viewer.statistics()
        said = event.content
    print(
        json.dumps(
            {
                "shape": shapes[0],
                "answer": answer,
                "said": said,
                "after": figures.pictures - before,
                "connections": figures.connections,
                "path": figures.candidate_pair,
                "state": viewer.state,
            }
        )
    )


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))

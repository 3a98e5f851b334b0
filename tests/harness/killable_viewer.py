"""A viewer in a process of its own, whose signaling somebody else keeps: killed, it is silent and nothing else.

`python -m tests.harness.killable_viewer` prints its offer as a line of JSON, reads the answer, and prints the number
of pictures that it has decoded, ten times a second.
"""

from __future__ import annotations

import asyncio
import json
import sys

from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamTrack


async def main() -> None:
    connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    connection.addTransceiver("video", "recvonly")
    decoded = 0

    async def count(track: MediaStreamTrack) -> None:
        nonlocal decoded
        while True:
            await track.recv()
            decoded += 1

    tracks: list[MediaStreamTrack] = []
    connection.on("track", tracks.append)
    await connection.setLocalDescription()
    print(json.dumps({"type": "offer", "sdp": connection.localDescription.sdp}), flush=True)
    answer = json.loads(await asyncio.to_thread(sys.stdin.readline))
    await connection.setRemoteDescription(RTCSessionDescription(answer["sdp"], "answer"))
    counting = asyncio.create_task(count(tracks[0]))
    while not counting.done():
        print(decoded, flush=True)
        await asyncio.sleep(0.1)


if __name__ == "__main__":
    asyncio.run(main())

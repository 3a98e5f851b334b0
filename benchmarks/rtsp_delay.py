"""From a network camera to a viewer of ours: how old a picture is when it has been decoded, over loopback.

`python -m benchmarks.rtsp_delay [--seconds N]`. The camera draws a bar code with the number of each picture and keeps
the time at which it drew it; the viewer, in the same process, reads the number from the decoded picture. Goal: 250 ms.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import tempfile
import time
from pathlib import Path

import av

import sightline
from sightline.media.bar_code import read_bar_code
from sightline.media.picture import MovingPicture
from sightline.wire.sigv4 import Credentials
from tests.harness.rtsp import RtspCamera
from tests.harness.service import ADMIN, REGION, Service

SIZE = (1280, 720)


async def watch(service: Service, drawn: dict[int, float], seconds: float) -> list[float]:
    """Delays in milliseconds."""
    delays = []
    target = sightline.Viewer(
        "delay",
        endpoint=service.http,
        region=REGION,
        credentials=Credentials(ADMIN.access_key_id, ADMIN.secret_access_key),
    )
    async with target as viewer:
        begun: float | None = None
        async for frame in viewer.video:
            seen = time.monotonic()
            begun = begun or seen
            number = read_bar_code(await asyncio.to_thread(frame.to_ndarray))
            # The first second is the group of pictures that was held: older, and shown quickly.
            if number in drawn and seen - begun > 1.0:
                delays.append((seen - drawn[number]) * 1000)
            if seen - begun > seconds + 1.0:
                break
    return delays


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Picture delay from an RTSP camera to a viewer.")
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--transport", choices=("tcp", "udp"), default="tcp")
    args = parser.parse_args()
    drawn: dict[int, float] = {}
    drawing = MovingPicture(*SIZE, title="DELAY")

    def draw(number: int, seconds: float) -> av.VideoFrame:
        drawn[number] = time.monotonic()
        return drawing.draw(number, seconds=seconds, caption="")

    with tempfile.TemporaryDirectory() as folder, RtspCamera(size=SIZE, draw=draw) as camera:
        service = Service(Path(folder))
        with service:
            options = ("--create", "--source", camera.url, "--rtsp-transport", args.transport)
            master = service.spawn("master", "delay", *options)
            try:
                master.wait_for_output("waiting for viewers", within=30)
                delays = sorted(asyncio.run(watch(service, drawn, args.seconds)))
            finally:
                master.stop()
    median, late = statistics.median(delays), delays[len(delays) * 95 // 100]
    print(f"RTSP ({args.transport}, 720p30, passed through) to viewer: {len(delays)} pictures,")
    print(f"median {median:.0f} ms, 95 of 100 within {late:.0f} ms (goal: median 250 ms)")


if __name__ == "__main__":
    main()

"""From a network camera to who watches it: how old a picture is when it is there, over loopback, passed through.

`python -m benchmarks.rtsp_delay [--seconds N] [--transport tcp|udp]`. The camera draws a bar code with the number of
each picture and keeps the time at which it drew it. A viewer of ours reads the number from the decoded picture; a page
in headless Chromium reads it from a canvas when the browser says that the picture is shown
(requestVideoFrameCallback).
The camera's own encoder is in the figures. Goal: a median of 250 ms.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import av

import sightline
from sightline.media.bar_code import read_bar_code
from sightline.media.picture import MovingPicture
from sightline.wire.sigv4 import Credentials
from tests.harness.bars import install, wait_for_picture
from tests.harness.browser import launched
from tests.harness.rtsp import RtspCamera
from tests.harness.service import ADMIN, REGION, Service

SIZE = (1280, 720)
GOAL = 250.0

WATCH = """(seconds) => new Promise((resolve) => {
  const video = document.querySelector('video');
  const seen = [];
  const begun = performance.now();
  const each = () => {
    const shown = performance.timeOrigin + performance.now();
    seen.push([barCode.read(video), shown]);
    if (performance.now() - begun < seconds * 1000) video.requestVideoFrameCallback(each);
    else resolve(seen);
  };
  video.requestVideoFrameCallback(each);
})"""
"""Numbers of the pictures with the time of day in milliseconds at which each was shown."""


async def by_python(service: Service, drawn: dict[int, float], seconds: float) -> list[float]:
    """Delays in milliseconds, at a viewer of ours."""
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
            seen = time.time()
            begun = begun or seen
            number = read_bar_code(await asyncio.to_thread(frame.to_ndarray))
            # The first second is the group of pictures that was held: older, and shown quickly.
            if number in drawn and seen - begun > 1.0:
                delays.append((seen - drawn[number]) * 1000)
            if seen - begun > seconds + 1.0:
                break
    return delays


def by_chromium(service: Service, drawn: dict[int, float], seconds: float) -> list[float]:
    """Delays in milliseconds, on our page in a browser."""
    with launched() as chromium, chromium.page(f"{service.http}/view/delay") as page:
        page.set_default_timeout(60_000)
        install(page)
        wait_for_picture(page, within=60)
        page.wait_for_timeout(3000)  # its jitter buffer learns
        seen = page.evaluate(WATCH, seconds)
    return [shown - drawn[number] * 1000 for number, shown in seen if number in drawn]


def report(who: str, transport: str, delays: Sequence[float]) -> None:
    """One line."""
    delays = sorted(delays)
    if not delays:
        raise SystemExit(f"{who} saw no picture")
    median, late = statistics.median(delays), delays[len(delays) * 95 // 100]
    print(
        f"RTSP ({transport}, 720p30, passed through) → {who}: {len(delays)} pictures, "
        f"median {median:.0f} ms, 95 of 100 within {late:.0f} ms (goal: median {GOAL:.0f} ms)",
        flush=True,
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Picture delay from an RTSP camera to viewers.")
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--transport", choices=("tcp", "udp"), default="tcp")
    args = parser.parse_args()
    drawn: dict[int, float] = {}
    drawing = MovingPicture(*SIZE, title="DELAY")

    def draw(number: int, seconds: float) -> av.VideoFrame:
        drawn[number] = time.time()
        return drawing.draw(number, seconds=seconds, caption="")

    with tempfile.TemporaryDirectory() as folder, RtspCamera(size=SIZE, draw=draw) as camera:
        service = Service(Path(folder))
        with service:
            options = ("--create", "--source", camera.url, "--rtsp-transport", args.transport)
            master = service.spawn("master", "delay", *options)
            try:
                master.wait_for_output("waiting for viewers", within=30)
                report("Python viewer", args.transport, asyncio.run(by_python(service, drawn, args.seconds)))
                report("Chromium", args.transport, by_chromium(service, drawn, args.seconds))
            finally:
                master.stop()


if __name__ == "__main__":
    main()

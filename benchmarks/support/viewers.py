"""Many light viewers in one process: ``python -m support.viewers``, commands and answers as lines of JSON.

``{"do": "add", "count": 50, "url": "http://127.0.0.1:8100/offer"}`` and so on; each public method of ``Crowd`` is a
command. Answers have ``result`` or ``error``.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

import aiohttp
import uvloop
from aiortc import RTCCertificate

from support.light_viewer import LightViewer, OnCandidate


class Crowd:
    """All viewers of this process."""

    def __init__(self, http: aiohttp.ClientSession) -> None:
        self._http = http
        self._certificate = RTCCertificate.generateCertificate()
        self._viewers: list[LightViewer] = []
        self._made = 0
        self._marks: dict[str, tuple[int, int, int, int]] = {}

    async def add(self, *, url: str, count: int = 1, at_once: int = 4, samples: int = 0) -> list[dict[str, float]]:
        """Connect some more viewers; when each of their steps was reached, in seconds from the offer."""
        gate = asyncio.Semaphore(at_once)

        async def one(number: int) -> dict[str, float]:
            async with gate:
                self._made += 1
                viewer = LightViewer(
                    f"viewer-{self._made}", self._exchange(url), self._certificate, sample=number < samples
                )
                await viewer.connect()
                self._viewers.append(viewer)
                return await _joined(viewer)

        return await asyncio.gather(*(one(number) for number in range(count)))

    async def join(self, *, url: str, rounds: int, pause: float = 0.0) -> list[dict[str, float]]:
        """Come and go, one after the other; the steps of each."""
        seen = []
        for _ in range(rounds):
            self._made += 1
            viewer = LightViewer(f"guest-{self._made}", self._exchange(url), self._certificate)
            await viewer.connect()
            seen.append(await _joined(viewer))
            await viewer.close()
            await asyncio.sleep(pause)
        return seen

    async def restart(self, *, rounds: int, kill_old: bool, pause: float = 1.0) -> list[dict[str, float]]:
        """The first viewer restarts ICE: what it missed, and how long it saw nothing."""
        viewer = self._viewers[0]
        seen = []
        for _ in range(rounds):
            await asyncio.sleep(pause)
            missing = len(viewer.counted.missing)
            viewer.reset_gap()
            parts = await viewer.restart(kill_old=kill_old)
            await asyncio.sleep(pause)
            first = viewer.times.get("first after restart", float("nan")) - viewer.times["restart"]
            seen.append(
                {
                    **parts,
                    "first packet": first,
                    "lost": len(viewer.counted.missing) - missing,
                    "longest gap": viewer.counted.longest_gap,
                }
            )
        return seen

    async def mark(self) -> float:
        """Count from now on."""
        self._marks = {viewer.name: self._counts(viewer) for viewer in self._viewers}
        return time.monotonic()

    async def count(self) -> list[dict[str, float]]:
        """What each viewer got since ``mark``."""
        seen = []
        for viewer in self._viewers:
            before = self._marks.get(viewer.name, (0, 0, 0, 0))
            packets, octets, frames, missing = (
                now - then for now, then in zip(self._counts(viewer), before, strict=True)
            )
            seen.append({"packets": packets, "octets": octets, "frames": frames, "missing": missing})
        return seen

    async def profiles(self) -> list[str]:
        """The SRTP profiles in use."""
        return sorted({viewer.srtp_profile for viewer in self._viewers})

    async def pictures(self) -> list[int | None]:
        """The bar codes that the sample viewers' last pictures show, decoded now."""
        return await asyncio.to_thread(
            lambda: [number for viewer in self._viewers for number in decoded(viewer.pictures())]
        )

    async def leave(self, *, count: int | None = None, goodbye: bool = True) -> int:
        """Some viewers leave, the oldest first; how many are left."""
        leaving = self._viewers[: len(self._viewers) if count is None else count]
        self._viewers = self._viewers[len(leaving) :]
        await asyncio.gather(*(viewer.close(goodbye=goodbye) for viewer in leaving))
        return len(self._viewers)

    def _counts(self, viewer: LightViewer) -> tuple[int, int, int, int]:
        counted = viewer.counted
        return counted.packets, counted.octets, counted.frames, len(counted.missing)

    def _exchange(self, url: str) -> Callable[..., Any]:
        async def exchange(name: str, offer: str, on_candidate: OnCandidate) -> str:
            response = await self._http.post(url, json={"client": name, "sdp": offer, "type": "offer"})
            response.raise_for_status()
            answer = str(json.loads(await response.content.readline())["sdp"])
            task = asyncio.create_task(_candidates(response, on_candidate))
            _reading.add(task)
            task.add_done_callback(_reading.discard)
            return answer

        return exchange


_reading: set[asyncio.Task[None]] = set()


async def _candidates(response: aiohttp.ClientResponse, on_candidate: OnCandidate) -> None:
    """Candidates follow the answer, each on a line of its own."""
    async with response:
        async for line in response.content:
            if line.strip():
                await on_candidate(json.loads(line)["candidate"])


async def _joined(viewer: LightViewer) -> dict[str, float]:
    async with asyncio.timeout(10):
        await viewer.started.wait()
    offered = viewer.times["offered"]
    return {step: at - offered for step, at in viewer.times.items() if step != "offered"}


def decoded(units: list[bytes]) -> list[int | None]:
    """The bar codes of H.264 pictures."""
    import av

    from sightline.media.bar_code import read_bar_code

    codec = av.CodecContext.create("h264", "r")
    frames = [frame for unit in units for frame in codec.decode(av.Packet(unit))] + list(codec.decode(None))
    return [read_bar_code(frame.to_ndarray(format="rgb24")) for frame in frames]  # type: ignore[union-attr]


async def main() -> None:
    lines = asyncio.StreamReader(limit=1 << 20)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=None, sock_connect=10)) as http:
        crowd = Crowd(http)
        while line := await lines.readline():
            command: Mapping[str, Any] = json.loads(line)
            arguments = {name: value for name, value in command.items() if name != "do"}
            try:
                answer = {"result": await getattr(crowd, command["do"])(**arguments)}
            except Exception as error:
                answer = {"error": f"{type(error).__name__}: {error}"}
            print(json.dumps(answer), flush=True)
        await crowd.leave()


if __name__ == "__main__":
    uvloop.run(main())

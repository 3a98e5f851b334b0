"""A light viewer (`benchmarks/support/light_viewer.py`) on the KVS wire: counts every packet, decodes nothing.

`python -m tests.harness.watcher SECONDS URL...` watches with one viewer for each presigned URL and prints, as JSON,
what each of them got in the seconds after all were connected.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Sequence
from typing import Any

from aiortc import RTCCertificate
from benchmarks.support.light_viewer import LightViewer, OnCandidate

from tests.harness.viewer_signaling import ViewerSignaling


class Watcher:
    """One viewer and its signaling."""

    def __init__(self, url: str, certificate: RTCCertificate, *, name: str = "watcher") -> None:
        """`url`: presigned, of a viewer's socket."""
        self._signaling = ViewerSignaling(url)
        self._trickle: asyncio.Task[None] | None = None
        self.viewer = LightViewer(name, self._exchange, certificate)

    async def open(self) -> None:
        """Be connected; raises TimeoutError and ConnectionError."""
        await self._signaling.__aenter__()
        try:
            await self.viewer.connect()
        except BaseException:
            await self.close(goodbye=False)
            raise

    async def close(self, *, goodbye: bool = True) -> None:
        """Leave, or be gone without a word."""
        if self._trickle is not None:
            self._trickle.cancel()
            await asyncio.gather(self._trickle, return_exceptions=True)
        await self.viewer.close(goodbye=goodbye)
        await self._signaling.__aexit__(None, None, None)

    async def _exchange(self, _name: str, offer: str, on_candidate: OnCandidate) -> str:
        answer = await self._signaling.exchange(offer)
        if self._trickle is None:
            self._trickle = asyncio.create_task(self._take(on_candidate))
        return answer

    async def _take(self, on_candidate: OnCandidate) -> None:
        while True:
            candidate: Any = await self._signaling.next_candidate()
            await on_candidate(candidate["candidate"])


async def watch(seconds: float, urls: Sequence[str]) -> list[dict[str, Any]]:
    """All of them at once."""
    certificate = RTCCertificate.generateCertificate()
    watchers = [Watcher(url, certificate) for url in urls]
    await asyncio.gather(*(watcher.open() for watcher in watchers))
    print("connected", flush=True)
    await asyncio.gather(*(watcher.viewer.started.wait() for watcher in watchers))
    before = [counts(watcher) for watcher in watchers]
    await asyncio.sleep(seconds)
    after = [counts(watcher) for watcher in watchers]
    await asyncio.gather(*(watcher.close() for watcher in watchers))
    return [{key: late[key] - early[key] for key in late} for early, late in zip(before, after, strict=True)]


def counts(watcher: Watcher) -> dict[str, int]:
    """Packets, pictures and gaps in the numbers so far."""
    counted = watcher.viewer.counted
    return {"packets": counted.packets, "frames": counted.frames, "missing": len(counted.missing)}


if __name__ == "__main__":
    print(json.dumps(asyncio.run(watch(float(sys.argv[1]), sys.argv[2:]))))

"""A relayed picture runs on when its TURN credential has long expired and its allocations would have, too (issue 4)."""

from __future__ import annotations

import asyncio

import pytest

from sightline.client.control import IceServer
from sightline.media.test_picture import TestPicture
from sightline.relay import server as relay
from sightline.rtc.certificates import Certificate
from sightline.rtc.engine import Engine
from sightline.rtc.ice import turn as client
from sightline.rtc.ice.config import IceConfig
from sightline.rtc.viewer_peer import EncodedFrame, ViewerPeer
from tests.unit.rtc.ice.peers import eventually
from tests.unit.service.test_turn import serving

pytestmark = pytest.mark.realtime

CREDENTIAL = 4
"""Seconds: a machine that stands still for a moment must get its allocation before."""
ALLOCATION = 2


async def test_a_relayed_picture_outlives_credential_and_allocation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relay, "_LIFETIME", float(ALLOCATION))
    monkeypatch.setattr(client, "_LIFETIME", ALLOCATION)
    source = TestPicture(160, 90, 30)
    async with serving() as lab:
        address = lab.address("udp", ttl=CREDENTIAL)
        server = IceServer((f"turn:127.0.0.1:{address.port}?transport=udp",), address.username, address.password)
        ice = IceConfig(servers=(server,), relay_only=True)
        engine = Engine(source, ice=ice)
        camera = engine.new_peer(ice_servers=(server,))
        viewer = ViewerPeer(ice=ice, certificate=Certificate.make(), audio=None)
        frames: list[EncodedFrame] = []
        viewer.on_frame = frames.append
        camera.on_candidate = lambda candidate: candidates.put_nowait((viewer, candidate))
        viewer.on_candidate = lambda candidate: candidates.put_nowait((camera, candidate))
        candidates: asyncio.Queue[tuple[object, object]] = asyncio.Queue()

        async def trickle() -> None:
            while True:
                peer, candidate = await candidates.get()
                await peer.add_remote_candidate(candidate)  # type: ignore[attr-defined]

        trickling = asyncio.ensure_future(trickle())
        try:
            await viewer.accept(await camera.answer(await viewer.offer()))
            await eventually(lambda: len(frames) > 3, seconds=20)
            assert "relay" in (viewer.statistics().candidate_pair or "")
            await asyncio.sleep(CREDENTIAL + ALLOCATION)
            before = len(frames)
            await eventually(lambda: len(frames) > before + 15, seconds=30)
            received = viewer.statistics().received
            assert received is not None
            assert received.video is not None
            assert received.video.dropped == 0, "the relay was shut for a while"
        finally:
            trickling.cancel()
            await viewer.aclose()
            await camera.aclose()
            await engine.aclose()
            await source.aclose()

"""A viewer in Python talks to a camera in Python: what one program says, the other one's hears."""

from __future__ import annotations

import asyncio
from typing import Any

import numpy as np
import pytest

from sightline import Master, Viewer
from sightline.media.source import open_source
from sightline.media.tone import TONE_HZ
from sightline.wire.sigv4 import Credentials
from tests.harness.kvs import Kvs, unique_name
from tests.harness.service import REGION, Service
from tests.harness.sounds import strength

pytestmark = pytest.mark.timeout(120)


def account(service: Service) -> dict[str, Any]:
    key = service.admin
    return {
        "endpoint": service.http,
        "region": REGION,
        "credentials": Credentials(key.access_key_id, key.secret_access_key),
    }


async def heard(master: Master, *, frames: int) -> tuple[np.ndarray, set[str]]:
    """So much of what viewers say next, and who they are."""
    parts: list[np.ndarray] = []
    talkers: set[str] = set()
    async with asyncio.timeout(40), master.voice() as voice:
        async for frame in voice:
            parts.append(frame.mixed)
            talkers |= frame.voices.keys()
            if len(parts) == frames:
                break
    return np.concatenate(parts)[:, 0] / 32768, talkers


async def test_a_program_hears_who_talks_to_its_camera(service: Service, kvs: Kvs) -> None:
    channel = unique_name("hall")
    kvs.create(channel)
    source = open_source("test:320x180@10")
    async with (
        Master(channel, source=source, **account(service)) as master,
        asyncio.TaskGroup() as tasks,
    ):
        master.voice().close()  # from now on viewers may talk
        running = tasks.create_task(master.run())
        async with Viewer(
            master.channel, client_id="kitchen", talk=True, persistent=True, **account(service)
        ) as viewer:
            async with asyncio.timeout(40):
                await viewer.picture()
            assert viewer.can_talk
            await viewer.speak("test:160x90@1")
            sound, talkers = await heard(master, frames=50)
            assert talkers == {"kitchen"}
            assert strength(sound, TONE_HZ) > 0.02
            assert strength(sound, TONE_HZ * 3.3) < strength(sound, TONE_HZ) / 3
            assert (await viewer.picture()).width == 320
            before = viewer.statistics().connections
            viewer.reconnect()
            async with asyncio.timeout(40):
                await viewer.picture()
            assert viewer.statistics().connections > before
            sound, talkers = await heard(master, frames=50)
            assert strength(sound, TONE_HZ) > 0.02, "it goes on after a reconnection"
        await master.aclose()
        await running
    await source.aclose()


async def test_a_camera_to_which_nobody_listens_says_so(service: Service, kvs: Kvs) -> None:
    channel = unique_name("hall")
    kvs.create(channel)
    source = open_source("test:320x180@10")
    async with (
        Master(channel, source=source, **account(service)) as master,
        asyncio.TaskGroup() as tasks,
    ):
        running = tasks.create_task(master.run())
        async with Viewer(master.channel, talk=True, persistent=True, **account(service)) as viewer:
            async with asyncio.timeout(40):
                await viewer.picture()
            assert not viewer.can_talk
        await master.aclose()
        await running
    await source.aclose()

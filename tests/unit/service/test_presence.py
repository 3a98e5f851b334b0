"""A master reports who watches; administrators, masters and viewers ask for it. A whole service, without media."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
import yarl

from sightline.client.admin import Admin
from sightline.client.control import ControlPlane
from sightline.client.refusals import NotAllowed
from sightline.client.target import Target, find_target
from sightline.config import load_settings
from sightline.errors import ServiceRefused
from sightline.service import Service
from sightline.wire.extras import ViewerPresence, encode_presence
from sightline.wire.sigv4 import Credentials

pytestmark = pytest.mark.may_block("a service opens its files before anybody is connected")

VIEWER = ViewerPresence(
    client_id="viewer-123",
    connection_state="connected",
    ice_connection_state="completed",
    since=1.0,
    candidate_pair="host 192.0.2.1:1 -> host 192.0.2.2:2",
)


class Stage:
    def __init__(self, target: Target, admin: Admin, http: aiohttp.ClientSession) -> None:
        self.target, self.admin, self.http = target, admin, http

    async def master(self) -> aiohttp.ClientWebSocketResponse:
        async with ControlPlane(target=self.target) as control:
            session = await control.master_session("porch", create=True)
        return await self.http.ws_connect(yarl.URL(session.url, encoded=True))

    async def until(self, *names: str) -> None:
        """Until exactly these are listed."""
        async with asyncio.timeout(5):
            while [viewer.client_id for viewer in (await self.admin.viewers("porch")).viewers] != list(names):
                continue  # each question is a request

    async def of_role(self, role: str) -> Admin:
        key = await self.admin.create_credentials(role=role, channel="porch")
        target = find_target(
            self.target.endpoint,
            credentials=Credentials(key.access_key_id, key.secret_access_key),
            environment={},
        )
        return Admin(target=target)


@pytest.fixture
async def stage(tmp_path: Path, unused_tcp_port: int) -> AsyncIterator[Stage]:
    settings = load_settings(
        {"data_dir": str(tmp_path), "http_port": str(unused_tcp_port), "https_port": "off", "turn_port": "off"},
        environment={},
    )
    async with Service(settings):
        target = find_target(f"http://localhost:{unused_tcp_port}", data_dir=tmp_path, environment={})
        async with Admin(target=target) as admin, aiohttp.ClientSession() as http:
            yield Stage(target, admin, http)


async def test_the_latest_report_is_answered_while_its_master_is_there(stage: Stage) -> None:
    with pytest.raises(ServiceRefused, match="no channel"):
        await stage.admin.viewers("porch")
    master = await stage.master()
    nobody = await stage.admin.viewers("porch")
    assert (nobody.master_connected, nobody.reported_at, nobody.viewers) == (True, None, ())
    await master.send_str(encode_presence((VIEWER,)).decode())
    await stage.until("viewer-123")
    found = await stage.admin.viewers("porch")
    assert found.viewers == (VIEWER,)
    assert found.reported_at is not None
    await master.send_str('{"action":"sightline/presence","viewers":"all"}')
    await master.send_str(encode_presence(()).decode())
    await stage.until()
    await master.send_str(encode_presence((VIEWER,)).decode())
    await stage.until("viewer-123")
    await master.close()
    await stage.until()
    gone = await stage.admin.viewers("porch")
    assert (gone.master_connected, gone.reported_at) == (False, None)


async def test_who_may_ask_and_what_they_learn(stage: Stage) -> None:
    master = await stage.master()
    await master.send_str(encode_presence((VIEWER,)).decode())
    await stage.until("viewer-123")
    async with await stage.of_role("master") as camera, await stage.of_role("viewer") as watcher:
        assert (await camera.viewers("porch")).viewers[0].candidate_pair == VIEWER.candidate_pair
        seen = (await watcher.viewers("porch")).viewers[0]
        assert (seen.client_id, seen.candidate_pair) == ("viewer-123", None)
        with pytest.raises(NotAllowed):
            await watcher.viewers("attic")
    with pytest.raises(ServiceRefused):
        await stage.admin.viewers("")
    await master.close()

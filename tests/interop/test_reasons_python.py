"""Why there is no picture, in Python: every cause of seed 001.6 is the real one, and the viewer names it.

Where `sightline.Viewer` cannot bring the cause about itself, because it makes its own addresses and offers, the test
gives it an address or an offer that service and camera then really refuse.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from sightline import Viewer, ViewerFailed
from sightline.client.control import IceServer, Session
from sightline.client.link import link_session, read_link
from sightline.errors import InvalidClientId
from sightline.rtc.certificates import Certificate
from sightline.rtc.ice.config import IceConfig
from sightline.rtc.viewer_peer import ViewerPeer
from sightline.sessions.viewer import ViewerOptions
from sightline.viewer import NoticeGiven, StateChanged
from sightline.wire.sigv4 import Credentials
from tests.harness.access import make_key
from tests.harness.kvs import EXTRAS, VIEWER, Kvs, unique_name
from tests.harness.service import REGION, Service
from tests.harness.signing import Key, presign

pytestmark = pytest.mark.timeout(120)

PATIENCE = 30.0


@pytest.fixture(scope="module")
def arn(kvs: Kvs) -> str:
    """A channel without a camera."""
    return kvs.create("without")


@pytest.fixture(scope="module")
def channel(service: Service, clip: Path) -> Iterator[str]:
    """A channel whose camera is on."""
    with service.spawn("master", "choosy", "--create", "--source", str(clip)) as master:
        master.wait_for_output("waiting for viewers", within=60)
        yield "choosy"


def viewer_of(service: Service, channel: str, *, key: Key | None = None, **more: Any) -> Viewer:
    """As a program makes one that has a key."""
    key = key or service.admin
    more = {"endpoint": service.http, "region": REGION, **more}
    return Viewer(channel, credentials=Credentials(key.access_key_id, key.secret_access_key), **more)


def with_url(url: str) -> Viewer:
    """One whose service gave it this address."""

    async def provide(client_id: str) -> Session:
        return Session(
            url=url, ice_servers=(), channel_arn="", client_id=client_id, region=REGION, is_sightline=EXTRAS in url
        )

    return Viewer("without", session_provider=provide)


async def reason_of(viewer: Viewer) -> str:
    """With which it fails: at once, without the seed's pause and retry."""
    async with viewer:
        with pytest.raises(ViewerFailed) as failed:
            async with asyncio.timeout(PATIENCE):
                await viewer.picture()
        assert len(str(failed.value).split()) > 5, "a sentence for a person"
        assert viewer.statistics().connections == 1
    return str(failed.value.reason)


@asynccontextmanager
async def noticed(viewer: Viewer, reason: str) -> AsyncIterator[Viewer]:
    """While the viewer tells the reason, and goes on."""
    events = viewer.events()
    async with viewer:
        async with asyncio.timeout(PATIENCE):
            async for event in events:
                if isinstance(event, NoticeGiven) and event.reason == reason:
                    break
        yield viewer


async def told(viewer: Viewer, reason: str) -> str:
    """The reason, when it is told; else the one with which the viewer fails."""
    events = viewer.events()
    async with viewer, asyncio.timeout(PATIENCE):
        try:
            async for event in events:
                if isinstance(event, NoticeGiven) and event.reason == reason:
                    return reason
        except ViewerFailed as failed:
            return str(failed.reason)
    return ""


class TestWithAKey:
    """The control plane says no, before there is a socket."""

    async def test_a_wrong_secret(self, service: Service, arn: str) -> None:
        wrong = service.admin.but(secret_access_key="wrong")
        assert await reason_of(viewer_of(service, "without", key=wrong)) == "wrong-key"

    async def test_another_region(self, service: Service, arn: str) -> None:
        assert await reason_of(viewer_of(service, "without", region="eu-central-1")) == "wrong-region"

    async def test_a_channel_that_is_not_there(self, service: Service) -> None:
        assert await reason_of(viewer_of(service, "nowhere")) == "unknown-channel"

    async def test_a_key_for_another_camera(self, service: Service, arn: str) -> None:
        key = make_key(service, "viewer", "another-*")
        assert await reason_of(viewer_of(service, "without", key=key)) == "not-allowed"

    def test_a_client_id_outside_the_rules_goes_nowhere(self) -> None:
        with pytest.raises(InvalidClientId, match="no space"):
            Viewer("without", client_id="a b")


@pytest.mark.parametrize("extras", [{EXTRAS: "1"}, {}], ids=["by a notice", "by HTTP, as KVS has it"])
class TestRefusedSockets:
    """The upgrade is refused: to a socket of ours with a notice, to any other with an error's body."""

    async def test_a_wrong_secret(self, service: Service, kvs: Kvs, arn: str, extras: dict[str, str]) -> None:
        key = make_key(service, "viewer").but(secret_access_key="wrong")
        assert await reason_of(with_url(kvs.socket_url(VIEWER, arn, "v", key=key, parameters=extras))) == "wrong-key"

    async def test_a_clock_that_is_wrong(self, kvs: Kvs, arn: str, extras: dict[str, str]) -> None:
        url = kvs.socket_url(VIEWER, arn, "v", now=time.time() - 3600, parameters=extras)
        assert await reason_of(with_url(url)) == "clock-skew"

    async def test_a_channel_that_was_deleted(self, kvs: Kvs, extras: dict[str, str]) -> None:
        gone = kvs.create()
        url = kvs.socket_url(VIEWER, gone, "v", parameters=extras)
        kvs.control.delete_signaling_channel(ChannelARN=gone)
        assert await reason_of(with_url(url)) == "unknown-channel"

    async def test_a_client_id_outside_the_rules(
        self, service: Service, kvs: Kvs, arn: str, extras: dict[str, str]
    ) -> None:
        parameters = {"X-Amz-ChannelARN": arn, "X-Amz-ClientId": "a b", **extras}
        url = presign(f"{service.http.replace('http', 'ws', 1)}/viewer", parameters, key=kvs.key)
        assert await reason_of(with_url(url)) == "bad-client-id"


async def test_the_same_client_id_once_more(service: Service, arn: str) -> None:
    first = viewer_of(service, "without", client_id="twin")
    async with noticed(first, "camera-offline"):
        async with noticed(viewer_of(service, "without", client_id="twin"), "camera-offline"):
            with pytest.raises(ViewerFailed) as failed:
                async with asyncio.timeout(PATIENCE):
                    await first.wait_closed()
        assert failed.value.reason == "client-id-in-use"


async def test_a_full_channel(start_service: Callable[..., Service]) -> None:
    service = await asyncio.to_thread(start_service, environment={"SIGHTLINE_MAX_VIEWERS": "1"})
    with Kvs(service) as kvs:
        await asyncio.to_thread(kvs.create, "small")
    async with noticed(viewer_of(service, "small"), "camera-offline"):
        assert await reason_of(viewer_of(service, "small")) == "viewer-limit"


async def test_too_many_requests(start_service: Callable[..., Service]) -> None:
    service = await asyncio.to_thread(start_service)
    with Kvs(service) as kvs:
        arn = await asyncio.to_thread(kvs.create, "without")
        wrong = make_key(service, "viewer").but(secret_access_key="wrong")
        url = kvs.socket_url(VIEWER, arn, "v", key=wrong, parameters={EXTRAS: "1"})
    for _ in range(60):
        viewer = with_url(url)
        if await told(viewer, "too-many-requests") == "too-many-requests":
            return
        assert viewer.failure is not None
        assert viewer.failure.reason == "wrong-key"
    pytest.fail("sixty wrong signatures were not too many")


async def test_the_network_changes_while_it_connects(service: Service, arn: str) -> None:
    """Started anew at once under the same id, and not counted as the retry."""
    viewer = viewer_of(service, "without", client_id="mover")
    async with noticed(viewer, "camera-offline"):
        events = viewer.events()
        watcher = viewer._network
        assert watcher is not None
        for sources, reason in (({}, "offline"), ({"192.0.2.1": "198.51.100.7"}, "camera-offline")):
            watcher._read = lambda asked, sources=sources: {each: sources.get(each) for each in asked}  # type: ignore[misc]
            watcher._sources = dict.fromkeys(watcher._sources, "198.51.100.1" if reason == "offline" else None)
            watcher.check()
            async with asyncio.timeout(PATIENCE):
                async for event in events:
                    if isinstance(event, NoticeGiven) and event.reason == reason:
                        break
        assert viewer.client_id == "mover"
        assert viewer.statistics().connections == 2


class AskingFor(ViewerPeer):
    """Its offer is not what it was."""

    replace: Sequence[tuple[str, str]] = ()

    async def offer(self, *, ice_servers: Sequence[Any] | None = None) -> str:
        text = await super().offer(ice_servers=ice_servers)
        for pattern, instead in self.replace:
            text = re.sub(pattern, instead, text)
        return text


@pytest.mark.parametrize(
    ("replace", "reason"),
    [
        ([(r"a=fingerprint", "a=x-fingerprint")], "bad-offer"),
        ([(r"(H264|VP8)/90000", r"AV1/90000")], "no-common-codec"),
    ],
    ids=["malformed", "no common codec"],
)
async def test_offers_that_the_camera_cannot_answer(
    service: Service, channel: str, replace: Sequence[tuple[str, str]], reason: str
) -> None:
    async def make_peer(session: Any) -> ViewerPeer:
        peer = AskingFor(ice=IceConfig(servers=session.ice_servers), certificate=Certificate.make())
        peer.replace = replace
        return peer

    assert await told(viewer_of(service, channel, peer_factory=make_peer), reason) == reason


async def test_expired_relay_credentials(service: Service, channel: str) -> None:
    """The viewer got them long ago, and only a relay is permitted; then it gets fresh ones, and sees the picture."""
    link = read_link(f"{service.http}/view/{channel}")
    fresh = False

    async def provide(client_id: str) -> Session:
        session = await link_session(link, client_id)
        if fresh:
            return session
        old = [
            IceServer(server.urls, re.sub(r"^\d+", "1000000000", server.username), server.credential)
            for server in session.ice_servers
            if server.username
        ]
        assert old, "the service gave no relay"
        return msgspec.structs.replace(session, ice_servers=tuple(old))

    viewer = Viewer(
        channel, session_provider=provide, ice_transport_policy="relay", options=ViewerOptions(path=PATIENCE)
    )
    async with noticed(viewer, "ice-expired"):
        fresh = True
        viewer.reconnect()
        async with asyncio.timeout(PATIENCE):
            await viewer.picture()
            await viewer.wait_watching()
        assert "relay" in (viewer.statistics().candidate_pair or "")


async def test_the_camera_is_killed_and_comes_back(service: Service, camera: Callable[..., Any]) -> None:
    channel = unique_name("killed")
    master = camera(channel)
    await asyncio.to_thread(master.wait_for_output, "waiting for viewers", within=60)
    viewer = viewer_of(service, channel)
    events = viewer.events()
    async with viewer:
        async with asyncio.timeout(PATIENCE):
            await viewer.wait_watching()
        master.kill()
        killed = time.monotonic()
        async with asyncio.timeout(PATIENCE):
            async for event in events:
                if isinstance(event, NoticeGiven) and event.reason == "camera-offline":
                    break
        assert time.monotonic() - killed < 5.0
        camera(channel)
        async with asyncio.timeout(60):
            async for event in events:
                if isinstance(event, StateChanged) and event.after == "watching":
                    break
            await viewer.picture()

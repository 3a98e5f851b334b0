"""The master from offer to picture: a signaling service that the test plays, aiortc as the viewer."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator

import pytest

from sightline.errors import ServiceRefused, SourceNotFound
from sightline.master import Master, Viewer
from sightline.media.test_picture import TestPicture
from tests.unit.client.fake_signaling import FakeSignaling, eventually
from tests.unit.rtc.viewer import AiortcViewer


class Stage:
    """A running master and its service."""

    def __init__(self, service: FakeSignaling, master: Master) -> None:
        self.service, self.master = service, master
        self.viewers: list[AiortcViewer] = []

    async def ask(self, client_id: str) -> AiortcViewer:
        """Send a viewer's offer and give it the answer."""
        viewer = AiortcViewer("video", "audio")
        self.viewers.append(viewer)
        await self.service.say("SDP_OFFER", {"type": "offer", "sdp": await viewer.offer()}, sender=client_id)
        message = await self.service.next()
        assert (message["action"], message["recipientClientId"]) == ("SDP_ANSWER", client_id)
        assert message["correlationId"]
        answer = json.loads(base64.b64decode(message["messagePayload"]))
        assert answer["type"] == "answer"
        await viewer.accept(answer["sdp"])
        return viewer


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    source = TestPicture(320, 180, 30)
    async with (
        FakeSignaling() as service,
        Master("demo", source=source, session_provider=service.session) as master,  # type: ignore[arg-type]
    ):
        running = asyncio.create_task(master.run())
        await service.open_sockets(1)
        stage = Stage(service, master)
        yield stage
        for viewer in stage.viewers:
            await viewer.aclose()
        await master.aclose()
        await asyncio.wait_for(running, 5)
    assert source.video.subscribers == 0
    await source.aclose()


async def test_two_viewers_watch_and_leave(stage: Stage) -> None:
    one, two = await stage.ask("viewer-1"), await stage.ask("viewer-2")
    numbers = await asyncio.gather(one.numbers(10), two.numbers(10))
    assert all(None not in shown for shown in numbers)
    assert {viewer.client_id for viewer in stage.master.viewers} == {"viewer-1", "viewer-2"}
    assert stage.master.is_connected("viewer-1")
    await one.aclose()
    await eventually(lambda: [viewer.client_id for viewer in stage.master.sessions] == ["viewer-2"])
    assert not stage.master.is_connected("viewer-1")
    assert None not in await two.numbers(3)


async def test_a_second_offer_of_one_id_takes_over(stage: Stage) -> None:
    first = await stage.ask("viewer-1")
    await first.numbers(2)
    second = await stage.ask("viewer-1")
    assert None not in await second.numbers(5)
    assert [viewer.client_id for viewer in stage.master.sessions] == ["viewer-1"]
    await eventually(lambda: first.connection.connectionState == "closed")


async def test_nonsense_disturbs_nobody(stage: Stage) -> None:
    viewer = await stage.ask("viewer-1")
    await viewer.numbers(2)
    await stage.service.say("SDP_OFFER", {"sdp": "nonsense"}, sender="bad")
    await stage.service.say("SDP_OFFER", {"sdp": 7}, sender="bad")
    await stage.service.say("SDP_OFFER", ["list"], sender="bad")
    await stage.service.say("SDP_OFFER", {"sdp": "v=0"})
    await stage.service.say("SDP_OFFER", sender="bad")
    await stage.service.say("SDP_ANSWER", {"sdp": "v=0"}, sender="bad")
    await stage.service.say("ICE_CANDIDATE", {"candidate": None}, sender="viewer-1")
    await stage.service.say("ICE_CANDIDATE", {"candidate": "x"}, sender="nobody")
    await stage.service.socket.send_str('{"messageType":"ICE_CANDIDATE","messagePayload":"bnVsbA=="}')
    await stage.service.socket.send_str('{"messageType":"STATUS_RESPONSE","statusResponse":{"correlationId":"x"}}')
    await stage.service.socket.send_str('{"messageType":"STATUS_RESPONSE"}')
    assert None not in await viewer.numbers(5)
    assert [viewer.client_id for viewer in stage.master.viewers] == ["viewer-1"]
    assert None not in await (await stage.ask("viewer-2")).numbers(2)


async def test_pictures_go_on_while_signaling_is_away(stage: Stage) -> None:
    viewer = await stage.ask("viewer-1")
    await viewer.numbers(2)
    await stage.service.socket.close()
    assert None not in await viewer.numbers(10)
    await stage.service.open_sockets(2)
    assert None not in await (await stage.ask("viewer-2")).numbers(2)


async def test_callbacks_tell_who_came_and_went() -> None:
    told: list[tuple[str, str]] = []

    def joined(viewer: Viewer) -> None:
        told.append(("joined", viewer.client_id))

    def left(viewer: Viewer) -> None:
        told.append(("left", viewer.client_id))

    async with FakeSignaling() as service:
        master = Master(
            "demo",
            source="test:160x90",
            session_provider=service.session,  # type: ignore[arg-type]
            on_viewer_joined=joined,
            on_viewer_left=left,
        )
        async with master:
            running = asyncio.create_task(master.run())
            await service.open_sockets(1)
            viewer = await Stage(service, master).ask("viewer-1")
            await viewer.numbers(1)
            running.cancel()
            await asyncio.wait([running])
            await viewer.aclose()
    assert told == [("joined", "viewer-1"), ("left", "viewer-1")]


async def test_a_refused_master_says_why() -> None:
    async def refused() -> object:
        raise ServiceRefused("There is no channel 'demo'.", status=404)

    async with Master("demo", source="test:160x90", session_provider=refused) as master:  # type: ignore[arg-type]
        with pytest.raises(ServiceRefused, match="no channel"):
            await master.run()


async def test_a_missing_file_is_said_before_anything_else() -> None:
    with pytest.raises(SourceNotFound):
        async with Master("demo", source="/nowhere/clip.mp4"):
            pass

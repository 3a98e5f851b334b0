"""The master from offer to picture: a signaling service that the test plays, aiortc as the viewer."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Sequence

import msgspec
import pytest

from sightline.client.control import IceServer
from sightline.errors import InvalidChannelName, ServiceRefused, ServiceUnreachable, SourceNotFound
from sightline.master import CommandCall, Happening, Master, Viewer
from sightline.media.test_picture import TestPicture
from sightline.rtc.datachannel import RequestFailed
from sightline.timers import Timers
from sightline.wire.ids import check_channel_name
from tests.unit.client.fake_signaling import FakeSignaling, eventually
from tests.unit.master.hand_peer import HandEngine
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
        await self.offer(client_id, viewer)
        return viewer

    async def offer(self, client_id: str, viewer: AiortcViewer) -> None:
        """The viewer's offer, and the answer to it."""
        await self.service.say("SDP_OFFER", {"type": "offer", "sdp": await viewer.offer()}, sender=client_id)
        message = await self.service.next()
        while message["action"] == "sightline/presence":
            message = await self.service.next()
        assert (message["action"], message["recipientClientId"]) == ("SDP_ANSWER", client_id)
        assert message["correlationId"]
        answer = json.loads(base64.b64decode(message["messagePayload"]))
        assert answer["type"] == "answer"
        await viewer.accept(answer["sdp"])


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


class SoonOnce:
    """The timers, but for the credentials of relays: they are renewed at once, and then for an hour not again."""

    def __init__(self, asked: Sequence[object]) -> None:
        self.asked = asked

    @property
    def ice_servers(self) -> float:
        return 0.01 if len(self.asked) < 2 else 3600.0

    def __getattr__(self, name: str) -> object:
        return getattr(Timers(ice_servers_again=0.01), name)


async def test_relay_credentials_are_renewed_and_a_failure_does_not_outlive_them() -> None:
    engine = HandEngine()
    servers: list[IceServer] = []

    async def session() -> object:
        number = len(servers) + 1
        servers.append(IceServer((f"turn:127.0.0.1:{number}",), "user", "secret"))
        if number == 2:
            raise ServiceUnreachable("The service is away.")
        return msgspec.structs.replace(await service.session(), ice_servers=(servers[-1],))

    async with (
        FakeSignaling() as service,
        Master(
            "demo",
            source="test",
            session_provider=session,  # type: ignore[arg-type]
            engine=lambda source: engine,
            timers=SoonOnce(servers),  # type: ignore[arg-type]
        ) as master,
    ):
        running = asyncio.create_task(master.run())
        await eventually(lambda: len(servers) == 3)
        viewer = AiortcViewer("video")
        await service.say("SDP_OFFER", {"type": "offer", "sdp": await viewer.offer()}, sender="viewer-1")
        await eventually(lambda: bool(engine.made and engine.made[0].servers))
        assert engine.made[0].servers == [(servers[2],)]
        assert len(service.sockets) == 1, "and the socket is the one of before"
        await viewer.aclose()
        await master.aclose()
        await asyncio.wait_for(running, 5)


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


async def test_events_can_be_iterated_over_until_the_master_ends(stage: Stage) -> None:
    seen: list[tuple[Happening, str]] = []

    async def watch() -> None:
        async with stage.master.events() as events:
            async for event in events:
                seen.append((event.kind, event.viewer.client_id))

    watching = asyncio.create_task(watch())
    viewer = await stage.ask("viewer-1")
    await viewer.numbers(1)
    await viewer.aclose()
    await eventually(lambda: (Happening.LEFT, "viewer-1") in seen)
    assert [kind for kind, _ in seen if kind is not Happening.CHANGED] == [Happening.JOINED, Happening.LEFT]
    await stage.master.aclose()
    await asyncio.wait_for(watching, 5)
    assert [event async for event in stage.master.events()] == []


async def test_a_farewell_and_a_closed_socket(stage: Stage) -> None:
    one, two = await stage.ask("viewer-1"), await stage.ask("viewer-2")
    await asyncio.gather(one.numbers(1), two.numbers(1))
    await stage.service.say("sightline/viewer", {"open": False}, sender="viewer-1")
    await stage.service.say("sightline/viewer", {"open": "no"}, sender="viewer-1")
    await stage.service.say("sightline/unheard-of", {}, sender="viewer-1")
    await stage.service.say("sightline/farewell", {}, sender="viewer-2")
    await eventually(lambda: [viewer.client_id for viewer in stage.master.sessions] == ["viewer-1"])
    assert None not in await one.numbers(3)


async def test_messages_and_questions(stage: Stage) -> None:
    heard: list[tuple[str, str, str | bytes]] = []
    stage.master._registry._on_message = lambda *message: heard.append(message)  # type: ignore[union-attr]
    viewer = AiortcViewer("video", data_channel=True)
    stage.viewers.append(viewer)
    received: list[str] = []
    assert viewer.channel is not None
    viewer.channel.on("message", received.append)
    await stage.offer("viewer-1", viewer)
    channel = viewer.channel
    await eventually(lambda: channel.readyState == "open")
    channel.send("hello")
    await eventually(lambda: heard == [("viewer-1", "chat", "hello")])
    assert stage.master.send("viewer-1", "to you", label="chat")
    assert stage.master.broadcast("to all") == 1
    await eventually(lambda: received == ["to you", "to all"])
    with pytest.raises(RequestFailed):
        await stage.master.request("nobody", 1, label="chat")
    assert stage.master.peer("nobody") is None
    assert not stage.master.restart_ice("nobody")


async def test_a_service_that_is_no_sightline_is_told_nothing_more_than_kvs_knows(stage: Stage) -> None:
    viewer = await stage.ask("viewer-1")
    await viewer.numbers(2)
    await asyncio.sleep(0.5)
    assert stage.service.received.empty()


async def test_a_sightline_is_told_who_watches() -> None:
    async with FakeSignaling() as service:
        service.is_sightline = True
        master = Master(
            "demo",
            source="test:160x90",
            session_provider=service.session,  # type: ignore[arg-type]
            timers=Timers(presence=0.3, presence_spacing=0.05),
        )
        async with master:
            running = asyncio.create_task(master.run())
            await service.open_sockets(1)
            assert await service.next() == {"action": "sightline/presence", "viewers": [], "total": 0}
            viewer = AiortcViewer("video")
            await service.say("sightline/viewer", {"open": True, "role": "operator"}, sender="viewer-1")
            await Stage(service, master).offer("viewer-1", viewer)
            report = await service.next()
            while not (report["viewers"] and report["viewers"][0].get("bitrate")):
                report = await service.next()
            (seen,) = report["viewers"]
            assert (seen["clientId"], seen["connectionState"], seen["wasConnected"]) == ("viewer-1", "connected", True)
            assert seen["candidatePair"].startswith("host ")
            assert seen["role"] == master.viewers[0].role == "operator"
            await viewer.aclose()
            while report["total"]:
                report = await service.next()
            await service.socket.close()
            await service.open_sockets(2)
            assert (await service.next())["total"] == 0, "a new connection is told again"
            running.cancel()
            await asyncio.wait([running])


async def test_a_refused_master_says_why() -> None:
    async def refused() -> object:
        raise ServiceRefused("There is no channel 'demo'.", status=404)

    async with Master("demo", source="test:160x90", session_provider=refused) as master:  # type: ignore[arg-type]
        with pytest.raises(ServiceRefused, match="no channel"):
            await master.run()


async def test_a_name_that_no_channel_can_have_is_said_as_it_is() -> None:
    """And not from inside a group of errors, which nobody catches by name."""

    async def refused() -> object:
        check_channel_name("por ch/2")
        raise AssertionError

    async with Master("por ch/2", source="test:160x90", session_provider=refused) as master:  # type: ignore[arg-type]
        with pytest.raises(InvalidChannelName, match="not a channel name"):
            await master.run()


async def test_a_master_that_was_not_entered_says_how_it_is_used() -> None:
    source = TestPicture(160, 90, 30)
    for master in (Master("demo", source="test:160x90"), Master("demo", source=source)):
        with pytest.raises(RuntimeError, match="async with"):
            await master.run()
    await source.aclose()


async def test_a_master_that_runs_already_does_not_fight_with_itself(stage: Stage) -> None:
    with pytest.raises(RuntimeError, match="runs already"):
        await stage.master.run()
    viewer = await stage.ask("viewer-1")
    assert None not in await viewer.numbers(2)
    assert len(stage.service.sockets) == 1


async def test_when_aclose_returns_a_run_in_another_task_has_ended() -> None:
    """A program that leaves its event loop then leaves no connection half open, and its viewers know."""
    async with FakeSignaling() as service:
        left: list[Viewer] = []
        master = Master(
            "demo",
            source="test:160x90",
            session_provider=service.session,  # type: ignore[arg-type]
            on_viewer_left=left.append,
        )
        async with master:
            running = asyncio.create_task(master.run())
            await service.open_sockets(1)
            viewer = await Stage(service, master).ask("viewer-1")
            await viewer.numbers(1)
            peer = master.peer("viewer-1")
            await master.aclose()
            assert peer is not None
            assert peer.connection_state == "closed"
            assert [one.client_id for one in left] == ["viewer-1"]
            names = {task.get_name() for task in asyncio.all_tasks()}
            assert not names & {"network", "presence", "signaling", "viewer viewer-1"}
        await asyncio.wait_for(running, 5)
        await eventually(lambda: viewer.connection.connectionState == "closed")
        await viewer.aclose()


async def test_a_master_that_was_closed_has_nothing_to_run() -> None:
    async with FakeSignaling() as service:
        master = Master("demo", source="test:160x90", session_provider=service.session)  # type: ignore[arg-type]
        async with master:
            running = asyncio.create_task(master.run())
        await asyncio.wait_for(running, 5)
        await asyncio.wait_for(master.run(), 5)
        assert service.sessions == 0


async def test_a_missing_file_is_said_before_anything_else() -> None:
    with pytest.raises(SourceNotFound):
        async with Master("demo", source="/nowhere/clip.mp4"):
            pass


async def test_only_a_sightline_says_what_a_viewer_may_do(stage: Stage) -> None:
    """Of another service nobody knows whether it lets viewers send what only it itself should."""
    calls: list[str | None] = []

    @stage.master.command("ptz", roles=None)
    async def ptz(call: CommandCall) -> None:
        calls.append(call.role)

    await stage.service.say("sightline/viewer", {"open": True, "role": "operator"}, sender="viewer-1")
    viewer = AiortcViewer("video", data_channel=True)
    stage.viewers.append(viewer)
    channel = viewer.connection.createDataChannel("sightline/commands")
    received: list[str] = []
    channel.on("message", received.append)
    await stage.offer("viewer-1", viewer)
    await eventually(lambda: channel.readyState == "open")
    channel.send('{"id":"1","request":{"command":"ptz"}}')
    await eventually(lambda: received == ['{"id":"1","reply":null}'])
    assert calls == [None]

"""The signaling socket against a service that the test plays."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import aiohttp
import pytest

from sightline.client.refusals import SocketRefused
from sightline.client.signaling import Lost, Opened, Received, SignalingClient
from sightline.errors import ServiceRefused, ServiceUnreachable
from sightline.timers import Timers
from sightline.wire.messages import MessageType, encode_payload
from tests.unit.client.fake_signaling import FakeSession, FakeSignaling, eventually

pytestmark = pytest.mark.realtime

HASTY = Timers(ping=0.1, dead=1.5)


@pytest.fixture
async def service() -> AsyncIterator[FakeSignaling]:
    async with FakeSignaling() as service:
        yield service


@pytest.fixture
async def client(service: FakeSignaling) -> AsyncIterator[SignalingClient[FakeSession]]:
    async with SignalingClient(service.session) as client:
        yield client


Client = SignalingClient[FakeSession]


async def upcoming(client: Client, kind: type[Opened[FakeSession]] | type[Received] | type[Lost]) -> object:
    """The next event of a kind; others on the way are passed over."""
    async with asyncio.timeout(30):
        async for event in client:
            if isinstance(event, kind):
                return event
    raise AssertionError("the events ended")


async def test_messages_go_both_ways_as_text(service: FakeSignaling, client: Client) -> None:
    assert isinstance(await anext(client), Opened)
    assert client.is_connected
    await service.say("SDP_OFFER", {"type": "offer", "sdp": "v=0"}, sender="viewer-1")
    event = await anext(client)
    assert isinstance(event, Received)
    assert (event.message.message_type, event.message.sender_client_id) == ("SDP_OFFER", "viewer-1")
    await client.send(
        MessageType.SDP_ANSWER, encode_payload({"sdp": "v=0"}), recipient="viewer-1", correlation_id="c-1"
    )
    assert await service.next() == {
        "action": "SDP_ANSWER",
        "messagePayload": encode_payload({"sdp": "v=0"}),
        "recipientClientId": "viewer-1",
        "correlationId": "c-1",
    }
    assert service.frame_types == [aiohttp.WSMsgType.TEXT]
    assert service.queries == ["/?X-Amz-ChannelARN=arn%3Aaws&n=1"], "the URL is used as it was signed"


async def test_what_cannot_be_read_is_passed_over(service: FakeSignaling, client: Client) -> None:
    await anext(client)
    for frame in ("null", "[]", "{", '{"messageType": 7}', ""):
        await service.socket.send_str(frame)
    await service.socket.send_bytes(b"\x00")
    await service.say("SOMETHING_NEW")
    event = await anext(client)
    assert isinstance(event, Received)
    assert event.message.message_type == "SOMETHING_NEW"


async def test_pings_are_answered(service: FakeSignaling, client: Client) -> None:
    await anext(client)
    await service.socket.ping(b"x")
    await eventually(lambda: service.pongs > 0)


@pytest.mark.parametrize("kind", ["GO_AWAY", "RECONNECT_ICE_SERVER"])
async def test_it_reconnects_with_a_new_session_when_asked_to(
    service: FakeSignaling, client: Client, kind: str
) -> None:
    await anext(client)
    await service.say(kind)
    event = await anext(client)
    assert isinstance(event, Lost)
    assert kind in event.reason
    await upcoming(client, Opened)
    assert service.sessions == 2


async def test_a_closed_socket_is_opened_again_and_a_waiting_message_goes_out_then(
    service: FakeSignaling, client: Client
) -> None:
    await anext(client)
    await service.socket.close(code=1001)
    lost = await upcoming(client, Lost)
    assert isinstance(lost, Lost)
    assert 0 <= lost.retry_in <= 0.1
    assert not client.is_connected
    await client.send(MessageType.ICE_CANDIDATE, "e30=", recipient="v")
    assert (await service.next())["action"] == "ICE_CANDIDATE"
    await upcoming(client, Opened)


async def test_on_another_network_it_connects_anew_at_once(service: FakeSignaling, client: Client) -> None:
    await anext(client)
    old = service.socket
    client.renew()
    assert not old.closed, "nobody tells of a network that is gone"
    lost = await upcoming(client, Lost)
    assert isinstance(lost, Lost)
    assert "network" in lost.reason
    assert lost.retry_in == 0
    await upcoming(client, Opened)
    await client.send(MessageType.ICE_CANDIDATE, "e30=", recipient="v")
    assert (await service.next())["action"] == "ICE_CANDIDATE"
    await service.say("SDP_OFFER", {"type": "offer", "sdp": "v=0"}, sender="viewer-1")
    assert isinstance(await anext(client), Received), "the new socket is the one that is read"


async def test_another_network_ends_the_pause_and_an_attempt_that_hangs(service: FakeSignaling) -> None:
    attempts: asyncio.Queue[int] = asyncio.Queue()

    async def session() -> FakeSession:
        attempts.put_nowait(0)
        if service.sessions == 0:
            service.sessions += 1
            await asyncio.Event().wait()
        return await service.session()

    async with SignalingClient(session) as client, asyncio.timeout(30):
        await attempts.get()
        client.renew()
        assert isinstance(await anext(client), Lost)
        assert isinstance(await anext(client), Opened)


async def test_a_message_that_cannot_go_out_is_an_error(service: FakeSignaling) -> None:
    async def nothing() -> FakeSession:
        raise ServiceUnreachable("Nothing answers.")

    async with SignalingClient(nothing) as client:
        with pytest.raises(ServiceUnreachable, match="SDP_ANSWER could not be sent"):
            await client.send(MessageType.SDP_ANSWER, "e30=", recipient="v", within=0.05)
        lost = await anext(client)
        assert isinstance(lost, Lost)
        assert lost.reason == "Nothing answers."


async def test_a_quiet_service_is_pinged_and_kept(service: FakeSignaling) -> None:
    async with SignalingClient(service.session, timers=HASTY) as client:
        await anext(client)
        await asyncio.sleep(HASTY.dead + 0.5)
        assert client.is_connected
        assert service.frame_types.count(aiohttp.WSMsgType.PING) >= 3
        assert service.sessions == 1


async def test_a_dead_service_is_left(service: FakeSignaling) -> None:
    service.answer_pings = False
    async with SignalingClient(service.session, timers=HASTY) as client:
        await anext(client)
        assert isinstance(await asyncio.wait_for(anext(client), 30), Lost)
        await upcoming(client, Opened)


@pytest.mark.parametrize("status", [401, 403, 404])
async def test_refused_at_the_first_attempt(service: FakeSignaling, status: int) -> None:
    service.status = status
    async with SignalingClient(service.session) as client:
        for _ in range(2):
            with pytest.raises(ServiceRefused, match=str(status)):
                await anext(client)


@pytest.mark.parametrize(
    ("code", "reason"), [(4403, "not-allowed"), (4401, "wrong-key"), (4404, "unknown-channel"), (4425, "clock-skew")]
)
async def test_refused_at_the_first_attempt_by_a_sightline(service: FakeSignaling, code: int, reason: str) -> None:
    """It opens the socket, says why, and closes it: browsers see nothing of an HTTP error."""
    async with SignalingClient(service.session) as client:
        await service.open_sockets(1)
        await service.say("sightline/notice", {"reason": reason, "message": "Ask the operator."})
        await service.socket.close(code=code)
        assert isinstance(await anext(client), Opened)
        await anext(client)
        for _ in range(2):
            with pytest.raises(SocketRefused, match=r"Ask the operator\.") as refused:
                await anext(client)
        assert refused.value.reason == reason


@pytest.mark.parametrize("code", [4409, 4420, 1001, 4408])
async def test_other_closes_are_no_refusals(service: FakeSignaling, client: Client, code: int) -> None:
    await anext(client)
    await service.socket.close(code=code)
    lost = await upcoming(client, Lost)
    assert isinstance(lost, Lost)
    assert str(code) in lost.reason
    await upcoming(client, Opened)


async def test_what_a_notice_says_is_why_the_socket_was_lost(service: FakeSignaling, client: Client) -> None:
    await anext(client)
    await service.say("sightline/notice", {"reason": "client-id-in-use", "message": "Another camera is here."})
    await service.say("sightline/notice", {"reason": 7})
    await service.socket.close(code=4409)
    lost = await upcoming(client, Lost)
    assert isinstance(lost, Lost)
    assert lost.reason == "Another camera is here."


async def test_refused_later_it_tries_for_ever(service: FakeSignaling, client: Client) -> None:
    await anext(client)
    service.status = 403
    await service.socket.close()
    for _ in range(4):
        assert isinstance(await asyncio.wait_for(anext(client), 30), Lost)
    service.status = 101
    await upcoming(client, Opened)


async def test_an_overloaded_service_is_tried_again_from_the_start(service: FakeSignaling) -> None:
    service.status = 503
    async with SignalingClient(service.session) as client:
        assert isinstance(await anext(client), Lost)
        service.status = 101
        await upcoming(client, Opened)


async def test_closing_ends_the_iteration_and_the_socket(service: FakeSignaling, client: Client) -> None:
    await anext(client)
    await client.aclose()
    await client.aclose()
    assert [event async for event in client] == []
    with pytest.raises(StopAsyncIteration):
        await anext(client)
    assert service.socket.closed or service.socket.close_code is not None

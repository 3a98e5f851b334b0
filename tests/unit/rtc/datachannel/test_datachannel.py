"""Data channels as their users see them: messages, broadcasts, questions, ends."""

from __future__ import annotations

import asyncio
import json
import logging

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sightline.rtc.data_requests import (
    Answer,
    Ask,
    Command,
    encode_ask,
    encode_error,
    encode_reply,
    read_command,
    read_request,
)
from sightline.rtc.datachannel import DataChannels, DataRequest, RequestFailed
from tests.unit.client.fake_signaling import eventually

from .pair import AGREED, End, connected, open_channel

pytestmark = pytest.mark.realtime


async def test_text_and_bytes_go_both_ways() -> None:
    async with connected() as (client, server):
        await open_channel(client, server)
        sent = ["hello", b"\x00\x01", "", b"", "ж" * 1000, b"x" * 60_000]
        for message in sent:
            assert client.channels.send(message) == 1
            assert server.channels.send(message, "kvs") == 1
        await server.until(lambda: len(server.messages) == len(sent))
        await client.until(lambda: len(client.messages) == len(sent))
        assert server.messages == client.messages == [("kvs", message) for message in sent]


async def test_both_may_open_channels_and_a_broadcast_reaches_all() -> None:
    async with connected() as (client, server):
        await open_channel(client, server, "one")
        await open_channel(server, client, "two")
        assert sorted(server.channels.labels) == ["one", "two"]
        assert server.channels.send("to all") == 2
        assert server.channels.send("to one", "one") == 1
        assert server.channels.send("to nobody", "three") == 0
        await client.until(lambda: len(client.messages) == 3)
        assert sorted(client.messages) == [("one", "to all"), ("one", "to one"), ("two", "to all")]


async def test_opening_before_the_association_is_up() -> None:
    client, server = End(), End()
    client.peer, server.peer = server, client
    client.channels.start(AGREED, client=True)
    client.channels.open("early")
    assert client.channels.send("not yet") == 0
    server.channels.start(AGREED, client=False)
    await client.until(lambda: client.opened == ["early"])
    await client.channels.aclose()
    await server.channels.aclose()


async def test_a_closed_channel_is_gone_at_both_ends() -> None:
    async with connected() as (client, server):
        await open_channel(client, server, "one")
        await open_channel(client, server, "two")
        server.channels.close("one")
        await client.until(lambda: client.closed == ["one"])
        await server.until(lambda: server.closed == ["one"])
        assert client.channels.labels == server.channels.labels == ("two",)


async def test_one_end_closes_everything() -> None:
    async with connected() as (client, server):
        await open_channel(client, server)
        await server.channels.aclose()
        await client.until(lambda: client.closed == ["kvs"])
        assert client.channels.send("late") == server.channels.send("late") == 0
        with pytest.raises(ConnectionError):
            server.channels.open("again")


async def test_lost_packets_are_sent_again() -> None:
    async with connected() as (client, server):
        await open_channel(client, server)
        lost: list[bytes] = []

        def lose(packet: bytes) -> bool:
            lost.append(packet)
            return len(lost) == 1

        client.lose = lose
        for number in range(5):
            client.channels.send(f"message {number}")
            await asyncio.sleep(0.01)
        await server.until(lambda: len(server.messages) == 5)
        assert [message for _, message in server.messages] == [f"message {number}" for number in range(5)]


async def test_a_question_is_answered() -> None:
    async with connected() as (client, server):
        await open_channel(client, server)
        server.channels.on_request = lambda request: request.reply({"you": request.value, "on": request.label}) or None
        assert await client.channels.request(["asked"], label="kvs") == {"you": ["asked"], "on": "kvs"}
        assert await asyncio.gather(*(client.channels.request(n, label="kvs") for n in range(20))) == [
            {"you": n, "on": "kvs"} for n in range(20)
        ]
        assert client.messages == []


async def test_a_question_may_be_answered_later_and_once() -> None:
    async with connected() as (client, server):
        await open_channel(client, server)
        asked: list[DataRequest] = []
        server.channels.on_request = lambda request: server._note(asked, request)
        asking = asyncio.ensure_future(client.channels.request("?", label="kvs"))
        await server.until(lambda: asked)
        assert asked[0].reply(1)
        assert not asked[0].reply(2)
        assert not asked[0].refuse("no")
        assert await asking == 1


async def test_why_there_is_no_answer() -> None:
    async with connected() as (client, server):
        with pytest.raises(RequestFailed, match="no open data channel"):
            await client.channels.request("?", label="kvs")
        await open_channel(client, server)
        server.channels.on_request = lambda request: request.refuse("the lens is closed") or None
        with pytest.raises(RequestFailed, match="the lens is closed"):
            await client.channels.request("?", label="kvs")
        server.channels.on_request = lambda request: None
        with pytest.raises(RequestFailed, match=r"within 0\.05 s"):
            await client.channels.request("?", label="kvs", timeout=0.05)
        asking = asyncio.ensure_future(client.channels.request("?", label="kvs"))
        await asyncio.sleep(0.01)
        await client.channels.aclose()
        with pytest.raises(RequestFailed, match="closed"):
            await asking


async def test_why_there_is_no_answer_for_programs() -> None:
    async with connected() as (client, server):
        with pytest.raises(RequestFailed) as not_connected:
            await client.channels.request("?", label="kvs")
        await open_channel(client, server)
        server.channels.on_request = lambda request: request.refuse("the lens is closed", "not-allowed") or None
        with pytest.raises(RequestFailed) as refused:
            await client.channels.request("?", label="kvs")
        with pytest.raises(RequestFailed) as too_long:
            await client.channels.request("?" * 2_000_000, label="kvs")
        server.channels.on_request = lambda request: None
        asking = asyncio.ensure_future(client.channels.request("?", label="kvs"))
        await asyncio.sleep(0)
        client.channels.abandon()
        with pytest.raises(RequestFailed) as lost:
            await asking
    codes = [caught.value.code for caught in (not_connected, refused, too_long, lost)]
    assert codes == ["not-connected", "not-allowed", "not-sent", "connection-lost"]


async def test_questions_end_with_their_channel() -> None:
    async with connected() as (client, server):
        await open_channel(client, server, "one")
        await open_channel(client, server, "two")
        server.channels.on_request = lambda request: server._note(server.messages, request)
        asking = [asyncio.ensure_future(client.channels.request("?", label=label)) for label in ("one", "two")]
        await server.until(lambda: len(server.messages) == 2)
        server.channels.close("one")
        with pytest.raises(RequestFailed) as lost:
            await asyncio.wait_for(asking[0], 30)
        assert lost.value.code == "connection-lost"
        assert not asking[1].done()
        asking[1].cancel()


async def test_a_channel_for_questions_takes_nothing_else() -> None:
    async with connected() as (client, server):
        await open_channel(client, server, "commands")
        await open_channel(client, server, "kvs")
        server.channels.answer_on("commands", lambda request: request.reply([request.value]) or None)
        assert await client.channels.request("?", label="commands") == ["?"]
        for junk in ("no JSON", "[]", '{"id":7,"request":1}', b"\0"):
            client.channels.send(junk, "commands")
        await client.until(lambda: len(client.messages) == 4)
        assert all('"code":"bad-request"' in str(message) for _, message in client.messages)
        client.channels.send("no JSON", "kvs")
        await server.until(lambda: server.messages)
        assert server.messages == [("kvs", "no JSON")]


async def test_what_is_too_long_may_be_followed_by_a_refusal() -> None:
    async with connected() as (client, server):
        await open_channel(client, server)

        def answer(request: DataRequest) -> None:
            assert not request.reply("x" * 2_000_000)
            assert request.refuse("too long")

        server.channels.on_request = answer
        with pytest.raises(RequestFailed, match="too long"):
            await client.channels.request("?", label="kvs")


async def test_without_a_listener_for_questions_they_are_messages() -> None:
    async with connected() as (client, server):
        await open_channel(client, server)
        with pytest.raises(RequestFailed):
            await client.channels.request("?", label="kvs", timeout=0.05)
        assert server.messages == [("kvs", '{"id":"1","request":"?"}')]


async def test_a_late_answer_is_a_message_that_nobody_waits_for() -> None:
    async with connected() as (client, server):
        await open_channel(client, server)
        server.channels.send(encode_reply("99", "late"))
        await client.until(lambda: client.messages)
        assert client.messages == [("kvs", '{"id":"99","reply":"late"}')]


async def test_a_slow_peer_misses_messages_and_costs_a_bounded_buffer() -> None:
    async with connected() as (client, server):
        await open_channel(client, server)
        client.lose = lambda packet: True
        taken = sum(client.channels.send(b"x" * 60_000) for _ in range(100))
        assert 15 <= taken <= 20
        assert client.channels.dropped == 100 - taken


async def test_a_message_that_the_peer_cannot_take_is_not_sent() -> None:
    async with connected() as (client, server):
        await open_channel(client, server)
        assert client.channels.send(b"x" * 65_537) == 0
        assert client.channels.send("\ud800") == 0
        assert client.channels.dropped == 2
        assert client.channels.send("still there") == 1
        await server.until(lambda: server.messages)


async def test_a_listener_that_raises_harms_nobody(caplog: pytest.LogCaptureFixture) -> None:
    async with connected() as (client, server):
        await open_channel(client, server)

        taken: list[object] = []

        def clumsy(label: str, message: str | bytes) -> None:
            taken.append(message)
            raise RuntimeError("clumsy")

        heard = server.channels.on_message
        server.channels.on_message = clumsy
        with caplog.at_level(logging.CRITICAL, logger="sightline"):
            client.channels.send("one")
            await eventually(lambda: bool(taken))
        server.channels.on_message = heard
        client.channels.send("two")
        await server.until(lambda: server.messages)
        assert server.messages == [("kvs", "two")]
        assert server.failures == []


async def test_labels_that_aiortc_would_write_wrongly_are_refused() -> None:
    async with connected() as (client, _):
        with pytest.raises(ValueError, match="ASCII"):
            client.channels.open("žluťoučký")


async def test_a_transport_that_is_gone_is_a_lost_packet() -> None:
    def gone(packet: bytes) -> None:
        raise ConnectionError("DTLS is closed")

    channels = DataChannels(gone)
    channels.start(AGREED, client=True)
    channels.receive(b"")
    await channels.aclose()


async def test_closing_from_any_state_leaves_nothing() -> None:
    before = asyncio.all_tasks()
    never = DataChannels(lambda packet: None)
    await never.aclose()
    await never.aclose()
    never.start(AGREED, client=True)
    never.receive(b"late")
    assert never.send("late") == 0
    started = DataChannels(lambda packet: None)
    started.start(AGREED, client=True)
    started.open("kvs")
    started.send("x")
    await started.aclose()
    async with connected() as (client, server):
        await open_channel(client, server)
        client.channels.send(b"x" * 60_000)
        client.channels.close("kvs")
    assert asyncio.all_tasks() == before
    handles = [handle for handle in asyncio.get_running_loop()._scheduled if not handle.cancelled()]
    assert handles == [], "no timer of aiortc's is left"


@pytest.mark.parametrize(
    "message",
    [
        *("", "hello", "[1]", "{", "{}", '{"id":1,"request":1}', '{"id":"1"}', '{"request":1}'),
        '{"id":"' + "x" * 65 + '","request":1}',
        '{"id":"1","request":' + "[" * 100_000,
    ],
)
def test_other_messages_are_no_questions(message: str) -> None:
    assert read_request(message) is None


values = st.recursive(st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(), st.lists, max_leaves=5)


@settings(max_examples=50)
@given(st.text(max_size=64), values)
def test_questions_and_answers_read_as_they_were_written(id_: str, value: object) -> None:
    assert read_request(encode_ask(id_, value)) == Ask(id_, value)
    assert read_request(encode_reply(id_, value)) == Answer(id_, value)
    assert read_request(encode_error(id_, "why")) == Answer(id_, error="why")
    assert read_request(encode_error(id_, "why", "too-slow")) == Answer(id_, error="why", code="too-slow")


@given(st.text())
def test_no_message_raises(text: str) -> None:
    read_request(text)
    read_request("{" + text)
    read_request('{"id":"1","request":' + text + "}")


@pytest.mark.parametrize("code", ["No", "a b", "x" * 41, 7, None, "", "-"])
def test_a_code_that_is_none_is_left_out(code: object) -> None:
    text = json.dumps({"id": "1", "error": "w\x1bhy\n", "code": code})
    assert read_request(text) == Answer("1", error="why")


@pytest.mark.parametrize(
    ("value", "command"),
    [
        ({"command": "ptz"}, Command("ptz")),
        ({"command": "ptz", "value": [1], "more": 2}, Command("ptz", [1])),
        ({"command": ""}, None),
        ({"value": 1}, None),
        (["ptz"], None),
        ("ptz", None),
        (None, None),
    ],
)
def test_commands(value: object, command: Command | None) -> None:
    assert read_command(value) == command

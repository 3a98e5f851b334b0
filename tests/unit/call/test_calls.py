"""Calls between Python programs, over a real lobby: pictures, tones and lines both ways, and every way to end."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, suppress
from pathlib import Path

import av
import pytest

from sightline.call import (
    Call,
    CallEnded,
    CallError,
    CallEvent,
    CallOptions,
    CallState,
    LobbyChanged,
    RoomFull,
    UsersChanged,
)
from sightline.call.entry import KeyedEntry, RoomSession
from sightline.client.refusals import LinkRefused, WrongKey
from sightline.errors import MediaError, ServiceUnreachable
from sightline.exchange import LobbyLimits
from sightline.media.tone import TONE_HZ
from sightline.reasons import Reason
from sightline.service.store import KeyKind, KeyRole, KeyState
from sightline.wire.sigv4 import Credentials
from tests.harness.sounds import raw_sound, strength
from tests.unit.call.rooms import (
    TEST,
    WAIT,
    assert_moves,
    assert_sounds,
    connected,
    ended,
    member,
    next_ring,
    room,
    running,
    until,
)
from tests.unit.service.inside import ADMIN, Inside

pytestmark = pytest.mark.realtime


async def test_two_see_hear_and_write_to_each_other(service: Inside, tmp_path: Path) -> None:
    async with room(service, "Ann", "Bob", source=TEST) as (ann, bob):
        at_ann, at_bob = await connected(ann, bob)
        assert (ann.state, at_bob.state) == (CallState.IN_CALL, CallState.IN_CALL)
        recorder = at_bob.record(tmp_path / "visit.mp4")
        for session in (at_ann, at_bob):
            await assert_moves(session)
            await assert_sounds(session)
            texts = session.texts()
            other = at_bob if session is at_ann else at_ann
            assert other.send_text("hello <there>")
            async with asyncio.timeout(WAIT):
                assert await anext(texts) == "hello <there>"
        figures = at_ann.statistics()
        assert (figures.peer, figures.width, figures.height, figures.codec) == ("Bob", 320, 180, "H264")
        await until(lambda: (at_ann.statistics().sent_bitrate or 0) > 10_000)
        async with asyncio.timeout(WAIT):
            await at_ann.hang_up()
        assert (at_ann.reason, await ended(at_bob)) == ("hung-up", "left")
        assert at_bob.message == "Ann ended the call."
        assert ann.session is bob.session is None
        [file] = recorder.state.files
        with av.open(str(file)) as container:
            assert {stream.type for stream in container.streams} == {"video", "audio"}
            assert sum(1 for _ in container.decode(video=0)) >= 5


async def test_one_who_sends_nothing_sees_and_hears_and_either_hangs_up(service: Inside, tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        door = await stack.enter_async_context(member(service, "Door", TEST))
        played = tmp_path / "heard.wav"
        bot = await stack.enter_async_context(member(service, "Bot", speaker=str(played)))
        for caller, callee in ((bot, door), (door, bot)):
            at_caller, at_callee = await connected(caller, callee)
            session = at_caller if caller is bot else at_callee
            await assert_moves(session)
            await assert_sounds(session)
            await until(lambda: strength(raw_sound(played), TONE_HZ) > 0.03)
            await at_callee.hang_up()
            assert (await ended(at_caller), at_callee.reason) == ("left", "hung-up")


async def test_declined_busy_gone_and_to_oneself(service: Inside) -> None:
    async with room(service, "Ann", "Bob", "Cem") as (ann, bob, cem):
        placing = asyncio.create_task(ann.place("Bob"))
        await (await next_ring(bob)).decline()
        with pytest.raises(CallEnded, match="Bob declined the call") as caught:
            await placing
        assert (caught.value.reason, caught.value.peer, bob.state) == ("declined", "Bob", CallState.ENDED)
        with pytest.raises(CallEnded) as caught:
            await ann.place("Nobody")
        assert caught.value.reason == "gone"
        with pytest.raises(CallError, match="Nobody can call themselves"):
            await ann.place("Ann")
        session, _ = await connected(ann, bob)
        with pytest.raises(CallError, match="one at a time"):
            await ann.place("Cem")
        with pytest.raises(CallEnded) as caught:
            await cem.place("Bob")
        assert caught.value.reason == "busy"
        assert session.state is CallState.IN_CALL, "who called in between changed nothing"


async def test_given_up(service: Inside) -> None:
    async with room(service, "Ann", "Bob") as (ann, bob):
        placing = asyncio.create_task(ann.place("Bob"))
        ring = await next_ring(bob)
        placing.cancel()
        async with asyncio.timeout(WAIT):
            assert await ring.wait_ended() == "cancelled"
        with pytest.raises(CallEnded, match="Ann no longer calls"):
            await ring.accept()


async def test_not_answered(service: Inside) -> None:
    async with (
        room(service, "Bob") as (bob,),
        member(service, "Ann", options=CallOptions(ring_out=3.0)) as ann,
    ):
        with pytest.raises(CallEnded) as caught:
            await ann.place("Bob")
        assert caught.value.reason == "no-answer"
        await until(lambda: bob.state in (CallState.IDLE, CallState.ENDED))


async def test_a_ring_is_heard_by_who_listens_later(service: Inside) -> None:
    async with room(service, "Ann", "Bob") as (ann, bob):
        placing = asyncio.create_task(ann.place("Bob"))
        await until(lambda: bob.state is CallState.RINGING)
        ring = await next_ring(bob)
        await asyncio.gather(ring.accept(), placing)


async def test_both_call_each_other_at_once_and_one_call_comes_of_it(service: Inside) -> None:
    async with room(service, "Ann", "Bob", source=TEST) as (ann, bob):
        async with asyncio.timeout(WAIT):
            at_ann, at_bob = await asyncio.gather(ann.place("Bob"), bob.place("Ann"))
        for session in (at_ann, at_bob):
            await assert_moves(session)
            await assert_sounds(session)


async def test_one_who_leaves_in_mid_call_is_missed_at_once(service: Inside) -> None:
    async with room(service, "Ann", source=TEST) as (ann,):
        async with member(service, "Bob") as bob:
            at_ann, _ = await connected(ann, bob)
        assert await ended(at_ann) == "left"


async def test_who_comes_and_goes_is_told(service: Inside) -> None:
    async with room(service, "Ann") as (ann,):
        events = ann.events()
        async with member(service, "Ann") as other, asyncio.timeout(WAIT):
            assert other.name == "Ann1", "the name is taken"
            assert await anext(events) == UsersChanged(("Ann1",), joined=("Ann1",))
        async with asyncio.timeout(WAIT):
            assert await anext(events) == UsersChanged((), left=("Ann1",))


async def test_the_socket_is_lost_and_comes_back_and_the_call_goes_on(service: Inside) -> None:
    async with room(service, "Ann", "Bob", source=TEST) as (ann, bob):
        session, _ = await connected(ann, bob)
        events = ann.events()
        assert ann._lobby is not None
        ann._lobby.reconnect()
        came_back = False
        async with asyncio.timeout(WAIT):
            async for event in events:
                came_back = isinstance(event, LobbyChanged) and event.online
                if came_back:
                    break
        assert came_back
        assert (ann.name, ann.users) == ("Ann", ("Bob",)), "under the same name"
        assert session.state is CallState.IN_CALL
        await assert_moves(session)
        await session.hang_up()
        await until(lambda: bob.state is CallState.ENDED)


class Way:
    """A way to the service that can swallow everything without a word, for the sockets that are on it."""

    def __init__(self, port: int) -> None:
        self._service = port
        self._writers: set[asyncio.StreamWriter] = set()
        self._dead: set[asyncio.StreamWriter] = set()

    async def __aenter__(self) -> Way:
        self._server = await asyncio.start_server(self._carry, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for writer in self._writers:
            writer.close()
        await self._server.wait_closed()

    def swallow(self) -> None:
        self._dead |= self._writers

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        back, forth = await asyncio.open_connection("127.0.0.1", self._service)
        self._writers |= {writer, forth}
        await asyncio.gather(self._pass(reader, forth), self._pass(back, writer))

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while data := await reader.read(1 << 16):
                if writer not in self._dead:
                    writer.write(data)
        if writer not in self._dead:
            writer.close()


async def test_a_farewell_that_a_dead_socket_swallowed_is_said_again(service: Inside) -> None:
    async with (
        Way(service.port) as way,
        room(service, "Bob") as (bob,),
        Call("Ann", endpoint=f"http://localhost:{way.port}") as ann,
    ):
        placing = asyncio.create_task(ann.place("Bob"))
        ring = await next_ring(bob)
        way.swallow()
        placing.cancel()
        async with asyncio.timeout(WAIT):
            assert await ring.wait_ended() == "cancelled"
        await until(lambda: ann.is_online and ann.name == "Ann")
        await connected(ann, bob)


async def test_another_path_for_the_same_call(service: Inside) -> None:
    async with room(service, "Ann", "Bob", source=TEST) as (ann, bob):
        sessions = await connected(ann, bob)
        for call in (ann, bob):
            call._network_changed(True)
        await until(lambda: ann.is_online and bob.is_online)
        assert ann._connection is not None
        await until(lambda: (figures := ann.peer_statistics()) and figures.ice and figures.ice.generations > 1)
        for session in sessions:
            await assert_moves(session)
            assert session.state is CallState.IN_CALL


async def test_a_room_that_is_not_open_is_entered_with_a_link_or_with_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sightline.call.entry._LINK_LIFE", 60.0)
    async with running() as service:
        with pytest.raises(WrongKey):
            async with member(service, "Ann", credentials=Credentials("NOBODY", "wrong")):
                pass
        camera = await service.key(KeyRole.MASTER)
        with pytest.raises(LinkRefused, match="sightline link --room") as caught:
            async with member(service, "Ann", credentials=Credentials(camera.access_key_id, camera.secret_access_key)):
                pass
        assert caught.value.reason is Reason.LINK_REQUIRED
        owner = Credentials(ADMIN.access_key_id, ADMIN.secret_access_key)
        async with member(service, "Ann", room="den", credentials=owner) as ann:
            assert ann.room == "den"
            service.clock.wall += 61.0  # the link has expired
            assert ann._lobby is not None
            ann._lobby.reconnect()
            assert not ann.is_online
            await until(lambda: ann.is_online)
        links = [key for key in service.context.store.all_keys() if key.kind is KeyKind.LINK]
        assert {link.state(service.clock.wall) for link in links} == {KeyState.EXPIRED, KeyState.REVOKED}
        answer = await service.call(
            "/sightline/v1/links/create", {"channel": "family", "role": "caller", "expiresIn": 600}
        )
        link = f"http://localhost:{service.port}/call?room=family#{answer.json['token']}"
        async with Call("Ann", link=link) as ann:
            assert (ann.room, ann.name) == ("family", "Ann")
        with pytest.raises(LinkRefused) as caught:
            async with Call("Ann", link=link.replace("family", "den")):
                pass
        assert caught.value.reason is Reason.LINK_SCOPE


async def test_nothing_answers() -> None:
    with pytest.raises(ServiceUnreachable):
        async with Call("Ann", endpoint="http://localhost:9", join_timeout=5.0):
            pass


async def test_a_way_that_swallows_everything_is_given_up_for_another_try(
    service: Inside, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a network that is gone nothing is refused: it stays silent."""
    monkeypatch.setattr("sightline.call.lobby._OPENING", 0.05)
    entry = KeyedEntry(endpoint=f"http://localhost:{service.port}")
    tries: list[str] = []

    async def session() -> RoomSession:
        tries.append("once")
        if len(tries) == 1:
            monkeypatch.setattr("sightline.call.lobby._OPENING", WAIT)  # the next one has time, on whatever machine
            await asyncio.Event().wait()
        return await entry()

    happened: list[CallEvent] = []
    async with member(service, "Ann", session_provider=session, join_timeout=WAIT, on_event=happened.append) as ann:
        assert ann.is_online
    assert len(tries) == 2
    assert isinstance(happened[0], LobbyChanged)
    assert "did not answer in time" in happened[0].message


async def test_a_source_that_is_not_there(service: Inside, tmp_path: Path) -> None:
    with pytest.raises(MediaError):
        async with member(service, "Ann", str(tmp_path / "none.mp4")):
            pass


async def test_a_full_room_says_so_and_lets_in_who_waits(service: Inside, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sightline.call.lobby._FULL", 0.2)
    service.context.lobby.limits = LobbyLimits(max_members=1)
    happened: list[CallEvent] = []
    async with AsyncExitStack() as waiting:
        async with room(service, "Ann"):
            with pytest.raises(RoomFull, match="The room is full") as caught:
                async with member(service, "Bob", join_timeout=2.0):
                    pass
            assert caught.value.reason == "room-full"
            bob = member(service, "Bob", join_timeout=WAIT, on_event=happened.append)
            entering = asyncio.create_task(waiting.enter_async_context(bob))
            await until(lambda: len(happened) >= 2)
            assert {event.message for event in happened if isinstance(event, LobbyChanged)} == {caught.value.message}
        await entering
        assert bob.is_online

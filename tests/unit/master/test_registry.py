"""Who counts as a viewer, and what replaces what; with peers that the test moves by hand."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping

import pytest

from sightline.errors import InvalidSdp
from sightline.master.registry import Registry
from sightline.master.viewer_session import Viewer, ViewerSession
from sightline.rtc.peer import ConnectionState, StateListener

OFFER = "v=0\r\na=ice-ufrag:{}\r\n"


class HandPeer:
    """A `Peer` whose state is what the test says."""

    def __init__(self, *, fails: Exception | None = None) -> None:
        self.connection_state = ConnectionState.NEW
        self.on_state: StateListener | None = None
        self.candidates: list[Mapping[str, object]] = []
        self.offers: list[str] = []
        self.closed = 0
        self.fails = fails
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    async def answer(self, offer_sdp: str) -> str:
        self.offers.append(offer_sdp)
        await self.may_answer.wait()
        if self.fails:
            raise self.fails
        return "answer"

    async def add_remote_candidate(self, candidate: Mapping[str, object]) -> None:
        self.candidates.append(candidate)

    async def aclose(self) -> None:
        self.closed += 1

    def become(self, state: ConnectionState) -> None:
        assert self.on_state is not None
        self.on_state(state)


class Desk:
    """The registry with all that it needs, and what it said."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str]] = []
        self.answers: list[tuple[str, str]] = []
        self.registry = Registry("demo", on_joined=self.joined, on_left=self.left)
        self.tasks = asyncio.TaskGroup()

    def joined(self, viewer: Viewer) -> None:
        self.told.append(("joined", viewer.client_id))

    def left(self, viewer: Viewer) -> None:
        self.told.append(("left", viewer.client_id))
        raise RuntimeError("a callback's own mistake")

    async def send(self, session: ViewerSession, sdp: str) -> None:
        self.answers.append((session.client_id, sdp))

    async def offer(self, client_id: str, peer: HandPeer, *, ufrag: str = "abcd") -> None:
        self.registry.offer(
            client_id, OFFER.format(ufrag), make_peer=lambda: peer, tasks=self.tasks, send_answer=self.send
        )
        await settle()


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    desk = Desk()
    async with desk.tasks:
        yield desk
        desk.registry.close()


async def test_a_viewer_counts_from_connected_until_it_is_gone(desk: Desk) -> None:
    peer = HandPeer()
    await desk.offer("viewer-1", peer)
    assert desk.answers == [("viewer-1", "answer")]
    peer.become(ConnectionState.CONNECTING)
    assert desk.registry.viewers == ()
    assert [viewer.connection_state for viewer in desk.registry.sessions] == ["connecting"]
    peer.become(ConnectionState.CONNECTED)
    assert desk.registry.is_connected("viewer-1")
    assert [viewer.client_id for viewer in desk.registry.viewers] == ["viewer-1"]
    peer.become(ConnectionState.DISCONNECTED)
    assert not desk.registry.is_connected("viewer-1")
    assert len(desk.registry.viewers) == 1, "it keeps its place"
    peer.become(ConnectionState.CONNECTED)
    peer.become(ConnectionState.FAILED)
    assert desk.registry.sessions == ()
    await settle()
    assert peer.closed == 1
    assert desk.told == [("joined", "viewer-1"), ("left", "viewer-1")]


async def test_a_second_offer_replaces_the_session_at_once(desk: Desk) -> None:
    old, new, other = HandPeer(), HandPeer(), HandPeer()
    await desk.offer("viewer-1", old)
    await desk.offer("viewer-2", other)
    old.become(ConnectionState.CONNECTED)
    await desk.offer("viewer-1", new, ufrag="efgh")
    assert (old.closed, new.closed, other.closed) == (1, 0, 0)
    assert desk.told == [("joined", "viewer-1"), ("left", "viewer-1")]
    old.become(ConnectionState.CLOSED)
    assert len(desk.registry.sessions) == 2, "the old one's end is not the new one's"
    new.become(ConnectionState.CONNECTED)
    assert desk.registry.is_connected("viewer-1")


async def test_a_second_offer_while_the_first_is_being_answered(desk: Desk) -> None:
    old, new = HandPeer(), HandPeer()
    old.may_answer.clear()
    await desk.offer("viewer-1", old)
    await desk.offer("viewer-1", new)
    assert old.closed == 1
    assert desk.answers == [("viewer-1", "answer")]


async def test_candidates_reach_the_session_that_they_are_for(desk: Desk) -> None:
    old, new = HandPeer(), HandPeer()
    overtook = {"candidate": "candidate:0 ufrag abcd"}
    desk.registry.candidate("viewer-1", overtook)
    await desk.offer("viewer-1", old, ufrag="abcd")
    plain, ahead = {"candidate": "candidate:1"}, {"candidate": "candidate:2", "usernameFragment": "efgh"}
    desk.registry.candidate("viewer-1", plain)
    desk.registry.candidate("viewer-1", ahead)
    await settle()
    assert old.candidates == [overtook, plain]
    await desk.offer("viewer-1", new, ufrag="efgh")
    assert new.candidates == [ahead]


async def test_candidates_wait_for_the_answer(desk: Desk) -> None:
    peer = HandPeer()
    peer.may_answer.clear()
    await desk.offer("viewer-1", peer)
    desk.registry.candidate("viewer-1", {"candidate": "candidate:1"})
    await settle()
    assert peer.candidates == []
    peer.may_answer.set()
    await settle()
    assert len(peer.candidates) == 1


@pytest.mark.parametrize("error", [InvalidSdp("It is no offer."), RuntimeError("a defect")])
async def test_one_bad_viewer_ends_only_itself(desk: Desk, error: Exception) -> None:
    good, bad = HandPeer(), HandPeer(fails=error)
    await desk.offer("good", good)
    await desk.offer("bad", bad)
    assert bad.closed == 1
    assert [viewer.client_id for viewer in desk.registry.sessions] == ["good"]
    assert desk.told == []
    assert good.closed == 0


async def test_the_trace_id_leads_back_to_the_viewer(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO"):
        peer = HandPeer()
        await desk.offer("viewer-1", peer)
        peer.become(ConnectionState.CONNECTED)
    line = next(record for record in caplog.records if "→" in record.getMessage())
    assert line.getMessage() == "viewer-1 new → connected"
    assert (line.channel, line.client_id) == ("demo", "viewer-1")  # type: ignore[attr-defined]
    assert desk.registry.client_of(line.trace_id) == "viewer-1"  # type: ignore[attr-defined]
    assert desk.registry.client_of("other") is None

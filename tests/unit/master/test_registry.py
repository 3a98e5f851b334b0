"""Who counts as a viewer, what replaces what, and who is told what; with peers that the test moves by hand."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from types import SimpleNamespace

import pytest

from sightline.errors import InvalidSdp, NoCommonCodec, ServiceUnreachable
from sightline.master.registry import Registry
from sightline.master.voices import Voices
from sightline.media.received import ReceivedFrame
from sightline.reasons import Reason as NoticeReason
from sightline.rtc.peer import ConnectionState, Reason
from sightline.rtc.rtp.incoming import EncodedFrame
from sightline.sessions.roster import Happening, ViewerEvent
from sightline.wire.extras import SocketState
from sightline.wire.messages import MessageType
from tests.unit.master.hand_peer import HandEngine, HandPeer

FINGERPRINT = "sha-256 " + ":".join(["AB"] * 32)
OFFER = """v=0
o=- {session} 2 IN IP4 127.0.0.1
s=-
t=0 0
m=video 9 UDP/TLS/RTP/SAVPF 96
a=mid:0
a=ice-ufrag:{ufrag}
a=ice-pwd:{password}
a=fingerprint:{fingerprint}
a=setup:actpass
a=rtcp-mux
a=recvonly
a=rtpmap:96 H264/90000
"""


def offer(session: str = "1", ufrag: str = "abcd", *, fingerprint: str = FINGERPRINT) -> str:
    password = (ufrag * 8)[:24]
    return OFFER.format(session=session, ufrag=ufrag, password=password, fingerprint=fingerprint)


class Desk:
    """The registry with all that it needs, and what it said."""

    def __init__(
        self, tasks: asyncio.TaskGroup, *, max_viewers: int | None = None, voices: Voices | None = None
    ) -> None:
        self.engine = HandEngine()
        self.told: list[tuple[str, str]] = []
        self.sent: list[tuple[str, MessageType, object]] = []
        self.notices: list[tuple[str, NoticeReason]] = []
        self.texts: list[str] = []
        self.unreachable = False
        self.commands: list[tuple[str, str | None]] = []
        self.registry = Registry(
            "demo",
            engine=self.engine,
            tasks=tasks,
            send=self.send,
            notify=self.notify,
            publish=self.publish,
            on_command=lambda client_id, role, request: self.commands.append((client_id, role)),
            voices=voices,
            max_viewers=max_viewers,
        )

    def notify(self, client_id: str, reason: NoticeReason, text: str) -> None:
        self.notices.append((client_id, reason))
        self.texts.append(text)

    def publish(self, events: Sequence[ViewerEvent]) -> None:
        self.told += [
            (event.kind.value, event.viewer.client_id) for event in events if event.kind is not Happening.CHANGED
        ]

    async def send(
        self,
        kind: MessageType,
        content: Mapping[str, object],
        *,
        client_id: str,
        trace_id: str | None = None,
        within: float,
    ) -> None:
        assert (trace_id is None) == (kind is MessageType.ICE_CANDIDATE)
        if self.unreachable:
            raise ServiceUnreachable("There is no connection.")
        self.sent.append((client_id, kind, content.get("sdp") or content.get("candidate")))

    async def offer(self, client_id: str, sdp: str = "", *, peer: HandPeer | None = None) -> HandPeer:
        """An offer; the peer that the viewer's newest session has."""
        if peer is not None:
            self.engine.prepared.append(peer)
        self.registry.offer(client_id, sdp or offer(), servers=())
        await settle()
        return self.engine.made[-1]

    def clients(self) -> list[str]:
        return [viewer.client_id for viewer in self.registry.sessions]


async def settle() -> None:
    for _ in range(8):
        await asyncio.sleep(0)


@pytest.fixture
async def tasks() -> AsyncIterator[asyncio.TaskGroup]:
    async with asyncio.TaskGroup() as group:
        yield group


@pytest.fixture
async def desk(tasks: asyncio.TaskGroup) -> AsyncIterator[Desk]:
    desk = Desk(tasks)
    yield desk
    desk.registry.close()


async def test_a_viewer_counts_from_connected_until_it_is_gone(desk: Desk) -> None:
    peer = await desk.offer("viewer-1")
    assert desk.sent == [("viewer-1", MessageType.SDP_ANSWER, "answer 1")]
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
    peer.become(ConnectionState.FAILED, Reason.SILENT)
    assert desk.registry.sessions == ()
    await settle()
    assert peer.closed == 0, "its keys sleep"
    peer.become(ConnectionState.CLOSED, Reason.SLEPT)
    await settle()
    assert peer.closed == 1
    assert desk.told == [("joined", "viewer-1"), ("left", "viewer-1")]


async def test_another_session_replaces_the_one_before_at_once(desk: Desk) -> None:
    old = await desk.offer("viewer-1", offer("1"))
    other = await desk.offer("viewer-2", offer("2"))
    old.become(ConnectionState.CONNECTED)
    new = await desk.offer("viewer-1", offer("3"))
    assert (old.closed, new.closed, other.closed) == (1, 0, 0)
    assert old.reason is Reason.REPLACED
    assert desk.told == [("joined", "viewer-1"), ("left", "viewer-1")]
    old.become(ConnectionState.CLOSED)
    assert len(desk.registry.sessions) == 2, "the old one's end is not the new one's"
    new.become(ConnectionState.CONNECTED)
    assert desk.registry.is_connected("viewer-1")


async def test_a_second_offer_while_the_first_is_being_answered(desk: Desk) -> None:
    old = HandPeer()
    old.may_answer.clear()
    await desk.offer("viewer-1", offer("1"), peer=old)
    await desk.offer("viewer-1", offer("2"))
    assert old.closed == 1
    assert desk.sent == [("viewer-1", MessageType.SDP_ANSWER, "answer 1")]


async def test_a_restart_and_a_renegotiation_stay_in_the_session(desk: Desk) -> None:
    peer = await desk.offer("viewer-1", offer(ufrag="abcd"))
    peer.become(ConnectionState.CONNECTED)
    await desk.offer("viewer-1", offer(ufrag="efgh"))
    await desk.offer("viewer-1", offer(ufrag="efgh"))
    assert desk.engine.made == [peer]
    assert [sdp for _, _, sdp in desk.sent] == ["answer 1", "answer 2", "answer 3"]
    assert desk.told == [("joined", "viewer-1")]


async def test_a_late_restart_revives_a_sleeper(desk: Desk) -> None:
    peer = await desk.offer("viewer-1", offer(ufrag="abcd"))
    peer.become(ConnectionState.CONNECTED)
    peer.become(ConnectionState.FAILED, Reason.SILENT)
    await desk.offer("viewer-1", offer(ufrag="efgh"))
    peer.become(ConnectionState.CONNECTING, Reason.RESTART)
    peer.become(ConnectionState.CONNECTED)
    assert desk.engine.made == [peer]
    assert desk.told == [("joined", "viewer-1"), ("left", "viewer-1"), ("joined", "viewer-1")]
    assert desk.registry.is_connected("viewer-1")


async def test_a_sleeper_whose_place_was_taken_does_not_come_back_on_top(tasks: asyncio.TaskGroup) -> None:
    desk = Desk(tasks, max_viewers=1)
    desk.registry.signaling("viewer-1", SocketState(open=True, extras=True))
    sleeper = await desk.offer("viewer-1", offer("1", ufrag="abcd"))
    sleeper.become(ConnectionState.CONNECTED)
    sleeper.become(ConnectionState.FAILED, Reason.SILENT)
    await desk.offer("viewer-2", offer("2"))
    desk.sent.clear()
    await desk.offer("viewer-1", offer("1", ufrag="efgh"))
    assert desk.notices == [("viewer-1", NoticeReason.VIEWER_LIMIT)]
    assert (desk.sent, desk.clients()) == ([], ["viewer-2"])
    desk.registry.farewell("viewer-2")
    await desk.offer("viewer-1", offer("1", ufrag="ijkl"))
    assert [client_id for client_id, _, _ in desk.sent] == ["viewer-1"], "it is asleep still, and there is room again"
    desk.registry.close()


async def gone(desk: Desk) -> None:
    """A session that was held and is not any more."""
    peer = await desk.offer("viewer-1", offer(ufrag="abcd"))
    peer.become(ConnectionState.CONNECTED)
    peer.become(ConnectionState.CLOSED, Reason.SLEPT)
    await settle()
    desk.sent.clear()


async def test_a_restart_of_a_session_that_is_gone_is_told_so_where_it_is_understood(desk: Desk) -> None:
    desk.registry.signaling("viewer-1", SocketState(open=True, extras=True))
    await gone(desk)
    await desk.offer("viewer-1", offer(ufrag="efgh"))
    assert desk.notices == [("viewer-1", NoticeReason.SESSION_GONE)]
    assert (desk.sent, desk.clients()) == ([], [])


async def test_others_are_answered_under_the_certificate_that_it_did_not_have(desk: Desk) -> None:
    await gone(desk)
    peer = await desk.offer("viewer-1", offer(ufrag="efgh"))
    assert (peer.certificate, desk.notices) == (1, [])
    peer.become(ConnectionState.CLOSED)
    await settle()
    assert (await desk.offer("viewer-1", offer(ufrag="ijkl"))).certificate == 0
    assert (await desk.offer("viewer-2", offer("other"))).certificate == 0


async def test_as_many_viewers_as_there_may_be(tasks: asyncio.TaskGroup) -> None:
    desk = Desk(tasks, max_viewers=1)
    desk.registry.signaling("viewer-2", SocketState(open=True, extras=True))
    first = await desk.offer("viewer-1", offer("1"))
    await desk.offer("viewer-2", offer("2"))
    await desk.offer("viewer-3", offer("3"))
    assert desk.notices == [("viewer-2", NoticeReason.VIEWER_LIMIT)]
    assert desk.clients() == ["viewer-1"]
    await desk.offer("viewer-1", offer("4"))
    assert (first.closed, desk.clients()) == (1, ["viewer-1"]), "who comes again takes its own place"
    desk.registry.farewell("viewer-1")
    await desk.offer("viewer-3", offer("5"))
    assert desk.clients() == ["viewer-3"]
    desk.registry.close()


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (InvalidSdp("Nothing fits."), NoticeReason.BAD_OFFER),
        (NoCommonCodec("It takes no H264."), NoticeReason.NO_COMMON_CODEC),
    ],
)
async def test_who_offers_what_cannot_be_answered_is_told_why(
    desk: Desk, error: InvalidSdp, reason: NoticeReason
) -> None:
    desk.registry.signaling("viewer-1", SocketState(open=True, extras=True))
    await desk.offer("viewer-1", peer=HandPeer(fails=error))
    await desk.offer("viewer-2", peer=HandPeer(fails=error))
    assert desk.notices == [("viewer-1", reason)]
    await desk.offer("viewer-1", offer(ufrag="efgh"), peer=HandPeer(fails=error))
    assert desk.notices == [("viewer-1", reason)] * 2, "what was never answered is no session that is gone"
    assert str(error) in desk.texts[0]


async def test_an_offer_that_is_none_is_a_bad_offer(desk: Desk) -> None:
    desk.registry.signaling("viewer-1", SocketState(open=True, extras=True))
    desk.registry.offer("viewer-1", "hello", servers=())
    desk.registry.offer("viewer-2", "hello", servers=())
    assert desk.notices == [("viewer-1", NoticeReason.BAD_OFFER)]
    assert desk.clients() == []


async def test_a_renegotiation_that_cannot_be_answered_is_told_and_the_session_goes_on(desk: Desk) -> None:
    desk.registry.signaling("viewer-1", SocketState(open=True, extras=True))
    peer = await desk.offer("viewer-1")
    peer.fails = InvalidSdp("Not so.")
    await desk.offer("viewer-1")
    assert desk.notices == [("viewer-1", NoticeReason.BAD_OFFER)]
    assert (desk.clients(), peer.closed) == (["viewer-1"], 0)


async def test_a_farewell_frees_at_once(desk: Desk) -> None:
    peer = await desk.offer("viewer-1")
    peer.become(ConnectionState.CONNECTED)
    desk.registry.farewell("viewer-1")
    desk.registry.farewell("nobody")
    assert desk.registry.sessions == ()
    await settle()
    assert (peer.closed, peer.reason) == (1, Reason.FAREWELL)


async def test_sockets_of_viewers_are_told_to_their_sessions(desk: Desk) -> None:
    peer = await desk.offer("viewer-1")
    desk.registry.signaling("viewer-1", SocketState(open=False))
    desk.registry.signaling("viewer-1", SocketState(open=True))
    desk.registry.signaling("nobody", SocketState(open=False))
    desk.registry.forget_signaling()
    assert peer.signaling_open == [False, True, True]


async def test_candidates_reach_the_session_that_they_are_for(desk: Desk) -> None:
    overtook = {"candidate": "candidate:0 ufrag abcd"}
    desk.registry.candidate("viewer-1", overtook)
    old = await desk.offer("viewer-1", offer("1", "abcd"))
    plain, ahead = {"candidate": "candidate:1"}, {"candidate": "candidate:2", "usernameFragment": "efgh"}
    desk.registry.candidate("viewer-1", plain)
    desk.registry.candidate("viewer-1", ahead)
    await settle()
    assert old.candidates == [overtook, plain]
    new = await desk.offer("viewer-1", offer("2", "efgh"))
    assert new.candidates == [ahead]


async def test_candidates_wait_for_the_answer_both_ways(desk: Desk) -> None:
    peer = HandPeer()
    peer.may_answer.clear()
    await desk.offer("viewer-1", peer=peer)
    desk.registry.candidate("viewer-1", {"candidate": "candidate:1"})
    assert peer.on_candidate is not None
    peer.on_candidate({"candidate": "candidate:9"})
    await settle()
    assert (peer.candidates, desk.sent) == ([], [])
    peer.may_answer.set()
    await settle()
    assert len(peer.candidates) == 1
    assert [kind for _, kind, _ in desk.sent] == ["SDP_ANSWER", "ICE_CANDIDATE"]


async def test_a_restart_of_ours(desk: Desk) -> None:
    peer = await desk.offer("viewer-1")
    assert desk.registry.restart("viewer-1", servers=())
    assert not desk.registry.restart("nobody", servers=())
    await settle()
    assert desk.sent[-1] == ("viewer-1", MessageType.SDP_OFFER, "restart")
    desk.registry.answer("viewer-1", "v=0")
    desk.registry.answer("nobody", "v=0")
    await settle()
    assert peer.answers == ["v=0"]


async def test_an_answer_that_cannot_be_sent_ends_a_new_session_and_no_old_one(desk: Desk) -> None:
    peer = await desk.offer("viewer-1", offer(ufrag="abcd"))
    peer.become(ConnectionState.CONNECTED)
    desk.unreachable = True
    await desk.offer("viewer-1", offer(ufrag="efgh"))
    assert peer.on_candidate is not None
    peer.on_candidate({"candidate": "candidate:1"})
    other = await desk.offer("viewer-2", offer("2"))
    assert desk.clients() == ["viewer-1"], "its media flows on"
    assert (peer.closed, other.closed) == (0, 1)


@pytest.mark.parametrize("error", [InvalidSdp("It is no offer."), RuntimeError("a defect")])
async def test_one_bad_viewer_ends_only_itself(desk: Desk, error: Exception) -> None:
    good = await desk.offer("good", offer("1"))
    bad = await desk.offer("bad", offer("2"), peer=HandPeer(fails=error))
    assert bad.closed == 1
    assert desk.clients() == ["good"]
    assert desk.told == []
    assert good.closed == 0


async def test_an_unreadable_offer_changes_nothing(desk: Desk) -> None:
    peer = await desk.offer("viewer-1")
    await desk.offer("viewer-1", "nonsense")
    await desk.offer("viewer-2", "v=0")
    assert (desk.clients(), peer.closed) == (["viewer-1"], 0)
    peer.fails = InvalidSdp("Not now.")
    await desk.offer("viewer-1")
    desk.registry.answer("viewer-1", "nonsense")
    await settle()
    assert (desk.clients(), peer.closed) == (["viewer-1"], 0)


async def test_messages_go_to_those_who_are_there(desk: Desk) -> None:
    await desk.offer("viewer-1")
    assert not desk.registry.send("viewer-1", "hello"), "it has opened no channel"
    assert not desk.registry.send("nobody", "hello")
    assert desk.registry.broadcast("hello") == 0


async def test_the_trace_id_leads_back_to_the_viewer(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO"):
        peer = await desk.offer("viewer-1")
        peer.become(ConnectionState.CONNECTED, Reason.CONNECTED)
    line = next(record for record in caplog.records if "→" in record.getMessage())
    assert line.getMessage() == "viewer-1 new → connected (path-and-keys)"
    assert (line.channel, line.client_id) == ("demo", "viewer-1")  # type: ignore[attr-defined]
    assert desk.registry.client_of(line.trace_id) == "viewer-1"  # type: ignore[attr-defined]
    assert desk.registry.client_of("other") is None
    assert desk.registry.session("viewer-1") is not None
    assert desk.registry.session("other") is None


def command(peer: HandPeer) -> None:
    """A question comes on the data channel for commands."""
    ask = json.dumps({"id": "1", "request": {"command": "ptz"}})
    peer.channels._receive(SimpleNamespace(label="sightline/commands", readyState="open"), ask)  # type: ignore[arg-type]


async def test_a_command_comes_with_the_role_that_the_service_gave_its_sender(desk: Desk) -> None:
    desk.registry.signaling("viewer-1", SocketState(open=True, role="operator"))
    desk.registry.signaling("viewer-2", SocketState(open=True, role="viewer"))
    for client_id in ("viewer-1", "viewer-2", "viewer-3"):
        command(await desk.offer(client_id, offer(client_id[-1])))
    assert desk.commands == [("viewer-1", "operator"), ("viewer-2", "viewer"), ("viewer-3", None)]


async def test_a_socket_that_comes_later_under_the_same_id_gives_no_role(desk: Desk) -> None:
    desk.registry.signaling("viewer-1", SocketState(open=True, role="viewer"))
    peer = await desk.offer("viewer-1", offer())
    desk.registry.signaling("viewer-1", SocketState(open=True, role="operator"))
    command(peer)
    successor = await desk.offer("viewer-1", offer("2"))
    command(successor)
    assert desk.commands == [("viewer-1", "viewer"), ("viewer-1", "operator")]


async def test_a_revoked_key_takes_the_role_and_not_the_picture(desk: Desk) -> None:
    desk.registry.signaling("viewer-1", SocketState(open=True, role="operator"))
    peer = await desk.offer("viewer-1", offer())
    peer.become(ConnectionState.CONNECTED)
    desk.registry.signaling("viewer-1", SocketState(open=False))
    command(peer)
    assert desk.commands == [("viewer-1", None)]
    assert desk.registry.is_connected("viewer-1")


async def test_a_master_that_connects_anew_has_not_forgotten_who_may_what(desk: Desk) -> None:
    desk.registry.signaling("viewer-1", SocketState(open=True, role="operator"))
    peer = await desk.offer("viewer-1", offer())
    desk.registry.forget_signaling()
    command(peer)
    assert desk.commands == [("viewer-1", "operator")]


class Ears(Voices):
    """Notes who is heard."""

    def __init__(self, roles: Sequence[str] | None = None) -> None:
        super().__init__("ffmpeg:s16le:/dev/null", roles=roles)
        self.heard: list[str] = []
        self.left: list[str] = []

    def hear(self, client_id: str, frame: ReceivedFrame) -> None:
        self.heard.append(client_id)

    def leave(self, client_id: str) -> None:
        self.left.append(client_id)


def speak(peer: HandPeer) -> None:
    if peer.on_frame is not None:
        peer.on_frame(EncodedFrame("audio", "opus", b"\x78", 0, False, 0.0, None))


async def test_viewers_are_heard_until_they_are_gone_and_only_where_somebody_listens(
    desk: Desk, tasks: asyncio.TaskGroup
) -> None:
    assert not (await desk.offer("viewer-1")).hears
    ears = Ears()
    listening = Desk(tasks, voices=ears)
    peer = await listening.offer("viewer-1")
    assert peer.hears
    speak(peer)
    other = await listening.offer("viewer-1", offer("3"))
    speak(peer)
    speak(other)
    assert ears.heard == ["viewer-1", "viewer-1"]
    assert ears.left == ["viewer-1"]
    listening.registry.close()
    speak(other)
    assert len(ears.heard) == 2


async def test_only_roles_that_may_talk_are_heard_and_only_as_long_as_they_have_them(tasks: asyncio.TaskGroup) -> None:
    ears = Ears(["operator"])
    desk = Desk(tasks, voices=ears)
    for client_id, role in (("guest", "viewer"), ("owner", "operator"), ("old", None)):
        desk.registry.signaling(client_id, SocketState(open=True, role=role))
    peers = {client_id: await desk.offer(client_id) for client_id in ("guest", "owner", "old")}
    assert [client_id for client_id, peer in peers.items() if peer.hears] == ["owner"]
    for peer in peers.values():
        speak(peer)
    desk.registry.signaling("owner", SocketState(open=False, role=None))
    speak(peers["owner"])
    assert ears.heard == ["owner"]
    desk.registry.close()

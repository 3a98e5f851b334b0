"""The camera's checks with a socket and a peer in memory: every way in which a picture does not come."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import pytest

from sightline.doctor import camera
from sightline.doctor.findings import Mark, Verdict
from sightline.doctor.visit import Visit
from sightline.errors import InvalidSdp
from sightline.wire.extras import Notice
from sightline.wire.messages import MessageType, ServerMessage, Status
from sightline.wire.payload import encode_payload
from tests.unit.doctor.world import target

ANSWER = """v=0
o=- 1 1 IN IP4 0.0.0.0
s=-
t=0 0
a=group:BUNDLE 0
a=ice-ufrag:abcd
a=ice-pwd:abcdefghijklmnopqrstuvwx
a=fingerprint:sha-256 {fingerprint}
m=video {port} UDP/TLS/RTP/SAVPF 96
c=IN IP4 0.0.0.0
a=mid:0
a=setup:active
a=sendonly
a=rtcp-mux
a=rtpmap:96 H264/90000
a=fmtp:96 packetization-mode=1;profile-level-id=42e01f
a=candidate:1 1 udp 2130706431 192.0.2.9 50000 typ host
""".replace("\n", "\r\n")


def answer(*, port: int = 9) -> str:
    return ANSWER.format(port=port, fingerprint=":".join(["AB"] * 32))


class FakeSocket:
    """What the checks need of ``DoctorSocket``; `then` is what happens when the offer has been sent."""

    def __init__(self, then: Any = None) -> None:
        self.notices: list[Notice] = []
        self.camera_present: bool | None = True
        self.close_code: int | None = None
        self.messages: asyncio.Queue[ServerMessage] = asyncio.Queue()
        self.changed = asyncio.Event()
        self.sent: list[tuple[str, Mapping[str, object]]] = []
        self.asked = 0
        self.then = then

    async def send(self, action: MessageType, content: Mapping[str, object]) -> None:
        self.sent.append((action.value, content))
        if action is MessageType.SDP_OFFER and self.then is not None:
            self.then(self)
            self.changed.set()

    async def ask(self) -> None:
        self.asked += 1

    async def aclose(self) -> None:
        pass

    def say(self, kind: MessageType, content: Mapping[str, object]) -> None:
        self.messages.put_nowait(ServerMessage(kind.value, encode_payload(content)))


class FakePeer:
    """``fate`` is the state that it comes to after the answer; ``frames`` is how many requests a keyframe takes."""

    def __init__(self, *, fate: str = "connected", frames: int | None = 1) -> None:
        self.on_change: Any = None
        self.on_candidate: Any = None
        self.on_frame: Any = None
        self.connection_state = "new"
        self.turn_refused = False
        self.fate = fate
        self.frames = frames
        self.requests = 0
        self.candidates: list[Mapping[str, object]] = []
        self.closed = False

    async def offer(self) -> str:
        self.on_candidate({"candidate": "early"})
        return "v=0"

    async def accept(self, answer_sdp: str) -> None:
        if not answer_sdp.startswith("v=0"):
            raise InvalidSdp("It has no v=.")
        self.connection_state = self.fate
        self.on_change()

    async def add_remote_candidate(self, candidate: Mapping[str, object]) -> None:
        self.candidates.append(candidate)

    def request_keyframe(self) -> None:
        self.requests += 1
        self.on_frame(SimpleNamespace(kind="audio", keyframe=True))
        self.on_frame(SimpleNamespace(kind="video", keyframe=False))
        if self.requests == self.frames:
            self.on_frame(SimpleNamespace(kind="video", keyframe=True))

    def path(self) -> str:
        return "host 192.0.2.1:1 -> host 192.0.2.9:50000"

    async def aclose(self) -> None:
        self.closed = True


CHECKS = (camera.connected, camera.answers, camera.codecs, camera.path, camera.first_frame)


async def watch(socket: FakeSocket, peer: FakePeer, *, patience: float = 0.05, ours: bool = True) -> list[Verdict]:
    """The verdicts up to the first failure."""
    visit = Visit(target(), channel="porch", patience=patience, make_peer=lambda _: peer)
    visit.socket, visit.is_sightline = socket, ours  # type: ignore[assignment]
    verdicts = []
    for check in CHECKS:
        verdicts.append(await check(visit))
        if verdicts[-1].mark is Mark.FAILED:
            break
    watched = visit.watching is not None
    await visit.aclose()
    assert peer.closed or not watched
    return verdicts


def says_answer(socket: FakeSocket, **options: Any) -> None:
    socket.say(MessageType.ICE_CANDIDATE, {"candidate": "theirs"})
    socket.say(MessageType.SDP_ANSWER, {"type": "answer", "sdp": answer(**options)})


async def test_a_picture_comes() -> None:
    socket, peer = FakeSocket(says_answer), FakePeer()
    verdicts = await watch(socket, peer, patience=5)
    assert [verdict.mark for verdict in verdicts] == [Mark.OK] * 5
    assert verdicts[2].measured == "H264 (42e01f), no sound"
    assert "192.0.2.9:50000" in verdicts[3].measured
    # Our candidates go out after the offer, the camera's reach the peer.
    assert socket.sent == [("SDP_OFFER", {"type": "offer", "sdp": "v=0"}), ("ICE_CANDIDATE", {"candidate": "early"})]
    assert peer.candidates == [{"candidate": "theirs"}]
    assert socket.asked == 1


async def test_no_camera() -> None:
    socket = FakeSocket()
    socket.camera_present = False
    verdict = (await watch(socket, FakePeer()))[-1]
    assert (verdict.mark, verdict.reason) == (Mark.FAILED, "camera-offline")


async def test_where_nobody_tells_of_cameras_the_answer_does() -> None:
    socket = FakeSocket()
    socket.camera_present = None
    verdicts = await watch(socket, FakePeer(), ours=False)
    assert [verdict.mark for verdict in verdicts] == [Mark.SKIPPED, Mark.FAILED]
    assert verdicts[-1].reason == "no-answer"
    assert socket.asked == 0


@pytest.mark.parametrize("reason", ["camera-silent", "viewer-limit", "no-common-codec", "bad-offer"])
async def test_the_camera_or_the_service_says_why(reason: str) -> None:
    def then(socket: FakeSocket) -> None:
        socket.notices.append(Notice(reason, "Because."))

    verdict = (await watch(FakeSocket(then), FakePeer(), patience=5))[-1]
    assert (verdict.mark, verdict.reason, verdict.meaning) == (Mark.FAILED, reason, "Because.")


async def test_the_service_refuses_the_offer_or_hangs_up() -> None:
    def limit(socket: FakeSocket) -> None:
        status = Status("doctor", "ClientLimitExceededException", "400", "Too\x1b[31m many.")
        socket.messages.put_nowait(ServerMessage("STATUS_RESPONSE", status=status))

    def hang_up(socket: FakeSocket) -> None:
        socket.close_code = 1001

    verdict = (await watch(FakeSocket(limit), FakePeer(), patience=5))[-1]
    assert (verdict.reason, "\x1b" in verdict.measured) == ("too-many-requests", False)
    assert (await watch(FakeSocket(hang_up), FakePeer(), patience=5))[-1].reason == "signaling-lost"


async def test_an_answer_that_cannot_be_used() -> None:
    def then(socket: FakeSocket) -> None:
        socket.say(MessageType.SDP_ANSWER, {"type": "answer", "sdp": "nonsense"})

    verdict = (await watch(FakeSocket(then), FakePeer(), patience=5))[-1]
    assert (verdict.mark, verdict.reason) == (Mark.FAILED, "bad-answer")
    assert "It has no v=." in verdict.measured


async def test_the_camera_declines_to_send_video() -> None:
    verdict = (await watch(FakeSocket(lambda s: says_answer(s, port=0)), FakePeer(), patience=5))[-1]
    assert (verdict.mark, verdict.reason) == (Mark.FAILED, "no-common-codec")


@pytest.mark.parametrize("fate", ["connecting", "failed"])
async def test_no_way_to_the_camera(fate: str) -> None:
    verdict = (await watch(FakeSocket(says_answer), FakePeer(fate=fate)))[-1]
    assert (verdict.mark, verdict.reason) == (Mark.FAILED, "no-path")
    assert verdict.details == ("the camera's answer names host",)


async def test_no_way_because_the_relay_refused() -> None:
    peer = FakePeer(fate="failed")
    peer.turn_refused = True
    verdict = (await watch(FakeSocket(says_answer), peer))[-1]
    assert (verdict.mark, verdict.reason) == (Mark.FAILED, "ice-expired")


async def test_connected_and_no_picture() -> None:
    verdict = (await watch(FakeSocket(says_answer), FakePeer(frames=None)))[-1]
    assert (verdict.mark, verdict.reason) == (Mark.FAILED, "no-media")


async def test_a_keyframe_is_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(camera, "_ASK_AGAIN", 0.01)
    peer = FakePeer(frames=3)
    assert (await watch(FakeSocket(says_answer), peer, patience=5))[-1].mark is Mark.OK
    assert peer.requests == 3

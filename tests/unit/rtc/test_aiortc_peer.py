"""What a viewer gets of a peer: pictures that decode, in order, from the first one on."""

from __future__ import annotations

import asyncio
import random
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import suppress

import msgspec
import pytest

from sightline.errors import InvalidSdp
from sightline.media.test_picture import TestPicture
from sightline.rtc import aiortc_peer
from sightline.rtc.aiortc_peer import AiortcPeer
from sightline.rtc.peer import ConnectionState, Peer
from tests.unit.client.fake_signaling import eventually
from tests.unit.rtc.viewer import AiortcViewer


class IceServer(msgspec.Struct):
    urls: tuple[str, ...]
    username: str | None = None
    credential: str | None = None


@pytest.fixture
async def source() -> AsyncIterator[TestPicture]:
    picture = TestPicture(320, 180, 30)
    yield picture
    assert picture.video.subscribers == 0, "a peer left its subscription"
    await picture.aclose()


class Room:
    """Makes viewers and peers, and closes them."""

    def __init__(self, source: TestPicture) -> None:
        self.source = source
        self.viewers: list[AiortcViewer] = []
        self.peers: list[Peer] = []

    def viewer(self, *kinds: str, data_channel: bool = False) -> AiortcViewer:
        self.viewers.append(AiortcViewer(*kinds, data_channel=data_channel))
        return self.viewers[-1]

    def peer(self, **options: object) -> AiortcPeer:
        peer = AiortcPeer(self.source, **options)  # type: ignore[arg-type]
        self.peers.append(peer)
        return peer

    async def watch(self, *kinds: str, data_channel: bool = False) -> tuple[AiortcViewer, AiortcPeer]:
        viewer, peer = self.viewer(*kinds, data_channel=data_channel), self.peer()
        await viewer.accept(await peer.answer(await viewer.offer()))
        return viewer, peer


@pytest.fixture
async def room(source: TestPicture) -> AsyncIterator[Room]:
    room = Room(source)
    yield room
    for thing in [*room.viewers, *room.peers]:
        await thing.aclose()


async def test_two_viewers_each_see_every_picture_at_full_rate(room: Room) -> None:
    states: list[ConnectionState] = []
    one, peer = room.viewer("video", "audio"), room.peer()
    peer.on_state = states.append
    await one.accept(await peer.answer(await one.offer()))
    two, _ = await room.watch("audio", "video")
    shown = await asyncio.gather(one.numbers(45), two.numbers(45))
    for numbers in shown:
        assert None not in numbers
        assert numbers == list(range(numbers[0], numbers[0] + 45))  # type: ignore[operator, arg-type]
    rates = await asyncio.gather(one.frames_per_second(over=45), two.frames_per_second(over=45))
    assert min(rates) >= 27, "30 per second, less the jitter of a short measurement on a busy machine"
    assert await one.tracks["audio"].recv()
    assert states == [ConnectionState.CONNECTING, ConnectionState.CONNECTED]
    await one.aclose()
    await eventually(lambda: peer.connection_state is ConnectionState.CLOSED)
    await two.numbers(3)


@pytest.mark.parametrize("kinds", [("video",), ("audio",)])
async def test_offers_of_one_kind(room: Room, kinds: tuple[str, ...]) -> None:
    viewer, _ = await room.watch(*kinds)
    assert await asyncio.wait_for(viewer.tracks[kinds[0]].recv(), 5)


async def test_a_viewers_data_channel_does_no_harm(room: Room) -> None:
    viewer, peer = await room.watch("video", data_channel=True)
    assert viewer.channel is not None
    await eventually(lambda: viewer.channel is not None and viewer.channel.readyState == "open")
    viewer.channel.send("hello")
    viewer.channel.send(b"\x00" * 10_000)
    assert None not in await viewer.numbers(10)
    assert peer.connection_state is ConnectionState.CONNECTED


async def test_only_a_data_channel(room: Room) -> None:
    viewer, peer = await room.watch(data_channel=True)
    await eventually(lambda: peer.connection_state is ConnectionState.CONNECTED)
    await eventually(lambda: viewer.channel is not None and viewer.channel.readyState == "open")


async def test_data_channel_first_in_the_bundle(room: Room) -> None:
    viewer, peer = room.viewer("video", data_channel=True), room.peer()
    viewer.connection._RTCPeerConnection__configuration.alwaysNegotiateDataChannels = True
    await viewer.accept(await peer.answer(await viewer.offer()))
    assert None not in await viewer.numbers(3)


async def test_candidates_may_come_before_the_offer_and_be_nonsense(room: Room) -> None:
    viewer, peer = room.viewer("video"), room.peer()
    offer = await viewer.offer()
    candidates = [line.removeprefix("a=") for line in offer.splitlines() if line.startswith("a=candidate")]
    for nonsense in ({}, {"candidate": 7}, {"candidate": ""}, {"candidate": "candidate:x", "sdpMLineIndex": 99}):
        await peer.add_remote_candidate(nonsense)
    for candidate in candidates:
        await peer.add_remote_candidate({"candidate": candidate, "sdpMid": None, "sdpMLineIndex": 0})
    bare = "\r\n".join(line for line in offer.splitlines() if "candidate" not in line) + "\r\n"
    await viewer.accept(await peer.answer(bare))
    await peer.add_remote_candidate({"candidate": "candidate:1 1 udp 1 192.0.2.1 9 typ host", "sdpMid": "nowhere"})
    assert None not in await viewer.numbers(3)


async def test_a_lost_picture_is_repaired_by_a_keyframe(room: Room) -> None:
    viewer, _ = await room.watch("video")
    await viewer.numbers(5)
    requests = 0

    def request() -> None:
        nonlocal requests
        requests += 1

    other = room.viewer("video")
    room.source.request_keyframe = request  # type: ignore[method-assign]
    peer = room.peer()
    await other.accept(await peer.answer(await other.offer()))
    await eventually(lambda: peer.connection_state is ConnectionState.CONNECTED)
    receiver = other.connection.getReceivers()[0]
    # As a browser does when it cannot decode; aiortc's receiver has no public way to ask.
    source_ssrc = peer._connection.getSenders()[0]._ssrc
    await receiver._send_rtcp_pli(source_ssrc)
    await eventually(lambda: requests > 0)


@pytest.mark.parametrize(
    "damage",
    [
        lambda sdp: "",
        lambda sdp: "v=0\r\nnonsense",
        lambda sdp: sdp.replace("a=ice-ufrag", "a=x-ufrag"),
        lambda sdp: sdp.replace("a=fingerprint", "a=x-fingerprint").replace("a=setup", "a=x-setup"),
        lambda sdp: sdp.replace("H264", "H265"),
        lambda sdp: sdp.replace("a=rtcp-mux\r\n", ""),
        lambda sdp: sdp.replace("a=mid:0", "a=mid:7"),
        lambda sdp: sdp.replace("UDP/TLS/RTP/SAVPF", "UDP/TLS/RTP/SAVPF 999"),
        lambda sdp: sdp.replace("a=fmtp:", "a=fmtp:x"),
        lambda sdp: sdp[: len(sdp) // 2],
    ],
)
async def test_a_malformed_offer_is_an_error_and_leaves_nothing(room: Room, damage: Callable[[str], str]) -> None:
    viewer, peer = room.viewer("video"), room.peer()
    offer = damage(await viewer.offer())
    with suppress(InvalidSdp):  # some of these are tolerated: nothing may be left of them either
        await peer.answer(offer)
        await peer.aclose()
    assert peer.connection_state is ConnectionState.CLOSED


async def test_a_viewer_that_never_comes_is_given_up(room: Room) -> None:
    viewer, peer = room.viewer("video"), room.peer(connect_deadline=0.2)
    states: list[ConnectionState] = []
    peer.on_state = states.append
    await peer.answer(await viewer.offer())
    await eventually(lambda: peer.connection_state is ConnectionState.FAILED)
    await peer.aclose()
    await peer.aclose()
    assert states[-2:] == [ConnectionState.FAILED, ConnectionState.CLOSED]


async def test_closing_at_any_time(room: Room) -> None:
    await room.peer().aclose()
    for delay in (0, 0.02, 0.05, 0.08, 0.12):
        viewer, peer = room.viewer("video", "audio"), room.peer()
        await viewer.accept(await peer.answer(await viewer.offer()))
        await asyncio.sleep(delay)
        await peer.aclose()
        assert peer.connection_state is ConnectionState.CLOSED


async def test_cancelling_an_answer_leaves_nothing(room: Room) -> None:
    viewer, peer = room.viewer("video"), room.peer()
    answering = asyncio.create_task(peer.answer(await viewer.offer()))
    await asyncio.sleep(0)
    answering.cancel()
    with pytest.raises(asyncio.CancelledError):
        await answering
    assert peer.connection_state is ConnectionState.CLOSED


async def test_a_silent_stun_server_delays_the_answer_only_so_far_and_bad_ones_are_left_out(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(aiortc_peer, "_GATHER_LIMIT", 0.2)
    silent = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    silent.bind(("127.0.0.1", 0))
    servers = [IceServer((f"stun:127.0.0.1:{silent.getsockname()[1]}",)), IceServer(("http://nonsense",))]
    viewer, peer = room.viewer("video"), room.peer(ice_servers=servers)
    async with asyncio.timeout(2):
        await viewer.accept(await peer.answer(await viewer.offer()))
    assert None not in await viewer.numbers(2)
    silent.close()


async def test_an_offer_damaged_anywhere_is_answered_or_refused_and_leaves_nothing(room: Room) -> None:
    offer = await room.viewer("video", "audio", data_channel=True).offer()
    chance = random.Random(20)
    for _ in range(40):
        lines = offer.split("\r\n")
        for _ in range(chance.randint(1, 3)):
            place, other = chance.randrange(len(lines)), chance.randrange(len(lines))
            match chance.randrange(4):
                case 0:
                    del lines[place]
                case 1:
                    lines.insert(place, lines[other])
                case 2:
                    lines[place] = lines[place][: chance.randrange(len(lines[place]) + 1)]
                case _:
                    lines[place] = lines[place].replace(chance.choice("0123456789 :="), chance.choice(["", "x", "-1"]))
        peer = AiortcPeer(room.source)
        with suppress(InvalidSdp):
            await peer.answer("\r\n".join(lines))
        async with asyncio.timeout(5):
            await peer.aclose()
        assert room.source.video.subscribers == 0

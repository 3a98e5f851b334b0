"""What a viewer gets of a peer: pictures that decode, in order, from the first one on; and what nonsense does."""

from __future__ import annotations

import asyncio
import random
import re
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import cast

import msgspec
import pytest
from aioice import stun

from sightline.errors import InvalidSdp, PeerError
from sightline.media.test_picture import TestPicture
from sightline.rtc.engine import Engine
from sightline.rtc.engine_peer import EnginePeer
from sightline.rtc.ice.config import IceConfig
from sightline.rtc.peer import ConnectionState, Reason
from sightline.timers import Timers
from tests.unit.client.fake_signaling import eventually
from tests.unit.rtc.viewer import AiortcViewer

pytestmark = pytest.mark.realtime


class IceServer(msgspec.Struct):
    urls: tuple[str, ...]
    username: str | None = None
    credential: str | None = None


class Room:
    """Makes viewers and peers of one engine, and closes them."""

    def __init__(self, source: TestPicture, *, timers: Timers | None = None, ice: IceConfig | None = None) -> None:
        self.source = source
        self.engine = Engine(source, timers=timers or Timers(), ice=ice)
        self.viewers: list[AiortcViewer] = []
        self.peers: list[EnginePeer] = []

    def viewer(self, *kinds: str, data_channel: bool = False) -> AiortcViewer:
        self.viewers.append(AiortcViewer(*kinds, data_channel=data_channel))
        return self.viewers[-1]

    def peer(self, **options: object) -> EnginePeer:
        self.peers.append(self.engine.new_peer(**options))  # type: ignore[arg-type]
        return self.peers[-1]

    async def watch(self, *kinds: str, data_channel: bool = False) -> tuple[AiortcViewer, EnginePeer]:
        viewer, peer = self.viewer(*kinds, data_channel=data_channel), self.peer()
        await viewer.accept(await peer.answer(await viewer.offer()))
        return viewer, peer

    async def aclose(self) -> None:
        for thing in [*self.viewers, *self.peers]:
            await thing.aclose()
        await self.engine.aclose()


@pytest.fixture
async def source() -> AsyncIterator[TestPicture]:
    picture = TestPicture(320, 180, 30)
    yield picture
    assert picture.video.subscribers == 0, "a peer left its place in the feed"
    await picture.aclose()


@pytest.fixture
async def room(source: TestPicture) -> AsyncIterator[Room]:
    room = Room(source)
    yield room
    await room.aclose()


def watched(peer: EnginePeer) -> list[ConnectionState]:
    """The states that it goes through from now on."""
    states: list[ConnectionState] = []

    def note() -> None:
        if not states or states[-1] is not peer.connection_state:
            states.append(peer.connection_state)

    peer.on_change = note
    return states


async def test_two_viewers_each_see_every_picture_at_full_rate(room: Room) -> None:
    made: list[int] = []
    stop = room.source.video.listen(lambda unit: made.append(unit.timestamp // 3000))
    one, peer = room.viewer("video", "audio"), room.peer()
    states = watched(peer)
    await one.accept(await peer.answer(await one.offer()))
    two, _ = await room.watch("audio", "video")
    shown = await asyncio.gather(one.numbers(45), two.numbers(45))
    for numbers in shown:
        assert None not in numbers
        first = made.index(numbers[0])  # type: ignore[arg-type]
        assert numbers == made[first : first + 45], "all that the source made, which on a busy machine is not all"
    stop()
    assert await one.tracks["audio"].recv()
    assert states == [ConnectionState.CONNECTING, ConnectionState.CONNECTED]
    await one.aclose()
    await eventually(lambda: peer.connection_state is ConnectionState.CLOSED)
    assert peer.reason in (Reason.CLOSE_NOTIFY, Reason.BYE)
    await two.numbers(3)


@pytest.mark.parametrize("kinds", [("video",), ("audio",)])
async def test_offers_of_one_kind(room: Room, kinds: tuple[str, ...]) -> None:
    viewer, _ = await room.watch(*kinds)
    assert await asyncio.wait_for(viewer.tracks[kinds[0]].recv(), 30)


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
    viewer, peer = await room.watch("video")
    await viewer.numbers(5)
    (ssrc,) = (source.ssrc for source in peer._local.sections[0].sources[:1])  # type: ignore[union-attr]
    sent = peer.statistics().sent
    assert sent is not None
    assert sent.video is not None
    before = sent.video.keyframes
    # As a browser does when it cannot decode; aiortc's receiver has no public way to ask.
    await viewer.connection.getReceivers()[0]._send_rtcp_pli(ssrc)
    await eventually(lambda: sent.video is not None and sent.video.keyframes > before)
    assert sent.video.keyframe_requests == 1


async def test_the_figures(room: Room) -> None:
    viewer, peer = await room.watch("video", "audio")
    assert peer.statistics().bitrate is None
    await viewer.numbers(60)
    await eventually(lambda: peer.statistics().loss is not None)
    figures = peer.statistics()
    assert figures.candidate_pair is not None
    assert figures.candidate_pair.startswith("host ")
    assert figures.bitrate is not None
    assert figures.bitrate > 50_000
    assert figures.loss == 0
    assert figures.round_trip_time is not None
    assert 0 < figures.round_trip_time < 1
    assert figures.srtp_profile == "SRTP_AEAD_AES_128_GCM"


@pytest.mark.parametrize(
    "damage",
    [
        lambda sdp: "",
        lambda sdp: "v=0\r\nnonsense",
        lambda sdp: sdp.replace("a=ice-ufrag", "a=x-ufrag"),
        lambda sdp: sdp.replace("a=fingerprint", "a=x-fingerprint").replace("a=setup", "a=x-setup"),
        lambda sdp: sdp.replace("H264", "H265").replace("VP8", "VP7"),
        lambda sdp: sdp.replace("a=rtcp-mux\r\n", ""),
        lambda sdp: sdp.replace("a=mid:0", "a=mid:7"),
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
    with pytest.raises((PeerError, InvalidSdp)):
        await peer.answer(offer)


async def test_a_bad_second_offer_leaves_the_connection_as_it_was(room: Room) -> None:
    viewer, peer = await room.watch("video")
    await viewer.numbers(3)
    offer = await viewer.offer()
    for damage in ("nonsense", offer.replace("H264", "H265"), offer.replace("a=ice-pwd:", "a=ice-pwd:other")):
        with suppress(InvalidSdp):
            await peer.answer(damage)
    assert None not in await viewer.numbers(3)
    assert peer.connection_state is ConnectionState.CONNECTED


async def test_a_viewer_that_asks_for_sound_later(room: Room) -> None:
    viewer, peer = await room.watch("video")
    await viewer.numbers(5)
    stream = peer._sending._streams["video"]
    viewer.connection.addTransceiver("audio", "recvonly")
    await viewer.accept(await peer.answer(await viewer.offer()))
    assert await asyncio.wait_for(viewer.tracks["audio"].recv(), 30)
    numbers = await viewer.numbers(10)
    assert None not in numbers
    assert numbers == sorted(numbers)  # type: ignore[type-var]
    assert peer._sending._streams["video"] is stream, "the picture's packets are numbered on"
    assert peer.connection_state is ConnectionState.CONNECTED


async def test_a_picture_that_is_not_wanted_for_a_while(room: Room) -> None:
    viewer, peer = await room.watch("video", "audio")
    await viewer.numbers(5)
    offer = await viewer.offer()
    video, audio = offer.index("m=video"), offer.index("m=audio")
    without = offer[:video] + offer[video:audio].replace("a=recvonly", "a=inactive") + offer[audio:]
    stream = peer._sending._streams["video"]
    number = stream.next_sequence
    await peer.answer(without)
    sent = peer.statistics().sent
    assert sent is not None
    assert sent.video is None
    await peer.answer(offer)
    assert peer._sending._streams["video"] is stream, "it never uses a packet's number twice"
    assert (stream.next_sequence - number) % 65536 < 1000
    assert None not in await viewer.numbers(5)


async def test_a_first_offer_by_which_nothing_would_flow_is_refused(room: Room) -> None:
    viewer, peer = room.viewer("video", "audio"), room.peer()
    offer = await viewer.offer()
    for direction in ("inactive", "sendonly"):
        with pytest.raises(InvalidSdp, match="Nothing would flow"):
            await peer.answer(offer.replace("a=recvonly", f"a={direction}"))
    await viewer.accept(await peer.answer(offer))
    assert None not in await viewer.numbers(2)


async def test_ports_and_addresses_are_those_that_were_said(source: TestPicture) -> None:
    room = Room(source, ice=IceConfig(udp_ports=(51_000, 51_019), advertise=("203.0.113.7",)))
    viewer, peer = room.viewer("video"), room.peer()
    answer = await peer.answer(await viewer.offer())
    candidates = [line.split() for line in answer.splitlines() if line.startswith("a=candidate:")]
    assert {int(fields[5]) in range(51_000, 51_020) for fields in candidates} == {True}
    assert "203.0.113.7" in {fields[4] for fields in candidates}
    await viewer.accept(answer)
    assert None not in await viewer.numbers(2)
    await room.aclose()


async def test_an_interface_that_is_not_there_is_said_at_the_start(
    source: TestPicture, caplog: pytest.LogCaptureFixture
) -> None:
    await Engine(source, ice=IceConfig(interfaces=("lo",))).aclose()
    assert not caplog.records
    await Engine(source, ice=IceConfig(interfaces=("ehto0",))).aclose()
    assert "no network interface 'ehto0'" in caplog.text


async def test_a_viewer_that_never_comes_is_given_up(source: TestPicture) -> None:
    room = Room(source, timers=Timers(viewer_connect=0.2))
    viewer, peer = room.viewer("video"), room.peer()
    states = watched(peer)
    await peer.answer(await viewer.offer())
    await eventually(lambda: peer.connection_state is ConnectionState.CLOSED)
    assert states == [ConnectionState.CONNECTING, ConnectionState.FAILED, ConnectionState.CLOSED]
    await peer.aclose()
    await peer.aclose()
    assert source.video.subscribers == 0
    await room.aclose()


class LiteAgent(asyncio.DatagramProtocol):
    """Answers the checks of its peer, and makes none (RFC 8445 §2.5): a media server that records cameras."""

    def __init__(self, password: str) -> None:
        self._password = password.encode()
        self.checks: list[stun.Message] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        with suppress(ValueError):  # DTLS, which begins on the first path
            check = stun.parse_message(data)
            self.checks.append(check)
            answer = stun.Message(check.message_method, stun.Class.RESPONSE, transaction_id=check.transaction_id)
            answer.attributes["XOR-MAPPED-ADDRESS"] = addr
            answer.add_message_integrity(self._password)
            self._transport.sendto(bytes(answer), addr)


async def test_a_viewer_that_makes_no_checks_is_told_which_path_to_use(room: Room) -> None:
    """`a=ice-lite`: the other side is the controlling one, whoever offered (RFC 8445 §6.1.1)."""
    offer = await room.viewer("video").offer()
    password = re.findall(r"a=ice-pwd:(\S+)", offer)[0]
    offer = re.sub(r"a=(candidate|end-of-candidates).*\r\n", "", offer).replace("t=0 0\r\n", "t=0 0\r\na=ice-lite\r\n")
    peer = room.peer()
    address = re.findall(r"a=candidate:.* (\S+) \d+ typ host", await peer.answer(offer))[0]
    transport, agent = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: LiteAgent(password), local_addr=(address, 0)
    )
    port = transport.get_extra_info("sockname")[1]
    await peer.add_remote_candidate({"candidate": f"candidate:1 1 udp 2130706431 {address} {port} typ host"})
    await eventually(lambda: any("USE-CANDIDATE" in check.attributes for check in agent.checks), within=30)
    assert all("ICE-CONTROLLING" in check.attributes for check in agent.checks)
    await eventually(lambda: peer.ice_connection_state == "completed", within=30)
    transport.close()


async def test_closing_at_any_time(room: Room) -> None:
    await room.peer().aclose()
    for delay in (0, 0.005, 0.01, 0.02, 0.03, 0.05):
        viewer, peer = room.viewer("video", "audio"), room.peer()
        await viewer.accept(await peer.answer(await viewer.offer()))
        await asyncio.sleep(delay)
        await peer.aclose()
        assert peer.connection_state is ConnectionState.CLOSED


async def test_closing_says_goodbye(room: Room) -> None:
    viewer, peer = await room.watch("video")
    await viewer.numbers(3)
    await peer.aclose()
    await eventually(lambda: viewer.connection.connectionState == "closed", within=10)


async def test_cancelling_an_answer_leaves_nothing(room: Room) -> None:
    viewer, peer = room.viewer("video"), room.peer()
    answering = asyncio.create_task(peer.answer(await viewer.offer()))
    await asyncio.sleep(0)
    answering.cancel()
    with pytest.raises(asyncio.CancelledError):
        await answering
    await peer.aclose()


async def test_a_silent_stun_server_delays_nothing_and_bad_ones_are_left_out(room: Room) -> None:
    silent = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    silent.bind(("127.0.0.1", 0))
    servers = [IceServer((f"stun:127.0.0.1:{silent.getsockname()[1]}",)), IceServer(("http://nonsense",))]
    viewer, peer = room.viewer("video"), room.peer(ice_servers=servers)
    offer = await viewer.offer()
    async with asyncio.timeout(3):
        answer = await peer.answer(offer)
    assert "a=candidate" in answer
    assert "a=end-of-candidates" not in answer
    await viewer.accept(answer)
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
        peer = room.engine.new_peer()
        with suppress(InvalidSdp):
            await peer.answer("\r\n".join(lines))
        async with asyncio.timeout(30):
            await peer.aclose()
        assert room.source.video.subscribers == 0

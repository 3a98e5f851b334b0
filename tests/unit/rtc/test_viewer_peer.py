"""Our viewer's connection against our master's: whole frames, restarts of both, goodbyes, and nothing left."""

from __future__ import annotations

import asyncio
import gc
import random
import re
import time
import warnings
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

import msgspec
import pytest

from sightline.errors import InvalidSdp, PeerError
from sightline.media.test_picture import TestPicture
from sightline.rtc.certificates import Certificate
from sightline.rtc.engine import Engine
from sightline.rtc.engine_peer import EnginePeer
from sightline.rtc.ice.config import IceConfig
from sightline.rtc.peer import ConnectionState, IceConnectionState, Reason
from sightline.rtc.rtp.incoming import IncomingStats
from sightline.rtc.rtp.inlet import Inlet
from sightline.rtc.sdp import Direction, Setup, write_description
from sightline.rtc.srtp import SrtpError
from sightline.rtc.viewer_peer import EncodedFrame, ViewerPeer
from sightline.timers import DEFAULT_TIMERS, Timers
from tests.unit.client import fake_signaling
from tests.unit.rtc.ice.peers import LOOPBACK, Server
from tests.unit.rtc.ice.turn_server import turn_server

pytestmark = pytest.mark.realtime

eventually = partial(fake_signaling.eventually, within=20)


class Wired(ViewerPeer):
    """Loses and delays what arrives, by a plan."""

    plan: Callable[[bytes, int], float | None] | None = None
    """Of a datagram and its number: seconds, None to lose it."""
    count = 0

    def _receive(self, datagram: bytes) -> None:
        self.count += 1
        after = 0.0 if self.plan is None else self.plan(datagram, self.count)
        if after:
            asyncio.get_running_loop().call_later(after, super()._receive, datagram)
        elif after is not None:
            super()._receive(datagram)


QUICK = Timers(viewer_disconnected=0.6, viewer_failed=1.8, viewer_sleep=5.0, path_check=0.1)


class Pair:
    """A viewer and its master's peer, with signaling in between that takes no time."""

    def __init__(self, source: TestPicture, *, timers: Timers = DEFAULT_TIMERS, **options: object) -> None:
        self.engine = Engine(source, timers=timers)
        self.peer: EnginePeer = self.engine.new_peer()
        options.setdefault("ice", IceConfig())
        self.viewer = Wired(certificate=Certificate.make(), timers=timers, **options)  # type: ignore[arg-type]
        self.frames: list[EncodedFrame] = []
        self.viewer.on_frame = self.frames.append
        self.states: list[ConnectionState] = []
        self.viewer.on_change = self._note

    def _note(self) -> None:
        if not self.states or self.states[-1] is not self.viewer.connection_state:
            self.states.append(self.viewer.connection_state)

    @property
    def video(self) -> IncomingStats:
        received = self.viewer.statistics().received
        assert received is not None
        assert received.video is not None
        return received.video

    @property
    def pictures(self) -> list[EncodedFrame]:
        return [frame for frame in self.frames if frame.kind == "video"]

    async def watch(self) -> None:
        await self.viewer.accept(await self.peer.answer(await self.viewer.offer()))
        await eventually(lambda: len(self.pictures) > 3)

    async def aclose(self) -> None:
        await self.viewer.aclose()
        await self.peer.aclose()
        await self.engine.aclose()


@pytest.fixture
async def source() -> AsyncIterator[TestPicture]:
    picture = TestPicture(160, 90, 60)
    yield picture
    assert picture.video.subscribers == 0, "a peer left its place in the feed"
    await picture.aclose()


Pairs = Callable[..., Pair]


@pytest.fixture
async def pairs(source: TestPicture) -> AsyncIterator[Pairs]:
    """Makes pairs, and closes them."""
    made: list[Pair] = []

    def make(**options: object) -> Pair:
        made.append(Pair(source, **options))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for pair in made:
        await pair.aclose()


@pytest.fixture
async def pair(pairs: Pairs) -> Pair:
    return pairs()


async def test_the_first_frame_is_a_keyframe_and_none_is_missing(pair: Pair) -> None:
    await pair.watch()
    await eventually(lambda: len(pair.pictures) > 20 and any(frame.kind == "audio" for frame in pair.frames))
    pictures = pair.pictures
    assert pictures[0].keyframe
    assert pictures[0].data.startswith(b"\x00\x00\x00\x01\x67"), "the parameter sets come first"
    assert {(frame.kind, frame.codec) for frame in pair.frames} == {("video", "H264"), ("audio", "opus")}
    stamps = [frame.timestamp for frame in pictures]
    assert stamps == sorted(stamps)
    assert (pair.video.dropped, pair.video.given_up, pair.video.keyframe_requests) == (0, 0, 0)
    figures = pair.viewer.statistics()
    assert figures.srtp_profile == "SRTP_AEAD_AES_128_GCM"
    assert (figures.candidate_pair or "").startswith("host ")
    assert (figures.bitrate or 0) > 50_000
    assert time.monotonic() - pair.viewer.last_heard < 3
    assert pair.states == [ConnectionState.CONNECTING, ConnectionState.CONNECTED]


async def test_a_restart_of_the_viewers(pair: Pair) -> None:
    await pair.watch()
    await pair.viewer.accept(await pair.peer.answer(await pair.viewer.restart()))
    before = len(pair.pictures)
    await eventually(lambda: pair.viewer.ice_connection_state is IceConnectionState.COMPLETED)
    await eventually(lambda: len(pair.pictures) > before + 10)
    await eventually(lambda: pair.video.lost == 0)  # what waited in the old path's socket is read a little later
    assert (pair.video.given_up, pair.video.dropped) == (0, 0)


async def test_a_restart_of_the_masters(pair: Pair) -> None:
    await pair.watch()
    await pair.peer.accept(await pair.viewer.answer(await pair.peer.restart()))
    before = len(pair.pictures)
    await eventually(lambda: pair.viewer.ice_connection_state is IceConnectionState.COMPLETED)
    await eventually(lambda: len(pair.pictures) > before + 10)
    await eventually(lambda: pair.video.lost == 0)  # what waited in the old path's socket is read a little later
    assert (pair.video.given_up, pair.video.dropped) == (0, 0)


async def test_a_viewer_that_leaves_is_gone_at_once_and_so_is_a_master(pair: Pair, pairs: Pairs) -> None:
    await pair.watch()
    await pair.viewer.aclose()
    await eventually(lambda: pair.peer.connection_state is ConnectionState.CLOSED)
    assert pair.peer.reason in (Reason.BYE, Reason.CLOSE_NOTIFY)
    other = pairs()
    await other.watch()
    await other.peer.aclose()
    await eventually(lambda: other.viewer.connection_state is ConnectionState.CLOSED)


@pytest.mark.parametrize("codec", ["H264", "VP8"])
async def test_losses_and_swaps_on_the_way_cost_no_picture(
    pair: Pair, codec: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if codec == "VP8":
        monkeypatch.setattr("sightline.rtc.receiving.H264_PROFILES", ())
    await pair.watch()

    def plan(datagram: bytes, number: int) -> float | None:
        if not 128 <= datagram[0] <= 191:
            return 0.0
        return None if number % 12 == 0 else 0.004 if number % 7 == 0 else 0.0

    pair.viewer.plan = plan
    await eventually(lambda: pair.video.repaired > 3)
    pair.viewer.plan = None
    count = sent(pair)
    await eventually(lambda: pair.video.frames + pair.video.dropped >= count)
    assert {frame.codec for frame in pair.pictures} == {codec}
    assert (pair.video.given_up, pair.video.dropped) == (0, 0)


async def test_pictures_that_overtake_the_end_of_the_handshake_are_kept(pair: Pair) -> None:
    pair.viewer.plan = lambda datagram, number: 0.08 if 20 <= datagram[0] <= 63 else 0.0
    await pair.watch()
    count = sent(pair)
    await eventually(lambda: pair.video.frames >= count)
    assert pair.video.keyframe_requests == 0


def sent(pair: Pair) -> int:
    """Pictures that the master has sent."""
    figures = pair.peer.statistics().sent
    assert figures is not None
    assert figures.video is not None
    return figures.video.frames


async def test_a_path_that_dies_and_a_restart_that_revives_it(pairs: Pairs) -> None:
    pair = pairs(timers=QUICK)
    await pair.watch()
    keys = pair.viewer._transport.srtp
    await pair.viewer._ice.sleep()
    await eventually(lambda: pair.viewer.connection_state is ConnectionState.FAILED)
    assert pair.viewer.reason is Reason.SILENT
    offer = await pair.viewer.restart()
    assert pair.viewer.connection_state is ConnectionState.CONNECTING
    await pair.viewer.accept(await pair.peer.answer(offer))
    before = len(pair.pictures)
    await eventually(lambda: len(pair.pictures) > before + 5)
    assert pair.viewer._transport.srtp is keys
    assert pair.viewer.connection_state is ConnectionState.CONNECTED
    stamps = [frame.timestamp for frame in pair.pictures]
    assert stamps == sorted(stamps)


async def test_an_answer_that_comes_after_the_old_path_has_failed(pairs: Pairs) -> None:
    pair = pairs(timers=QUICK)
    await pair.watch()
    offer = await pair.viewer.restart()
    pair.viewer._ice._choice.slept()  # every older generation is given up
    pair.viewer._ice._update()
    await asyncio.sleep(0.05)
    assert pair.viewer.connection_state in (ConnectionState.CONNECTED, ConnectionState.DISCONNECTED)
    await pair.viewer.accept(await pair.peer.answer(offer))
    before = len(pair.pictures)
    await eventually(lambda: len(pair.pictures) > before + 5)
    assert ConnectionState.FAILED not in pair.states


async def test_a_masters_restart_outlives_the_old_path_too(pairs: Pairs) -> None:
    pair = pairs(timers=QUICK)
    await pair.watch()
    offer = await pair.peer.restart()
    pair.peer._ice._choice.slept()
    pair.peer._ice._update()
    await asyncio.sleep(0.05)
    assert pair.peer.connection_state in (ConnectionState.CONNECTED, ConnectionState.DISCONNECTED)
    await pair.peer.accept(await pair.viewer.answer(offer))
    before = len(pair.pictures)
    await eventually(lambda: len(pair.pictures) > before + 5)
    assert pair.peer.connection_state is ConnectionState.CONNECTED


async def test_silence_is_told_and_frees_nothing_before_its_time(pairs: Pairs) -> None:
    pair = pairs(timers=QUICK)
    await pair.watch()
    await pair.peer._ice.sleep()
    await eventually(lambda: pair.viewer.connection_state is ConnectionState.DISCONNECTED)
    assert time.monotonic() - pair.viewer.last_heard >= 0.55
    await eventually(lambda: pair.viewer.connection_state is ConnectionState.FAILED)


async def test_a_master_that_has_forgotten_the_session(pair: Pair, pairs: Pairs) -> None:
    await pair.watch()
    other = pairs()
    other.peer._transport.certificate = Certificate.make()
    answer = await other.peer.answer(await pair.viewer.restart())
    with pytest.raises(InvalidSdp, match="another session"):
        await pair.viewer.accept(answer)
    before = len(pair.pictures)
    await eventually(lambda: len(pair.pictures) > before + 3)


async def test_both_begin_at_once_and_the_viewers_offer_counts(pair: Pair) -> None:
    await pair.watch()
    theirs = await pair.peer.restart()
    ours = await pair.viewer.restart()
    with pytest.raises(PeerError, match="counts"):
        await pair.viewer.answer(theirs)
    await pair.viewer.accept(await pair.peer.answer(ours))
    await eventually(lambda: pair.viewer.ice_connection_state is IceConnectionState.COMPLETED)
    before = len(pair.pictures)
    await eventually(lambda: len(pair.pictures) > before + 3)
    await pair.viewer.accept(await pair.peer.answer(await pair.viewer.restart()))
    await pair.viewer.accept("v=0\r\nm=video 9 X 1\r\n")  # one to an offer that is not out any more
    with pytest.raises(PeerError, match="restart"):
        await pair.viewer.offer()


async def test_a_master_that_renegotiates(pair: Pair) -> None:
    await pair.watch()
    local, picture = pair.peer._local, inlet(pair).streams[0]
    assert local is not None
    without = msgspec.structs.replace(
        local,
        origin=local.origin.next(),
        sections=tuple(
            msgspec.structs.replace(
                section,
                direction=Direction.INACTIVE if section.kind == "audio" else section.direction,
                transport=msgspec.structs.replace(section.transport, setup=Setup.ACTPASS),
            )
            for section in local.sections
        ),
    )
    answer = await pair.viewer.answer(write_description(without))
    assert "a=inactive" in answer
    assert pair.viewer.statistics().ice.generations == 1, "the path stays"  # type: ignore[union-attr]
    before = len(pair.pictures)
    await eventually(lambda: len(pair.pictures) > before + 5)
    assert (pair.video.given_up, pair.video.dropped) == (0, 0)
    stamps = [frame.timestamp for frame in pair.pictures]
    assert stamps == sorted(stamps)
    assert inlet(pair).streams[0] is picture, "it goes on without a break"
    assert len(inlet(pair).streams) == 1


def inlet(pair: Pair) -> Inlet:
    inlet = pair.viewer._receiving._inlet
    assert inlet is not None
    return inlet


async def test_data_channels_and_sound_both_ways(pairs: Pairs) -> None:
    pair = pairs(audio="sendrecv")
    heard: list[object] = []
    pair.peer.channels.on_message = lambda label, message: heard.append((label, message))
    await pair.watch()
    pair.viewer.channels.open("chat")
    await eventually(lambda: "chat" in pair.viewer.channels.labels)
    pair.viewer.channels.send("hello")
    await eventually(lambda: heard == [("chat", "hello")])
    for _ in range(3):
        pair.viewer.send_audio(b"\xf8\xff\xfe", 960)  # nobody wants it yet, which is no error
    await pair.viewer.aclose()
    pair.viewer.send_audio(b"\xf8\xff\xfe", 960)
    pair.viewer.request_keyframe()


@pytest.mark.parametrize(("video", "audio", "data"), [(True, None, False), (False, "recvonly", True)])
async def test_a_part_of_it_may_be_enough(pairs: Pairs, video: bool, audio: str | None, data: bool) -> None:
    pair = pairs(video=video, audio=audio, data=data)
    offer = await pair.viewer.offer()
    assert [line.split()[0] for line in offer.splitlines() if line.startswith("m=")] == [
        *(["m=video"] if video else []),
        *(["m=audio"] if audio else []),
        *(["m=application"] if data else []),
    ]
    await pair.viewer.accept(await pair.peer.answer(offer))
    await eventually(lambda: len(pair.frames) > 3)
    assert {frame.kind for frame in pair.frames} == {"video" if video else "audio"}


async def test_the_offer_fits_into_a_signaling_message_and_says_that_candidates_trickle(pair: Pair) -> None:
    offer = await pair.viewer.offer()
    bare = re.sub(r"a=candidate.*\r\n", "", offer)
    assert len(bare) < 5000, "with candidates and base64 it must stay under 10 KB (KVS.md §5.2)"
    assert "a=ice-options:trickle" in offer
    assert "a=setup:actpass" in offer
    assert offer.count("a=recvonly") == 2
    with pytest.raises(PeerError):
        await pair.viewer.restart()


async def test_candidates_that_come_before_the_answer(pair: Pair) -> None:
    offer = await pair.viewer.offer()
    answer = await pair.peer.answer(offer)
    for line in answer.splitlines():
        if line.startswith("a=candidate:"):
            await pair.viewer.add_remote_candidate({"candidate": line[2:], "sdpMid": "0"})
    await pair.viewer.add_remote_candidate({"candidate": 7})
    await pair.viewer.accept("\r\n".join(line for line in answer.splitlines() if "candidate" not in line) + "\r\n")
    await eventually(lambda: len(pair.pictures) > 3)


async def test_a_relay_that_does_not_take_the_credentials_is_told(pair: Pair, pairs: Pairs) -> None:
    assert not pair.viewer.turn_refused
    async with turn_server() as server:
        urls = (f"turn:127.0.0.1:{server.port}?transport=udp",)
        refused = pairs(ice=IceConfig(interfaces=LOOPBACK, servers=(Server(urls, "user", "wrong"),)))
        await refused.viewer.offer()
        await eventually(lambda: refused.viewer.turn_refused)
        await refused.viewer.aclose()
        assert refused.viewer.turn_refused, "also when all is over"
        await refused.aclose()


async def test_a_frame_that_is_not_taken_ends_nothing(pair: Pair, caplog: pytest.LogCaptureFixture) -> None:
    await pair.watch()
    took = pair.viewer.on_frame

    def fail(frame: EncodedFrame) -> None:
        raise ValueError("full")

    pair.viewer.on_frame = fail
    await eventually(lambda: "a frame was not taken" in caplog.text)
    pair.viewer.on_frame = took
    before = len(pair.pictures)
    await eventually(lambda: len(pair.pictures) > before + 3)


async def test_nonsense_from_the_master_ends_nothing(pair: Pair) -> None:
    await pair.watch()
    chance, srtp = random.Random(7), pair.peer._transport.srtp
    assert srtp is not None
    for number in range(400):
        body = chance.randbytes(chance.randrange(12, 60))
        kind = chance.choice([96, 97, 104, 106, 111])
        datagram = bytes((chance.choice([0x80, 0x90, 0xB0, 0x8F]), kind)) + body
        with suppress(SrtpError):
            pair.peer._ice.send([srtp.protect(datagram)])
        with suppress(SrtpError):
            pair.peer._ice.send([srtp.protect_rtcp(b"\x80\xc8\x00\x01" + body[: len(body) // 4 * 4])])
        pair.peer._ice.send([bytes((chance.choice([0, 1, 22, 64, 130, 255]),)) + body])
        if number % 50 == 0:
            await asyncio.sleep(0.005)
    before = len(pair.pictures)
    await eventually(lambda: len(pair.pictures) > before + 10)
    assert pair.viewer.connection_state is ConnectionState.CONNECTED
    assert pair.viewer.statistics().malformed > 50


async def test_closing_at_any_time_leaves_nothing(pairs: Pairs) -> None:
    warm = pairs()
    await warm.watch()
    await warm.aclose()
    files, tasks = open_files(), len(asyncio.all_tasks())
    with warnings.catch_warnings():
        warnings.simplefilter("error", ResourceWarning)
        for step in range(8):
            pair = pairs()
            if step > 0:
                offer = await pair.viewer.offer()
            if step > 1:
                answer = await pair.peer.answer(offer)
            if step > 2:
                await pair.viewer.accept(answer)
                await asyncio.sleep((step - 3) * 0.01)
            if step == 7:
                await pair.viewer.restart()
            await pair.viewer.aclose()
            await pair.viewer.aclose()
            assert pair.viewer.connection_state is ConnectionState.CLOSED
            with pytest.raises(PeerError):
                await pair.viewer.offer()
            await pair.aclose()
        gc.collect()
    await eventually(lambda: open_files() <= files and len(asyncio.all_tasks()) <= tasks)


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))

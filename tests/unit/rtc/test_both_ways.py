"""Sound and pictures both ways in one connection: a viewer's voice, and a call."""

from __future__ import annotations

import asyncio
import random
import struct
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from functools import partial

import pytest

from sightline.media.mixer import Mixer
from sightline.media.test_picture import TestPicture
from sightline.rtc.both_ways import EXTENSIONS, BothWays
from sightline.rtc.certificates import Certificate
from sightline.rtc.engine import Engine
from sightline.rtc.ice.config import IceConfig
from sightline.rtc.link import PeerLink
from sightline.rtc.peer import ConnectionState, Reason
from sightline.rtc.receiving import Receiving
from sightline.rtc.rtp.fanout import Fanout
from sightline.rtc.rtp.incoming import EncodedFrame
from sightline.rtc.rtp.rtcp import Goodbye, Nack, PictureLoss, ReceiverReport, build
from sightline.rtc.sdp import make_offer, parse_description, write_description
from sightline.rtc.sending import Sending
from sightline.rtc.srtp import SrtpError
from sightline.rtc.viewer_peer import ViewerPeer
from sightline.timers import DEFAULT_TIMERS
from tests.unit.client import fake_signaling

pytestmark = pytest.mark.realtime

eventually = partial(fake_signaling.eventually, within=20)

SILENCE = b"\xf8\xff\xfe"
"""Opus: 20 ms of nothing."""


@pytest.fixture
async def source() -> AsyncIterator[TestPicture]:
    picture = TestPicture(160, 90, 30)
    yield picture
    assert picture.video.subscribers == 0, "a peer left its place in the feed"
    await picture.aclose()


def directions(sdp: str) -> dict[str, str]:
    return {one.kind: one.direction.value for one in parse_description(sdp).sections if not one.is_data}


class CallPeer(PeerLink):
    """What a call needs, and no more."""

    def __init__(self, fanout: Fanout, source: TestPicture, *, offers: bool) -> None:
        super().__init__(
            controlling=offers,
            ice=IceConfig(),
            certificate=Certificate.make(),
            timers=DEFAULT_TIMERS,
            extensions=EXTENSIONS,
            takes_media=True,
        )
        self.frames: list[EncodedFrame] = []
        sending = Sending(fanout, source, send=self._ice.send, on_error=self._break)
        receiving = Receiving(video=True, audio="recvonly", send=self._ice.send, on_frame=self.frames.append)
        self.both = BothWays(sending, receiving)

    @property
    def _media(self) -> BothWays:
        return self.both

    async def offer(self) -> str:
        agent = await self._new_agent(None)
        offer = make_offer(self._ours(agent))
        self._local, self._offered = offer, (offer, agent)
        return write_description(offer)

    def kinds(self, count: int) -> set[str]:
        """Those of which so many frames came."""
        return {kind for kind in ("video", "audio") if sum(frame.kind == kind for frame in self.frames) >= count}

    def _receive_rtp(self, packet: bytes) -> None:
        self.both.receive_rtp(packet, time.monotonic())

    def _receive_rtcp(self, packet: bytes) -> None:
        self.both.receive_rtcp(packet, time.monotonic())

    def _tick(self, now: float) -> None:
        self.both.tick(now, self._ice.rtt)

    def _next_deadline(self) -> float | None:
        return self.both.next_time()


async def test_a_call_has_sound_and_picture_both_ways(source: TestPicture) -> None:
    engine = Engine(source)
    one, two = CallPeer(engine.fanout, source, offers=True), CallPeer(engine.fanout, source, offers=False)
    offer = await one.offer()
    answer = await two.answer(offer)
    assert directions(offer) == directions(answer) == {"video": "sendrecv", "audio": "sendrecv"}
    await one.accept(answer)
    await eventually(lambda: all(peer.kinds(20) == {"video", "audio"} for peer in (one, two)))
    for peer in (one, two):
        assert next(frame for frame in peer.frames if frame.kind == "video").keyframe
        sent, received = peer.both.statistics(time.monotonic())
        assert sent is not None
        assert received is not None
        assert received.strangers == 0

    def reported() -> bool:
        figures = [peer.both.statistics(time.monotonic())[0] for peer in (one, two)]
        return all(figure is not None and figure.fraction_lost is not None for figure in figures)

    await eventually(reported)  # each side reports what it receives, while it sends
    await one.accept(await two.answer(await one.restart()))
    before = len(one.frames), len(two.frames)
    await eventually(lambda: len(one.frames) > before[0] + 20 and len(two.frames) > before[1] + 20)
    await one.aclose()
    await eventually(lambda: two.connection_state is ConnectionState.CLOSED)
    await two.aclose()
    await engine.aclose()


class Talk:
    """A viewer that may talk, and a master that hears."""

    def __init__(self, source: TestPicture, *, hears: bool = True, audio: str = "sendrecv") -> None:
        self.engine = Engine(source)
        self.peer = self.engine.new_peer(hears=hears)
        self.viewer = ViewerPeer(ice=IceConfig(), certificate=Certificate.make(), audio=audio)  # type: ignore[arg-type]
        self.seen: list[EncodedFrame] = []
        self.heard: list[EncodedFrame] = []
        self.viewer.on_frame = self.seen.append
        self.peer.on_frame = self.heard.append

    async def begin(self) -> str:
        answer = await self.peer.answer(await self.viewer.offer())
        await self.viewer.accept(answer)
        await eventually(lambda: len(self.seen) > 3)
        return answer

    async def speak(self) -> None:
        """Until it is heard."""
        before = len(self.heard)
        async with asyncio.timeout(20):
            while len(self.heard) < before + 5:
                self.viewer.send_audio(SILENCE, 960)
                await asyncio.sleep(0.01)

    @property
    def microphone(self) -> int:
        """The source of what the viewer says."""
        return self.viewer._receiving._audio_ssrc

    def send_rtcp(self, *reports: object) -> None:
        srtp = self.viewer._transport.srtp
        assert srtp is not None
        self.viewer._ice.send([srtp.protect_rtcp(build(reports))])  # type: ignore[arg-type]

    async def aclose(self) -> None:
        await self.viewer.aclose()
        await self.peer.aclose()
        await self.engine.aclose()


async def test_a_viewer_is_heard_by_a_master_that_listens(source: TestPicture) -> None:
    talk = Talk(source)
    answer = await talk.begin()
    assert directions(answer) == {"video": "sendonly", "audio": "sendrecv"}
    assert talk.viewer.can_talk
    await talk.speak()
    assert {(frame.kind, frame.codec, frame.data) for frame in talk.heard} == {("audio", "opus", SILENCE)}
    received = talk.peer.statistics().received
    assert received is not None
    assert received.audio is not None
    assert received.strangers == 0
    before = len(talk.seen)
    await eventually(lambda: len(talk.seen) > before + 10)
    await talk.viewer.accept(await talk.peer.answer(await talk.viewer.restart()))
    await talk.speak()
    stamps = [frame.timestamp for frame in talk.heard]
    assert stamps == sorted(set(stamps))
    await talk.aclose()


async def test_a_microphone_that_ends_ends_nothing_else_and_a_viewer_that_leaves_does(source: TestPicture) -> None:
    talk = Talk(source)
    await talk.begin()
    talk.send_rtcp(ReceiverReport(7), Goodbye((talk.microphone,)))  # it was announced, and never switched on
    await talk.speak()
    talk.send_rtcp(ReceiverReport(7), Goodbye((talk.microphone,), "quiet"))
    before = len(talk.seen)
    await eventually(lambda: len(talk.seen) > before + 30)
    assert talk.peer.connection_state is ConnectionState.CONNECTED
    await talk.speak()
    talk.send_rtcp(ReceiverReport(7), Goodbye((7,)))
    await eventually(lambda: talk.peer.connection_state is ConnectionState.CLOSED)
    assert talk.peer.reason is Reason.BYE
    await talk.aclose()


async def test_a_master_that_does_not_listen_says_so_and_a_viewer_need_not_talk(source: TestPicture) -> None:
    talk = Talk(source, hears=False)
    answer = await talk.begin()
    assert directions(answer) == {"video": "sendonly", "audio": "sendonly"}
    assert not talk.viewer.can_talk
    await talk.aclose()
    silent = Talk(source, audio="recvonly")
    assert directions(await silent.begin()) == {"video": "sendonly", "audio": "sendonly"}
    assert silent.peer.statistics().received is None
    await silent.aclose()


async def test_a_camera_without_sound_may_listen(source: TestPicture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(TestPicture, "audio", None)
    talk = Talk(source)
    assert directions(await talk.begin()) == {"video": "sendonly", "audio": "recvonly"}
    await talk.speak()
    await talk.aclose()


async def test_a_hostile_voice_is_noise_and_no_more(source: TestPicture) -> None:
    talk = Talk(source)
    await talk.begin()
    await talk.speak()
    mixer, chance = Mixer(), random.Random(5)
    talk.peer.on_frame = lambda frame: mixer.push("mallory", frame.data, frame.timestamp, frame.received)
    srtp = talk.viewer._transport.srtp
    assert srtp is not None
    kind = next(iter(next(one for one in talk.viewer._agreement.media if one.kind == "audio").receivable))  # type: ignore[union-attr]
    for number in range(600):
        ssrc = chance.choice((talk.microphone, talk.microphone, chance.randrange(20)))
        head = struct.pack("!BBHII", 0x80 | chance.randrange(64), chance.choice((kind, kind, 0, 127)), 0, 0, ssrc)
        packet = head[:2] + chance.randbytes(6) + head[8:] + chance.randbytes(chance.choice((0, 1, 2, 60, 1100)))
        with suppress(SrtpError):
            talk.viewer._ice.send([srtp.protect(packet)])
        with suppress(SrtpError):
            rtcp = build([ReceiverReport(7), Nack(7, talk.microphone, (1, 9, 400)), PictureLoss(7, talk.microphone)])
            cut = chance.randrange(4, len(rtcp))
            talk.viewer._ice.send([srtp.protect_rtcp(rtcp[:cut] + chance.randbytes(4))])
        mixer.mix(time.monotonic())
        if number % 30 == 0:
            await asyncio.sleep(0.01)
    before = len(talk.seen)
    await eventually(lambda: len(talk.seen) > before + 10)
    assert talk.peer.connection_state is ConnectionState.CONNECTED, talk.peer.reason
    await talk.aclose()

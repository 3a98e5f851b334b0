"""Our viewer's connection against our master's: whole frames, restarts of both, goodbyes, and nothing left."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from sightline.media.test_picture import TestPicture
from sightline.rtc.certificates import Certificate
from sightline.rtc.engine import Engine
from sightline.rtc.engine_peer import EnginePeer
from sightline.rtc.ice.config import IceConfig
from sightline.rtc.peer import ConnectionState, IceConnectionState, Reason
from sightline.rtc.viewer_peer import EncodedFrame, ViewerPeer
from sightline.timers import Timers
from tests.unit.client.fake_signaling import eventually


class Pair:
    """A viewer and its master's peer, with signaling in between that takes no time."""

    def __init__(self, source: TestPicture, **options: object) -> None:
        self.engine = Engine(source, timers=Timers())
        self.peer: EnginePeer = self.engine.new_peer()
        self.viewer = ViewerPeer(ice=IceConfig(), certificate=Certificate.make(), **options)  # type: ignore[arg-type]
        self.frames: list[EncodedFrame] = []
        self.viewer.on_frame = self.frames.append
        self.states: list[ConnectionState] = []
        self.viewer.on_change = self._note

    def _note(self) -> None:
        if not self.states or self.states[-1] is not self.viewer.connection_state:
            self.states.append(self.viewer.connection_state)

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
    picture = TestPicture(320, 180, 30)
    yield picture
    assert picture.video.subscribers == 0, "a peer left its place in the feed"
    await picture.aclose()


@pytest.fixture
async def pair(source: TestPicture) -> AsyncIterator[Pair]:
    pair = Pair(source)
    yield pair
    await pair.aclose()


async def test_the_first_frame_is_a_keyframe_and_none_is_missing(pair: Pair) -> None:
    await pair.watch()
    await eventually(lambda: len(pair.pictures) > 20 and any(frame.kind == "audio" for frame in pair.frames))
    pictures = pair.pictures
    assert pictures[0].keyframe
    assert pictures[0].data.startswith(b"\x00\x00\x00\x01\x67"), "the parameter sets come first"
    assert {(frame.kind, frame.codec) for frame in pair.frames} == {("video", "H264"), ("audio", "opus")}
    stamps = [frame.timestamp for frame in pictures]
    assert stamps == sorted(stamps)
    received = pair.viewer.statistics().received
    assert received is not None
    assert received.video is not None
    assert (received.video.lost, received.video.dropped, received.video.given_up) == (0, 0, 0)
    assert pair.states == [ConnectionState.CONNECTING, ConnectionState.CONNECTED]


async def test_a_restart_of_the_viewers(pair: Pair) -> None:
    await pair.watch()
    await pair.viewer.accept(await pair.peer.answer(await pair.viewer.restart()))
    before = len(pair.pictures)
    await eventually(lambda: pair.viewer.ice_connection_state is IceConnectionState.COMPLETED)
    await eventually(lambda: len(pair.pictures) > before + 10)
    assert pair.viewer.statistics().received.video.lost == 0  # type: ignore[union-attr]


async def test_a_restart_of_the_masters(pair: Pair) -> None:
    await pair.watch()
    await pair.peer.accept(await pair.viewer.answer(await pair.peer.restart()))
    before = len(pair.pictures)
    await eventually(lambda: pair.viewer.ice_connection_state is IceConnectionState.COMPLETED)
    await eventually(lambda: len(pair.pictures) > before + 10)
    assert pair.viewer.statistics().received.video.lost == 0  # type: ignore[union-attr]


async def test_a_viewer_that_leaves_is_gone_at_once_and_so_is_a_master(pair: Pair, source: TestPicture) -> None:
    await pair.watch()
    await pair.viewer.aclose()
    await eventually(lambda: pair.peer.connection_state is ConnectionState.CLOSED, within=1)
    assert pair.peer.reason in (Reason.BYE, Reason.CLOSE_NOTIFY)
    other = Pair(source)
    await other.watch()
    await other.peer.aclose()
    await eventually(lambda: other.viewer.connection_state is ConnectionState.CLOSED, within=1)
    await other.aclose()

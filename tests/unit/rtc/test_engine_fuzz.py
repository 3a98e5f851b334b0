"""Whatever one viewer sends, damaged or made up, ends at most its own connection; and nothing of any is left."""

from __future__ import annotations

import asyncio
import gc
import random
import warnings
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from pathlib import Path

import pytest

from sightline.media.test_picture import TestPicture
from sightline.rtc.engine import Engine
from sightline.rtc.engine_peer import EnginePeer
from sightline.rtc.peer import ConnectionState, Reason
from sightline.rtc.rtp.rtcp import BandwidthEstimate, FullIntraRequest, Nack, PictureLoss, ReceiverReport, build
from sightline.rtc.srtp import SrtpError
from tests.unit.client.fake_signaling import eventually
from tests.unit.rtc.engine_viewer import EngineViewer
from tests.unit.rtc.viewer import AiortcViewer

pytestmark = pytest.mark.realtime


@pytest.fixture
async def engine() -> AsyncIterator[Engine]:
    source = TestPicture(160, 90, 30)
    engine = Engine(source)
    yield engine
    await engine.aclose()
    assert source.video.subscribers == 0
    await source.aclose()


async def join(engine: Engine) -> tuple[EngineViewer, EnginePeer]:
    viewer, peer = EngineViewer(), engine.new_peer()
    await viewer.accept(await peer.answer(await viewer.offer()))
    await eventually(lambda: viewer.packets > 2)
    return viewer, peer


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def damaged(packet: bytes, chance: random.Random) -> bytes:
    changed = bytearray(packet)
    for _ in range(chance.randint(1, 4)):
        match chance.randrange(4):
            case 0 if changed:
                changed[chance.randrange(len(changed))] = chance.randrange(256)
            case 1:
                del changed[chance.randrange(len(changed) + 1) :]
            case 2:
                changed += chance.randbytes(chance.randrange(40))
            case _ if len(changed) > 4:
                changed[chance.randrange(4)] ^= 1 << chance.randrange(8)
    return bytes(changed)


def rtcp(viewer: EngineViewer, chance: random.Random) -> None:
    (ssrc, *_) = viewer.sequences
    packet = build(
        [
            ReceiverReport(7),
            Nack(7, ssrc, tuple(chance.randrange(1 << 16) for _ in range(20))),
            PictureLoss(7, ssrc),
            FullIntraRequest(7, ((ssrc, 1),)),
            BandwidthEstimate(7, chance.randrange(1 << 40), (ssrc,)),
        ]
    )
    with suppress(SrtpError):  # not even its own libsrtp takes it
        viewer.send_rtcp_bytes(damaged(packet, chance))


def raw(viewer: EngineViewer, chance: random.Random) -> None:
    first = chance.choice([0, 1, 20, 22, 23, 63, 64, 79, 128, 129, 191, 192, 255])
    viewer.ice.send([bytes((first,)) + chance.randbytes(chance.randrange(200))])


def stun(viewer: EngineViewer, chance: random.Random) -> None:
    header = b"\x00\x01\x00\x08\x21\x12\xa4\x42" + chance.randbytes(12)
    viewer.ice.send([damaged(header + b"\x00\x06\x00\x04abcd" + chance.randbytes(24), chance)])


def sctp(viewer: EngineViewer, chance: random.Random) -> None:
    assert viewer.dtls is not None
    chunk = bytes((chance.choice([0, 1, 2, 3, 4, 6, 7, 10, 14, 130, 192]), 0, 0, chance.randrange(60)))
    packet = damaged(b"\x13\x88\x13\x88" + bytes(8) + chunk + chance.randbytes(40), chance)
    viewer.dtls.send_data(packet or b"\x00")
    viewer.ice.send(viewer.dtls.take_outgoing())


def dtls(viewer: EngineViewer, chance: random.Random) -> None:
    kind = chance.choice([20, 21, 22, 23])
    viewer.ice.send([bytes((kind,)) + b"\xfe\xfd\x00\x01" + chance.randbytes(6) + b"\x00\x10" + chance.randbytes(16)])


@pytest.mark.parametrize("attack", [rtcp, raw, stun, sctp, dtls])
async def test_a_bad_viewer_ends_at_most_itself(
    engine: Engine, attack: Callable[[EngineViewer, random.Random], None], caplog: pytest.LogCaptureFixture
) -> None:
    good, good_peer = await join(engine)
    bad, bad_peer = await join(engine)
    chance = random.Random(3)
    for number in range(300):
        if bad_peer.connection_state is not ConnectionState.CONNECTED:
            break
        attack(bad, chance)
        if number % 20 == 0:
            await asyncio.sleep(0.01)
    before = good.packets
    await eventually(lambda: good.packets > before + 10)
    assert good.missing == 0
    assert good_peer.connection_state is ConnectionState.CONNECTED
    assert bad_peer.reason is not Reason.BROKEN, caplog.text
    for thing in (good, bad, good_peer, bad_peer):
        await thing.aclose()


async def test_coming_and_going_leaves_nothing(engine: Engine) -> None:
    viewer, peer = await join(engine)
    await viewer.aclose()
    await peer.aclose()
    before, tasks = open_files(), len(asyncio.all_tasks())
    with warnings.catch_warnings():
        warnings.simplefilter("error", ResourceWarning)
        for number in range(8):
            viewer, peer = await join(engine)
            if number % 2:
                await peer.aclose()
            await viewer.aclose()
            await peer.aclose()
        chatty = AiortcViewer("video", data_channel=True)
        peer = engine.new_peer()
        await chatty.accept(await peer.answer(await chatty.offer()))
        await eventually(lambda: peer.connection_state is ConnectionState.CONNECTED)
        await peer.aclose()
        await chatty.aclose()
        gc.collect()
    assert open_files() <= before
    assert len(asyncio.all_tasks()) <= tasks

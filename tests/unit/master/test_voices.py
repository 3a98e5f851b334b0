"""Viewers' voices at the master: who may talk, who hears it, and nothing left behind."""

from __future__ import annotations

import asyncio
import threading
from functools import partial
from pathlib import Path

import msgspec
import numpy as np
import pytest

from sightline.errors import ConfigError, SpeakerError
from sightline.master.voices import Voices
from sightline.media.mixer import VoiceFrame
from tests.harness.sounds import raw_sound, strength
from tests.unit.client import fake_signaling
from tests.unit.media.talking import talk

pytestmark = pytest.mark.realtime

eventually = partial(fake_signaling.eventually, within=20)


class Sound(msgspec.Struct):
    data: bytes
    timestamp: int
    received: float
    kind: str = "audio"
    codec: str = "opus"
    keyframe: bool = False
    capture: float | None = None


async def say(voices: Voices, pitches: dict[str, float], *, seconds: float = 40.0) -> None:
    def put(client_id: str, packet: bytes, timestamp: int, received: float) -> None:
        voices.hear(client_id, Sound(packet, timestamp, received))  # type: ignore[arg-type]

    await talk(put, pitches, seconds=seconds)


def test_who_may_talk() -> None:
    nobody = Voices()
    assert not nobody.may_talk("operator")
    stream = nobody.stream()
    assert nobody.may_talk(None)
    stream.close()
    operators = Voices("ffmpeg:s16le:/dev/null", roles=["operator"])
    assert operators.may_talk("operator")
    assert not operators.may_talk("viewer")
    assert not operators.may_talk(None)
    with pytest.raises(ConfigError):
        Voices("")


async def test_readers_get_the_mixture_and_each_talker() -> None:
    voices = Voices()
    one, two = voices.stream(), voices.stream()
    talking = asyncio.create_task(say(voices, {"ann": 500, "bob": 1200}))
    frames: list[VoiceFrame] = []
    async with asyncio.timeout(40):
        async for frame in one:
            if frame.voices.keys() == {"ann", "bob"}:
                frames.append(frame)
            if len(frames) == 25:
                break
    mixed, ann = (np.concatenate([choose(frame) for frame in frames]) for choose in (_mixed, _ann))
    assert mixed.shape == (24_000, 2)
    assert mixed.dtype == np.int16
    mono = mixed[:, 0] / 32768
    assert strength(mono, 500) > 0.05
    assert strength(mono, 1200) > 0.05
    assert strength(ann[:, 0] / 32768, 1200) < 0.02
    async with two:
        assert (await anext(two)).voices
    assert all([frame.voices async for frame in two]), "what had come already, and then its end"
    talking.cancel()
    await voices.aclose()
    assert [frame async for frame in voices.stream()] == []
    voices.hear("ann", Sound(b"\x78", 0, 0.0))  # type: ignore[arg-type]
    await voices.aclose()


def _mixed(frame: VoiceFrame) -> np.ndarray:
    return frame.mixed


def _ann(frame: VoiceFrame) -> np.ndarray:
    return frame.voices["ann"]


async def test_a_reader_that_is_slow_misses_some_and_is_not_late() -> None:
    voices = Voices()
    stream = voices.stream()
    talking = asyncio.create_task(say(voices, {"ann": 500}))
    await eventually(lambda: stream.missed > 10)
    talking.cancel()
    assert (await anext(stream)).voices
    await voices.aclose()


async def test_the_speaker_plays_and_a_viewer_who_leaves_is_silent(tmp_path: Path) -> None:
    path = tmp_path / "voices.wav"
    voices = Voices(str(path))
    await voices.open()
    talking = asyncio.create_task(say(voices, {"ann": 500, "bob": 1200}))
    await eventually(lambda: min(strength(raw_sound(path, 0.5), hertz) for hertz in (500, 1200)) > 0.05)
    talking.cancel()
    voices.leave("ann")
    voices.leave("nobody")
    await voices.aclose()
    await eventually(
        lambda: not {"sightline-voices", "sightline-speaker"} & {one.name for one in threading.enumerate()}
    )


async def test_a_speaker_that_cannot_be_opened() -> None:
    voices = Voices("ffmpeg:alsa:hw:31,0")
    with pytest.raises(SpeakerError, match="There is no speaker"):
        await voices.open()
    await voices.aclose()

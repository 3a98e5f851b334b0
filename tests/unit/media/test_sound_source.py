"""Sound without a picture: files, microphones, and what is neither."""

from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np
import pytest

from sightline.errors import MediaError, SourceNotFound, UnsupportedMedia
from sightline.media.sound_source import SoundSource, open_sound
from sightline.media.speaker import speaker_named
from sightline.media.units import EncodedUnit
from sightline.media.voice_decoder import VoiceDecoder
from sightline.viewer.talk import open_voice
from tests.unit.media.test_mixer import strength, tone

pytestmark = pytest.mark.realtime


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Half a second of a tone."""
    path = tmp_path / "word.wav"
    speaker = speaker_named(str(path))()
    speaker.open()
    samples = (tone(700, 0.5) * 32767).astype(np.int16)
    for start in range(0, len(samples), 960):
        speaker.play(samples[start : start + 960])
    speaker.close()
    return path


async def said(source: SoundSource, *, least: int) -> list[EncodedUnit]:
    """All units until the feed ends, or so many."""
    subscription = source.audio.subscribe()
    units: list[EncodedUnit] = []
    async with asyncio.timeout(30):
        while len(units) < least and (unit := await subscription.next()) is not None:
            units.append(unit)
    subscription.close()
    return units


async def test_a_sound_file_is_said_once(file: Path) -> None:
    source = open_voice(str(file))
    assert isinstance(source, SoundSource)
    assert source.video is None
    assert source.video_feeds == {}
    source.request_keyframe()
    units = await said(source, least=1000)
    assert 23 <= len(units) <= 26
    decoder = VoiceDecoder()
    sound = np.concatenate([decoder.decode(unit.data) for unit in units])
    assert strength(sound[4800:19_200], 700) > 0.2
    await source.aclose()
    await source.aclose()


async def test_a_microphone(monkeypatch: pytest.MonkeyPatch) -> None:
    """FFmpeg's own generator stands in for one."""
    source = open_sound("ffmpeg:lavfi:sine=frequency=900:sample_rate=44100")
    units = await said(source, least=30)
    decoder = VoiceDecoder()
    sound = np.concatenate([decoder.decode(unit.data) for unit in units])
    assert strength(sound[4800:24_000], 900) > 0.05
    await source.aclose()


def test_what_has_no_sound_is_told(tmp_path: Path) -> None:
    with pytest.raises(SourceNotFound):
        open_voice(str(tmp_path / "nothing.wav"))
    text = tmp_path / "text.wav"
    text.write_text("hello")
    with pytest.raises(MediaError):
        open_voice(str(text))
    with pytest.raises(UnsupportedMedia, match="nothing to say"):
        open_sound("ffmpeg:lavfi:testsrc=size=160x90")

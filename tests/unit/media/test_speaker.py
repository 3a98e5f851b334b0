"""Where voices are played: files, devices and what may be wrong with them; threads that hang or lose theirs."""

from __future__ import annotations

import asyncio
import threading
import time
from functools import partial
from pathlib import Path

import av
import numpy as np
import pytest

from sightline.errors import ConfigError, MediaError, SpeakerBusy, SpeakerError, UnsupportedMedia
from sightline.media.mixer import Mixer, Pcm, VoiceFrame, silence
from sightline.media.speaker import FFmpegSpeaker, speaker_named
from sightline.media.speaker_thread import SpeakerThread
from sightline.media.voice_thread import VoiceThread
from tests.unit.client import fake_signaling
from tests.unit.media.talking import talk
from tests.unit.media.test_mixer import opus, strength, tone

pytestmark = pytest.mark.realtime

eventually = partial(fake_signaling.eventually, within=20)


def pcm(hertz: float, seconds: float) -> list[Pcm]:
    samples = (tone(hertz, seconds) * 32767).astype(np.int16)
    return [samples[start : start + 960] for start in range(0, len(samples), 960)]


def sound_of(path: Path) -> Pcm:
    """``(samples, 2)``."""
    with av.open(str(path)) as container:
        resampler = av.AudioResampler(format="s16", layout="stereo", rate=48_000)
        parts = [
            part.to_ndarray().reshape(-1, 2)
            for frame in container.decode(audio=0)
            for part in resampler.resample(frame)
        ]
    return np.concatenate(parts)


@pytest.mark.parametrize("name", ["voices.wav", "voices.flac", "voices.ogg"])
def test_a_file_holds_what_was_played_and_none_is_overwritten(tmp_path: Path, name: str) -> None:
    for hertz in (440, 880):
        speaker = speaker_named(str(tmp_path / name))()
        speaker.open()
        for samples in pcm(hertz, 1):
            speaker.play(samples)
        speaker.close()
        speaker.close()
    second = (tmp_path / name).with_stem("voices-2")
    assert strength(sound_of(tmp_path / name)[4800:43_200], 440) > 0.2
    assert strength(sound_of(second)[4800:43_200], 880) > 0.2
    with pytest.raises(SpeakerError, match="not open"):
        speaker.play(silence())


def test_other_outputs_of_ffmpegs(tmp_path: Path) -> None:
    target = tmp_path / "raw"
    speaker = speaker_named(f"ffmpeg:s16le:{target}")()
    speaker.open()
    samples = pcm(440, 0.1)
    for part in samples:
        speaker.play(part)
    speaker.close()
    assert target.read_bytes() == np.concatenate(samples).tobytes()
    telephone = speaker_named("ffmpeg:rtp:rtp://127.0.0.1:9")()  # an IP loudspeaker
    telephone.open()
    telephone.play(samples[0])
    telephone.close()


@pytest.mark.parametrize(
    ("text", "error", "words"),
    [
        ("", ConfigError, "empty"),
        ("ffmpeg:alsa", ConfigError, "ffmpeg:FORMAT:TARGET"),
        ("ffmpeg:nonsense:x", UnsupportedMedia, "cannot play to nonsense"),
        ("rtp://user:secret@host:5004", ConfigError, "ffmpeg:FORMAT:rtp://host:5004"),
        ("voices", UnsupportedMedia, ".wav"),
        ("voices.xyz", UnsupportedMedia, ".wav"),
        ("/no/such/folder/voices.wav", SpeakerError, "no folder /no/such/folder"),
    ],
)
def test_what_is_no_speaker_is_told_at_once(text: str, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words.replace("?", r"\?")):
        speaker_named(text)


def test_a_device_that_is_not_there() -> None:
    for _ in range(2):  # FFmpeg's log leaves out what it has said before
        speaker = speaker_named("ffmpeg:alsa:hw:31,0")()
        with pytest.raises(SpeakerError, match=r"There is no speaker alsa hw:31,0\..*aplay"):
            speaker.open()


@pytest.mark.parametrize(
    ("number", "said", "error", "words"),
    [
        (5, "cannot open audio device default (Device or resource busy)", SpeakerBusy, "another program"),
        (16, "", SpeakerBusy, "another program"),
        (13, "", SpeakerError, "group audio"),
        (22, "", UnsupportedMedia, "plughw"),
        (28, "", SpeakerError, "No space"),
    ],
)
def test_what_ffmpeg_says_in_words_for_people(number: int, said: str, error: type[Exception], words: str) -> None:
    speaker = FFmpegSpeaker("default", "alsa")
    with pytest.raises(error, match=words):
        speaker._explain(OSError(number, "No space left"), said)


# -- its thread


class Card:
    """A sound card that does what the test wants."""

    played: list[Pcm]
    opened = closed = 0
    fails: Exception | None = None
    hangs: threading.Event | None = None

    def __init__(self) -> None:
        self.played = []

    def make(self) -> Card:
        return self

    def open(self) -> None:
        self.opened += 1
        self._act()

    def play(self, samples: Pcm) -> None:
        self._act()
        self.played.append(samples)

    def close(self) -> None:
        self.closed += 1

    def _act(self) -> None:
        if self.hangs is not None:
            self.hangs.wait(60)
        if self.fails is not None:
            raise self.fails


@pytest.fixture
def card() -> Card:
    return Card()


QUICK = (0.02, 0.1)


async def test_frames_are_played_after_a_cushion_of_silence(card: Card) -> None:
    thread = SpeakerThread(card.make)
    await thread.open()
    first, second = pcm(440, 0.04)
    thread.put(first)
    await eventually(lambda: len(card.played) == 3)
    thread.put(second)
    await eventually(lambda: card.played[-1] is second)
    assert not card.played[0].any()
    assert not card.played[1].any()
    assert card.played[2] is first
    await thread.aclose()
    await thread.aclose()
    assert (card.opened, card.closed) == (1, 1)
    thread.put(first)


async def test_a_card_that_is_lost_is_opened_again(card: Card) -> None:
    thread = SpeakerThread(card.make, backoff=QUICK)
    await thread.open()
    card.fails = SpeakerError("unplugged")
    thread.put(silence())
    await eventually(lambda: card.opened > 3)
    assert card.closed >= 3
    card.fails = None
    opened = card.opened

    def heard() -> bool:
        thread.put(silence())
        return len(card.played) > 3

    await eventually(heard)
    assert card.opened <= opened + 2
    await thread.aclose()


async def test_a_card_that_cannot_be_opened_at_first_is_an_error(card: Card) -> None:
    card.fails = SpeakerBusy("in use")
    thread = SpeakerThread(card.make)
    with pytest.raises(SpeakerBusy, match="in use"):
        await thread.open()
    assert card.opened == 1


async def test_a_card_that_hangs_holds_up_nobody_and_is_replaced() -> None:
    release = threading.Event()
    cards: list[Card] = []

    def make() -> Card:
        cards.append(Card())
        if 1 <= len(cards) - 1 <= 2:
            cards[-1].hangs = release
        return cards[-1]

    thread = SpeakerThread(make, hung=0.05, backoff=QUICK)
    await thread.open()
    cards[0].hangs = release
    longest = 0.0

    def heard() -> bool:
        nonlocal longest
        begun = time.thread_time()
        thread.put(silence())
        longest = max(longest, time.thread_time() - begun)
        return any(len(card.played) > 3 for card in cards[3:])  # one that a busy machine held up is replaced, too

    await eventually(heard)
    assert longest < 0.05
    assert thread.left_out > 0
    release.set()
    await eventually(lambda: all(card.closed for card in cards[:3]))
    await thread.aclose()


async def test_no_more_threads_than_a_few_hang_and_none_holds_up_the_end() -> None:
    release = threading.Event()
    cards: list[Card] = []

    def make() -> Card:
        cards.append(Card())
        if len(cards) > 1:
            cards[-1].hangs = release
        return cards[-1]

    thread = SpeakerThread(make, hung=0.02, backoff=(0.01, 0.01))
    await thread.open()
    cards[0].hangs = release

    def hung() -> int:
        thread.put(silence())
        return len(cards)

    await eventually(lambda: hung() == 4)
    for _ in range(20):
        await asyncio.sleep(0.01)
        assert hung() == 4
    release.set()
    await eventually(lambda: cards[1].closed == 1)
    await thread.aclose()


# -- the thread that mixes


async def test_voices_are_mixed_in_time_and_the_thread_sleeps_afterwards() -> None:
    frames: list[VoiceFrame] = []
    thread = VoiceThread(frames.append, mixer=Mixer(forget=1.0))
    talking = asyncio.create_task(talk(thread.put, {"one": 500, "two": 1200}))

    def heard(*, low: bool, high: bool) -> bool:
        if len(frames) < 25:
            return False
        sound = np.concatenate([frame.mixed for frame in frames[-25:]])
        return (strength(sound, 500) > 0.05) is low and (strength(sound, 1200) > 0.05) is high

    await eventually(lambda: heard(low=True, high=True))
    talking.cancel()
    talking = asyncio.create_task(talk(thread.put, {"one": 500}))
    thread.leave("two")
    await eventually(lambda: heard(low=True, high=False))
    talking.cancel()
    # Silence is handed on for a moment, not for ever.
    await eventually(lambda: thread._mixer.is_idle)
    count = len(frames)
    assert not frames[-1].mixed.any()
    await asyncio.sleep(0.1)
    assert len(frames) == count
    await thread.aclose()
    thread.put("one", b"\x78", 0, time.monotonic())
    await thread.aclose()


async def test_what_a_listener_raises_costs_one_frame() -> None:
    count = 0

    def told(frame: VoiceFrame) -> None:
        nonlocal count
        count += 1
        raise ValueError("no")

    thread = VoiceThread(told)
    for number, packet in enumerate(opus(tone(500, 0.2))):
        thread.put("one", packet, number * 960, time.monotonic())
    await eventually(lambda: count > 5)
    await thread.aclose()


def test_errors_are_of_the_family() -> None:
    assert issubclass(SpeakerBusy, SpeakerError)
    assert issubclass(SpeakerError, MediaError)

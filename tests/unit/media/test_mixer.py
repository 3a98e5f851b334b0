"""Talkers on their way to the loudspeaker: jitter, loss, other clocks, several at once. All by a fake clock."""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import accumulate, pairwise

import av
import numpy as np
import pytest

from sightline.media.mixer import Limiter, Mixer, VoiceFrame
from sightline.media.opus_packets import lost_packet, opus_samples, silent_packet
from sightline.media.voice_buffer import FRAME, VoiceBuffer
from sightline.media.voice_decoder import Samples, VoiceDecoder

PACKET = b"\x78"
"""Opus, CELT, 20 ms."""


def tone(hertz: float, seconds: float, *, level: float = 0.25, rate: float = 48_000) -> Samples:
    wave = level * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)
    return np.repeat(wave[:, None], 2, axis=1).astype(np.float32)


def opus(samples: Samples) -> list[bytes]:
    codec = av.CodecContext.create("libopus", "w")
    assert isinstance(codec, av.AudioCodecContext)
    codec.format, codec.layout, codec.sample_rate, codec.bit_rate = "s16", "stereo", 48_000, 64_000  # type: ignore[assignment]
    made = []
    for start in range(0, len(samples) - FRAME + 1, FRAME):
        part = (samples[start : start + FRAME] * 32767).astype(np.int16).reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(part, format="s16", layout="stereo")
        frame.sample_rate = 48_000
        made += [bytes(packet) for packet in codec.encode(frame)]
    return made


def strength(sound: np.ndarray, hertz: float) -> float:
    """Of a tone in the first channel: its amplitude, by FFT, from 0 to 1 for int16."""
    wave = sound[:, 0].astype(np.float64) / (32768 if sound.dtype == np.int16 else 1)
    spectrum = np.abs(np.fft.rfft(wave * np.hanning(len(wave)))) / (len(wave) / 4)
    at = round(hertz * len(wave) / 48_000)
    return float(spectrum[max(0, at - 3) : at + 4].max())


class Counting:
    """A decoder whose samples say which they are: the n-th sample since the beginning is n / 10^6."""

    def __init__(self) -> None:
        self.at = 0
        self.concealed: list[int] = []

    def decode(self, packet: bytes) -> Samples:
        return self._next(opus_samples(packet))

    def conceal(self, samples: int) -> Samples:
        self.concealed.append(samples)
        return np.full((samples, 2), -1, np.float32)

    def _next(self, samples: int) -> Samples:
        self.at += samples
        return np.repeat(np.arange(self.at - samples, self.at)[:, None] / 1e6, 2, axis=1).astype(np.float32)


class Talk:
    """A talker's packets over time, and what is heard of them."""

    def __init__(self, buffer: VoiceBuffer) -> None:
        self.buffer = buffer
        self.now = 100.0
        self.delays: list[float] = []
        """Seconds that lie in the buffer, after each frame."""

    def run(self, arrivals: Iterator[tuple[float, int]] | list[tuple[float, int]], *, until: float) -> list[Samples]:
        """``arrivals``: when each packet comes, in seconds from now, and its timestamp."""
        waiting = sorted(arrivals)
        taken = []
        begun = self.now
        while self.now < begun + until:
            while waiting and waiting[0][0] <= self.now - begun:
                at, timestamp = waiting.pop(0)
                self.buffer.push(PACKET, timestamp, begun + at)
            samples = self.buffer.take(self.now)
            if samples is not None:
                assert samples.shape == (FRAME, 2)
                taken.append(samples)
                self.delays.append(self.buffer.waiting / 48_000)
            self.now += 0.02
        return taken


def steady(seconds: float, *, rate: float = 1.0, late: float = 0.0) -> list[tuple[float, int]]:
    return [(number * 0.02 / rate + late, number * FRAME) for number in range(round(seconds * 50 * rate))]


def in_order(arrivals: list[tuple[float, int]]) -> list[tuple[float, int]]:
    """Packets are handed over in their order, whatever each was held up."""
    return list(zip(accumulate((at for at, _ in arrivals), max), (stamp for _, stamp in arrivals), strict=True))


def test_an_even_stream_is_played_as_it_is_and_little_later() -> None:
    decoder = Counting()
    talk = Talk(VoiceBuffer(decoder))
    taken = talk.run(steady(3, late=0.007), until=3)
    assert decoder.concealed == []
    # From the third frame on the samples follow each other without a gap (the first ones are faded in).
    said = np.concatenate(taken)[FRAME:, 0] * 1e6
    steps = np.diff(said)
    assert steps.min() > 0.9
    assert steps.max() < 1.1
    assert max(talk.delays) <= 0.041
    assert talk.delays[-1] <= 0.03


def test_jitter_is_evened_out_and_what_it_cost_is_won_back() -> None:
    roll = random.Random(7)
    decoder = Counting()
    talk = Talk(VoiceBuffer(decoder))
    rough = [(at + roll.uniform(0, 0.06), stamp) for at, stamp in steady(5)]
    calm = [(at + 5, stamp + 250 * FRAME) for at, stamp in steady(15)]
    talk.run(in_order(rough + calm), until=20)
    late = talk.buffer.stats.late
    assert late <= 8 * FRAME, "it learns within the first second"
    assert talk.buffer.stats.lost == 0
    assert max(talk.delays) < 0.15
    assert talk.delays[-1] < 0.05


def test_a_lost_packet_is_concealed_and_costs_no_delay() -> None:
    decoder = Counting()
    talk = Talk(VoiceBuffer(decoder))
    arrivals = [(at, stamp) for at, stamp in steady(4) if stamp not in (50 * FRAME, 51 * FRAME, 120 * FRAME)]
    talk.run(arrivals, until=4)
    assert sum(decoder.concealed) == 3 * FRAME
    assert talk.buffer.stats.lost + talk.buffer.stats.late == 3 * FRAME
    assert max(talk.delays) <= 0.061


def test_what_is_concealed_while_nothing_comes_counts_for_what_was_lost() -> None:
    decoder = Counting()
    talk = Talk(VoiceBuffer(decoder))
    # The receiver holds the next ones for 40 ms, waiting for the lost one.
    arrivals = [(max(at, 1.055) if at > 0.99 else at, stamp) for at, stamp in steady(3) if stamp != 50 * FRAME]
    talk.run(arrivals, until=3)
    assert sum(decoder.concealed) <= 2 * FRAME
    assert max(talk.delays) <= 0.061


@pytest.mark.parametrize("rate", [1.0005, 0.9995, 1.002])
def test_another_clock_is_followed(rate: float) -> None:
    decoder = Counting()
    talk = Talk(VoiceBuffer(decoder))
    talk.run(steady(120, rate=rate), until=119)
    assert sum(decoder.concealed) <= 2 * FRAME
    assert talk.buffer.stats.left_out == 0
    assert 0.001 < talk.delays[-1] < 0.05
    drift = abs(rate - 1) * 119 * 48_000
    assert drift * 0.6 < talk.buffer.stats.stretched < drift * 1.3 + 8 * FRAME


def test_a_stall_of_the_network_is_left_out_and_talk_goes_on_live() -> None:
    decoder = Counting()
    talk = Talk(VoiceBuffer(decoder))
    arrivals = [(3.0 if 1 < at < 3 else at, stamp) for at, stamp in steady(6)]
    talk.run(arrivals, until=6)
    assert talk.buffer.stats.left_out > 1.4 * 48_000
    assert talk.delays[-1] < 0.07


class Silent(Counting):
    def decode(self, packet: bytes) -> Samples:
        return np.zeros((FRAME, 2), np.float32)


@pytest.mark.parametrize(("decoder", "within"), [(Silent(), 0.6), (Counting(), 9.0)])
def test_delay_is_won_back_between_words_at_once_and_within_them_little_by_little(
    decoder: Counting, within: float
) -> None:
    decoder.at = 50_000  # loud, where it counts
    talk = Talk(VoiceBuffer(decoder))
    arrivals = [(2.16 if 2 < at < 2.16 else at, stamp) for at, stamp in steady(20)]
    talk.run(in_order(arrivals), until=20)
    held_up, after = talk.delays[110], talk.delays[round((2.16 + 4 + within) * 50) :]
    assert held_up > 0.08
    assert max(after) < 0.06


def test_silence_ends_softly_and_a_pause_is_no_loss() -> None:
    decoder = Counting()
    talk = Talk(VoiceBuffer(decoder))
    first = steady(1)
    again = [(at + 3, stamp + 150 * FRAME) for at, stamp in steady(1)]
    taken = talk.run(first + again, until=2.9)
    assert sum(decoder.concealed) == 3 * FRAME
    assert abs(taken[-1][-1, 0]) < 0.01
    assert talk.buffer.take(talk.now) is None
    before = sum(decoder.concealed)
    assert len(talk.run([(at - 2.9, stamp) for at, stamp in again], until=1.2)) >= 50
    assert sum(decoder.concealed) - before == 3 * FRAME, "only its end"


def test_a_short_word_is_heard_and_a_muted_microphone_goes_on_in_its_own_time() -> None:
    decoder = Counting()
    talk = Talk(VoiceBuffer(decoder))
    assert talk.run([(0.0, 5)], until=0.3), "one packet alone"
    # A pause that shows in the timestamps alone: nothing is concealed for it but the end of what was said.
    before = sum(decoder.concealed)
    word = [(number * 0.02, 5 + 9_000_000 + number * FRAME) for number in range(10)]
    assert len(talk.run(word, until=0.5)) >= 10
    assert sum(decoder.concealed) - before <= 3 * FRAME


def test_nothing_grows_whatever_comes() -> None:
    roll = random.Random(1)
    buffer = VoiceBuffer(VoiceDecoder())
    now = 0.0
    for number in range(3000):
        for _ in range(roll.choice((0, 0, 1, 1, 5))):
            packet = roll.choice((b"", b"\xff\xff", PACKET, roll.randbytes(roll.randint(1, 60))))
            buffer.push(packet, roll.choice((number * FRAME, roll.randint(-(1 << 40), 1 << 40))), now)
        samples = buffer.take(now)
        assert samples is None or (samples.shape == (FRAME, 2) and np.isfinite(samples).all())
        assert buffer.waiting < 12.1 * 48_000
        now += 0.02


# -- decoding


def test_opus_packets_say_how_long_they_are() -> None:
    packets = opus(tone(440, 0.2))
    assert {opus_samples(packet) for packet in packets} == {FRAME}
    assert opus_samples(b"") == 0
    assert opus_samples(b"\x03") == 0
    assert opus_samples(b"\x03\x30") == 0, "longer than 120 ms"
    assert opus_samples(b"\x1b\x02") == 5760
    assert opus_samples(b"\xe1\x00") == 240


def test_a_lost_packet_sounds_like_what_was_before_it() -> None:
    packets = opus(tone(440, 1.0))
    decoder = VoiceDecoder()
    for packet in packets[:25]:
        decoder.decode(packet)
    hole = decoder.conceal(FRAME)
    assert hole.shape == (FRAME, 2)
    assert strength(hole, 440) > 0.1
    assert decoder.conceal(100).shape == (100, 2)
    assert decoder.decode(packets[26]).shape == (FRAME, 2)
    assert not VoiceDecoder().conceal(FRAME).any()
    assert len(lost_packet(packets[0])) == 1


# -- several at once


def mixed(mixer: Mixer, talkers: dict[str, list[bytes]], *, seconds: float) -> list[VoiceFrame]:
    """All talk at once."""
    frames = []
    for number in range(round(seconds * 50)):
        now = number * 0.02
        for talker, packets in talkers.items():
            if number < len(packets):
                mixer.push(talker, packets[number], number * FRAME, now)
        frame = mixer.mix(now)
        if frame is not None:
            frames.append(frame)
    return frames


def test_two_talkers_are_both_heard_and_each_can_be_told() -> None:
    mixer = Mixer()
    frames = mixed(mixer, {"one": opus(tone(500, 2)), "two": opus(tone(1200, 2))}, seconds=2)
    sound = np.concatenate([frame.mixed for frame in frames[10:-10]])
    assert strength(sound, 500) == pytest.approx(0.25, abs=0.03)
    assert strength(sound, 1200) == pytest.approx(0.25, abs=0.03)
    assert strength(sound, 800) < 0.01
    one = np.concatenate([frame.voices["one"] for frame in frames[10:-10]])
    assert strength(one, 500) > 0.2
    assert strength(one, 1200) < 0.01


def test_who_leaves_is_not_heard_any_more_and_who_is_silent_is_forgotten() -> None:
    mixer = Mixer()
    mixed(mixer, {"one": opus(tone(500, 1)), "two": opus(tone(1200, 1))}, seconds=0.5)
    mixer.leave("one")
    assert mixer.stats("one") is None
    frame = mixer.mix(0.5)
    assert frame is not None
    assert list(frame.voices) == ["two"]
    for number in range(300):
        mixer.mix(0.5 + number * 0.02)
    assert mixer.is_idle
    assert mixer.mix(9.0) is None


def test_no_more_talkers_than_a_core_can_bear() -> None:
    mixer = Mixer(make_decoder=Counting)
    for number in range(100):
        mixer.push(f"viewer-{number}", PACKET, 0, 0.0)
    assert sum(mixer.stats(f"viewer-{number}") is not None for number in range(100)) == 16
    mixer.leave("viewer-3")
    mixer.push("viewer-50", PACKET, 0, 0.0)
    assert mixer.stats("viewer-50") is not None


def test_loud_talkers_are_turned_down_and_not_cut() -> None:
    limiter = Limiter()
    loud = tone(500, 1, level=0.8) + tone(700, 1, level=0.8) + tone(900, 1, level=0.8)
    made = np.concatenate([limiter.apply(loud[start : start + FRAME]) for start in range(0, 48_000, FRAME)])
    assert np.abs(made).max() <= 1.0
    assert np.abs(made[4800:]).max() < 0.97
    for hertz in (500, 700, 900):
        assert strength(made[4800:], hertz) > 0.2
    harmonics = [strength(made[4800:], hertz) for hertz in (1500, 2700, 1300, 300)]
    assert max(harmonics) < 0.03, "no distortion that one hears"
    quiet = tone(500, 1, level=0.1)
    after = [limiter.apply(quiet[start : start + FRAME]) for start in range(0, 48_000, FRAME)]
    assert np.allclose(after[-1], quiet[-FRAME:]), "and up again"
    edges = [abs(float(two[0, 0] - one[-1, 0])) for one, two in pairwise(after)]
    assert max(edges) < 0.02


@pytest.mark.parametrize(
    "packet", [b"\xfc", b"\x08\x01", b"\x78\x01", b"\xe0\x01", b"\x1b\x02", b"\xff\x03abc", b"", b"\x03\x30"]
)
def test_silence_lasts_as_long_as_what_it_stands_for(packet: bytes) -> None:
    silent = silent_packet(packet)
    assert opus_samples(silent) == (opus_samples(packet) or FRAME)
    decoder = av.CodecContext.create("libopus", "r")
    [frame] = decoder.decode(av.Packet(silent))  # type: ignore[attr-defined]
    assert frame.samples == opus_samples(silent)
    assert not frame.to_ndarray().any()

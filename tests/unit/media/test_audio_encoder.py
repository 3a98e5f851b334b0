"""Sound of any kind in Opus, whatever changes in its midst."""

from __future__ import annotations

from itertools import pairwise

import av
import numpy as np
import pytest

from sightline.media.encoders import AudioEncoder
from sightline.media.units import EncodedUnit

CHANNELS = {"mono": 1, "stereo": 2, "5.1": 6}


def sound(layout: str, rate: int, *, format: str = "s16", seconds: float = 0.02) -> av.AudioFrame:
    """440 Hz."""
    count = round(rate * seconds)
    wave = np.sin(np.arange(count) * 2 * np.pi * 440 / rate) * 0.5
    samples = np.repeat(wave[:, None], CHANNELS[layout], axis=1).reshape(1, -1)
    data = samples.astype(np.float32) if format == "flt" else (samples * 32767).astype(np.int16)
    frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(data), format=format, layout=layout)
    frame.sample_rate = rate
    return frame


def loudness(units: list[EncodedUnit]) -> float:
    decoder = av.CodecContext.create("libopus", "r")
    heard = [frame.to_ndarray() for unit in units for frame in decoder.decode(av.Packet(unit.data))]
    return float(np.abs(np.concatenate(heard, axis=1)[:, -9600:]).astype(float).mean())


@pytest.mark.parametrize("second", [("mono", 44100, "s16"), ("5.1", 48000, "flt"), ("stereo", 16000, "s16")])
def test_sound_goes_on_when_the_stream_changes_its_form(second: tuple[str, int, str]) -> None:
    encoder = AudioEncoder()
    layout, rate, format = second
    units: list[EncodedUnit] = []
    for number in range(100):
        frame = sound("stereo", 48000) if number < 50 else sound(layout, rate, format=format)
        units += encoder.encode(frame, seconds=number * 0.02)
    assert len(units) >= 97
    assert [unit.timestamp for unit in units] == [number * 960 for number in range(len(units))]
    assert loudness(units[-20:]) > 0


def test_timestamps_never_run_backwards_where_there_is_more_sound_than_time() -> None:
    encoder = AudioEncoder()
    stamps = []
    for number in range(500):  # a sound card whose clock is 10 % fast
        stamps += [unit.timestamp for unit in encoder.encode(sound("stereo", 48000), seconds=number * 0.018)]
    assert all(later - earlier >= 960 for earlier, later in pairwise(stamps))
    assert stamps[-1] / 48_000 == pytest.approx(500 * 0.018, abs=0.1), "it stays with the picture"

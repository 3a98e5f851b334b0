"""Picture and sound of a file stay in step, however often it begins again."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from sightline.media.bar_code import read_bar_code
from sightline.media.encoders import AudioEncoder
from sightline.media.encoding_source import RawPicture, RawSound
from sightline.media.file_source import FileMedia
from sightline.media.picture import MovingPicture

pytestmark = pytest.mark.realtime

RATE, FLASHES, ROUNDS = 30, 3, 12
"""Pictures per second, how often in a second a click begins with its picture, and how often the file is played."""


def clicking(path: Path, *, codec: str, sample_rate: int, pictures: int, seconds: float) -> Path:
    """``pictures`` of film, with ``seconds`` of sound: a loud third of each third of a second."""
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=RATE, options={"preset": "ultrafast", "g": "10"})
        video.width, video.height, video.pix_fmt = 320, 180, "yuv420p"
        audio = container.add_stream(codec, rate=sample_rate, layout="mono")
        drawing = MovingPicture(320, 180, title="FILE")
        for number in range(pictures):
            frame = drawing.draw(number, seconds=number / RATE, caption="")
            frame.pts, frame.time_base = number, Fraction(1, RATE)
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
        time = np.arange(round(seconds * sample_rate)) / sample_rate
        wave = np.where(time * FLASHES % 1 < 1 / 3, 12_000, 300) * np.sin(2 * np.pi * 700 * time)
        sound = av.AudioFrame.from_ndarray(wave.astype(np.int16)[None, :], format="s16", layout="mono")
        sound.sample_rate, sound.pts, sound.time_base = sample_rate, 0, Fraction(1, sample_rate)
        resampler = av.AudioResampler(format=audio.format, layout="mono", rate=sample_rate, frame_size=1024)
        for part in [*resampler.resample(sound), *resampler.resample(None)]:
            container.mux(audio.encode(part))
        container.mux(audio.encode(None))
    return path


def played(media: FileMedia, *, pictures: int) -> Iterator[tuple[float, av.VideoFrame | av.AudioFrame]]:
    """So many pictures, and the frames of sound beside them, as the threads of a source take them, only faster."""
    play = media.play()
    merged: Iterator[Any] = heapq.merge(play.pictures(), play.sounds(), key=lambda item: item.seconds)
    for item in merged:
        made: RawPicture | RawSound = item
        frame = made.make()
        if isinstance(frame, av.VideoFrame):
            pictures -= 1
            if pictures < 0:
                return
        if frame is not None:
            yield made.seconds, frame


@pytest.mark.parametrize(
    ("name", "codec", "sample_rate", "pictures", "seconds"),
    [
        ("padded-sound.mp4", "aac", 16_000, 30, 1.0),
        ("long-sound.mkv", "flac", 44_100, 29, 1.05),
    ],
)
def test_sound_is_within_80_ms_of_its_picture_after_many_rounds(
    tmp_path: Path, name: str, codec: str, sample_rate: int, pictures: int, seconds: float
) -> None:
    path = clicking(tmp_path / name, codec=codec, sample_rate=sample_rate, pictures=pictures, seconds=seconds)
    encoder, decoder = AudioEncoder(), av.CodecContext.create("libopus", "r")
    flashes, levels, shown = [], [], 0
    for at, frame in played(FileMedia(path, loop=True), pictures=ROUNDS * pictures):
        if isinstance(frame, av.AudioFrame):
            for unit in encoder.encode(frame, seconds=at):
                for heard in decoder.decode(av.Packet(unit.data)):
                    pieces = np.array_split(np.abs(heard.to_ndarray().astype(float)).mean(axis=0), 4)
                    start = unit.timestamp / 48_000
                    levels += [(start + 0.005 * number, piece.mean()) for number, piece in enumerate(pieces)]
            continue
        number, shown = shown % pictures, shown + 1
        # Where a round begins, the end of the one before it may hide the click.
        if number in (RATE // FLASHES, 2 * RATE // FLASHES):
            assert read_bar_code(frame.to_ndarray(format="rgb24")) == number
            flashes.append(at)
    middle = max(level for _, level in levels) / 5
    clicks = np.array([at for (_, before), (at, level) in pairwise(levels) if before < middle <= level])
    assert len(flashes) == 2 * ROUNDS
    off = [float(clicks[np.abs(clicks - at).argmin()] - at) for at in flashes]
    assert max(map(abs, off)) < 0.080, f"sound is off its picture by {[round(each * 1000) for each in off]} ms"

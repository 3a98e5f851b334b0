"""The clip of set-up: numbered, audible, made once."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest

from sightline.media import clip
from sightline.media.bar_code import read_bar_code
from sightline.media.tone import TONE_HZ


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = clip.make_clip
    monkeypatch.setattr(clip, "make_clip", lambda path: whole(path, seconds=0.7))


def test_the_clip_counts_its_pictures_and_hums(tmp_path: Path) -> None:
    path = clip.ensure_clip(tmp_path / "new" / "clip.mp4")
    with av.open(str(path)) as container:
        assert (container.streams.video[0].width, container.streams.video[0].height) == (640, 360)
        assert container.streams.video[0].average_rate == 30
        numbers = [read_bar_code(frame.to_ndarray(format="rgb24")) for frame in container.decode(video=0)]
    assert numbers == list(range(21))
    with av.open(str(path)) as container:
        sound = np.concatenate([frame.to_ndarray()[0] for frame in container.decode(audio=0)])
        rate = container.streams.audio[0].rate
    steady = sound[rate // 4 : rate // 4 + rate // 5]  # after the beep that begins each second
    spectrum = np.abs(np.fft.rfft(steady))
    assert abs(np.argmax(spectrum) * rate / len(steady) - TONE_HZ) < 10


def test_it_is_made_once(tmp_path: Path) -> None:
    path = clip.ensure_clip(tmp_path / "clip.mp4")
    made = path.stat().st_mtime_ns
    assert clip.ensure_clip(path).stat().st_mtime_ns == made
    assert [file.name for file in tmp_path.iterdir()] == ["clip.mp4"]


@pytest.mark.parametrize("damaged", [b"", b"not a video"])
def test_what_is_not_the_clip_is_replaced(tmp_path: Path, damaged: bytes) -> None:
    path = tmp_path / "clip.mp4"
    path.write_bytes(damaged)
    clip.ensure_clip(path)
    with av.open(str(path)) as container:
        assert container.streams.video


def test_the_command_makes_it(tmp_path: Path) -> None:
    assert clip.main([str(tmp_path / "out.mp4")]) == 0
    assert (tmp_path / "out.mp4").is_file()
    assert clip.main([]) == 2

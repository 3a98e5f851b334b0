"""A recording plays, through reconnections, changes of the picture, and the death of its writer."""

from __future__ import annotations

import asyncio
import shutil
from itertools import pairwise
from pathlib import Path

import av
import pytest

from sightline.errors import MediaError, UnsupportedMedia
from sightline.media.bar_code import read_bar_code
from sightline.media.recorder import Recorder
from tests.harness.polling import eventually
from tests.unit.media.received_frames import Frame, pictures, sounds, together

pytestmark = pytest.mark.realtime


def watch(path: Path) -> list[tuple[float, int | None]]:
    """Time and number of each picture in the file."""
    with av.open(str(path)) as container:
        return [
            (float(frame.time or 0), read_bar_code(frame.to_ndarray(format="rgb24")))
            for frame in container.decode(video=0)
        ]


def listen(path: Path) -> list[float]:
    """Times of the sound."""
    with av.open(str(path)) as container:
        return [float(frame.time or 0) for frame in container.decode(audio=0)]


async def record(path: Path, *runs: list[Frame]) -> Recorder:
    recorder = Recorder(path)
    for run in runs:
        recorder.begin_run()
        for frame in run:
            recorder.push(frame)
    await recorder.aclose()
    return recorder


@pytest.mark.parametrize("name", ["out.mp4", "out.mkv", "out.mov"])
async def test_pictures_and_sound_are_in_the_file_with_their_times(tmp_path: Path, name: str) -> None:
    recorder = await record(tmp_path / name, together(pictures(60), sounds(2)))
    seen = watch(tmp_path / name)
    assert [number for _, number in seen] == list(range(60))
    assert all(0.03 < after - before < 0.037 for (before, _), (after, _) in pairwise(seen))
    assert listen(tmp_path / name)[-1] == pytest.approx(seen[-1][0], abs=0.1)
    assert recorder.error is None
    assert recorder.state.files == (tmp_path / name,)
    assert (recorder.state.pictures, round(recorder.state.seconds, 1)) == (60, 2.0)


@pytest.mark.parametrize("name", ["out.webm", "out.mkv"])
async def test_vp8_goes_into_matroska(tmp_path: Path, name: str) -> None:
    await record(tmp_path / name, list(pictures(30, codec="VP8")))
    assert [number for _, number in watch(tmp_path / name)] == list(range(30))


@pytest.mark.parametrize(
    ("name", "codec", "instead"), [("out.mp4", "VP8", ".mkv or .webm"), ("out.webm", "H264", ".mp4")]
)
async def test_a_container_that_cannot_hold_the_codec_is_told(
    tmp_path: Path, name: str, codec: str, instead: str
) -> None:
    told: list[MediaError] = []
    recorder = Recorder(tmp_path / name, on_error=told.append)
    for frame in pictures(40, codec=codec):  # type: ignore[arg-type]
        recorder.push(frame)
    await recorder.aclose()
    await asyncio.sleep(0)
    assert isinstance(recorder.error, UnsupportedMedia)
    assert told == [recorder.error]
    assert codec in recorder.error.message
    assert instead in recorder.error.message
    assert not (tmp_path / name).exists()


async def test_a_reconnection_is_a_pause_in_the_same_file(tmp_path: Path) -> None:
    path = tmp_path / "out.mp4"
    recorder = await record(
        path,
        together(pictures(45), sounds(1.5)),
        together(pictures(45, first=200, at=1005, rtp=12), sounds(1.5, at=1005, rtp=2**33)),
    )
    assert recorder.state.files == (path,)
    seen = watch(path)
    assert [number for _, number in seen] == [*range(45), *range(200, 245)]
    assert seen[45][0] == pytest.approx(5.0, abs=0.05)
    assert recorder.state.seconds == pytest.approx(6.5, abs=0.1)


async def test_another_size_goes_into_a_numbered_part(tmp_path: Path) -> None:
    recorder = await record(
        tmp_path / "out.mp4", list(pictures(35)), list(pictures(35, first=50, size=(480, 270), at=1002))
    )
    assert [file.name for file in recorder.state.files] == ["out.mp4", "out-2.mp4"]
    assert [number for _, number in watch(tmp_path / "out-2.mp4")] == list(range(50, 85))


async def test_another_size_of_vp8_stays_in_its_file(tmp_path: Path) -> None:
    """A browser's camera begins small and grows with the path."""
    recorder = await record(
        tmp_path / "out.mkv",
        list(pictures(35, codec="VP8")),
        list(pictures(35, codec="VP8", first=50, size=(480, 270), at=1002)),
    )
    assert [file.name for file in recorder.state.files] == ["out.mkv"]
    assert [number for _, number in watch(tmp_path / "out.mkv")] == [*range(35), *range(50, 85)]


async def test_what_was_recorded_before_is_never_overwritten(tmp_path: Path) -> None:
    (tmp_path / "out.mp4").write_text("precious")
    recorder = await record(tmp_path / "out.mp4", list(pictures(35)))
    assert (tmp_path / "out.mp4").read_text() == "precious"
    assert [file.name for file in recorder.state.files] == ["out-2.mp4"]


@pytest.mark.parametrize("name", ["out.mp4", "out.mkv"])
async def test_a_file_that_is_still_written_plays_to_within_a_second_of_the_end(tmp_path: Path, name: str) -> None:
    recorder = Recorder(tmp_path / name)
    for frame in together(pictures(150), sounds(5)):
        recorder.push(frame)
    await asyncio.to_thread(eventually, lambda: recorder.state.pictures == 150, "all to be written")
    copy = tmp_path / f"copy-{name}"
    shutil.copy(tmp_path / name, copy)
    await recorder.aclose()
    numbers = [number for _, number in watch(copy)]
    assert numbers == list(range(len(numbers)))
    assert len(numbers) >= 120


async def test_what_comes_before_the_first_keyframe_is_left_out(tmp_path: Path) -> None:
    frames = list(pictures(60, keyframes=20))
    await record(tmp_path / "out.mp4", frames[5:])
    assert [number for _, number in watch(tmp_path / "out.mp4")] == list(range(20, 60))


async def test_nothing_received_is_no_file(tmp_path: Path) -> None:
    recorder = await record(tmp_path / "out.mp4", [])
    await recorder.aclose()
    assert recorder.state.files == ()
    assert not (tmp_path / "out.mp4").exists()


@pytest.mark.parametrize(("path", "said"), [("out.avi", ".mp4 or .mkv"), ("no/folder/out.mp4", "no folder")])
async def test_a_path_that_cannot_be_is_refused_before_anything_happens(tmp_path: Path, path: str, said: str) -> None:
    with pytest.raises(MediaError, match=said):
        Recorder(tmp_path / path)


async def test_a_folder_that_goes_away_ends_the_recording_with_a_sentence(tmp_path: Path) -> None:
    folder = tmp_path / "stick"
    folder.mkdir()
    told: list[MediaError] = []
    recorder = Recorder(folder / "out.mp4", on_error=told.append)
    folder.rmdir()
    for frame in pictures(40):
        recorder.push(frame)
    await recorder.aclose()
    await asyncio.sleep(0)
    assert [str(folder) in error.message for error in told] == [True]

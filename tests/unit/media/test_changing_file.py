"""A file that is deleted, replaced or grows while it is played."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import pytest

from sightline.media import file_play as file_play_module
from sightline.media.bar_code import read_bar_code
from sightline.media.feed import Subscription
from sightline.media.file_source import FileSource
from sightline.media.pass_through import PassThroughSource
from sightline.media.picture import MovingPicture
from sightline.media.source import open_source
from sightline.media.tone import SAMPLE_RATE, tone_frame

pytestmark = [pytest.mark.realtime, pytest.mark.timeout(90)]

RATE = 30


def written(path: Path, *, pictures: int, first: int = 0, sound: bool = False, bf: int = 0) -> Path:
    """A film whose pictures are numbered from `first` on."""
    with av.open(str(path), "w") as container:
        options = {"preset": "ultrafast", "bf": str(bf), "g": "10"}
        video = container.add_stream("libx264", rate=RATE, options=options)
        video.width, video.height, video.pix_fmt = 320, 180, "yuv420p"
        drawing = MovingPicture(320, 180, title="FILE")
        audio = container.add_stream("libopus", rate=SAMPLE_RATE, layout="stereo") if sound else None
        for number in range(pictures):
            frame = drawing.draw(first + number, seconds=number / RATE, caption="")
            frame.pts, frame.time_base = number, Fraction(1, RATE)
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
        if audio is not None:
            for sample in range(0, SAMPLE_RATE * pictures // RATE, 960):
                tone = tone_frame(sample, 960)
                tone.pts, tone.time_base = sample, Fraction(1, SAMPLE_RATE)
                container.mux(audio.encode(tone))
            container.mux(audio.encode(None))
    return path


class Shown:
    """What a viewer has on the screen."""

    def __init__(self, subscription: Subscription) -> None:
        self._subscription = subscription
        self._decoder = av.CodecContext.create("h264", "r")

    async def next(self) -> tuple[int, float]:
        """A picture's number, and its time in seconds."""
        while True:
            unit = await self._subscription.next()
            assert unit is not None, "the stream has ended"
            for frame in self._decoder.decode(av.Packet(unit.data)):
                number = read_bar_code(frame.to_ndarray(format="rgb24"))
                if number is not None:  # the last one of a file that is cut off may be damaged
                    return number, unit.timestamp / 90_000


@pytest.fixture(params=[PassThroughSource, FileSource], ids=["passed-through", "encoded"])
async def playing(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[tuple[Path, PassThroughSource | FileSource]]:
    """Half a second of film with sound, over and over."""
    monkeypatch.setattr(file_play_module, "_AGAIN", 0.25)
    path = written(tmp_path / "film.mkv", pictures=15, sound=True, bf=0 if request.param is PassThroughSource else 2)
    source = open_source(str(path))
    assert isinstance(source, request.param)
    yield path, source
    await source.aclose()


async def test_a_deleted_file_is_told_and_another_one_in_its_place_is_played_as_it_was_filmed(
    playing: tuple[Path, PassThroughSource | FileSource], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path, source = playing
    longer = written(tmp_path / "longer.mkv", pictures=30, first=1000)
    told: asyncio.Queue[str | None] = asyncio.Queue()
    source.follow(told.put_nowait)
    assert source.audio is not None
    async with asyncio.timeout(60):
        hearing = source.audio.subscribe()
        shown = Shown(source.video.subscribe())
        assert (await shown.next())[0] < 15
        assert await hearing.next() is not None
        path.unlink()
        assert "There is no file" in str(await told.get())
        longer.replace(path)
        assert await told.get() is None
        while (picture := await shown.next())[0] < 1000:
            pass
        pictures = [picture]
        while pictures[-1][0] > 1020 or all(number <= 1020 for number, _ in pictures):
            pictures.append(await shown.next())
        pictures += [await shown.next() for _ in range(10)]
    assert {number // 1000 for number, _ in pictures} == {1}
    # Into the second round of the longer one, which has no sound: no picture comes before its time.
    steps = [(later - earlier, (to - at) * RATE) for (earlier, at), (later, to) in pairwise(pictures)]
    assert all(abs((filmed - passed + 15) % 30 - 15) < 1.5 for filmed, passed in steps), steps
    assert [record.levelname for record in caplog.records if "the source is" in record.getMessage()][:1] == ["WARNING"]


async def test_a_file_that_grows_is_played_as_far_as_it_goes(tmp_path: Path) -> None:
    path = tmp_path / "film.ts"
    whole = written(tmp_path / "whole.ts", pictures=40).read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    source = open_source(str(path))
    assert source.video is not None
    try:
        async with asyncio.timeout(60):
            shown = Shown(source.video.subscribe())
            pictures = [await shown.next()]
            with path.open("ab") as file:
                file.write(whole[len(whole) // 2 :])
            while not (pictures[-1][0] < 5 and any(number >= 35 for number, _ in pictures)):
                pictures.append(await shown.next())
    finally:
        await source.aclose()
    steps = [(later - earlier, (to - at) * RATE) for (earlier, at), (later, to) in pairwise(pictures)]
    assert all(abs(filmed - passed) < 1.5 for filmed, passed in steps if filmed > 0 and passed < RATE), steps


async def test_what_cannot_be_sent_as_it_is_is_told_and_waited_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file_play_module, "_AGAIN", 0.25)
    path = written(tmp_path / "film.mkv", pictures=15)
    unfit = written(tmp_path / "unfit.mkv", pictures=15, bf=2)
    fit = written(tmp_path / "fit.mkv", pictures=15, first=500)
    source = open_source(str(path))
    assert isinstance(source, PassThroughSource)
    told: asyncio.Queue[str | None] = asyncio.Queue()
    source.follow(told.put_nowait)
    try:
        async with asyncio.timeout(60):
            shown = Shown(source.video.subscribe())
            await shown.next()
            unfit.replace(path)
            assert "B-frames" in str(await told.get())
            fit.replace(path)
            assert await told.get() is None
            while (await shown.next())[0] < 500:
                pass
    finally:
        await source.aclose()

"""What ``--renditions`` means."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sightline.errors import ConfigError
from sightline.media.encoders import default_bitrate
from sightline.media.ladder import LEAST_BITRATE, Ladder, Rung
from sightline.media.units import VideoFormat


def sizes(text: str, width: int, height: int) -> list[tuple[int, int]]:
    below = Ladder.parse(text).below(VideoFormat(width, height, 30.0))
    return [(format.width, format.height) for format, _ in below]


@pytest.mark.parametrize(
    ("source", "lower"),
    [
        ((3840, 2160), [(1280, 720), (640, 360)]),
        ((1920, 1080), [(1280, 720), (640, 360)]),
        ((1080, 1920), [(720, 1280), (360, 640)]),
        ((1280, 720), [(640, 360)]),
        ((720, 576), [(450, 360)]),
        ((640, 360), [(320, 180)]),
        ((320, 240), []),
    ],
)
def test_auto(source: tuple[int, int], lower: list[tuple[int, int]]) -> None:
    assert sizes("auto", *source) == lower


def test_off_and_no_transcoding() -> None:
    assert sizes("off", 1920, 1080) == []
    assert Ladder.parse("auto", transcode=False) == Ladder()
    with pytest.raises(ConfigError, match="--no-transcode"):
        Ladder.parse("360p", transcode=False)


def test_heights_and_bit_rates() -> None:
    assert Ladder.parse("360p@300, 720").rungs == (Rung(720), Rung(360, 300_000))
    rungs = list(Ladder.parse("1080p,720p@2500,360p").below(VideoFormat(1280, 720, 30.0, profile_level_id="640028")))
    assert [(format.height, rate) for format, rate in rungs] == [(360, 829_440)], "nothing above the source's own"
    assert rungs[0][0].profile_level_id == "42e01f", "our encoder's, not the camera's"


@pytest.mark.parametrize("text", ["", "720p,", "big", "720x", "80p", "360p@100", "360p@", "99999p", "auto,360p"])
def test_what_is_no_ladder_is_said(text: str) -> None:
    with pytest.raises(ConfigError, match="720p@2500,360p@300"):
        Ladder.parse(text)


@settings(max_examples=60)
@given(st.sampled_from(["auto", "720p,360p", "1080p,540p@900,180p"]), st.integers(16, 4000), st.integers(16, 4000))
def test_every_rung_can_be_encoded_and_is_smaller(text: str, width: int, height: int) -> None:
    before = width * height
    for format, rate in Ladder.parse(text).below(VideoFormat(width, height, 25.0)):
        assert format.width % 2 == format.height % 2 == 0
        assert format.width * format.height < before
        assert rate >= LEAST_BITRATE
        assert rate in (900_000, default_bitrate(format))
        before = format.width * format.height

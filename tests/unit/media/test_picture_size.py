"""Sizes out of keyframes, and damaged ones that tell nothing."""

from __future__ import annotations

from fractions import Fraction

import av
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightline.media.picture_size import nal_units, parameter_sets, picture_size
from tests.unit.media.received_frames import pictures


def keyframe(width: int, height: int, profile: str, pixels: str = "yuv420p", **options: str) -> bytes:
    codec = av.VideoCodecContext.create("libx264", "w")
    codec.width, codec.height, codec.pix_fmt, codec.time_base = width, height, pixels, Fraction(1, 30)
    codec.options = {"profile": profile, "preset": "ultrafast", "tune": "zerolatency", **options}
    return bytes(codec.encode(av.VideoFrame(width, height, pixels))[0])


@pytest.mark.parametrize(
    ("width", "height", "profile", "more"),
    [
        (640, 360, "baseline", {}),
        (162, 90, "main", {}),
        (1920, 1080, "high", {}),
        (642, 366, "high422", {"pixels": "yuv422p"}),
        (322, 242, "high444", {"pixels": "yuv444p"}),
        (640, 480, "high", {"x264-params": "interlaced=1"}),
        (320, 240, "high", {"x264-params": "cqm=jvt"}),
    ],
)
def test_h264_of_every_profile(width: int, height: int, profile: str, more: dict[str, str]) -> None:
    assert picture_size("H264", keyframe(width, height, profile, **more)) == (width, height)


def test_vp8() -> None:
    first, second = pictures(2, codec="VP8", size=(482, 270))
    assert picture_size("VP8", first.data) == (482, 270)
    assert picture_size("VP8", second.data) is None


def test_parameter_sets_are_those_of_the_access_unit() -> None:
    first, second = pictures(2)
    assert [unit[0] & 0x1F for unit in nal_units(parameter_sets(first.data))] == [7, 8]
    assert parameter_sets(second.data) == b""
    assert picture_size("H264", second.data) is None


@given(st.binary(max_size=60))
def test_junk_tells_nothing_and_raises_nothing(junk: bytes) -> None:
    for data in (junk, b"\0\0\1\x67" + junk):
        size = picture_size("H264", data)
        assert size is None or len(size) == 2
    picture_size("VP8", junk)

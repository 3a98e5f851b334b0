"""Films of telephones, which are stored lying down, and pixels that are not square."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from sightline.errors import UnsupportedMedia
from sightline.media.file_source import FileMedia, FileSource
from sightline.media.pass_through import PassThroughSource
from sightline.media.source import open_source


def film(path: Path, *, rotation: int = 0, aspect: Fraction | None = None) -> Path:
    """Stored with its left third bright; ``rotation``: counter-clockwise, as a player has to turn it."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=30, options={"preset": "ultrafast", "bf": "0", "g": "10"})
        stream.width, stream.height, stream.pix_fmt = 320, 180, "yuv420p"
        if aspect is not None:
            stream.codec_context.sample_aspect_ratio = aspect
        if rotation:
            stream.set_display_rotation(rotation)
        luma = np.full((270, 320), 128, np.uint8)
        luma[:180] = 30
        luma[:180, :106] = 220
        for number in range(20):
            frame = av.VideoFrame.from_ndarray(luma, "yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, 30)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


@pytest.mark.parametrize(
    ("rotation", "size", "bright"),
    [
        (0, (320, 180), "left"),
        (-90, (180, 320), "top"),
        (90, (180, 320), "bottom"),
        (180, (320, 180), "right"),
    ],
)
def test_a_telephones_film_is_upright(tmp_path: Path, rotation: int, size: tuple[int, int], bright: str) -> None:
    media = FileMedia(film(tmp_path / "film.mp4", rotation=rotation), loop=False)
    assert (media.video.width, media.video.height) == size
    pictures = list(media.play().pictures())
    assert len(pictures) == 20
    for picture in pictures:
        frame = picture.make()
        assert frame is not None
        assert (frame.width, frame.height) == size
        luma = frame.to_ndarray(format="gray")
        edges = {"left": luma[:, :50], "right": luma[:, -50:], "top": luma[:50], "bottom": luma[-50:]}
        assert max(edges, key=lambda edge: float(edges[edge].mean())) == bright
        assert edges[bright].min() > 150


def test_it_is_not_sent_as_it_is(tmp_path: Path) -> None:
    lying = film(tmp_path / "lying.mp4", rotation=-90)
    with pytest.raises(UnsupportedMedia, match="turned"):
        PassThroughSource(lying)
    assert isinstance(open_source(str(lying)), FileSource)
    assert isinstance(open_source(str(film(tmp_path / "upright.mp4"))), PassThroughSource)


def test_pixels_that_are_not_square_are_shown_in_their_shape(tmp_path: Path) -> None:
    wide = film(tmp_path / "wide.mp4", aspect=Fraction(4, 3))
    source = open_source(str(wide))
    assert isinstance(source, FileSource)
    assert (source.video.format.width, source.video.format.height) == (426, 180)

"""The generated picture shows its text and moves."""

from __future__ import annotations

import numpy as np

from sightline.media.glyphs import draw_text, text_width
from sightline.media.picture import MovingPicture


def luma(number: int, seconds: float, caption: str = "") -> np.ndarray:
    frame = MovingPicture(320, 180, title="T").draw(number, seconds=seconds, caption=caption)
    return frame.to_ndarray(format="gray")


def test_consecutive_pictures_differ_above_the_bar() -> None:
    assert not np.array_equal(luma(1, 1.0)[:150], luma(1, 1.1)[:150])


def test_the_caption_is_in_the_middle() -> None:
    difference = luma(0, 0.0, "12:34:56") != luma(0, 0.0)
    rows, columns = np.nonzero(difference)
    assert 70 < rows.mean() < 100
    assert abs(columns.mean() - 160) < 10


def test_digits_all_look_different() -> None:
    drawn = []
    for digit in "0123456789:-.":
        plane = np.zeros((7, 5), np.uint8)
        draw_text(plane, digit, left=0, top=0, scale=1, level=255)
        drawn.append(plane.tobytes())
    assert len(set(drawn)) == len(drawn)


def test_text_that_does_not_fit_is_cut() -> None:
    plane = np.zeros((10, 30), np.uint8)
    draw_text(plane, "TOO LONG FOR THIS", left=20, top=6, scale=2, level=255)
    assert plane.any()


def test_width_of_text() -> None:
    assert (text_width("", 3), text_width("A", 3), text_width("AB", 3)) == (0, 15, 33)


def test_odd_chroma_sizes_are_drawn() -> None:
    frame = MovingPicture(162, 94, title="T").draw(1, seconds=3.3, caption="X")
    assert (frame.width, frame.height) == (162, 94)

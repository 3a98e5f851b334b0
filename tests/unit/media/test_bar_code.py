"""The frame number survives what happens to a picture on its way."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightline.media.bar_code import CELLS, draw_bar_code, encode_cells, read_bar_code


def picture(number: int, *, width: int = 320, height: int = 180) -> np.ndarray:
    luma = np.full((height, width), 90, np.uint8)
    draw_bar_code(luma, number)
    return np.repeat(luma[:, :, None], 3, axis=2)


@given(st.integers(0, 65535))
def test_every_number_is_read_back(number: int) -> None:
    assert read_bar_code(picture(number)) == number


def test_numbers_go_round_at_65536() -> None:
    assert read_bar_code(picture(65536 + 7)) == 7


@pytest.mark.parametrize(("width", "height"), [(160, 90), (214, 120), (640, 360), (1280, 720), (1918, 1078)])
def test_any_size_is_read(width: int, height: int) -> None:
    assert read_bar_code(picture(0xA53C, width=width, height=height)) == 0xA53C


@given(st.integers(0, 65535), st.integers(2, CELLS - 3))
def test_one_wrong_cell_is_noticed(number: int, cell: int) -> None:
    frame = picture(number, width=480)
    flipped = 16 if encode_cells(number)[cell] else 235
    left = round((0.02 + 0.96 / CELLS * cell) * 480)
    frame[150:, left : left + 20] = flipped
    assert read_bar_code(frame) is None


@given(st.integers(0, 65535), st.integers(0, 2**32 - 1))
def test_noise_and_low_contrast_do_no_harm(number: int, seed: int) -> None:
    noise = np.random.default_rng(seed).normal(0, 25, (180, 320, 3))
    frame = np.clip(picture(number) * 0.6 + 30 + noise, 0, 255).astype(np.uint8)
    assert read_bar_code(frame) == number


@pytest.mark.parametrize("level", [0, 128, 255])
def test_a_picture_without_a_bar_has_no_number(level: int) -> None:
    assert read_bar_code(np.full((180, 320, 3), level, np.uint8)) is None


def test_the_inverse_of_a_bar_has_no_number() -> None:
    assert read_bar_code(255 - picture(1234)) is None

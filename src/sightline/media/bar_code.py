"""A frame number inside the picture that a machine can read at the other end, after encoding and scaling.

The bar is one row of 24 equal cells, black or white. Its place is given in fractions of the picture, so that any
reader (a canvas in a page, a decoded frame in Python) finds it at any size::

    x from 0.02 to 0.98 of the width, y from 0.88 to 0.97 of the height, 24 cells of equal width

    cell   0 1 | 2 ........ 17 | 18 ..... 21 | 22 23
           W B | 16 bits, MSB  | 4 check     | B  W

White is 1. With the number's four nibbles a b c d (a the highest) the check nibble is (9 + a + 3b + 5c + 7d) mod 16.
To read a cell, average the luma of the middle half of its width and height. The threshold is the mean of the four guard
cells; unless white and black guards are at least 60 of 255 apart on the right sides of it, there is no bar code.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import numpy.typing as npt

__all__ = [
    "BAR_BOTTOM",
    "BAR_LEFT",
    "BAR_RIGHT",
    "BAR_TOP",
    "CELLS",
    "FRAME_NUMBERS",
    "draw_bar_code",
    "encode_cells",
    "read_bar_code",
]

BAR_LEFT, BAR_RIGHT = 0.02, 0.98
BAR_TOP, BAR_BOTTOM = 0.88, 0.97
CELLS = 24
FRAME_NUMBERS = 1 << 16
"""Numbers are taken modulo this: 36 minutes at 30 per second."""

_DATA_BITS, _CHECK_BITS = 16, 4
_MIN_CONTRAST = 60.0
_LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)

Plane = npt.NDArray[np.uint8]


def encode_cells(number: int) -> list[bool]:
    """The 24 cells for a frame number (modulo 65536), True for white."""
    number %= FRAME_NUMBERS
    word = number << _CHECK_BITS | _check(number)
    bits = [bool(word >> shift & 1) for shift in range(_DATA_BITS + _CHECK_BITS - 1, -1, -1)]
    return [True, False, *bits, False, True]


def draw_bar_code(luma: Plane, number: int, *, white: int = 235, black: int = 16) -> None:
    """Draw the bar into a ``(height, width) uint8`` luma plane, in place, on a black strip down to the lower edge."""
    height, width = luma.shape
    top, bottom = round(BAR_TOP * height), round(BAR_BOTTOM * height)
    luma[round((BAR_TOP - 0.02) * height) :] = black
    edges = _edges(width)
    for cell, is_white in enumerate(encode_cells(number)):
        if is_white:
            luma[top:bottom, round(edges[cell]) : round(edges[cell + 1])] = white


def read_bar_code(frame: npt.NDArray[np.uint8]) -> int | None:
    """The frame number in a ``(height, width, 3) uint8`` RGB picture, or None where no valid bar code is."""
    height, width = frame.shape[:2]
    quarter = (BAR_BOTTOM - BAR_TOP) / 4
    top, bottom = round((BAR_TOP + quarter) * height), round((BAR_BOTTOM - quarter) * height)
    rows = frame[top : max(bottom, top + 1)].astype(np.float32) @ _LUMA
    edges = _edges(width)
    means = []
    for left, right in pairwise(edges):
        inset = (right - left) / 4
        begin = round(left + inset)
        means.append(float(rows[:, begin : max(round(right - inset), begin + 1)].mean()))
    whites, blacks = (means[0], means[-1]), (means[1], means[-2])
    if min(whites) - max(blacks) < _MIN_CONTRAST:
        return None
    threshold = (sum(whites) + sum(blacks)) / 4
    word = 0
    for mean in means[2:-2]:
        word = word << 1 | (mean > threshold)
    number = word >> _CHECK_BITS
    return number if word & (1 << _CHECK_BITS) - 1 == _check(number) else None


def _check(number: int) -> int:
    a, b, c, d = (number >> shift & 15 for shift in (12, 8, 4, 0))
    return (9 + a + 3 * b + 5 * c + 7 * d) & 15


def _edges(width: int) -> list[float]:
    step = (BAR_RIGHT - BAR_LEFT) / CELLS
    return [(BAR_LEFT + step * cell) * width for cell in range(CELLS + 1)]

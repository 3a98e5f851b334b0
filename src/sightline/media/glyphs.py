"""Letters for pictures, so that drawing a clock needs no font file: 5 by 7 dots each, capital letters and digits."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

__all__ = ["GLYPH_HEIGHT", "GLYPH_WIDTH", "draw_text", "text_width"]

GLYPH_WIDTH, GLYPH_HEIGHT = 5, 7

# Each glyph is seven rows of five dots, as the bits of seven numbers, the leftmost dot the highest bit.
_ROWS: dict[str, tuple[int, ...]] = {
    " ": (0, 0, 0, 0, 0, 0, 0),
    "-": (0, 0, 0, 31, 0, 0, 0),
    ".": (0, 0, 0, 0, 0, 12, 12),
    ":": (0, 12, 12, 0, 12, 12, 0),
    "/": (1, 1, 2, 4, 8, 16, 16),
    "0": (14, 17, 19, 21, 25, 17, 14),
    "1": (4, 12, 4, 4, 4, 4, 14),
    "2": (14, 17, 1, 2, 4, 8, 31),
    "3": (31, 2, 4, 2, 1, 17, 14),
    "4": (2, 6, 10, 18, 31, 2, 2),
    "5": (31, 16, 30, 1, 1, 17, 14),
    "6": (6, 8, 16, 30, 17, 17, 14),
    "7": (31, 1, 2, 4, 8, 8, 8),
    "8": (14, 17, 17, 14, 17, 17, 14),
    "9": (14, 17, 17, 15, 1, 2, 12),
    "A": (14, 17, 17, 31, 17, 17, 17),
    "B": (30, 17, 17, 30, 17, 17, 30),
    "C": (14, 17, 16, 16, 16, 17, 14),
    "D": (28, 18, 17, 17, 17, 18, 28),
    "E": (31, 16, 16, 30, 16, 16, 31),
    "F": (31, 16, 16, 30, 16, 16, 16),
    "G": (14, 17, 16, 23, 17, 17, 15),
    "H": (17, 17, 17, 31, 17, 17, 17),
    "I": (14, 4, 4, 4, 4, 4, 14),
    "J": (7, 2, 2, 2, 2, 18, 12),
    "K": (17, 18, 20, 24, 20, 18, 17),
    "L": (16, 16, 16, 16, 16, 16, 31),
    "M": (17, 27, 21, 21, 17, 17, 17),
    "N": (17, 17, 25, 21, 19, 17, 17),
    "O": (14, 17, 17, 17, 17, 17, 14),
    "P": (30, 17, 17, 30, 16, 16, 16),
    "Q": (14, 17, 17, 17, 21, 18, 13),
    "R": (30, 17, 17, 30, 20, 18, 17),
    "S": (15, 16, 16, 14, 1, 1, 30),
    "T": (31, 4, 4, 4, 4, 4, 4),
    "U": (17, 17, 17, 17, 17, 17, 14),
    "V": (17, 17, 17, 17, 17, 10, 4),
    "W": (17, 17, 17, 21, 21, 21, 10),
    "X": (17, 17, 10, 4, 10, 17, 17),
    "Y": (17, 17, 17, 10, 4, 4, 4),
    "Z": (31, 1, 2, 4, 8, 16, 31),
}


def text_width(text: str, scale: int) -> int:
    """Pixels from the first glyph's left to the last one's right edge, each dot ``scale`` pixels wide."""
    return max(0, len(text) * (GLYPH_WIDTH + 1) - 1) * scale


def draw_text(luma: npt.NDArray[np.uint8], text: str, *, left: int, top: int, scale: int, level: int) -> None:
    """Write into a ``(height, width) uint8`` plane, in place. What does not fit is cut; unknown letters are blank."""
    height, width = luma.shape
    for character in text.upper():
        mask = _mask(character, scale)[: max(0, height - top), : max(0, width - left)]
        luma[top : top + mask.shape[0], left : left + mask.shape[1]][mask] = level
        left += (GLYPH_WIDTH + 1) * scale


@lru_cache(maxsize=512)
def _mask(character: str, scale: int) -> npt.NDArray[np.bool_]:
    rows = _ROWS.get(character, _ROWS[" "])
    dots = np.array([[row >> shift & 1 for shift in range(GLYPH_WIDTH - 1, -1, -1)] for row in rows], dtype=bool)
    return np.repeat(np.repeat(dots, scale, axis=0), scale, axis=1)

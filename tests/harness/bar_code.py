"""Reads the bar code of Sightline's clip from a decoded picture; the description is in bar_code.js."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

LEFT, RIGHT, TOP, BOTTOM, CELLS = 0.02, 0.98, 0.88, 0.97, 24


def read_bar_code(luma: npt.NDArray[np.uint8]) -> int | None:
    """The frame number in a `(height, width) uint8` plane of brightness, or None where no valid bar code is."""
    height, width = luma.shape
    quarter = (BOTTOM - TOP) * height / 4
    rows = luma[round(TOP * height + quarter) : round(BOTTOM * height - quarter)].astype(np.float32).mean(axis=0)
    cell = (RIGHT - LEFT) * width / CELLS
    starts = [LEFT * width + cell * (index + 0.25) for index in range(CELLS)]
    means = [float(rows[round(start) : round(start + cell / 2)].mean()) for start in starts]
    whites, blacks = (means[0], means[23]), (means[1], means[22])
    if min(whites) - max(blacks) < 60:
        return None
    bits = [mean > sum(whites + blacks) / 4 for mean in means[2:22]]
    word = sum(bit << (19 - place) for place, bit in enumerate(bits))
    number = word >> 4
    a, b, c, d = (number >> shift & 15 for shift in (12, 8, 4, 0))
    return number if (9 + a + 3 * b + 5 * c + 7 * d) & 15 == word & 15 else None

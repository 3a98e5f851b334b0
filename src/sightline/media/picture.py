"""The generated moving picture of the clip and of the test source, drawn as YUV planes with numpy."""

from __future__ import annotations

import math

import av
import numpy as np
import numpy.typing as npt

from .bar_code import draw_bar_code
from .glyphs import GLYPH_HEIGHT, draw_text, text_width

__all__ = ["MovingPicture"]

_BALLS = ((0.50, 0.31, 0.0, 210, 90, 160), (0.37, 0.53, 2.1, 180, 160, 80), (0.61, 0.43, 4.2, 150, 110, 200))
"""Per ball: horizontal and vertical radians per second, phase, and its colour as Y, U, V."""

_DRIFT_SECONDS = 40.0
"""Time in which the colours of the background wander once around."""


class MovingPicture:
    """Draws frames of ``width`` by ``height`` pixels (both even): colours that drift, balls, text, and the bar code."""

    def __init__(self, width: int, height: int, *, title: str) -> None:
        self._width, self._height = width, height
        self._scale = max(1, width // 160)
        self._luma = self._background(title)
        self._chroma = self._colours()
        self._ball = self._disc(max(6, height // 8) // 2 * 2)

    def draw(self, number: int, *, seconds: float, caption: str) -> av.VideoFrame:
        """Frame ``number`` at ``seconds`` from the start, with a line of text in the middle."""
        luma = self._luma.copy()
        chroma = self._shifted_colours(seconds)
        for ball in _BALLS:
            self._draw_ball(luma, chroma, seconds, ball)
        scale = self._scale
        left = max(0, (self._width - text_width(caption, scale)) // 2)
        draw_text(luma, caption, left=left, top=round(self._height * 0.45), scale=scale, level=235)
        draw_bar_code(luma, number)
        chroma[:, round(self._height * 0.86) // 2 :] = 128
        planes = np.concatenate((luma.reshape(-1), chroma.reshape(-1))).reshape(self._height * 3 // 2, self._width)
        return av.VideoFrame.from_ndarray(planes, format="yuv420p")

    def _background(self, title: str) -> npt.NDArray[np.uint8]:
        rows = np.linspace(50, 120, self._height)[:, None]
        columns = 12 * np.sin(np.linspace(0, math.pi * 2, self._width))[None, :]
        luma: npt.NDArray[np.uint8] = (rows + columns).astype(np.uint8)
        scale = self._scale
        draw_text(luma, title, left=3 * scale, top=3 * scale, scale=scale, level=220)
        luma[3 * scale + (GLYPH_HEIGHT + 2) * scale][3 * scale : 3 * scale + text_width(title, scale)] = 220
        return luma

    def _colours(self) -> npt.NDArray[np.uint8]:
        """U and V over twice the width, so that a window sliding across it comes back to its beginning."""
        angle = np.linspace(0, math.pi * 4, self._width // 2 * 2, endpoint=False)
        both = np.stack((128 + 34 * np.sin(angle), 128 + 26 * np.cos(angle)))
        planes: npt.NDArray[np.uint8] = np.repeat(both[:, None, :], self._height // 2, axis=1).astype(np.uint8)
        return planes

    def _shifted_colours(self, seconds: float) -> npt.NDArray[np.uint8]:
        half = self._width // 2
        start = int(seconds / _DRIFT_SECONDS * half) % half
        return self._chroma[:, :, start : start + half].copy()

    def _draw_ball(
        self,
        luma: npt.NDArray[np.uint8],
        chroma: npt.NDArray[np.uint8],
        seconds: float,
        ball: tuple[float, float, float, int, int, int],
    ) -> None:
        horizontal, vertical, phase, y, u, v = ball
        size = self._ball.shape[0]
        room_x, room_y = self._width - size, round(self._height * 0.84) - size
        left = int(room_x * (0.5 + 0.5 * math.sin(horizontal * seconds * 2 + phase))) // 2 * 2
        top = int(room_y * (0.5 + 0.5 * math.cos(vertical * seconds * 2 + phase))) // 2 * 2
        luma[top : top + size, left : left + size][self._ball] = y
        small, half = self._ball[::2, ::2], size // 2
        for plane, level in ((chroma[0], u), (chroma[1], v)):
            plane[top // 2 : top // 2 + half, left // 2 : left // 2 + half][small] = level

    @staticmethod
    def _disc(size: int) -> npt.NDArray[np.bool_]:
        axis = np.arange(size) - (size - 1) / 2
        inside: npt.NDArray[np.bool_] = axis[:, None] ** 2 + axis[None, :] ** 2 <= (size / 2) ** 2
        return inside

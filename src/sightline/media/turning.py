"""Pictures as they are meant to be seen: a telephone's film is stored lying down, and pixels need not be square."""

from __future__ import annotations

from fractions import Fraction
from typing import Any, Final

import av

__all__ = ["Turning", "is_changed", "is_oblong", "shown_size", "stretched"]

_FILTERS: Final[dict[int, tuple[tuple[str, str | None], ...]]] = {
    90: (("transpose", "clock"),),
    180: (("hflip", None), ("vflip", None)),
    270: (("transpose", "cclock"),),
}


_SQUARE: Final = 0.01
"""What is off by less nobody sees: 1280:1281 comes of sizes that were rounded."""


def is_oblong(aspect: Fraction | None) -> bool:
    """Whether pixels of this width to their height have to be stretched: browsers take all for square."""
    return bool(aspect and 1 / 4 <= aspect <= 4 and abs(aspect - 1) > _SQUARE)


def stretched(width: int, height: int, aspect: Fraction | None) -> tuple[int, int]:
    """The size in square pixels, not yet even."""
    return (round(width * aspect) if aspect and is_oblong(aspect) else width), height


def shown_size(picture: av.VideoFrame, aspect: Fraction | None) -> tuple[int, int]:
    """Width and height in which it is shown, both even; ``aspect``: of a pixel, None where it is square."""
    width, height = stretched(picture.width, picture.height, aspect)
    if clockwise(picture) in (90, 270):
        width, height = height, width
    return max(2, width // 2 * 2), max(2, height // 2 * 2)


def is_changed(picture: av.VideoFrame, aspect: Fraction | None) -> bool:
    """Whether it is shown otherwise than it is stored."""
    return bool(clockwise(picture)) or is_oblong(aspect)


def clockwise(picture: av.VideoFrame) -> int:
    """By how many degrees it has to be turned to be upright: 0, 90, 180 or 270."""
    return round(picture.rotation / -90) * 90 % 360


class Turning:
    """Turns pictures upright. Belongs to one thread."""

    def __init__(self) -> None:
        self._graph: av.filter.Graph | None = None
        self._kind: tuple[Any, ...] = ()

    def upright(self, picture: av.VideoFrame) -> av.VideoFrame:
        """The picture itself where it is upright."""
        degrees = clockwise(picture)
        if not degrees:
            return picture
        kind = (degrees, picture.width, picture.height, picture.format.name)
        if self._graph is None or kind != self._kind:
            self._graph, self._kind = _graph(degrees, picture), kind
        self._graph.push(picture)
        turned = self._graph.pull()
        assert isinstance(turned, av.VideoFrame)
        return turned


def _graph(degrees: int, picture: av.VideoFrame) -> av.filter.Graph:
    graph = av.filter.Graph()
    source = graph.add_buffer(
        width=picture.width, height=picture.height, format=picture.format, time_base=Fraction(1, 90_000)
    )
    filters = [graph.add(name, how) for name, how in _FILTERS[degrees]]
    graph.link_nodes(source, *filters, graph.add("buffersink"))
    graph.configure()
    return graph

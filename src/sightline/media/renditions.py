"""All encodings of one source's pictures: each codec's, from the source's own size down."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import msgspec

from .feed import Feed
from .ladder import Ladder
from .rendition import Rendition
from .units import VideoFormat

__all__ = ["Renditions"]


class Renditions:
    """What a source encodes, and what it passes through. Belongs to the event loop's thread."""

    def __init__(
        self,
        format: VideoFormat,
        *,
        ladder: Ladder,
        transcode: bool,
        on_demand_change: Callable[[], None],
        bitrate: int | None = None,
        passed: Feed | None = None,
        encoder: str | None = None,
    ) -> None:
        """``format``: of the source's own pictures. ``passed``: its own H.264, which needs no encoder here.

        ``transcode``: whether pictures are encoded more than once, or at all where they are passed through.
        ``encoder``: FFmpeg's name of the one for H.264.
        """
        codecs = ["VP8"] if passed is not None else ["H264", "VP8"]
        if not transcode:
            codecs = codecs[: 0 if passed is not None else 1]
        self.tops = [
            Rendition(msgspec.structs.replace(format, codec=codec), bitrate=bitrate, on_demand_change=on_demand_change)
            for codec in codecs
        ]
        """Of the source's own size."""
        self.lower: list[Rendition] = []
        """The others, which are nobody's that has room for more."""
        self._feeds: dict[str, list[Feed]] = {} if passed is None else {passed.codec: [passed]}
        for top in self.tops:
            self._feeds[top.feed.codec] = [top.feed]
        rungs = list(ladder.below(format)) if transcode else []
        for codec, feeds in self._feeds.items():
            for number, (rung, rate) in enumerate(rungs, 1):
                lower = Rendition(
                    msgspec.structs.replace(rung, codec=codec),
                    bitrate=rate,
                    on_demand_change=on_demand_change,
                    follows=number == len(rungs),
                )
                self.lower.append(lower)
                feeds.append(lower.feed)
        if encoder is not None:
            self.use_encoder(encoder)

    @property
    def by_codec(self) -> Mapping[str, Feed]:
        """The greatest of each codec, the preferred codec first."""
        return {codec: feeds[0] for codec, feeds in self._feeds.items()}

    def of(self, codec: str) -> Sequence[Feed]:
        """All of a codec, the greatest first."""
        return tuple(self._feeds[codec])

    def feeds(self) -> Iterator[Feed]:
        """All there are."""
        for feeds in self._feeds.values():
            yield from feeds

    @property
    def all(self) -> list[Rendition]:
        """What is encoded."""
        return [*self.tops, *self.lower]

    def use_encoder(self, name: str) -> None:
        """Encode H.264 by another encoder of FFmpeg's, from the next start on."""
        for rendition in self.all:
            rendition.encoder = name

    def request_keyframe(self) -> None:
        """Make the next picture of each a keyframe, or the first one that the interval between keyframes allows."""
        for rendition in self.all:
            rendition.feed.request_keyframe()

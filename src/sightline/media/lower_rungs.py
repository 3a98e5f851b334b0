"""The lower renditions, encoded beside the pictures' own thread: however slow that is, the others lose nothing."""

from __future__ import annotations

import queue
from collections.abc import Iterator, Sequence
from functools import partial

import av

from .pump import Step
from .rendition import Encoding, Rendition
from .run import Made

__all__ = ["LowerRungs"]

_WAITING = 3
"""Pictures that may wait for the encoders; with more, the newest are left out of the lower renditions."""


class LowerRungs:
    """Takes the pictures of one run of a source, and nothing of them while nobody needs a lower rendition."""

    def __init__(self, renditions: Sequence[Rendition]) -> None:
        self._renditions = renditions
        self._queue: queue.SimpleQueue[tuple[av.VideoFrame, float] | None] = queue.SimpleQueue()

    @property
    def wanted(self) -> bool:
        """Whether anybody takes one."""
        return any(rendition.feed.subscribers for rendition in self._renditions)

    def put(self, frame: av.VideoFrame, seconds: float) -> None:
        """A picture, from the thread that has it; ``seconds`` from the start. Never waits."""
        if self.wanted and self._queue.qsize() < _WAITING:
            self._queue.put((frame, seconds))

    def stop(self) -> None:
        """End the steps. Repeatable."""
        self._queue.put(None)

    def steps(self) -> Iterator[Step[Made]]:
        """To be taken in a thread of its own, until ``stop``."""
        encodings = [rendition.begin() for rendition in self._renditions]
        while (item := self._queue.get()) is not None:
            frame, seconds = item
            yield Step(seconds, partial(_encode, encodings, frame, seconds))


def _encode(encodings: Sequence[Encoding], frame: av.VideoFrame, seconds: float) -> Iterator[Made]:
    for encoding in encodings:
        yield from encoding.encode(frame, seconds=seconds)

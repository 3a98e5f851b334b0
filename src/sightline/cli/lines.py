"""A line for each thing that happens while a command runs, for people or as JSON for scripts."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, TextIO

import msgspec

from ..errors import SightlineError

if TYPE_CHECKING:
    from ..call import CallStatistics
    from ..media.recorder import Recording
    from ..viewer import ViewerStatistics

__all__ = ["Lines", "bitrate", "path_figures"]


class Lines:
    """Each with its time."""

    def __init__(self, *, as_json: bool = False, output: TextIO | None = None) -> None:
        """``output``: standard output by default."""
        self.as_json = as_json
        self.output = output or sys.stdout

    def say(self, text: str, kind: str, fields: Mapping[str, object]) -> None:
        """``text`` is for people, ``kind`` and ``fields`` for scripts."""
        if self.as_json:
            text = msgspec.json.encode({"time": round(time.time(), 3), "type": kind, **fields}).decode()
        else:
            text = f"{datetime.now().strftime('%H:%M:%S')} {text}"
        print(text, file=self.output, flush=True)

    def recorded(self, text: str, recording: Recording) -> None:
        """The end of a recording."""
        fields = {
            "files": [str(file) for file in recording.files],
            "seconds": round(recording.seconds, 3),
            "pictures": recording.pictures,
            "size": recording.size,
        }
        self.say(text, "recording", fields)

    def failed(self, error: SightlineError) -> None:
        """It cannot go on. People are told by the command itself, on standard error."""
        if self.as_json:
            self.say("", "failed", {"reason": str(getattr(error, "reason", error.id)), "message": error.message})


def bitrate(bits: float) -> str:
    """``1.82 Mbit/s``."""
    return f"{bits / 1e6:.2f} Mbit/s"


def path_figures(figures: ViewerStatistics | CallStatistics) -> list[str]:
    """``delay 85 ms``, ``rtt 21 ms``, ``loss 0.4%``, as far as they are known."""
    parts = []
    if figures.picture_delay is not None:
        parts.append(f"delay {figures.picture_delay * 1000:.0f} ms")
    if figures.round_trip_time is not None:
        parts.append(f"rtt {figures.round_trip_time * 1000:.0f} ms")
    if figures.loss:
        parts.append(f"loss {figures.loss:.1%}")
    return parts

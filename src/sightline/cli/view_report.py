"""What ``sightline view`` prints: a live line on a terminal, a line for each change elsewhere, JSON for scripts."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TextIO

import msgspec

from ..errors import SightlineError
from .lines import Lines, bitrate, path_figures

if TYPE_CHECKING:
    from ..media.recorder import Recording
    from ..viewer import Viewer, ViewerEvent, ViewerStatistics

__all__ = ["Report", "recording_line", "statistics_line"]

_DOING: Final[Mapping[str, str]] = {
    "opening": "connecting to the service",
    "offering": "asking the camera for its picture",
    "connecting": "looking for a path to the camera",
    "watching": "",
    "recovering": "looking for the way back to the camera",
    "waiting": "trying again in a moment",
    "failed": "given up",
}
"""What is being done about it, by state."""

_REFRESH: Final = 0.5
_INTERVAL: Final = 1.0
"""Seconds between two lines of statistics."""


class Report:
    """Follows a viewer. ``run`` until cancelled."""

    def __init__(
        self, viewer: Viewer, *, as_json: bool = False, with_statistics: bool = False, output: TextIO | None = None
    ) -> None:
        """``with_statistics``: the figures each second."""
        self.recording: Recording | None = None
        """Set by who records, as it goes on."""
        self._viewer = viewer
        self._events = viewer.events()
        self._with_statistics = with_statistics
        self._lines = Lines(as_json=as_json, output=output)
        self._output = self._lines.output
        self._live = not as_json and self._output.isatty()
        self._line_shown = False

    async def run(self) -> None:
        """Report until cancelled, or until the viewer ends."""
        async with asyncio.TaskGroup() as tasks:
            ticker = tasks.create_task(self._tick())
            await self._follow()
            ticker.cancel()

    def event(self, event: ViewerEvent) -> None:
        """It happened."""
        fields: dict[str, Any] = msgspec.to_builtins(event)
        match fields.pop("type"):
            case "state":
                doing = _DOING.get(fields["after"], "")
                self._say(f"{fields['after']}{': ' if doing else ''}{doing}", "state", fields)
            case "notice" if fields["reason"] is None:
                self._say("all is well again", "notice", fields)
            case "notice":
                self._say(f"{fields['reason']}: {fields['message']}", "notice", fields)
            case kind:
                self._say(f"{kind}: {fields}", kind, fields)

    def statistics(self) -> None:
        """The figures of now, as a line."""
        figures = self._viewer.statistics()
        self._say(statistics_line(figures, self.recording), "statistics", msgspec.to_builtins(figures))

    def wrote_snapshot(self, path: Path) -> None:
        """A picture was written."""
        self._say(f"snapshot: {path}", "snapshot", {"file": str(path)})

    def wrote_recording(self, recording: Recording) -> None:
        """The end of it."""
        self.clear()
        self._lines.recorded(recording_line(recording), recording)

    def failed(self, error: SightlineError) -> None:
        """It cannot go on. People are told by the command itself, on standard error."""
        self._lines.failed(error)

    def clear(self) -> None:
        """Take the live line away."""
        if self._line_shown:
            self._line_shown = False
            self._output.write("\r\x1b[K")
            self._output.flush()

    async def _follow(self) -> None:
        from ..viewer import ViewerFailed

        try:
            async for event in self._events:
                self.event(event)
        except ViewerFailed:
            return  # told by who waits for the viewer

    async def _tick(self) -> None:
        told = time.monotonic()
        while True:
            await asyncio.sleep(_REFRESH if self._live else _INTERVAL)
            if self._live:
                self._show()
            if self._with_statistics and time.monotonic() - told >= _INTERVAL * 0.9:
                told = time.monotonic()
                self.statistics()

    def _show(self) -> None:
        notice = self._viewer.notice
        figures = self._viewer.statistics()
        line = statistics_line(figures, self.recording)
        if notice is not None:
            line = f"{figures.state}: {notice.message} ({_DOING.get(figures.state, '')})"
        width = shutil.get_terminal_size().columns - 1
        self._output.write("\r\x1b[K" + (line if len(line) <= width else line[: width - 1] + "…"))
        self._output.flush()
        self._line_shown = True

    def _say(self, text: str, kind: str, fields: Mapping[str, object]) -> None:
        self.clear()
        self._lines.say(text, kind, fields)


def statistics_line(figures: ViewerStatistics, recording: Recording | None = None) -> str:
    """``watching 640x360 30.0 fps 1.82 Mbit/s delay 85 ms …``, as far as it is known."""
    parts: list[str] = [figures.state]
    if figures.state in ("watching", "recovering"):
        if figures.width is not None:
            parts.append(f"{figures.width}x{figures.height}")
        parts.append(f"{figures.frame_rate:.1f} fps")
        if figures.bitrate is not None:
            parts.append(bitrate(figures.bitrate))
        parts += path_figures(figures)
        if figures.codec is not None:
            parts.append(figures.codec)
    elif doing := _DOING.get(figures.state):
        parts.append(doing)
    if recording is not None and recording.files:
        parts.append(f"● {recording_line(recording)}")
    return "  ".join(parts)


def recording_line(recording: Recording) -> str:
    """``out.mp4: 12.3 s, 369 pictures, 1.2 MB``."""
    if not recording.files:
        return "nothing was recorded: no picture came"
    names = ", ".join(str(file) for file in recording.files)
    return f"{names}: {recording.seconds:.1f} s, {recording.pictures} pictures, {recording.size / 1e6:.1f} MB"

"""What ``sightline call`` prints: a line for each event, and for the figures of a call."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from ..errors import SightlineError
from .lines import Lines, bitrate, path_figures

if TYPE_CHECKING:
    from ..call import CallEvent, CallStatistics, Recording

__all__ = ["Report"]


class Report:
    """What happens in the room and in its calls."""

    def __init__(self, *, as_json: bool) -> None:
        self._lines = Lines(as_json=as_json)
        self._was_online = False

    def event(self, event: CallEvent) -> None:
        """It happened."""
        fields: dict[str, Any] = msgspec.to_builtins(event)
        kind = fields.pop("type")
        text = self._line(kind, fields)
        if text or self._lines.as_json:
            self._lines.say(text, kind, fields)

    def recorded(self, recording: Recording) -> None:
        """The end of a recording."""
        files = ", ".join(str(file) for file in recording.files)
        text = f"recorded {recording.seconds:.1f} s into {files}" if files else "nothing came that could be recorded"
        self._lines.recorded(text, recording)

    def statistics(self, figures: CallStatistics) -> None:
        """The figures of now."""
        self._lines.say(_statistics_line(figures), "statistics", msgspec.to_builtins(figures))

    def failed(self, error: SightlineError) -> None:
        """It cannot go on. People are told by the command itself, on standard error."""
        self._lines.failed(error)

    def done(self, command: str, what: str) -> None:
        """A command of standard input was done."""
        self._lines.say(what, "command", {"command": command, "done": True, "message": what})

    def not_done(self, command: str, why: str) -> None:
        """It was not."""
        if self._lines.as_json:
            self._lines.say(why, "command", {"command": command, "done": False, "message": why})
        self.complain(why)

    def complain(self, sentence: str) -> None:
        """To people, on standard error; scripts have the events and the exit code."""
        if not self._lines.as_json:
            print(f"sightline: {sentence}", file=sys.stderr, flush=True)

    def _line(self, kind: str, fields: Mapping[str, Any]) -> str:
        match kind:
            case "lobby" if fields["online"]:
                again, self._was_online = "again " if self._was_online else "", True
                return f"in the room {fields['room']} {again}as {fields['name']}"
            case "lobby":
                return fields["message"] or "the way to the room is lost; trying again"
            case "users":
                here = ", ".join(fields["users"]) or "nobody else"
                return f"here now: {here}"
            case "sending":
                sound = "sound" if fields["sound"] else "no sound"
                picture = {"camera": "a picture", "screen": "the screen"}.get(fields["picture"], "no picture")
                return f"{fields['peer']} sends {picture} and {sound}"
            case "text":
                return f"{fields['peer']}: {fields['text']}"
            case _:
                return _state_line(fields)


def _state_line(fields: Mapping[str, Any]) -> str:
    peer = fields["peer"]
    match fields["after"]:
        case "calling":
            return f"calling {peer}"  # it rings there, if they are there
        case "ringing":
            return f"{peer} is calling"
        case "connecting":
            return f"connecting to {peer}"
        case "in-call":
            return f"in a call with {peer}"
        case "reconnecting":
            return f"the connection to {peer} is interrupted; reconnecting"
        case _:
            return str(fields["message"])


def _statistics_line(figures: CallStatistics) -> str:
    """``in-call  640x360 30.0 fps  in 1.82 Mbit/s  out 2.01 Mbit/s  rtt 21 ms …``, as far as it is known."""
    parts: list[str] = [figures.state]
    if figures.width is not None:
        parts.append(f"{figures.width}x{figures.height} {figures.frame_rate:.1f} fps")
    if figures.received_bitrate is not None:
        parts.append(f"in {bitrate(figures.received_bitrate)}")
    if figures.sent_bitrate is not None:
        parts.append(f"out {bitrate(figures.sent_bitrate)}")
    parts += path_figures(figures)
    if figures.candidate_pair is not None:
        parts.append(figures.candidate_pair)
    return "  ".join(parts)

"""What somebody types while ``sightline call`` runs (``--commands``): one command a line, from standard input."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from collections.abc import AsyncIterator, Mapping
from typing import TYPE_CHECKING, Final

from ..errors import SightlineError

if TYPE_CHECKING:
    from ..call import Call
    from .call_report import Report

__all__ = ["COMMANDS", "follow_commands", "perform_command"]

COMMANDS: Final[Mapping[str, str]] = {
    "mute": "send silence in place of the sound",
    "unmute": "send the sound again",
    "picture off": "send no picture",
    "picture on": "send the picture again",
    "source SOURCE": "send something else from now on: another camera, a file, test; none for nothing",
    "say TEXT": "write a line to the other one",
    "hang up": "end the call",
}
"""With what they do."""

_MOST: Final = 1 << 16
"""Bytes of a line: more is no command."""


async def follow_commands(call: Call, report: Report) -> None:
    """Do what standard input says, until it ends. What cannot be done is told, and nothing else happens."""
    async for line in _lines():
        if line.strip():
            try:
                report.done(line.strip(), await perform_command(call, line))
            except SightlineError as error:
                report.not_done(line.strip(), error.message)


async def perform_command(call: Call, line: str) -> str:
    """Do one; gives what was done, for people. Raises SightlineError with what is wrong, and nothing was done."""
    command, _, rest = line.strip().partition(" ")
    rest = rest.strip()
    match command.lower(), rest:
        case (("mute" | "unmute" as which), ""):
            call.set_muted(which == "mute")
            return "the sound is off" if call.muted else "the sound is on"
        case "picture", ("off" | "on" as which):
            call.set_picture_off(which == "off")
            return f"the picture is {which}"
        case "source", source if source:
            if source == "env":
                source = os.environ.get("SIGHTLINE_SOURCE", "")
            await call.set_source(None if source == "none" else source)
            return "nothing is sent from now on" if source == "none" else "the source is another one"
        case "say", text if text:
            if call.session is None or not call.session.send_text(text):
                raise SightlineError("There is no call with anybody who could read it.")
            return "written"
        case "hang", "up":
            if call.session is None:
                raise SightlineError("There is no call.")
            await call.hang_up()
            return "hung up"
    raise SightlineError(f"{line.strip()[:40]!r} is no command. There are: {', '.join(COMMANDS)}.")


async def _lines() -> AsyncIterator[str]:
    """Of standard input, whatever it is: a terminal, a pipe, a file."""
    loop = asyncio.get_running_loop()
    lines: asyncio.Queue[str | None] = asyncio.Queue()

    def tell(line: str | None) -> None:
        try:
            loop.call_soon_threadsafe(lines.put_nowait, line)
        except RuntimeError:  # the loop has ended; so does this thread, with the process
            sys.exit()

    def read() -> None:
        # Not by sys.stdin: its lock, held while nobody types, would stop the interpreter's end.
        pending = b""
        while data := os.read(0, 4096):
            *whole, pending = (pending + data).split(b"\n")
            for line in whole:
                tell(line.decode("utf-8", "replace"))
            if len(pending) > _MOST:
                break
        tell(pending.decode("utf-8", "replace"))
        tell(None)

    threading.Thread(target=read, name="commands", daemon=True).start()
    while (line := await lines.get()) is not None:
        yield line

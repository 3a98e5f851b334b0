"""``sightline call``: be somebody in a room: ring people, answer calls, record them."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import sys
import time
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from ..errors import MediaError, SightlineError
from .options import Commands, add_client_options, add_command, add_json_option, duration, target_from
from .paths import add_path_options, ice_config_from
from .stopping import stop_on_signals

if TYPE_CHECKING:
    from ..call import Call, CallEvent, CallSession, CallStatistics, Recording

__all__ = ["register"]

_CODES: Final[Mapping[str, int]] = {"declined": 3, "busy": 4, "no-answer": 5, "gone": 6}
"""Exit codes of a call that nobody took, by the reason; any other is 1."""

_BROKEN: Final = ("lost", "no-path", "internal")

_EXAMPLES: Final = """\
  sightline call "Front door" --room family --source /dev/video0 --to Ann --to Ben
                        a doorbell: rings Ann, then Ben, and ends with the call that one of them takes
  sightline call Hall --room family --source rtsp://CAMERA/stream --speaker default --answer
                        a camera with a loudspeaker that takes every call until Ctrl-C
  sightline call Recorder --link 'https://HOST:8443/call?room=family#TOKEN' --answer --once --record visit.mp4

exit codes:
  0  there was a call, or Ctrl-C ended the waiting      3  declined      5  no answer
  1  it could not be, or the connection was lost        4  busy          6  nobody of that name is there"""


def register(commands: Commands) -> None:
    """Adds the command."""
    parser = add_command(
        commands, "call", help="call somebody in a room, or answer calls, with a source of your own", examples=_EXAMPLES
    )
    parser.add_argument("name", metavar="NAME", help="under which the others see this one")
    parser.add_argument("--room", metavar="ROOM", help="default: the link's, or lobby")
    parser.add_argument("--link", metavar="URL", help="https://HOST/call?room=ROOM#TOKEN; needs no key")
    parser.add_argument(
        "--to", action="append", metavar="WHO", help="call this person; given more than once, one after the other"
    )
    parser.add_argument("--answer", action="store_true", help="take every call that comes, until Ctrl-C")
    parser.add_argument("--once", action="store_true", help="with --answer: end after the first call")
    parser.add_argument(
        "--source",
        metavar="SOURCE",
        help="what the others see and hear, as for `sightline master`: a file, rtsp://…, /dev/video0, test, …; "
        "default nothing. With a password: give it as $SIGHTLINE_SOURCE and --source env",
    )
    parser.add_argument(
        "--speaker",
        metavar="SPEAKER",
        help="play what the others say: default (the sound card), a file as voices.wav, or ffmpeg:FORMAT:TARGET",
    )
    parser.add_argument(
        "--record",
        type=Path,
        metavar="FILE",
        help="record what comes into .mp4 or .mkv, without encoding anew. An existing file is kept: the next free "
        "number is taken",
    )
    parser.add_argument("--say", metavar="TEXT", help="write this line when a call is up")
    parser.add_argument("--seconds", type=duration, metavar="TIME", help="hang up after so long: 30, 10m")
    parser.add_argument("--stats", action="store_true", help="print the figures of a call each second")
    parser.add_argument("--persistent", action="store_true", help="wait for the service as long as it is away")
    parser.add_argument(
        "--log-level", choices=("debug", "info", "warning", "error"), default="error", help="default error"
    )
    add_json_option(parser)
    add_path_options(parser)
    add_client_options(parser)
    parser.set_defaults(run=lambda args: _run(parser, args))


def _run(parser: argparse.ArgumentParser, args: argparse.Namespace) -> int:
    if not args.to and not args.answer:
        parser.error("give --to WHO to call somebody, or --answer to wait for calls")
    if args.once and not args.answer:
        parser.error("--once goes with --answer")
    import uvloop

    from ..media.recorder_file import check_recording_path
    from ..observe.log import set_up_logging

    if args.record is not None:
        check_recording_path(args.record)
    if args.source == "env":
        args.source = os.environ.get("SIGHTLINE_SOURCE", "")
    set_up_logging(level=args.log_level, form="text")
    code: int = uvloop.run(_call(args))
    return code


async def _call(args: argparse.Namespace) -> int:
    from ..call import Call
    from ..call.entry import KeyedEntry

    report = _Report(as_json=args.json)
    code = 0
    async with contextlib.AsyncExitStack() as stack:
        entry = KeyedEntry(args.room, target=target_from(args)) if args.link is None else None
        if entry is not None:
            stack.push_async_callback(entry.aclose)
        try:
            call = Call(
                args.name,
                room=args.room,
                link=args.link,
                source=args.source,
                speaker=args.speaker,
                ice=ice_config_from(args),
                join_timeout=None if args.persistent else 15.0,
                on_event=report.event,
                session_provider=entry,
            )
            with stop_on_signals():
                async with call:
                    code = await _do(args, call, report)
        except SightlineError as error:
            report.failed(error)
            raise
    return code


async def _do(args: argparse.Namespace, call: Call, report: _Report) -> int:
    code = 0
    if args.to:
        code = await _ring_people(args, call, report)
    if not args.answer:
        return code
    from ..call import CallEnded

    async for ring in call.incoming():
        try:
            session = await ring.accept()
        except CallEnded:
            continue  # told as an event
        code = await _talk(args, session, report)
        if args.once:
            break
    return code


async def _ring_people(args: argparse.Namespace, call: Call, report: _Report) -> int:
    """One after the other, until somebody takes it."""
    from ..call import CallEnded

    code = 1
    for who in args.to:
        try:
            session = await call.place(who)
        except CallEnded as ended:
            report.complain(ended.message)
            code = _CODES.get(ended.reason, 1)
        else:
            return await _talk(args, session, report)
    return code


async def _talk(args: argparse.Namespace, session: CallSession, report: _Report) -> int:
    """Until the call ends; recordings are written then."""
    troubles: list[MediaError] = []
    recorder = session.record(args.record, on_error=troubles.append) if args.record is not None else None
    beside = asyncio.get_running_loop().create_task(_tell_statistics(session, report)) if args.stats else None
    try:
        if args.say:
            session.send_text(args.say)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(args.seconds):
                await session.wait_ended()
        await session.hang_up()
    finally:
        if beside is not None:
            beside.cancel()
            await asyncio.wait([beside])
        if recorder is not None:
            if session.reason is None:  # Ctrl-C
                await session.hang_up()
            report.recorded(recorder.state)
    for trouble in troubles:
        report.complain(trouble.message)
    return 1 if troubles or session.reason in _BROKEN else 0


async def _tell_statistics(session: CallSession, report: _Report) -> None:
    while True:
        await asyncio.sleep(1.0)
        report.statistics(session.statistics())


class _Report:
    """A line for each thing that happens, for people or as JSON for scripts."""

    def __init__(self, *, as_json: bool) -> None:
        self._json = as_json
        self._was_online = False

    def event(self, event: CallEvent) -> None:
        """It happened."""
        fields: dict[str, Any] = msgspec.to_builtins(event)
        kind = fields.pop("type")
        text = self._line(kind, fields)
        if text or self._json:
            self._say(text, kind, fields)

    def recorded(self, recording: Recording) -> None:
        """The end of a recording."""
        files = ", ".join(str(file) for file in recording.files)
        fields = {
            "files": [str(file) for file in recording.files],
            "seconds": round(recording.seconds, 3),
            "pictures": recording.pictures,
            "size": recording.size,
        }
        text = f"recorded {recording.seconds:.1f} s into {files}" if files else "nothing came that could be recorded"
        self._say(text, "recording", fields)

    def statistics(self, figures: CallStatistics) -> None:
        """The figures of now."""
        self._say(_statistics_line(figures), "statistics", msgspec.to_builtins(figures))

    def failed(self, error: SightlineError) -> None:
        """It cannot go on. People are told by the command itself, on standard error."""
        if self._json:
            self._say("", "failed", {"reason": str(getattr(error, "reason", error.id)), "message": error.message})

    def complain(self, sentence: str) -> None:
        """To people, on standard error; scripts have the events and the exit code."""
        if not self._json:
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
            case "text":
                return f"{fields['peer']}: {fields['text']}"
            case _:
                return _state_line(fields)

    def _say(self, text: str, kind: str, fields: Mapping[str, object]) -> None:
        if self._json:
            text = msgspec.json.encode({"time": round(time.time(), 3), "type": kind, **fields}).decode()
        else:
            text = f"{datetime.now().strftime('%H:%M:%S')} {text}"
        print(text, flush=True)


def _state_line(fields: Mapping[str, Any]) -> str:
    peer = fields["peer"]
    match fields["after"]:
        case "calling":
            return f"calling {peer}: it rings there"
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
        parts.append(f"in {figures.received_bitrate / 1e6:.2f} Mbit/s")
    if figures.sent_bitrate is not None:
        parts.append(f"out {figures.sent_bitrate / 1e6:.2f} Mbit/s")
    if figures.picture_delay is not None:
        parts.append(f"delay {figures.picture_delay * 1000:.0f} ms")
    if figures.round_trip_time is not None:
        parts.append(f"rtt {figures.round_trip_time * 1000:.0f} ms")
    if figures.loss:
        parts.append(f"loss {figures.loss:.1%}")
    if figures.candidate_pair is not None:
        parts.append(figures.candidate_pair)
    return "  ".join(parts)

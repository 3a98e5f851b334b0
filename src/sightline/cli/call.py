"""``sightline call``: be somebody in a room: ring people, answer calls, record them."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ..errors import MediaError, SightlineError
from .call_commands import COMMANDS, follow_commands
from .options import (
    Commands,
    add_client_options,
    add_command,
    add_json_option,
    add_log_level_option,
    duration,
    target_from,
)
from .paths import add_path_options, ice_config_from
from .stopping import stop_on_signals

if TYPE_CHECKING:
    from ..call import Call, CallSession
    from .call_report import Report

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
    parser.add_argument(
        "--commands",
        action="store_true",
        help="take commands from standard input, one a line: " + ", ".join(COMMANDS),
    )
    parser.add_argument("--stats", action="store_true", help="print the figures of a call each second")
    parser.add_argument("--persistent", action="store_true", help="wait for the service as long as it is away")
    add_log_level_option(parser, default="error")
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
    from .call_report import Report

    report = Report(as_json=args.json)
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
                    if args.commands:
                        stack.push_async_callback(_ended, asyncio.create_task(follow_commands(call, report)))
                    code = await _do(args, call, report)
        except SightlineError as error:
            report.failed(error)
            raise
    return code


async def _do(args: argparse.Namespace, call: Call, report: Report) -> int:
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


async def _ring_people(args: argparse.Namespace, call: Call, report: Report) -> int:
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


async def _talk(args: argparse.Namespace, session: CallSession, report: Report) -> int:
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
            await _ended(beside)
        if recorder is not None:
            if session.reason is None:  # Ctrl-C
                await session.hang_up()
            report.recorded(recorder.state)
    for trouble in troubles:
        report.complain(trouble.message)
    return 1 if troubles or session.reason in _BROKEN else 0


async def _ended(beside: asyncio.Task[None]) -> None:
    beside.cancel()
    await asyncio.wait([beside])


async def _tell_statistics(session: CallSession, report: Report) -> None:
    while True:
        await asyncio.sleep(1.0)
        report.statistics(session.statistics())

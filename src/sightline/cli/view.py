"""``sightline view``: watch a channel from a shell, record it, take a picture of it."""

from __future__ import annotations

import argparse
import asyncio
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import MediaError, SightlineError
from .options import (
    Commands,
    add_client_options,
    add_command,
    add_json_option,
    add_log_level_option,
    duration,
    target_from,
)
from .stopping import stop_on_signals

if TYPE_CHECKING:
    from ..media.recorder import Recorder
    from ..viewer import Viewer
    from .view_report import Report

__all__ = ["register"]


def register(commands: Commands) -> None:
    """Adds the command."""
    parser = add_command(
        commands,
        "view",
        help="watch a channel, record it, or take a picture of it",
        examples="  sightline view porch\n"
        "  sightline view porch --record porch.mp4\n"
        "  sightline view porch --record porch.mkv --seconds 10m --persistent\n"
        "  sightline view porch --snapshot photo.jpg\n"
        "  sightline view --link 'https://HOST:8443/view/porch#TOKEN' --stats\n"
        "  sightline view porch --endpoint aws --region eu-central-1 --json",
    )
    parser.add_argument("channel", metavar="CHANNEL", nargs="?", help="name or ARN")
    parser.add_argument("--link", metavar="URL", help="a link instead: https://HOST/view/CHANNEL#TOKEN; needs no key")
    parser.add_argument(
        "--record",
        type=Path,
        metavar="FILE",
        help="record into .mp4 or .mkv (.webm for VP8), without encoding anew; goes on after a reconnection. "
        "An existing file is kept: the next free number is taken",
    )
    parser.add_argument(
        "--snapshot", type=Path, metavar="FILE", help="write the first picture as .jpg or .png; alone, end then"
    )
    parser.add_argument("--stats", action="store_true", help="print the figures each second")
    parser.add_argument("--seconds", type=duration, metavar="TIME", help="end so long after the first picture: 30, 10m")
    parser.add_argument("--persistent", action="store_true", help="never give up, as for a display on a wall")
    parser.add_argument("--client-id", metavar="ID", help="the viewer's name; default a fresh one")
    parser.add_argument("--relay", action="store_true", help="only through TURN servers")
    parser.add_argument("--no-audio", dest="audio", action="store_false", help="pictures only")
    add_log_level_option(parser, default="error")
    add_json_option(parser)
    add_client_options(parser)
    parser.set_defaults(run=lambda args: _run(parser, args))


def _run(parser: argparse.ArgumentParser, args: argparse.Namespace) -> int:
    if (args.channel is None) == (args.link is None):
        parser.error("give a CHANNEL or --link URL")
    if args.channel is not None and args.channel.startswith(("https://", "http://")):
        args.link, args.channel = args.channel, None  # what people paste is a link, whatever stands before it
    import uvloop

    from ..media.recorder_file import check_recording_path
    from ..media.snapshot import check_snapshot_path
    from ..observe.log import set_up_logging

    if args.record is not None:
        check_recording_path(args.record)
    if args.snapshot is not None:
        check_snapshot_path(args.snapshot)
    set_up_logging(level=args.log_level, form="text")
    uvloop.run(_view(args))
    return 0


async def _view(args: argparse.Namespace) -> None:
    from ..client.control import ControlPlane
    from ..viewer import Viewer
    from .view_report import Report

    control = ControlPlane(target=target_from(args)) if args.link is None else None
    viewer = Viewer(
        args.link or args.channel,
        session_provider=None if control is None else lambda name: control.viewer_session(args.channel, name),
        client_id=args.client_id,
        audio=args.audio,
        persistent=args.persistent,
        ice_transport_policy="relay" if args.relay else "all",
    )
    report = Report(viewer, as_json=args.json, with_statistics=args.stats)
    recorder: Recorder | None = None
    try:
        with stop_on_signals():
            async with viewer:
                trouble: asyncio.Future[None] = asyncio.get_running_loop().create_future()
                if args.record is not None:
                    recorder = viewer.record(args.record, on_error=lambda error: _fail(trouble, error))
                await _follow(args, viewer, report, recorder, trouble)
    except SightlineError as error:
        report.failed(error)
        raise
    finally:
        report.clear()
        if control is not None:
            await control.aclose()
        if recorder is not None:
            report.wrote_recording(recorder.state)


async def _follow(
    args: argparse.Namespace,
    viewer: Viewer,
    report: Report,
    recorder: Recorder | None,
    trouble: asyncio.Future[None],
) -> None:
    """Until it is done, or cannot be: raises ViewerFailed and MediaError."""
    loop = asyncio.get_running_loop()
    doing = loop.create_task(_do(args, viewer, report))
    beside = [loop.create_task(report.run())]
    if recorder is not None:
        beside.append(loop.create_task(_tell_progress(report, recorder)))
    try:
        await asyncio.wait([doing, trouble], return_when=asyncio.FIRST_COMPLETED)
        if trouble.done():
            trouble.result()
        await doing
    finally:
        for task in (doing, *beside):
            task.cancel()
        await asyncio.wait([doing, *beside])
        trouble.cancel()


async def _do(args: argparse.Namespace, viewer: Viewer, report: Report) -> None:
    from ..media.snapshot import save_picture

    if args.snapshot is not None:
        picture = await viewer.picture()
        await asyncio.to_thread(save_picture, picture.picture, args.snapshot)
        report.wrote_snapshot(args.snapshot)
        if args.record is None and args.seconds is None and not args.stats:
            return
    if args.seconds is not None:
        await viewer.wait_watching()
    with suppress(TimeoutError):
        async with asyncio.timeout(args.seconds):
            await viewer.wait_closed()


async def _tell_progress(report: Report, recorder: Recorder) -> None:
    while True:
        report.recording = recorder.state
        await asyncio.sleep(0.5)


def _fail(trouble: asyncio.Future[None], error: MediaError) -> None:
    if not trouble.done():
        trouble.set_exception(error)

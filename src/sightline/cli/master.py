"""``sightline master``: a camera on a channel, until SIGINT or SIGTERM."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
from typing import TYPE_CHECKING

from ..errors import ConfigError
from .collector import collect_now_and_then, quiet_collector
from .options import Commands, add_client_options, add_command, add_json_option, add_log_level_option, target_from
from .output import print_json, print_table
from .paths import add_path_options, ice_config_from, positive
from .stopping import stop_on_signals

if TYPE_CHECKING:
    from ..media.source import Source

__all__ = ["register"]


def register(commands: Commands) -> None:
    """Adds the command."""
    parser = add_command(
        commands,
        "master",
        help="be the camera of a channel",
        examples="  sightline master porch --source holiday.mp4\n"
        "  sightline master porch --source test:1280x720@30 --create\n"
        "  sightline master porch --source test:1920x1080@30 --renditions 720p@2500,360p@300\n"
        "  sightline master porch --source rtsp://admin:secret@192.168.1.20/stream1\n"
        "  sightline master porch --source /dev/video0\n"
        "  sightline master --list-devices\n"
        "  sightline master porch --source test --endpoint aws --region eu-central-1\n"
        "  sightline master porch --source test --udp-ports 50000-50100 --advertise-ip 203.0.113.7",
    )
    parser.add_argument("channel", metavar="CHANNEL", nargs="?", help="name or ARN")
    parser.add_argument(
        "--source",
        default="test",
        metavar="SOURCE",
        help="video file, rtsp://USER:PASSWORD@CAMERA/PATH, /dev/video0, screen, any URL or ffmpeg:FORMAT:ADDRESS, "
        "test, test:WIDTHxHEIGHT@RATE, or clip (made at first use); default test. An address with a password is seen "
        "by everybody on this machine: give it as $SIGHTLINE_SOURCE and --source env",
    )
    parser.add_argument("--rtsp-transport", choices=("tcp", "udp"), default="tcp", help="default tcp")
    parser.add_argument("--no-loop", action="store_true", help="play a video file once")
    parser.add_argument("--encoder", metavar="NAME", help="FFmpeg's H.264 encoder, for instance h264_nvenc")
    parser.add_argument("--bitrate", type=positive, metavar="KBIT", help="encode the picture anew, in kbit/s")
    parser.add_argument(
        "--renditions",
        default="auto",
        metavar="LIST",
        help="smaller pictures for viewers on narrow paths, encoded only while somebody needs them: heights with or "
        "without kbit/s, as 720p,360p@300, off, or auto (default): 720p and 360p below 1080p, 360p below 720p",
    )
    parser.add_argument(
        "--no-transcode",
        action="store_true",
        help="send only what the source has: no smaller pictures, and nothing to viewers without its codec",
    )
    parser.add_argument(
        "--list-devices", action="store_true", help="print cameras and screens of this machine, and end"
    )
    add_json_option(parser)
    parser.add_argument("--create", action="store_true", help="make the channel when there is none")
    add_path_options(parser)
    parser.add_argument(
        "--max-viewers", type=positive, metavar="N", help="refuse whoever comes while so many watch; default any number"
    )
    parser.add_argument(
        "--speaker",
        metavar="SPEAKER",
        help="play what viewers say: default (the sound card), a file as voices.wav, or ffmpeg:FORMAT:TARGET; "
        "without it nobody can talk to this camera",
    )
    parser.add_argument(
        "--talk-roles",
        metavar="ROLES",
        help="who may talk: operator, or viewer,operator; default everybody who watches",
    )
    parser.add_argument("--quiet", action="store_true", help="print nothing but warnings and errors")
    parser.add_argument("--log-format", choices=("text", "json"), default="text", help="default text")
    add_log_level_option(parser, default="info")
    parser.add_argument("--with-parent", action="store_true", help=argparse.SUPPRESS)
    add_client_options(parser)
    parser.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> int:
    if args.list_devices:
        return _list_devices(as_json=args.json)
    if args.channel is None:
        raise ConfigError("Give the channel's name: sightline master CHANNEL --source SOURCE")
    import uvloop

    from ..observe.log import set_up_logging

    set_up_logging(level="warning" if args.quiet and args.log_level == "info" else args.log_level, form=args.log_format)
    uvloop.run(_master(args))
    return 0


async def _master(args: argparse.Namespace) -> None:
    from ..client.control import ControlPlane
    from ..master import Master

    async with contextlib.AsyncExitStack() as stack:
        stack.enter_context(stop_on_signals(with_parent=args.with_parent))
        source = await asyncio.to_thread(_open, args)
        stack.push_async_callback(source.aclose)
        async with ControlPlane(target=target_from(args)) as control:
            master = Master(
                args.channel,
                source=source,
                session_provider=lambda: control.master_session(args.channel, create=args.create),
                ice=ice_config_from(args),
                max_viewers=args.max_viewers,
                speaker=args.speaker,
                talk_roles=_roles(args.talk_roles),
            )
            async with master:
                quiet_collector()
                collecting = asyncio.create_task(collect_now_and_then(), name="collector")
                stack.callback(collecting.cancel)
                await master.run()


def _open(args: argparse.Namespace) -> Source:
    from ..media.source import open_source

    name = _clip(args) if args.source == "clip" else args.source
    if name == "env":
        name = os.environ.get("SIGHTLINE_SOURCE", "")
    return open_source(
        name,
        bitrate=args.bitrate * 1000 if args.bitrate else None,
        loop=not args.no_loop,
        transport=args.rtsp_transport,
        encoder=args.encoder,
        renditions=args.renditions,
        transcode=not args.no_transcode,
    )


def _roles(text: str | None) -> list[str] | None:
    from ..wire.extras import ViewerRole

    if text is None:
        return None
    roles = [role.strip() for role in text.split(",")]
    unknown = next((role for role in roles if role not in list(ViewerRole)), None)
    if unknown is not None:
        raise ConfigError(f"There is no role {unknown!r}. The roles of viewers are {' and '.join(ViewerRole)}.")
    return roles


def _list_devices(*, as_json: bool) -> int:
    from ..media.devices import list_devices

    devices = list_devices()
    if as_json:
        print_json({"devices": devices})
    else:
        rows = [(each.source, each.name) for each in devices]
        print_table(("SOURCE", "NAME"), rows, empty="No camera and no screen here. Plug one in, or use --source test.")
    return 0


def _clip(args: argparse.Namespace) -> str:
    from ..config import load_settings
    from ..media.clip import ensure_clip

    return str(ensure_clip((args.data_dir or load_settings().data_dir) / "clip.mp4"))

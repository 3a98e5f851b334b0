"""``sightline command``: have a camera's device do something, from a shell or a script."""

from __future__ import annotations

import argparse
import asyncio
from typing import TYPE_CHECKING

from .options import Commands, add_client_options, add_command, add_json_option, duration, target_from
from .output import print_json
from .stopping import stop_on_signals

if TYPE_CHECKING:
    from ..rtc.data_requests import Json

__all__ = ["register"]


def register(commands: Commands) -> None:
    """Adds the command."""
    parser = add_command(
        commands,
        "command",
        help="send a command to a camera's device, and print its answer",
        examples="  sightline command porch light '\"on\"'\n"
        "  sightline command porch ptz '{\"pan\": 10}'\n"
        "  sightline command 'https://HOST:8443/view/porch#TOKEN' where --json",
    )
    parser.add_argument("channel", metavar="CHANNEL", help="name or ARN, or an operator's link, which needs no key")
    parser.add_argument("name", metavar="NAME", help="of the command, as the camera's program has it")
    parser.add_argument("value", metavar="JSON", nargs="?", default="null", help="what goes with it; default null")
    parser.add_argument(
        "--timeout", type=duration, default=duration("10s"), metavar="TIME", help="give up after so long; default 10s"
    )
    add_json_option(parser)
    add_client_options(parser)
    parser.set_defaults(run=lambda args: _run(parser, args))


def _run(parser: argparse.ArgumentParser, args: argparse.Namespace) -> int:
    import msgspec

    from ..observe.log import set_up_logging

    try:
        value: Json = msgspec.json.decode(args.value)
    except (msgspec.DecodeError, RecursionError, UnicodeError):
        parser.error(f"{args.value!r} is no JSON; text needs quotes of its own: '\"on\"'")
    set_up_logging(level="error", form="text")
    return asyncio.run(_command(args, value))


async def _command(args: argparse.Namespace, value: Json) -> int:
    from ..client.control import ControlPlane
    from ..viewer import Viewer

    is_link = args.channel.startswith(("https://", "http://"))
    control = None if is_link else ControlPlane(target=target_from(args))
    viewer = Viewer(
        args.channel,
        session_provider=None if control is None else lambda name: control.viewer_session(args.channel, name),
        video=False,
        audio=False,
        commands=True,
    )
    try:
        with stop_on_signals():
            async with viewer:
                reply = await viewer.command(args.name, value, timeout=args.timeout)
                if args.json or not isinstance(reply, str):
                    print_json(reply)
                else:
                    print("".join(character for character in reply if character.isprintable() or character == "\n"))
                return 0
    finally:
        if control is not None:
            await control.aclose()
    return 1  # ended by a signal before there was an answer

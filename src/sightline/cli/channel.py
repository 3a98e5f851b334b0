"""``sightline channel``: create, list, describe, update, delete, tag and untag signaling channels."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING

from .options import Commands, add_client_options, add_command, add_json_option, tag, target_from
from .output import print_json, print_table, when

if TYPE_CHECKING:
    from ..client.control import Channel, ControlPlane

__all__ = ["register"]

Action = Callable[["ControlPlane", argparse.Namespace], Awaitable[None]]


def register(commands: Commands) -> None:
    """Adds the command and its subcommands."""
    group = add_command(
        commands,
        "channel",
        help="make, find, change and delete channels",
        examples="  sightline channel create porch --tag room=outside\n  sightline channel list --tag room=outside",
    )
    actions = group.add_subparsers(title="actions", metavar="ACTION", required=True)

    create = _add(actions, "create", _create, "make a channel", "  sightline channel create porch --ttl 30")
    create.add_argument("name", metavar="NAME")
    create.add_argument("--ttl", type=int, default=60, metavar="SECONDS", help="keep undelivered messages, 5 to 120")
    create.add_argument("--tag", type=tag, action="append", default=[], metavar="K=V", help="may be given again")
    add_json_option(create)

    listing = _add(actions, "list", _list, "list channels", "  sightline channel list --tag room=attic --json")
    listing.add_argument("--prefix", default="", metavar="TEXT", help="names that begin so")
    listing.add_argument("--tag", type=tag, action="append", default=[], metavar="K=V", help="with all of these tags")
    add_json_option(listing)

    describe = _add(actions, "describe", _describe, "show a channel", "  sightline channel describe porch")
    describe.add_argument("channel", metavar="CHANNEL", help="name or ARN")
    add_json_option(describe)

    update = _add(actions, "update", _update, "change a channel", "  sightline channel update porch --ttl 30")
    update.add_argument("channel", metavar="CHANNEL", help="name or ARN")
    update.add_argument("--ttl", type=int, required=True, metavar="SECONDS", help="keep undelivered messages, 5 to 120")

    delete = _add(actions, "delete", _delete, "delete a channel", "  sightline channel delete porch")
    delete.add_argument("channel", metavar="CHANNEL", help="name or ARN")

    tagging = _add(actions, "tag", _tag, "add or change tags", "  sightline channel tag porch room=outside floor=0")
    tagging.add_argument("channel", metavar="CHANNEL", help="name or ARN")
    tagging.add_argument("tags", type=tag, nargs="+", metavar="K=V")

    untag = _add(actions, "untag", _untag, "take tags away", "  sightline channel untag porch floor")
    untag.add_argument("channel", metavar="CHANNEL", help="name or ARN")
    untag.add_argument("keys", nargs="+", metavar="KEY")


def _add(actions: Commands, name: str, action: Action, help: str, examples: str) -> argparse.ArgumentParser:
    parser = add_command(actions, name, help=help, examples=examples)
    add_client_options(parser)
    parser.set_defaults(run=lambda args: asyncio.run(_run(action, args)))
    return parser


async def _run(action: Action, args: argparse.Namespace) -> int:
    from ..client.control import ControlPlane

    async with ControlPlane(target=target_from(args)) as control:
        await action(control, args)
    return 0


async def _create(control: ControlPlane, args: argparse.Namespace) -> None:
    made = await control.create_channel(args.name, message_ttl=args.ttl, tags=dict(args.tag))
    print_json(made) if args.json else print(made.arn)


async def _list(control: ControlPlane, args: argparse.Namespace) -> None:
    found = await control.list_channels(prefix=args.prefix, tags=dict(args.tag), with_tags=True)
    if args.json:
        print_json(found)
    else:
        _print_channels(found)


async def _describe(control: ControlPlane, args: argparse.Namespace) -> None:
    channel = await control.describe_channel(args.channel, with_tags=True)
    if args.json:
        print_json(channel)
        return
    for label, value in (
        ("name", channel.name),
        ("ARN", channel.arn),
        ("status", channel.status),
        ("created", when(channel.created)),
        ("messages kept", f"{channel.message_ttl} s"),
        ("version", channel.version),
        ("tags", _tags(channel) or "-"),
    ):
        print(f"{label:14} {value}")


async def _update(control: ControlPlane, args: argparse.Namespace) -> None:
    await control.update_channel(args.channel, message_ttl=args.ttl)


async def _delete(control: ControlPlane, args: argparse.Namespace) -> None:
    await control.delete_channel(args.channel)


async def _tag(control: ControlPlane, args: argparse.Namespace) -> None:
    await control.tag_channel(args.channel, dict(args.tags))


async def _untag(control: ControlPlane, args: argparse.Namespace) -> None:
    await control.untag_channel(args.channel, args.keys)


def _print_channels(channels: Sequence[Channel]) -> None:
    rows = [
        [channel.name, channel.status, when(channel.created), f"{channel.message_ttl} s", _tags(channel), channel.arn]
        for channel in channels
    ]
    print_table(
        ["NAME", "STATUS", "CREATED", "TTL", "TAGS", "ARN"],
        rows,
        empty="No channels. Make one with `sightline channel create NAME`.",
    )


def _tags(channel: Channel) -> str:
    return " ".join(f"{key}={value}" for key, value in sorted((channel.tags or {}).items()))

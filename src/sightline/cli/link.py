"""``sightline link``: a link to a channel's page, as text and as a QR code."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

from .options import Commands, add_client_options, add_command, add_json_option, duration, target_from
from .output import print_json, print_table, qr_code, when

if TYPE_CHECKING:
    from ..client.admin import Link, LinkInfo

__all__ = ["register"]


def register(commands: Commands) -> None:
    """Adds the command."""
    parser = add_command(
        commands,
        "link",
        help="make a link with which somebody can watch a channel (or be its camera, or call in a room)",
        examples="  sightline link porch\n  sightline link porch --role operator\n"
        "  sightline link porch --role master --expires 30m\n"
        "  sightline link --room family --expires 2h",
    )
    parser.add_argument("channel", metavar="CHANNEL", nargs="?")
    parser.add_argument("--room", metavar="NAME", help="for calls in this room, instead of a channel")
    parser.add_argument(
        "--role",
        choices=("viewer", "operator", "master"),
        default="viewer",
        help="watch (default); watch and command the device; or be the camera",
    )
    parser.add_argument(
        "--expires", type=duration, default=duration("8h"), metavar="TIME", help="ends after 15m, 8h, …; at most 24h"
    )
    parser.add_argument("--no-qr", dest="qr", action="store_false", help="no QR code")
    other = parser.add_argument_group("instead of making one").add_mutually_exclusive_group()
    other.add_argument("--list", action="store_true", help="list the links that were made")
    other.add_argument("--revoke", metavar="ID", help="end a link and close its sockets")
    add_json_option(parser)
    add_client_options(parser)
    parser.set_defaults(run=lambda args: _run(parser, args))


def _run(parser: argparse.ArgumentParser, args: argparse.Namespace) -> int:
    if sum(map(bool, (args.channel, args.room, args.list, args.revoke))) != 1:
        parser.error("give a CHANNEL, or --room NAME, or --list, or --revoke ID")
    return asyncio.run(_link(args))


async def _link(args: argparse.Namespace) -> int:
    from ..client.admin import Admin

    async with Admin(target=target_from(args)) as admin:
        if args.list:
            _print_list(await admin.list_links(), as_json=args.json)
        elif args.revoke:
            closed = await admin.revoke_link(args.revoke)
            if args.json:
                print_json({"closedSockets": closed})
            else:
                print(f"The link {args.revoke} is revoked; {closed} of its sockets closed.")
        else:
            channel, role = (args.room, "caller") if args.room else (args.channel, args.role)
            link = await admin.create_link(channel, role=role, expires_in=args.expires)
            if args.json:
                print_json(link)
            else:
                _print_link(link, qr=args.qr)
    return 0


def _print_link(link: Link, *, qr: bool) -> None:
    what = {"viewer": "watch", "operator": "watch and command", "master": "be the camera of"}.get(
        link.role, "call in the room"
    )
    lines = [
        *link.urls,
        *([qr_code(link.urls[0]).rstrip("\n")] if qr else []),
        f"Whoever has it can {what} {link.channel} until {when(link.expires_at)}.",
        f"To end it before: sightline link --revoke={link.link_id}",
    ]
    print("\n".join(lines))


def _print_list(links: Sequence[LinkInfo], *, as_json: bool) -> None:
    if as_json:
        print_json(links)
        return
    print_table(
        ["LINK", "CHANNEL", "ROLE", "STATE", "EXPIRES"],
        [[link.link_id, link.channel, link.role, link.state, when(link.expires_at)] for link in links],
        empty="No links. Make one with `sightline link CHANNEL`.",
    )

"""``sightline credentials``: create, list and revoke signing keys."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from .options import Commands, add_client_options, add_command, add_json_option, duration, target_from
from .output import print_json, print_table, when

if TYPE_CHECKING:
    from ..client.admin import Admin

__all__ = ["register"]

Action = Callable[["Admin", argparse.Namespace], Awaitable[None]]


def register(commands: Commands) -> None:
    """Adds the command and its subcommands."""
    group = add_command(
        commands,
        "credentials",
        help="make, list and revoke signing keys",
        examples="  sightline credentials create --role master --channel 'porch-*' --expires 90d",
    )
    actions = group.add_subparsers(title="actions", metavar="ACTION", required=True)

    create = _add(
        actions,
        "create",
        _create,
        "make a key; its secret is shown this once",
        "  sightline credentials create --role viewer --channel porch --expires 7d >> ~/.aws/credentials",
    )
    create.add_argument(
        "--role", choices=("admin", "master", "viewer", "operator"), required=True, help="what the key may do"
    )
    create.add_argument("--channel", default="*", metavar="PATTERN", help="on which channels; * and ? as in file names")
    create.add_argument("--expires", type=duration, metavar="TIME", help="ends after 90s, 15m, 8h, 7d; default never")
    create.add_argument("--note", default="", metavar="TEXT", help="what it is for")
    add_json_option(create)

    listing = _add(actions, "list", _list, "list keys, without secrets", "  sightline credentials list")
    add_json_option(listing)

    revoke = _add(
        actions, "revoke", _revoke, "end a key and close its sockets", "  sightline credentials revoke SLKYEXAMPLE"
    )
    revoke.add_argument("access_key_id", metavar="KEY")
    add_json_option(revoke)


def _add(actions: Commands, name: str, action: Action, help: str, examples: str) -> argparse.ArgumentParser:
    parser = add_command(actions, name, help=help, examples=examples)
    add_client_options(parser)
    parser.set_defaults(run=lambda args: asyncio.run(_run(action, args)))
    return parser


async def _run(action: Action, args: argparse.Namespace) -> int:
    from ..client.admin import Admin

    async with Admin(target=target_from(args)) as admin:
        await action(admin, args)
    return 0


async def _create(admin: Admin, args: argparse.Namespace) -> None:
    key = await admin.create_credentials(role=args.role, channel=args.channel, expires_in=args.expires, note=args.note)
    if args.json:
        print_json(key)
        return
    # In the form of an AWS profile, so that it can be appended to a credentials file as it is.
    until = f", until {when(key.expires_at)}" if key.expires_at else ""
    print(f"# {key.role} on {key.channel}{until}")
    print(f"[{key.access_key_id.lower()}]")
    print(f"aws_access_key_id = {key.access_key_id}")
    print(f"aws_secret_access_key = {key.secret_access_key}")


async def _list(admin: Admin, args: argparse.Namespace) -> None:
    keys = await admin.list_credentials()
    if args.json:
        print_json(keys)
        return
    print_table(
        ["KEY", "ROLE", "CHANNEL", "STATE", "CREATED", "EXPIRES", "NOTE"],
        [
            [
                key.access_key_id,
                key.role,
                key.channel,
                key.state,
                when(key.created_at),
                when(key.expires_at) or "never",
                key.note,
            ]
            for key in keys
        ],
        empty="No keys.",
    )


async def _revoke(admin: Admin, args: argparse.Namespace) -> None:
    closed = await admin.revoke_credentials(args.access_key_id)
    if args.json:
        print_json({"closedSockets": closed})
    else:
        print(f"{args.access_key_id} is revoked; {closed} of its sockets closed.")

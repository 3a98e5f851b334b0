"""``sightline viewers``: who watches a channel now, or from now on."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import TYPE_CHECKING

from ..errors import ServiceUnreachable
from .options import Commands, add_client_options, add_command, add_json_option, target_from
from .output import print_json, print_table
from .stopping import stop_on_signals

if TYPE_CHECKING:
    from ..client.admin import ChannelViewers
    from ..wire.extras import ViewerPresence

__all__ = ["register"]

_INTERVAL = 0.5
"""Seconds between two questions while watching: what changes states shows within a second."""

_AWAY = "away"


def register(commands: Commands) -> None:
    """Adds the command."""
    parser = add_command(
        commands,
        "viewers",
        help="show who watches a channel",
        examples="  sightline viewers porch\n  sightline viewers porch --watch\n  sightline viewers porch --json",
    )
    parser.add_argument("channel", metavar="CHANNEL", help="name or ARN")
    parser.add_argument("--watch", action="store_true", help="go on, and print again whenever somebody's state changes")
    add_json_option(parser)
    add_client_options(parser)
    parser.set_defaults(run=lambda args: asyncio.run(_run(args)))


async def _run(args: argparse.Namespace) -> int:
    from ..client.admin import Admin

    with stop_on_signals():
        async with Admin(target=target_from(args)) as admin:
            if args.watch:
                await _watch(args, lambda: admin.viewers(args.channel))
            _print(args, await admin.viewers(args.channel))
    return 0


async def _watch(args: argparse.Namespace, ask: Callable[[], Awaitable[ChannelViewers]]) -> None:
    """Asks until it is cancelled. A service that is away is said once, and waited for if it was there before."""
    before: object = None
    while True:
        try:
            found = await ask()
        except ServiceUnreachable as error:
            if before is None:
                raise
            if before != _AWAY:
                before = _AWAY
                print(f"sightline: {error} Waiting for it.", file=sys.stderr)
            await asyncio.sleep(_INTERVAL)
            continue
        states = (found.master_connected, found.reported_at is None, [_states(viewer) for viewer in found.viewers])
        if states != before:
            before = states
            _print(args, found)
        await asyncio.sleep(_INTERVAL)


def _states(viewer: ViewerPresence) -> tuple[str, ...]:
    role, path = viewer.role or "", viewer.candidate_pair or ""
    return viewer.client_id, role, viewer.connection_state, viewer.ice_connection_state, path


def _print(args: argparse.Namespace, found: ChannelViewers) -> None:
    if args.json:
        _print_json(found, in_one_line=args.watch)
        return
    if args.watch:
        print(f"\n{datetime.now().strftime('%H:%M:%S')} {found.channel}")
    print_table(
        ["VIEWER", "ROLE", "STATE", "SINCE", "ICE", "RTT", "LOSS", "BITRATE", "SIZE", "PATH"],
        [_row(viewer) for viewer in found.viewers],
        empty=_nobody(found),
    )
    if found.total > len(found.viewers):
        print(f"… and {found.total - len(found.viewers)} more")


def _print_json(found: ChannelViewers, *, in_one_line: bool) -> None:
    if in_one_line:
        import msgspec

        print(msgspec.json.encode(found).decode(), flush=True)
    else:
        print_json(found)


def _row(viewer: ViewerPresence) -> list[str]:
    return [
        viewer.client_id,
        viewer.role or "",
        viewer.connection_state,
        datetime.fromtimestamp(viewer.since).strftime("%H:%M:%S"),
        viewer.ice_connection_state,
        "" if viewer.round_trip_time is None else f"{viewer.round_trip_time * 1000:.0f} ms",
        "" if viewer.loss is None else f"{viewer.loss:.1%}",
        "" if viewer.bitrate is None else f"{viewer.bitrate / 1e6:.2f} Mbit/s",
        viewer.rendition or "",
        viewer.candidate_pair or "",
    ]


def _nobody(found: ChannelViewers) -> str:
    if not found.master_connected:
        return f"No master is connected to {found.channel}, so nobody watches."
    if found.reported_at is None:
        return (
            f"The master of {found.channel} does not report its viewers. Sightline's own masters do; "
            "those of other makers keep it to themselves."
        )
    return f"Nobody watches {found.channel}."

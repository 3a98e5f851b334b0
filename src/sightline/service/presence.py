"""Who watches a channel, as its master reports it: ``POST /sightline/v1/viewers`` (seed 000.4)."""

from __future__ import annotations

import msgspec
from aiohttp import web

from ..errors import AccessDenied, InvalidArgument, KvsError, MalformedMessage, ResourceNotFound
from ..exchange import Connection, Output
from ..wire.extras import ViewerPresence
from .auth import authenticate, authorise
from .context import Context
from .performing import log_of

__all__ = ["VIEWERS_PATH", "receive_presence", "viewers_call"]

VIEWERS_PATH = "/sightline/v1/viewers"

_LIST_VIEWERS = "sightline:ListViewers"
_DESCRIBE = "kinesisvideo:DescribeSignalingChannel"


class _Question(msgspec.Struct):
    channel: str
    """Name or ARN."""


def receive_presence(context: Context, connection: Connection, frame: str, now: float) -> list[Output]:
    """A master's report came through its signaling socket; a wrong one counts as a frame that cannot be read."""
    try:
        context.presence.put(connection, frame, now=now, wall=context.wall())
    except (KvsError, MalformedMessage) as error:
        log_of(connection).debug("a presence report was ignored: %s", error)
        return context.exchange.malformed(connection, now)
    context.exchange.seen(connection, now, active=True)
    return []


def viewers_call(context: Context, request: web.BaseRequest, body: bytes) -> dict[str, object]:
    """Answer the call; raises KvsError.

    Who may list a channel's viewers (administrators, the keys of its master) is told everything; who may only describe
    the channel learns the same without the viewers' addresses.
    """
    key = authenticate(context, request, body)
    try:
        asked = msgspec.json.decode(body.strip() or b"{}", type=_Question).channel
    except (msgspec.DecodeError, UnicodeError) as error:
        raise InvalidArgument(f"The request is not right: {error}") from None
    store = context.store
    channel = store.channel(asked) if asked.startswith("arn:") else store.channel_named(asked)
    name = channel.name if channel is not None else asked
    try:
        authorise(key, _LIST_VIEWERS, name)
        in_full = True
    except AccessDenied:
        if not key.grant.allows(_DESCRIBE, name):
            raise
        in_full = False
    if channel is None:
        raise ResourceNotFound(f"There is no channel {asked[:300]!r}.")
    master = context.exchange.master(channel.arn)
    report = context.presence.of(master)
    viewers = report.presence.viewers if report is not None else ()
    return {
        "channel": channel.name,
        "masterConnected": master is not None,
        "reportedAt": report.at if report is not None else None,
        "total": report.presence.total if report is not None else 0,
        "viewers": [msgspec.to_builtins(viewer if in_full else _without_address(viewer)) for viewer in viewers],
    }


def _without_address(viewer: ViewerPresence) -> ViewerPresence:
    return msgspec.structs.replace(viewer, candidate_pair=None)

"""Sockets that are refused: with an HTTP error as KVS has it, or so that a browser learns why.

A browser cannot see the status of a refused upgrade (KVS.md §5.1). A socket that asked for extras is therefore opened,
gets one notice and is closed with the reason's code, within a second. The query parameter decides this form and nothing
else: whether it is refused was decided before, in the same way for all, failed signatures counted.
"""

from __future__ import annotations

import logging
import secrets
from urllib.parse import parse_qsl

from aiohttp import web

from ..errors import KvsError
from ..observe.log import bind
from ..reasons import REASONS, Reason
from ..wire.close_codes import CloseCode
from ..wire.extras import notice_frame
from ..wire.sigv4 import EXTRAS_PARAMETER
from .context import Context

__all__ = ["asks_for_extras", "close_refused", "refuse_socket"]

logger = logging.getLogger("sightline.http")

_LINGER = 1.0
"""Seconds in which the other side may close too, so that it has read the notice before the connection is gone."""
_AT_ONCE = 0.001
_LINGERING = 100
"""So many may take that time; then all others are closed without waiting."""

_EXPLAINED = frozenset((Reason.WRONG_KEY, Reason.CLOCK_SKEW, Reason.UNKNOWN_CHANNEL, Reason.LINK_EXPIRED))
"""For these the error says what a machine found; the reason's own text says what it means and what to do."""


def asks_for_extras(request: web.BaseRequest) -> bool:
    """Whether the socket would be one with extras. Nothing of the request is verified for this."""
    query = request.raw_path.partition("?")[2]
    return (EXTRAS_PARAMETER, "1") in parse_qsl(query, keep_blank_values=True)


async def refuse_socket(context: Context, request: web.BaseRequest, error: KvsError) -> web.StreamResponse:
    """Refuse in the way that a browser can read; raises the error itself for who is to get it by HTTP."""
    context.refusals["socket", error.reason] += 1
    if not asks_for_extras(request):
        raise error
    timeout = _LINGER if context.lingering < _LINGERING else _AT_ONCE
    ws = web.WebSocketResponse(timeout=timeout, autoping=False, compress=False, max_msg_size=4096, protocols=("wss",))
    ws.headers["x-sightline"] = "1"
    try:
        await ws.prepare(request)
    except web.HTTPBadRequest:
        raise error from None
    bind(logger, trace_id=request.headers.get("x-amzn-trace-id", "") or secrets.token_hex(4)).info(
        "socket refused to %s: %s", request.remote, error.message
    )
    await close_refused(context, ws, error, extras=True)
    return ws


async def close_refused(context: Context, ws: web.WebSocketResponse[bool], error: KvsError, *, extras: bool) -> None:
    """Close an upgraded socket with the code of the error's reason; one with extras gets the notice before."""
    code = REASONS[error.reason].close_code or CloseCode.POLICY
    context.lingering += 1
    try:
        if extras:
            await ws.send_frame(notice_frame(error.reason, _text(error)), web.WSMsgType.TEXT)
        await ws.close(code=code, message=error.reason.encode())
    except ConnectionError:
        return
    finally:
        context.lingering -= 1


def _text(error: KvsError) -> str:
    if error.reason in _EXPLAINED:
        return f"{REASONS[error.reason].message} ({error.message})"
    return error.message

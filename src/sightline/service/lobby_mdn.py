"""A port for the MDN sample as it was published: its client dials port 6503, path ``/``, and has no link.

For development only, and off unless asked for: whoever reaches the port is in the room.
"""

from __future__ import annotations

import ipaddress
import logging
import re
from collections.abc import Sequence
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from aiohttp import web

from ..errors import KvsError
from .answers import failure, kvs_error
from .context import Context
from .listening import LOOPBACK, listen
from .lobby import OPEN_ROOM, serve_member
from .quiet import http_logger

__all__ = ["MdnPort"]

logger = logging.getLogger("sightline.lobby")

_LOCAL_NAMES: Final = frozenset(("localhost", "127.0.0.1", "::1"))


class MdnPort:
    """The listener. On loopback only, unless the lobby is open to the network."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._runner: web.ServerRunner | None = None

    async def start(self) -> None:
        """Listen; raises ConfigError when the port is in use."""
        settings = self._context.settings
        hosts = settings.bind if settings.open_lobby == "lan" else LOOPBACK
        sockets = listen(hosts, settings.mdn_port, setting="mdn_port")
        self._runner = web.ServerRunner(
            web.Server(self._handle, access_log=None, logger=http_logger(), lingering_time=1.0), shutdown_timeout=0.5
        )
        await self._runner.setup()
        for sock in sockets:
            await web.SockSite(self._runner, sock).start()
        logger.warning(
            "port %d lets anybody who reaches it into the room %r without a link: for development only",
            settings.mdn_port,
            OPEN_ROOM,
        )

    async def aclose(self) -> None:
        """Stop listening. Repeatable."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        path, _, query = request.raw_path.partition("?")
        if path != "/" or request.headers.get("Upgrade", "").lower() != "websocket":
            return failure("NotFound", "This port has only the lobby's WebSocket, at /.", status=404, cors=False)
        if self._context.draining:
            return failure("ServiceUnavailable", "The service is stopping.", status=503, cors=False)
        if self._is_foreign(request):
            return failure("AccessDeniedException", "This page is of another machine.", status=403, cors=False)
        room = dict(parse_qsl(query, keep_blank_values=True)).get("room") or OPEN_ROOM
        try:
            return await serve_member(self._context, request, room=room)
        except KvsError as error:
            return kvs_error(error, upgrade=True, cors=False)

    def _is_foreign(self, request: web.BaseRequest) -> bool:
        """The sample's page is of another port of the same host, so ports are not compared here.

        The host must be called as this one is: a name that only resolves to it (DNS rebinding) is somebody else's.
        """
        settings = self._context.settings
        host = re.sub(r":\d+\Z", "", request.headers.get("Host", "")).strip("[]").lower()
        if host not in _LOCAL_NAMES and not (
            settings.open_lobby == "lan" and _is_in_network(host, settings.public_host)
        ):
            return True
        origin = request.headers.get("Origin")
        try:
            return origin is not None and (urlsplit(origin).hostname or "") != host
        except ValueError:
            return True


def _is_in_network(host: str, named: Sequence[str]) -> bool:
    """Whether that is an address, or a name that nobody outside can give: a page of the net has another one."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return host in named or (bool(host) and "." not in host.removesuffix(".local"))
    return True

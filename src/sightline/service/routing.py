"""Which part of the service answers a request."""

from __future__ import annotations

import asyncio
import logging
import re
from urllib.parse import urlsplit

from aiohttp import web

from ..errors import KvsError, LinkError
from ..observe.log import bind
from ..wire.api_model import Operation, operations
from .answers import failure, json_answer, kvs_error, link_error, preflight
from .context import Context
from .control_plane import call
from .keys import ADMIN_PATHS, admin_call
from .lobby import CALL_SESSION_PATH, LOBBY_PATH, call_session, serve_lobby
from .metrics import Metrics
from .pages import SESSION_PATH, is_local, page, session
from .presence import VIEWERS_PATH, viewers_call
from .sockets import SOCKET_PATHS, is_upgrade, serve_socket

__all__ = ["Router"]

logger = logging.getLogger("sightline.http")

MAX_BODY = 256 * 1024
"""Bytes of a request body: 50 tags of the longest are a fifth of it."""
_BODY_TIMEOUT = 10.0
_SLASHES = re.compile(r"/{2,}")
_CLIENT_GONE = 499
"""For the metrics alone, as nginx counts them."""


class Router:
    """Sends each request to its handler and turns every error into an answer. Never a traceback, never a bare 500."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._metrics = Metrics(context)
        self._operations = operations()
        self._base_path = urlsplit(context.settings.public_url).path.rstrip("/")

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request."""
        path = self._path(request)
        operation = self._operations.get(path)
        name = operation.name if operation else ("socket" if is_upgrade(request) else "page")
        try:
            answer = await self._answer(request, path, operation)
        except KvsError as error:
            upgrade = is_upgrade(request)
            answer = kvs_error(error, upgrade=upgrade, cors=operation is not None)
            if upgrade or error.http_status in (401, 403):
                bind(logger, trace_id=answer.headers["x-amzn-RequestId"]).info(
                    "%s refused to %s: %s", name, request.remote, error.message
                )
        except LinkError as error:
            self._context.refusals["session", error.reason] += 1
            answer = link_error(error)
        except asyncio.CancelledError:
            raise
        except ConnectionError:
            answer = web.Response(status=_CLIENT_GONE)  # nobody is left to read it
        except Exception:
            answer = failure("InternalFailure", "Something went wrong in the service; its log says what.", status=500)
            bind(logger, trace_id=answer.headers["x-amzn-RequestId"]).exception("%s %s failed", request.method, path)
        if answer.status != 101:
            self._context.requests[name, answer.status] += 1
        return answer

    def _path(self, request: web.BaseRequest) -> str:
        """The path without doubled slashes (JS v3 makes them, KVS.md §2.1) and without the public URL's own path."""
        path = _SLASHES.sub("/", request.raw_path.partition("?")[0])
        if self._base_path and path.startswith(self._base_path + "/"):
            path = path[len(self._base_path) :]
        return path

    async def _answer(self, request: web.BaseRequest, path: str, operation: Operation | None) -> web.StreamResponse:
        context = self._context
        if is_upgrade(request) and (path in SOCKET_PATHS or path == LOBBY_PATH):
            if context.draining:
                return failure("ServiceUnavailable", "The service is stopping.", status=503)
            if path == LOBBY_PATH:
                return await serve_lobby(context, request)
            return await serve_socket(context, request, path)
        if operation is not None:
            if request.method == "OPTIONS":
                return preflight(request.headers.get("Access-Control-Request-Headers", ""))
            if request.method != "POST":
                return _wrong_method(cors=True)
            return json_answer(await call(context, request, operation, await _body(request)))
        if path in ADMIN_PATHS or path in (SESSION_PATH, CALL_SESSION_PATH, VIEWERS_PATH):
            if request.method != "POST":
                return _wrong_method(cors=False)
            body = await _body(request)
            if path == SESSION_PATH:
                return json_answer(session(context, request, body), cors=False)
            if path == CALL_SESSION_PATH:
                return json_answer(call_session(context, request, body), cors=False)
            if path == VIEWERS_PATH:
                return json_answer(viewers_call(context, request, body), cors=False)
            return json_answer(await admin_call(context, request, path, body), cors=False)
        if request.method not in ("GET", "HEAD"):
            return failure(
                "UnknownOperationException",
                f"There is no operation {request.method} {path[:100]}.",
                status=404,
                cors=False,
            )
        return self._get(request, path)

    def _get(self, request: web.BaseRequest, path: str) -> web.Response:
        if path == "/healthz":
            return _text("ok\n")
        if path == "/readyz":
            return _text("stopping\n", status=503) if self._context.draining else _text("ready\n")
        if path == "/ca.pem" and self._context.ca_pem:
            # A phone gets the CA from here; it is no secret.
            return _text(self._context.ca_pem, content_type="application/x-x509-ca-cert")
        if path == "/metrics" and is_local(request):
            return _text(self._metrics.text().decode(), content_type="text/plain")
        found = page(self._context, request, path)
        if found is not None:
            return found
        missing = page(self._context, request, "/pages/not-found.html") or _text("Not found.\n")
        missing.set_status(404)
        return missing


async def _body(request: web.BaseRequest) -> bytes:
    if "100-continue" in request.headers.get("Expect", "").lower():
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    try:
        async with asyncio.timeout(_BODY_TIMEOUT):
            body = bytearray()
            async for chunk in request.content.iter_any():
                body += chunk
                if len(body) > MAX_BODY:
                    raise _TooLarge(f"The request body is larger than {MAX_BODY} bytes.")
            return bytes(body)
    except TimeoutError:
        raise _TooSlow(f"The request body did not arrive within {_BODY_TIMEOUT:g} s.") from None


class _TooLarge(KvsError):
    kvs_name = "RequestEntityTooLargeException"
    http_status = 413


class _TooSlow(KvsError):
    kvs_name = "RequestTimeoutException"
    http_status = 408


def _wrong_method(*, cors: bool) -> web.Response:
    answer = failure("UnknownOperationException", "This path takes POST.", status=405, cors=cors)
    answer.headers["Allow"] = "POST"
    return answer


def _text(text: str, *, status: int = 200, content_type: str = "text/plain") -> web.Response:
    answer = web.Response(text=text, status=status, content_type=content_type)
    answer.headers.update({"x-sightline": "1", "Server": "Sightline", "Cache-Control": "no-store"})
    return answer

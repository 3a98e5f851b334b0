"""HTTP answers as every KVS client can read them (KVS.md §2.1, §2.4, §2.7, §9.3).

Each is one write with Content-Length: the C SDK keeps only what its last read brought.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from urllib.parse import quote

import msgspec
from aiohttp import http_writer, web

from ..errors import KvsError, LinkError, SignatureRejected

__all__ = ["CORS", "failure", "json_answer", "kvs_error", "link_error", "preflight"]

# aiohttp sends headers and body in one write unless it thinks that ``writelines`` would be quicker; over TLS that
# makes two records of it. A contract test counts the records.
http_writer.SKIP_WRITELINES = True

CORS: Mapping[str, str] = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Expose-Headers": "x-amzn-RequestId, x-amzn-ErrorType, Date, x-sightline",
}
"""For the signed KVS paths only: there the signature is the authority, whatever page asks."""

_COMMON: Mapping[str, str] = {"x-sightline": "1", "Server": "Sightline", "Cache-Control": "no-store"}


def json_answer(
    body: object, *, status: int = 200, headers: Mapping[str, str] | None = None, cors: bool = True
) -> web.Response:
    """A JSON answer with the headers that KVS clients look for."""
    answer = web.Response(body=msgspec.json.encode(body), status=status, content_type="application/json")
    answer.headers.update(_COMMON)
    answer.headers["x-amzn-RequestId"] = str(uuid.uuid4())
    if cors:
        answer.headers.update(CORS)
    if headers:
        answer.headers.update(headers)
    return answer


def kvs_error(error: KvsError, *, upgrade: bool = False, cors: bool = True) -> web.Response:
    """An error by header and by body, because clients look in either place. A refused upgrade says 403, not 401."""
    name = error.code if isinstance(error, SignatureRejected) else error.kvs_name
    status = 403 if upgrade and error.http_status == 401 else error.http_status
    answer = failure(name, error.message, status=status, cors=cors)
    if upgrade:
        # A WebSocket client seldom shows the body of a refusal; headers it has.
        answer.headers["x-sightline-reason"] = quote(error.message[:500], safe=" !'()*,-./:;=?@_~")
    return answer


def failure(name: str, message: str, *, status: int, cors: bool = True) -> web.Response:
    """An error that has an AWS-like name."""
    body = {"__type": name, "Message": message, "message": message}
    return json_answer(body, status=status, headers={"x-amzn-ErrorType": name}, cors=cors)


def link_error(error: LinkError) -> web.Response:
    """An error for a page: an id for the program and a sentence for the log; the page has its own texts."""
    body = {"error": {"id": error.reason, "message": error.message}}
    return json_answer(body, status=error.http_status, cors=False)


def preflight(requested_headers: str) -> web.Response:
    """The answer to a browser that asks before it signs. ``*`` would not cover ``authorization``."""
    answer = web.Response(status=200)
    answer.headers.update(_COMMON)
    answer.headers.update(CORS)
    answer.headers["Access-Control-Allow-Methods"] = "POST"
    answer.headers["Access-Control-Allow-Headers"] = requested_headers or (
        "authorization, content-type, x-amz-date, x-amz-content-sha256, x-amz-security-token, x-amz-user-agent, "
        "amz-sdk-invocation-id, amz-sdk-request"
    )
    answer.headers["Access-Control-Max-Age"] = "7200"
    return answer

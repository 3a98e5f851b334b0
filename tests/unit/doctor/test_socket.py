"""The doctor's socket against a service that refuses, closes, says why, or lets it in."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from aiohttp import web

from sightline.doctor import signaling
from sightline.doctor.findings import Mark, Verdict
from sightline.doctor.visit import Visit
from sightline.reasons import REASONS, Reason
from sightline.wire.extras import MasterState, master_payload, notice_frame
from tests.unit.doctor.world import http_server, target

pytestmark = pytest.mark.realtime

Play = Callable[[web.WebSocketResponse[Any]], Awaitable[None]]
MASTER = '{{"messageType":"sightline/master","messagePayload":"{}"}}'


async def opened(play: Play, *, is_sightline: bool = True) -> tuple[Verdict, Visit]:
    async def serve(request: web.BaseRequest) -> web.StreamResponse:
        socket: web.WebSocketResponse[Any] = web.WebSocketResponse()
        await socket.prepare(request)
        await play(socket)
        async for _ in socket:
            pass
        return socket

    return await against(serve, is_sightline=is_sightline)


async def against(serve: Callable[[web.BaseRequest], Any], *, is_sightline: bool = True) -> tuple[Verdict, Visit]:
    async with http_server(serve) as port:
        visit = Visit(target(), channel="porch")
        visit.url, visit.is_sightline = f"ws://127.0.0.1:{port}/viewer?X", is_sightline
        try:
            verdict = await signaling.socket_opens(visit)
            present = visit.socket.camera_present if visit.socket else None
            await visit.aclose()
            visit.answers = present  # type: ignore[attr-defined]
            return verdict, visit
        finally:
            await visit.aclose()


async def test_it_opens_and_hears_whether_a_camera_is_there() -> None:
    async def play(socket: web.WebSocketResponse[Any]) -> None:
        await socket.send_str(MASTER.format(master_payload(MasterState(present=True, ours=True))))

    verdict, visit = await opened(play)
    assert verdict.mark is Mark.OK
    assert visit.client_id in verdict.measured
    assert visit.answers is True  # type: ignore[attr-defined]
    assert [stage.name for stage in visit.stages] == ["signaling socket"]


async def test_a_service_that_knows_nothing_of_extras_is_not_waited_for() -> None:
    async def play(socket: web.WebSocketResponse[Any]) -> None:
        pass

    verdict, visit = await opened(play, is_sightline=False)
    assert verdict.mark is Mark.OK
    assert visit.answers is None  # type: ignore[attr-defined]


@pytest.mark.parametrize("reason", [Reason.VIEWER_LIMIT, Reason.CLIENT_ID_IN_USE, Reason.NOT_ALLOWED])
async def test_a_sightline_says_why_it_refuses(reason: Reason) -> None:
    async def play(socket: web.WebSocketResponse[Any]) -> None:
        await socket.send_bytes(b"")  # what is no text is passed over
        await socket.send_str(notice_frame(reason, "Because.").decode())
        await socket.close(code=REASONS[reason].close_code or 1008)

    verdict, _ = await opened(play)
    assert (verdict.mark, verdict.reason, verdict.measured) == (Mark.FAILED, reason, "Because.")


async def test_a_close_code_alone_says_why_too() -> None:
    async def play(socket: web.WebSocketResponse[Any]) -> None:
        await socket.close(code=4429)

    verdict, _ = await opened(play)
    assert (verdict.mark, verdict.reason) == (Mark.FAILED, "viewer-limit")


@pytest.mark.parametrize(
    ("status", "kind", "reason"),
    [
        (403, "AccessDeniedException:http://internal/coral", "not-allowed"),
        (404, "ResourceNotFoundException", "unknown-channel"),
        (400, "ClientLimitExceededException", "too-many-requests"),
        (403, "", "not-allowed"),
        (503, "", "signaling-refused"),
    ],
)
async def test_an_upgrade_that_is_refused_by_http(status: int, kind: str, reason: str) -> None:
    async def refuse(_: web.BaseRequest) -> web.Response:
        return web.Response(status=status, headers={"x-amzn-ErrorType": kind} if kind else {})

    verdict, _ = await against(refuse)
    assert (verdict.mark, verdict.reason) == (Mark.FAILED, reason)
    assert str(status) in verdict.measured


async def test_a_proxy_that_knows_no_websockets() -> None:
    async def page(_: web.BaseRequest) -> web.Response:
        return web.Response(text="Welcome to our network")

    verdict, _ = await against(page)
    assert (verdict.mark, verdict.reason) == (Mark.FAILED, "signaling-refused")

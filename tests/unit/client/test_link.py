"""Watching by a link: what the service is asked, and what its refusals mean."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web

from sightline.client.link import ViewLink, link_session, read_link
from sightline.client.refusals import LinkRefused, NotAService, reason_of
from sightline.errors import ConfigError, InvalidChannelName, ServiceUnreachable
from sightline.reasons import Reason


class Service:
    """Answers `POST /sightline/v1/session` as the test says."""

    def __init__(self) -> None:
        self.status = 200
        self.body: Any = {
            "url": "ws://localhost/viewer?X-Amz-Signature=1",
            "iceServers": [{"urls": ["stun:h:3478"]}, {"urls": "turn:h:3478", "username": "u", "credential": "p"}],
            "clientId": "alice",
            "channelArn": "arn:aws:kinesisvideo:eu-west-1:000000000000:channel/porch/1700000000123",
        }
        self.asked: list[tuple[Any, str | None]] = []

    async def answer(self, request: web.Request) -> web.Response:
        self.asked.append((await request.json(), request.headers.get("X-Sightline-Link")))
        if isinstance(self.body, str):
            return web.Response(text=self.body, status=self.status)
        return web.json_response(self.body, status=self.status)


@pytest.fixture
async def service(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[Service, ViewLink]]:
    monkeypatch.delenv("SIGHTLINE_CA_BUNDLE", raising=False)
    service = Service()
    application = web.Application()
    application.router.add_post("/base/sightline/v1/session", service.answer)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield service, read_link(f"http://127.0.0.1:{runner.addresses[0][1]}/base/view/porch#T0KEN")
    await runner.cleanup()


async def test_the_session_is_what_a_viewer_needs(service: tuple[Service, ViewLink]) -> None:
    played, link = service
    session = await link_session(link, "alice")
    assert played.asked == [({"channel": "porch", "role": "viewer", "clientId": "alice"}, "T0KEN")]
    assert (session.client_id, session.region, session.is_sightline) == ("alice", "eu-west-1", True)
    assert [(server.urls, server.username) for server in session.ice_servers] == [
        (("stun:h:3478",), None),
        (("turn:h:3478",), "u"),
    ]


@pytest.mark.parametrize("reason", ["link-revoked", "link-expired", "unknown-channel", "bad-client-id"])
async def test_a_refusal_has_its_reason_and_sentence(service: tuple[Service, ViewLink], reason: str) -> None:
    played, link = service
    played.status, played.body = 401, {"error": {"id": reason, "message": "Because."}}
    with pytest.raises(LinkRefused, match=r"^Because\.$") as refused:
        await link_session(link, "alice")
    assert reason_of(refused.value) is Reason(reason)


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (200, "<html>", NotAService),
        (404, "<html>", NotAService),
        (500, {"error": {"id": "of-the-future"}}, ServiceUnreachable),
    ],
)
async def test_what_is_no_sightline_is_told(
    service: tuple[Service, ViewLink], status: int, body: Any, error: type[Exception]
) -> None:
    played, link = service
    played.status, played.body = status, body
    with pytest.raises(error):
        await link_session(link, "alice")


async def test_nobody_there(service: tuple[Service, ViewLink]) -> None:
    with pytest.raises(ServiceUnreachable, match="Nothing answers") as unreachable:
        await link_session(ViewLink("http://127.0.0.1:9", "porch", "T"), "alice")
    assert reason_of(unreachable.value) is Reason.SERVICE_UNREACHABLE


def test_links_are_taken_apart() -> None:
    link = read_link(" https://cam.example:8443/view/front%2Ddoor#abc.DEF ")
    assert (link.service, link.channel, link.token) == ("https://cam.example:8443", "front-door", "abc.DEF")
    assert read_link("http://localhost:8080/view/porch").token == ""
    assert "abc" not in repr(link)


@pytest.mark.parametrize("text", ["porch", "https://cam.example/", "https://cam.example/view/", "ftp://h/view/a"])
def test_what_is_no_link_is_refused_without_showing_a_token(text: str) -> None:
    with pytest.raises(ConfigError) as error:
        read_link(text + "#S3CRET")
    assert "S3CRET" not in str(error.value)


def test_a_link_to_an_impossible_channel() -> None:
    with pytest.raises(InvalidChannelName):
        read_link("https://cam.example/view/a%20b#T")

"""Key, region, channel, role and link: what the service says, and what a person is told."""

from __future__ import annotations

import time
from typing import Any

import pytest
from aiohttp import web

from sightline.client.refusals import NotAllowed, NotAService, UnknownChannel, WrongKey, WrongRegion
from sightline.doctor import identity, signaling
from sightline.doctor.findings import Mark
from sightline.doctor.visit import Visit, parse_link
from sightline.errors import ConfigError, ServiceUnreachable
from tests.unit.client.fake_kvs import KEY, SECRET, FakeKvs
from tests.unit.doctor.world import ARN, DESCRIBED, ScriptedVisit, http_server, target

REGION = "Credential should be scoped to a valid region: this service is in 'eu-west-1', …"
CHANNELS = {"ChannelInfoList": [{"ChannelName": name} for name in ("porch", "garden")]}


def visit(answer: object, *, channel: str | None = "porch", **options: Any) -> ScriptedVisit:
    answers = {"describe_signaling_channel": answer, "list_signaling_channels": CHANNELS}
    return ScriptedVisit(answers, channel=channel, **options)


async def test_all_is_right() -> None:
    seen = visit(DESCRIBED)
    assert (await identity.key(seen)).mark is Mark.OK
    assert (await identity.region(seen)).measured == "us-west-2"
    assert (await identity.channel(seen)).measured == ARN


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("UnrecognizedClientException", "no key of that id"),
        ("InvalidSignatureException", "the secret is not the one"),
        ("ExpiredTokenException", "limited time"),
    ],
)
async def test_what_is_wrong_with_a_key(code: str, said: str) -> None:
    verdict = await identity.key(visit(WrongKey("no", code=code, status=403)))
    assert (verdict.mark, verdict.reason) == (Mark.FAILED, "wrong-key")
    assert said in verdict.meaning
    assert "AKIAIOSFODNN7EXAMPLE from the test" in verdict.measured


async def test_a_service_that_is_something_else() -> None:
    verdict = await identity.key(visit(NotAService("It is a printer.")))
    assert (verdict.mark, verdict.reason) == (Mark.FAILED, "service-unreachable")
    verdict = await identity.key(visit(ServiceUnreachable("gone")))
    assert (verdict.mark, verdict.reason) == (Mark.FAILED, "service-unreachable")


async def test_a_wrong_region_is_no_wrong_key() -> None:
    seen = visit(WrongRegion(REGION, code="InvalidSignatureException", status=403))
    assert (await identity.key(seen)).mark is Mark.OK
    verdict = await identity.region(seen)
    assert (verdict.mark, verdict.reason) == (Mark.FAILED, "wrong-region")
    assert "eu-west-1" in verdict.meaning


async def test_an_arn_of_another_region() -> None:
    verdict = await identity.region(visit(DESCRIBED, channel=ARN.replace("us-west-2", "eu-west-1")))
    assert (verdict.mark, verdict.reason) == (Mark.FAILED, "wrong-region")
    assert "--region eu-west-1" in verdict.advice


async def test_an_unknown_channel_and_the_one_that_was_meant() -> None:
    seen = visit(UnknownChannel("no", status=404), channel="porhc")
    assert (await identity.key(seen)).mark is Mark.OK
    verdict = await identity.channel(seen)
    assert (verdict.mark, verdict.reason) == (Mark.FAILED, "unknown-channel")
    assert "there is porch." in verdict.advice
    assert "sightline channel create porhc" in verdict.advice


@pytest.mark.parametrize("name", ["my porch", "arn:aws:kinesisvideo:us-west-2:1:channel/porch"])
async def test_what_can_be_no_channel_is_not_asked_for(name: str) -> None:
    seen = visit(DESCRIBED, channel=name)
    await identity.key(seen)
    assert "describe_signaling_channel" not in seen.asked
    verdict = await identity.channel(seen)
    assert (verdict.mark, verdict.reason) == (Mark.FAILED, "unknown-channel")
    assert repr(name) in verdict.measured


async def test_without_a_channel_those_that_there_are_are_named() -> None:
    seen = visit(None, channel=None)
    assert (await identity.key(seen)).mark is Mark.OK
    verdict = await identity.channel(seen)
    assert verdict.mark is Mark.SKIPPED
    assert "garden, porch" in verdict.measured


async def test_a_key_that_may_not_even_list_is_a_good_key() -> None:
    seen = ScriptedVisit({"list_signaling_channels": NotAllowed("no", status=401)})
    assert (await identity.key(seen)).mark is Mark.OK
    assert (await identity.channel(seen)).mark is Mark.SKIPPED


async def test_a_key_for_other_channels() -> None:
    seen = visit(NotAllowed("not authorized to perform DescribeSignalingChannel", status=401))
    assert (await identity.key(seen)).mark is Mark.OK
    assert (await identity.channel(seen)).mark is Mark.SKIPPED
    verdict = await identity.role(seen)
    assert (verdict.mark, verdict.reason) == (Mark.FAILED, "not-allowed")
    assert "DescribeSignalingChannel" in verdict.meaning
    assert "sightline credentials create --role viewer --channel porch" in verdict.advice


@pytest.mark.realtime
@pytest.mark.parametrize(("status", "mark"), [(403, Mark.FAILED), (404, Mark.OK)])
async def test_the_role_is_found_out_without_opening_a_socket(status: int, mark: Mark) -> None:
    paths: list[str] = []

    async def refuse(request: web.BaseRequest) -> web.Response:
        paths.append(request.raw_path)
        return web.Response(status=status, headers={"x-sightline-reason": "may not ConnectAsMaster%3A no"})

    async with http_server(refuse) as port:
        seen = visit(DESCRIBED, role="master")
        endpoints = [
            {"Protocol": "WSS", "ResourceEndpoint": f"ws://127.0.0.1:{port}/master"},
            {"Protocol": "HTTPS", "ResourceEndpoint": f"http://127.0.0.1:{port}"},
        ]
        seen.answers["get_signaling_channel_endpoint"] = {"ResourceEndpointList": endpoints}
        seen.is_sightline = True
        await identity.key(seen)
        verdict = await identity.role(seen)
    assert verdict.mark is mark
    # A channel that never was: nobody's socket can be replaced by asking for it.
    assert "channel%2Fporch%2F1000000000000" in paths[0]
    assert "X-Amz-ClientId" not in paths[0]
    if mark is Mark.FAILED:
        assert verdict.reason == "not-allowed"
        assert "may not ConnectAsMaster: no" in verdict.meaning


@pytest.mark.realtime
async def test_a_clock_that_is_ten_minutes_off_does_not_stop_the_rest() -> None:
    """Against a service that checks signatures: the key's check is made by the service's clock."""
    fake = FakeKvs(clock=time.time)
    try:
        fake.add("porch")
        seen = Visit(target(fake.url), channel="porch", clock=lambda: time.time() - 600)
        await seen.start()
        verdict = await identity.key(seen)
        assert verdict.mark is Mark.OK, verdict
        assert KEY in verdict.measured
        assert SECRET not in repr(verdict)
    finally:
        await seen.aclose()
        fake.close()


# ------------------------------------------------------------------------------------------- links


def test_links_are_taken_apart() -> None:
    link = parse_link(" https://cam.example:8443/cams/view/porch#id.secret ")
    assert (link.base, link.channel, link.role) == ("https://cam.example:8443/cams", "porch", "viewer")
    assert "secret" not in repr(link)
    assert parse_link("http://localhost:8080/broadcast/porch").role == "master"
    for wrong in ("porch", "https://cam.example/", "https://cam.example/see/porch", "ftp://cam.example/view/porch"):
        with pytest.raises(ConfigError):
            parse_link(wrong)


async def link_verdict(status: int, body: object) -> tuple[Any, Visit]:
    async def answer(request: web.BaseRequest) -> web.Response:
        assert request.headers["X-Sightline-Link"] == "id.secret"
        assert request.path == "/sightline/v1/session"
        return web.json_response(body, status=status)

    async with http_server(answer) as port:
        base = f"http://127.0.0.1:{port}"
        seen = Visit(target(base), link=parse_link(f"{base}/view/porch#id.secret"))
        return await identity.link(seen), seen


@pytest.mark.realtime
@pytest.mark.parametrize("reason", ["link-expired", "link-revoked", "link-scope", "unknown-channel"])
async def test_links_that_are_refused(reason: str) -> None:
    verdict, _ = await link_verdict(401, {"error": {"id": reason, "message": "Said so."}})
    assert (verdict.mark, verdict.reason, verdict.measured) == (Mark.FAILED, reason, "Said so.")
    assert verdict.meaning


@pytest.mark.realtime
async def test_a_link_to_something_else() -> None:
    verdict, _ = await link_verdict(200, ["a", "page"])
    assert (verdict.mark, verdict.reason) == (Mark.FAILED, "service-unreachable")


@pytest.mark.realtime
async def test_a_good_link_brings_socket_and_servers() -> None:
    session = {"url": "ws://h/viewer?X", "iceServers": [{"urls": ["stun:h:1"]}], "channelArn": ARN, "clientId": "d"}
    verdict, seen = await link_verdict(200, session)
    assert verdict.mark is Mark.OK
    assert seen.url == "ws://h/viewer?X"
    assert seen.ice[0].urls == ("stun:h:1",)


async def test_a_master_that_is_connected_is_not_thrown_out() -> None:
    answers = {"/sightline/v1/viewers": {"channel": "porch", "masterConnected": True}}
    seen = ScriptedVisit(answers, channel="porch", role="master")
    seen.is_sightline = True
    verdict = await signaling.socket_opens(seen)
    assert verdict.mark is Mark.SKIPPED
    assert "throw it out" in verdict.measured
    # Where it is not known, neither: AWS does not tell.
    seen.is_sightline = False
    assert (await signaling.socket_opens(seen)).mark is Mark.SKIPPED

"""Against a KVS that is no Sightline, as AWS is: all checks are made, and nothing of ours is sent to it."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from aiohttp import web

from sightline.doctor import Mark, Visit, examine
from sightline.wire.messages import MessageType
from sightline.wire.payload import decode_payload, encode_payload
from tests.unit.doctor.test_camera import FakePeer, answer
from tests.unit.doctor.world import ARN, DESCRIBED, http_server, target
from tests.unit.rtc.ice.stun_server import stun_server


class PlainKvs:
    """The few calls that a viewer needs, and a camera that answers."""

    def __init__(self, stun_port: int, answer_to: Callable[[str], str] = lambda _: answer()) -> None:
        self.answer_to = answer_to
        self.paths: list[str] = []
        self.frames: list[dict[str, Any]] = []
        self.port = 0
        self.stun_port = stun_port

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        self.paths.append(request.raw_path)
        if request.headers.get("Upgrade"):
            return await self._camera(request)
        if "Authorization" not in request.headers:
            return web.json_response({"message": "Missing Authentication Token"}, status=403)
        return web.json_response(self._members(request.path))

    def _members(self, path: str) -> dict[str, object]:
        if path == "/describeSignalingChannel":
            return DESCRIBED
        if path == "/getSignalingChannelEndpoint":
            addresses = {"WSS": f"ws://127.0.0.1:{self.port}", "HTTPS": f"http://127.0.0.1:{self.port}"}
            return {"ResourceEndpointList": [{"Protocol": k, "ResourceEndpoint": v} for k, v in addresses.items()]}
        return {"IceServerList": [{"Uris": [f"stun:127.0.0.1:{self.stun_port}"]}]}

    async def _camera(self, request: web.BaseRequest) -> web.StreamResponse:
        socket: web.WebSocketResponse[Any] = web.WebSocketResponse()
        await socket.prepare(request)
        async for frame in socket:
            self.frames.append(frame.json())
            if self.frames[-1]["action"] == "SDP_OFFER":
                offer = decode_payload(self.frames[-1]["messagePayload"]) or {}
                payload = encode_payload({"type": "answer", "sdp": self.answer_to(str(offer["sdp"]))})
                await socket.send_json({"messageType": MessageType.SDP_ANSWER.value, "messagePayload": payload})
        return socket


@pytest.mark.realtime
async def test_a_viewer_at_a_plain_kvs() -> None:
    async with stun_server() as stun:
        kvs = PlainKvs(stun.port)
        async with http_server(kvs) as port:
            kvs.port = port
            visit = Visit(target(f"http://127.0.0.1:{port}"), channel="porch", make_peer=lambda _: FakePeer())
            try:
                findings = {finding.check: finding async for finding in examine(visit)}
            finally:
                await visit.aclose()
    assert not [finding for finding in findings.values() if finding.mark is Mark.FAILED]
    assert findings["camera-offline"].mark is Mark.SKIPPED  # it does not tell
    assert findings["turn"].mark is Mark.WARNING  # there is none
    assert findings["no-media"].mark is Mark.OK
    assert not [path for path in kvs.paths if "sightline" in path.lower()]
    upgrades = [path for path in kvs.paths if "X-Amz-Signature" in path]
    assert len(upgrades) == 1
    assert ARN.rpartition("/")[2] in upgrades[0]
    assert {frame["action"] for frame in kvs.frames} == {"SDP_OFFER", "ICE_CANDIDATE"}


def behind_a_firewall(offer: str) -> str:
    """The answer of a camera that nothing reaches: it takes all that is offered, at a port that nobody listens on."""
    text = re.sub(r"a=(candidate|end-of-candidates).*\r\n", "", offer)
    text = re.sub(r"a=ice-ufrag:.*", "a=ice-ufrag:abcd\r", re.sub(r"a=ice-pwd:.*", f"a=ice-pwd:{'a' * 24}\r", text))
    text = text.replace("a=setup:actpass", "a=setup:active").replace("a=recvonly", "a=sendonly")
    return text + "a=candidate:1 1 udp 2130706431 127.0.0.1 9 typ host\r\n"


@pytest.mark.realtime
async def test_a_camera_that_answers_and_is_not_reached() -> None:
    async with stun_server() as stun:
        kvs = PlainKvs(stun.port, behind_a_firewall)
        async with http_server(kvs) as port:
            kvs.port = port
            visit = Visit(target(f"http://127.0.0.1:{port}"), channel="porch", patience=3.0)
            try:
                findings = {finding.check: finding async for finding in examine(visit)}
            finally:
                await visit.aclose()
    failed = {finding.check: finding.reason for finding in findings.values() if finding.mark is Mark.FAILED}
    assert failed == {"no-path": "no-path"}
    assert "H264" in findings["no-common-codec"].measured
    assert findings["no-media"].because == "no-path"

"""Against a KVS that is no Sightline, as AWS is: all checks are made, and nothing of ours is sent to it."""

from __future__ import annotations

from typing import Any

import pytest
from aiohttp import web

from sightline.doctor import Mark, Visit, examine
from sightline.wire.messages import MessageType
from sightline.wire.payload import encode_payload
from tests.unit.doctor.test_camera import FakePeer, answer
from tests.unit.doctor.world import ARN, DESCRIBED, http_server, target
from tests.unit.rtc.ice.stun_server import stun_server


class PlainKvs:
    """The few calls that a viewer needs, and a camera that answers."""

    def __init__(self, stun_port: int) -> None:
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
                payload = encode_payload({"type": "answer", "sdp": answer()})
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

"""How sockets are refused that asked for extras: what it costs, and who else sees anything of it."""

from __future__ import annotations

import asyncio
import base64
import json
import socket
import struct
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from sightline.errors import ClientLimitExceeded, InvalidArgument, KvsError, ResourceNotFound, SignatureRejected
from sightline.reasons import REASONS, Reason
from sightline.service import refusals
from tests.unit.client.fake_signaling import eventually

from .inside import Inside, inside

UPGRADE = (
    "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)


@pytest_asyncio.fixture
async def room() -> AsyncIterator[Inside]:
    async with inside() as started:
        yield started


async def refused(room: Inside) -> bytes:
    """All that an unsigned socket gets, until the service has closed it; it never closes its own side."""
    reader, writer = await asyncio.open_connection("127.0.0.1", room.port)
    try:
        query = "X-Amz-ChannelARN=arn&X-Amz-ClientId=v&X-Sightline-Extras=1"
        writer.write(f"GET /viewer?{query} HTTP/1.1\r\nHost: {room.host}\r\n{UPGRADE}\r\n".encode())
        async with asyncio.timeout(10):
            return await reader.read()
    finally:
        writer.close()
        await writer.wait_closed()


def frames(answer: bytes) -> tuple[dict[str, str], int, bytes]:
    """The notice, the close code and its reason, of exactly two frames after the upgrade."""
    head, _, rest = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 101 ")
    assert rest[:2] == b"\x81\x7e"
    size = int.from_bytes(rest[2:4], "big")
    message, rest = json.loads(rest[4 : 4 + size]), rest[4 + size :]
    assert message["messageType"] == "sightline/notice"
    assert rest[0] == 0x88
    assert len(rest) == 2 + rest[1], "nothing comes after the close"
    return json.loads(base64.b64decode(message["messagePayload"])), int.from_bytes(rest[2:4], "big"), rest[4:]


async def test_one_notice_and_the_close_with_its_code(room: Inside, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refusals, "_LINGER", 0.05)
    notice, code, text = frames(await refused(room))
    assert (notice["reason"], code, text) == ("wrong-key", 4401, b"wrong-key")
    assert room.context.lingering == 0
    assert room.context.refusals["socket", Reason.WRONG_KEY] == 1
    assert len(room.context.exchange) == 0


@pytest.mark.parametrize(
    ("extras", "upgrade"), [("0", UPGRADE), ("1", "Connection: Upgrade\r\nUpgrade: websocket\r\n")]
)
async def test_all_others_get_the_http_error(room: Inside, extras: str, upgrade: str) -> None:
    """Those who did not ask, and those whose handshake is not right."""
    query = f"X-Amz-ChannelARN=arn&X-Sightline-Extras={extras}"
    answer = await room.raw(f"GET /viewer?{query} HTTP/1.1\r\nHost: {room.host}\r\n{upgrade}\r\n".encode())
    assert (answer.status, answer.kind) == (403, "MissingAuthenticationTokenException")
    assert room.context.refusals["socket", Reason.WRONG_KEY] == 1


async def test_a_crowd_of_refused_is_not_waited_for(room: Inside, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refusals, "_LINGER", 30.0)
    monkeypatch.setattr(refusals, "_LINGERING", 2)
    waiting = [asyncio.create_task(refused(room)) for _ in range(2)]
    await eventually(lambda: room.context.lingering == 2)
    assert frames(await refused(room))[0]["reason"] == "wrong-key"
    assert room.context.lingering == 2
    for task in waiting:
        task.cancel()
    await asyncio.wait(waiting)
    await eventually(lambda: room.context.lingering == 0)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (InvalidArgument("x"), Reason.BAD_REQUEST),
        (InvalidArgument("x", reason=Reason.BAD_CLIENT_ID), Reason.BAD_CLIENT_ID),
        (ClientLimitExceeded("x"), Reason.TOO_MANY_REQUESTS),
        (ResourceNotFound("x"), Reason.UNKNOWN_CHANNEL),
        (SignatureRejected("x"), Reason.WRONG_KEY),
        (SignatureRejected("x", reason=Reason.CLOCK_SKEW), Reason.CLOCK_SKEW),
    ],
)
def test_an_error_has_a_reason_with_a_close_code(error: KvsError, reason: Reason) -> None:
    assert error.reason is reason
    assert REASONS[reason].close_code is not None


async def test_a_session_says_whether_the_camera_is_there(room: Inside) -> None:
    await room.channel("porch")
    answer = await room.ask(
        "POST",
        "/sightline/v1/session",
        headers={"content-type": "application/json", "origin": f"http://{room.host}"},
        body=b'{"channel": "porch"}',
    )
    assert answer.json["camera"] == {"present": False, "ours": False}
    refusal = await room.ask(
        "POST",
        "/sightline/v1/session",
        headers={"content-type": "application/json", "origin": f"http://{room.host}"},
        body=b'{"channel": "nowhere"}',
    )
    assert refusal.json["error"]["id"] == "unknown-channel"  # type: ignore[index]
    assert room.context.refusals["session", Reason.UNKNOWN_CHANNEL] == 1


async def test_a_client_that_is_gone_before_its_answer_is_nobodys_fault(
    room: Inside, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(5):
        client = socket.create_connection(("127.0.0.1", room.port))
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # its close is a reset
        query = "X-Amz-ChannelARN=arn&X-Amz-ClientId=v&X-Sightline-Extras=1"
        client.sendall(f"GET /viewer?{query} HTTP/1.1\r\nHost: {room.host}\r\n{UPGRADE}\r\n".encode())
        client.close()
    await eventually(lambda: room.context.refusals["socket", Reason.WRONG_KEY] == 5)
    await asyncio.sleep(0.05)
    assert [record.getMessage() for record in caplog.records if record.levelname in ("ERROR", "WARNING")] == []

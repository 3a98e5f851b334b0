"""What bad input on a signaling socket gets: an error of the documented type; and nobody else is disturbed."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest

from tests.harness.kvs import ANSWER, OFFER, VIEWER, Kvs, KvsSocket, candidate, encode, unique_name
from tests.harness.polling import eventually
from tests.harness.probe import raw_upgrade

SLOW = 6.0
"""Seconds that a message of somebody else would take that waits for a slow reader; a busy machine takes some too."""


@pytest.fixture
def room(kvs: Kvs) -> Iterator[tuple[KvsSocket, KvsSocket, str, KvsSocket]]:
    """A master, a viewer with its id, and another viewer of the same channel who must not be disturbed."""
    arn, viewer_id = kvs.create(), unique_name("viewer")
    with kvs.master(arn) as master, kvs.viewer(arn, viewer_id) as viewer, kvs.viewer(arn, "bystander") as bystander:
        yield master, viewer, viewer_id, bystander
        bystander.send("ICE_CANDIDATE", candidate(99))
        message = master.receive()
        while message.get("senderClientId") != "bystander":
            message = master.receive()
        assert message["messagePayload"] == candidate(99)
        master.send("SDP_ANSWER", ANSWER, recipient="bystander")
        assert bystander.receive()["messagePayload"] == ANSWER


def message(action: str = "SDP_OFFER", payload: object = OFFER, **more: object) -> str:
    """A message as text, with anything in it."""
    return json.dumps({"action": action, "messagePayload": payload, **more})


WRONG_MESSAGES = [
    pytest.param(message(action="SDP_OFER"), id="unknown action"),
    pytest.param(message(action="GO_AWAY"), id="an action of the service"),
    pytest.param(message(action="sdp_offer"), id="an action in lower case"),
    pytest.param(json.dumps({"messagePayload": OFFER}), id="no action"),
    pytest.param(json.dumps({"action": "SDP_OFFER"}), id="no payload"),
    pytest.param(message(payload=""), id="empty payload"),
    pytest.param(message(payload="***"), id="payload that is not base64"),
    pytest.param(message(payload="abcde"), id="payload of an impossible length"),
    pytest.param(message(payload="A" * 10_004), id="payload too long"),
    pytest.param(message(payload=7), id="payload of a wrong type"),
    pytest.param(message(action="ICE_CANDIDATE", payload={"candidate": ""}), id="payload that is an object"),
]


@pytest.mark.parametrize("text", WRONG_MESSAGES)
def test_an_error_is_told_to_who_gave_a_correlation_id(room: Any, text: str) -> None:
    master, viewer, _, _ = room
    viewer.send_text(json.dumps({**json.loads(text), "correlationId": "my.id-1"}))
    answer = viewer.receive()
    assert sorted(answer) == ["messageType", "statusResponse"]
    assert answer["messageType"] == "STATUS_RESPONSE"
    status = answer["statusResponse"]
    assert status["correlationId"] == "my.id-1"
    assert status["errorType"] == "InvalidArgumentException"
    assert status["statusCode"] == "400"
    assert 0 < len(status["description"]) <= 1024
    assert master.drained() == []


@pytest.mark.parametrize("text", WRONG_MESSAGES)
def test_without_a_correlation_id_there_is_no_answer(room: Any, text: str) -> None:
    master, viewer, _, _ = room
    viewer.send_text(text)
    assert viewer.drained() == []
    assert master.drained() == []


def test_a_good_message_with_a_correlation_id_gets_no_answer(room: Any) -> None:
    master, viewer, _, _ = room
    viewer.send("SDP_OFFER", OFFER, correlation_id="c-1")
    assert master.receive()["messagePayload"] == OFFER
    assert viewer.drained() == []


@pytest.mark.parametrize("recipient", [None, "", "not an id", "x" * 257])
def test_a_master_has_to_name_its_viewer(room: Any, recipient: str | None) -> None:
    master, viewer, _, bystander = room
    master.send("SDP_ANSWER", ANSWER, recipient=recipient, correlation_id="c-2")
    status = master.receive()["statusResponse"]
    assert (status["correlationId"], status["errorType"]) == ("c-2", "InvalidArgumentException")
    assert viewer.drained() == bystander.drained() == []


@pytest.mark.parametrize("correlation_id", ["with space", "", "x" * 257, 7, {"a": 1}])
def test_a_correlation_id_outside_the_rules_disturbs_nobody(room: Any, correlation_id: object) -> None:
    _, viewer, _, _ = room
    viewer.send_text(message(action="NONSENSE", correlationId=correlation_id))
    assert viewer.open


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "null",
        "7",
        '"text"',
        "[]",
        "[[[[",
        "{}",
        '{"action":null}',
        "\x00",
        "{" * 9000,
        '{"action":"SDP_OFFER"',
    ],
)
def test_text_that_is_no_message_is_ignored(room: Any, text: str) -> None:
    master, viewer, _, _ = room
    viewer.send_text(text)
    assert viewer.drained() == []
    assert master.drained() == []


def raw_frame(opcode: int, payload: bytes, *, fin: bool = True, masked: bool = True, rsv: int = 0) -> bytes:
    """A WebSocket frame by hand (RFC 6455 section 5.2)."""
    size = len(payload)
    head = bytes([(0x80 if fin else 0) | rsv << 4 | opcode])
    length = size if size < 126 else 126 if size < 65536 else 127
    head += bytes([(0x80 if masked else 0) | length])
    if length == 126:
        head += size.to_bytes(2, "big")
    elif length == 127:
        head += size.to_bytes(8, "big")
    key = b"\x01\x02\x03\x04"
    body = bytes(byte ^ key[index % 4] for index, byte in enumerate(payload)) if masked else payload
    return head + (key if masked else b"") + body


TEXT, BINARY, CONTINUATION = 1, 2, 0


@pytest.mark.parametrize(
    ("frames", "codes"),
    [
        pytest.param(raw_frame(TEXT, b"x" * 1_000_000), {1009, 1008}, id="oversized"),
        pytest.param(
            raw_frame(TEXT, b"x" * 60_000, fin=False) + raw_frame(CONTINUATION, b"x" * 60_000, fin=False) * 20,
            {1009, 1008},
            id="oversized in fragments",
        ),
        pytest.param(raw_frame(TEXT, b"{}", masked=False), {1002, None}, id="unmasked"),
        pytest.param(raw_frame(3, b"{}"), {1002}, id="unknown opcode"),
        pytest.param(raw_frame(TEXT, b"{}", rsv=4), {1002}, id="compressed without having agreed to it"),
        pytest.param(raw_frame(CONTINUATION, b"{}"), {1002}, id="continuation of nothing"),
        pytest.param(raw_frame(9, b"p" * 126), {1002}, id="long ping"),
        pytest.param(raw_frame(TEXT, b"\xff\xfe\xfd"), {1007, None}, id="not UTF-8"),
        pytest.param(raw_frame(BINARY, message().encode()), {1003, None}, id="binary"),
    ],
)
def test_broken_frames_close_the_socket_that_sent_them(room: Any, frames: bytes, codes: set[int | None]) -> None:
    _, viewer, _, _ = room
    with suppress(BrokenPipeError, ConnectionResetError):  # it may be closed in the middle of a long frame
        viewer.connection.socket.sendall(frames)
    if None in codes and viewer.open:
        return  # ignored: also good
    assert viewer.wait_closed() in codes


def test_a_half_sent_frame_and_a_cut_line_disturb_nobody(room: Any) -> None:
    _, viewer, _, _ = room
    viewer.connection.socket.sendall(raw_frame(TEXT, message().encode())[:40])
    viewer.connection.socket.shutdown(2)


def test_a_flood_is_answered_with_a_limit_and_disturbs_nobody(start_service: Callable[..., Any]) -> None:
    with Kvs(start_service(environment={"SIGHTLINE_MESSAGE_RATE": "10"})) as kvs:
        arn = kvs.create()
        with kvs.master(arn) as master, kvs.viewer(arn, "flooder") as flooder, kvs.viewer(arn, "calm") as calm:
            begun = time.monotonic()
            for number in range(100):
                flooder.send("ICE_CANDIDATE", candidate(number), correlation_id=f"n{number}")
            status = flooder.receive()["statusResponse"]
            assert status["errorType"] == "ClientLimitExceededException"
            assert status["statusCode"] == "400"
            calm.send("SDP_OFFER", OFFER)
            seen: list[dict[str, Any]] = []
            while not any(message["senderClientId"] == "calm" for message in seen):
                seen.append(master.receive())
            passed = len([message for message in seen if message["senderClientId"] == "flooder"])
            assert passed < 30 + 10 * (time.monotonic() - begun), "more than its burst and its rate"

            # The flooder is heard again when it has calmed down.
            def heard_again() -> bool:
                flooder.send("ICE_CANDIDATE", candidate(1000))
                return any(each["messagePayload"] == candidate(1000) for each in master.drained())

            eventually(heard_again, "the flooder to be heard again", every=0.3)


def test_a_slow_reader_disturbs_nobody_and_does_not_fill_the_memory(start_service: Callable[..., Any]) -> None:
    """A viewer that stops reading: the master and the other viewer go on, and the service does not hoard."""
    with Kvs(start_service(environment={"SIGHTLINE_MESSAGE_RATE": "100000"})) as kvs:
        arn = kvs.create()
        pid = kvs.service.command.process.pid
        big = encode({"type": "offer", "sdp": "v" * 7_000})
        slow = raw_upgrade(kvs.service, kvs.socket_url(VIEWER, arn, "slow"), receive_buffer=8192)
        with slow, kvs.master(arn) as master, kvs.viewer(arn, "quick") as quick:
            before = resident_kilobytes(pid)
            for number in range(5_000):
                master.send("ICE_CANDIDATE", big, recipient="slow")
                if number % 500 == 0:
                    sent = time.monotonic()
                    master.send("ICE_CANDIDATE", candidate(number), recipient="quick")
                    assert quick.receive()["messagePayload"] == candidate(number)
                    assert time.monotonic() - sent < SLOW
            assert master.open
            assert resident_kilobytes(pid) - before < 30_000, "what the slow viewer does not read is kept without limit"


def resident_kilobytes(pid: int) -> int:
    """The resident memory of a process."""
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))

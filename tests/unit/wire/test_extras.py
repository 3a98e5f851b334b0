"""Messages beyond KVS: what fits, what is refused."""

from __future__ import annotations

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightline.errors import MalformedMessage
from sightline.reasons import REASONS, Reason
from sightline.wire.extras import (
    Extra,
    MasterState,
    Notice,
    SocketState,
    ViewerPresence,
    decode_presence,
    empty_payload,
    encode_notice,
    encode_presence,
    master_payload,
    master_state,
    notice_frame,
    read_notice,
    viewer_socket_payload,
    viewer_socket_state,
)
from sightline.wire.messages import (
    MAX_FRAME,
    decode_client_message,
    decode_payload,
    decode_server_message,
    encode_relayed,
)

pytestmark = pytest.mark.realtime

VIEWER = ViewerPresence(
    client_id="viewer-123",
    connection_state="connected",
    ice_connection_state="completed",
    since=1790000000.5,
    was_connected=True,
    candidate_pair="host 192.0.2.1:5000 -> srflx 198.51.100.7:6000",
    round_trip_time=0.02,
    loss=0.01,
    bitrate=1.8e6,
)


def test_a_report_survives_the_wire() -> None:
    frame = encode_presence((VIEWER,))
    assert decode_client_message(frame).action == Extra.PRESENCE
    assert decode_presence(frame).viewers == (VIEWER,)
    assert json.loads(frame)["viewers"][0]["clientId"] == "viewer-123"


def test_no_name_of_it_is_one_of_kvs() -> None:
    for name in Extra:
        assert "/" in name
        assert name == name.lower()


def test_what_does_not_fit_into_a_frame_is_counted() -> None:
    viewers = tuple(VIEWER for _ in range(1500))
    frame = encode_presence(viewers)
    found = decode_presence(frame)
    assert len(frame) <= MAX_FRAME
    assert found.total == 1500
    assert 200 < len(found.viewers) < 1500
    assert decode_presence(encode_presence(())).total == 0


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("clientId", "a b"),
        ("clientId", "x\n"),
        ("clientId", ""),
        ("clientId", "x" * 257),
        ("clientId", None),
        ("connectionState", "fine"),
        ("iceConnectionState", 1),
        ("since", -1),
        ("since", 1e300),
        ("reason", "\x1b[2J"),
        ("candidatePair", "\x1b[2J"),
        ("candidatePair", "x" * 201),
        ("loss", 1.5),
        ("roundTripTime", -0.1),
        ("bitrate", "many"),
    ],
)
def test_a_report_with_one_wrong_value_is_refused(field: str, value: object) -> None:
    frame = json.loads(encode_presence((VIEWER,)))
    frame["viewers"][0][field] = value
    with pytest.raises(MalformedMessage):
        decode_presence(json.dumps(frame))


@given(st.text() | st.recursive(st.none() | st.integers() | st.text(), st.lists).map(json.dumps))
def test_junk_is_refused(text: str) -> None:
    with pytest.raises(MalformedMessage):
        decode_presence(text)


def test_too_many_viewers_are_refused() -> None:
    frame = json.loads(encode_presence((VIEWER,)))
    frame["viewers"] *= 2001
    with pytest.raises(MalformedMessage):
        decode_presence(json.dumps(frame))


@pytest.mark.parametrize("role", [None, "operator", "of-a-newer-service"])
def test_payloads_are_json_in_base64_and_stand_in_a_relayed_frame(role: str | None) -> None:
    state = SocketState(open=True, extras=True, role=role)
    frame = json.loads(encode_relayed(Extra.VIEWER, viewer_socket_payload(state), "viewer-123"))
    assert (frame["messageType"], frame["senderClientId"]) == ("sightline/viewer", "viewer-123")
    content = decode_payload(frame["messagePayload"])
    assert content is not None
    assert viewer_socket_state(content) == state
    assert json.loads(base64.b64decode(empty_payload())) == {}
    with pytest.raises(MalformedMessage):
        viewer_socket_state({"open": "yes"})


@pytest.mark.parametrize("state", [MasterState(present=False), MasterState(present=True), MasterState(True, True)])
def test_what_a_viewer_is_told_of_its_master(state: MasterState) -> None:
    content = decode_payload(master_payload(state))
    assert content == {"present": state.present, "ours": state.ours}
    assert master_state(content) == state


@pytest.mark.parametrize("content", [{}, {"present": 1}, {"present": True, "ours": "yes"}])
def test_a_state_of_a_master_that_is_none(content: dict[str, object]) -> None:
    with pytest.raises(MalformedMessage):
        master_state(content)


def test_a_notice_has_an_id_and_a_sentence() -> None:
    content = decode_payload(encode_notice(Reason.SESSION_GONE, "Connect anew."))
    assert content == {"reason": "session-gone", "message": "Connect anew."}
    assert read_notice(content) == Notice("session-gone", "Connect anew.")


def test_a_notice_without_a_sentence_has_that_of_its_reason() -> None:
    content = decode_payload(encode_notice(Reason.VIEWER_LIMIT))
    assert content == {"reason": "viewer-limit", "message": REASONS[Reason.VIEWER_LIMIT].message}
    assert read_notice({"reason": "viewer-limit"}).message == REASONS[Reason.VIEWER_LIMIT].message


def test_a_notice_of_a_newer_service_is_read() -> None:
    assert read_notice({"reason": "out-of-tea", "more": 1}) == Notice("out-of-tea", "")


def test_a_notice_harms_no_terminal() -> None:
    assert read_notice({"reason": "x", "message": "\x1b[2J\x07red\n꯭ 카메라"}).message == "[2Jred꯭ 카메라"
    assert len(read_notice({"reason": "x", "message": "x" * 9999}).message) == 500


@pytest.mark.parametrize("content", [{}, {"reason": 7}, {"reason": ""}, {"reason": "\x1b[2J"}, {"reason": "x" * 41}])
def test_a_notice_without_a_reason_is_none(content: dict[str, object]) -> None:
    with pytest.raises(MalformedMessage):
        read_notice(content)


@pytest.mark.parametrize("reason", Reason)
def test_a_service_s_notice_is_a_frame_that_needs_no_escapes(reason: Reason) -> None:
    frame = notice_frame(reason, 'with "quotes" and \\')
    message = decode_server_message(frame)
    assert (message.message_type, message.sender_client_id) == ("sightline/notice", None)
    content = decode_payload(message.payload)
    assert content is not None
    assert read_notice(content) == Notice(reason.value, 'with "quotes" and \\')

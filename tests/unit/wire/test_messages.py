"""Signaling frames of all clients, and the exact frames that the service sends (KVS.md §5.2 and §5.3)."""

from __future__ import annotations

import json

import pytest

from sightline.errors import MalformedMessage
from sightline.wire.messages import (
    ClientMessage,
    MessageType,
    ServerMessage,
    Status,
    decode_client_message,
    decode_server_message,
    encode_client_message,
    encode_go_away,
    encode_relayed,
    encode_status,
)

FULL = ClientMessage("SDP_OFFER", "e30=", "viewer-1", "c1")


def decoded(text: str) -> ClientMessage:
    """Both as text and as bytes, which must make no difference."""
    message = decode_client_message(text)
    assert decode_client_message(text.encode()) == message
    return message


def frame(**members: object) -> str:
    return json.dumps(members)


class TestFromClients:
    def test_the_usual_form(self) -> None:
        """JS, gst, Python, Android, iOS."""
        text = frame(action="SDP_OFFER", messagePayload="e30=", recipientClientId="viewer-1", correlationId="c1")
        assert decoded(text) == FULL

    def test_the_c_sdk_form(self) -> None:
        text = (
            '{\n\t"action": "SDP_OFFER",\n\t"RecipientClientId": "viewer-1",\n\t"MessagePayload": "e30=",\n'
            '\t"CorrelationId": "c1"\n}'
        )
        assert decoded(text) == FULL

    @pytest.mark.parametrize(
        ("payload", "recipient", "correlation"),
        [
            ("messagePayload", "RecipientClientId", "CorrelationId"),
            ("messagePayload", "recipientClientId", "CORRELATIONID"),
            ("MESSAGEPAYLOAD", "recipientclientid", "correlationId"),
            ("messagepayload", "RecipientClientID", "correlationID"),
        ],
    )
    @pytest.mark.parametrize("action", ["action", "Action", "ACTION"])
    def test_each_key_in_any_case(self, action: str, payload: str, recipient: str, correlation: str) -> None:
        members = {action: "SDP_OFFER", payload: "e30=", recipient: "viewer-1", correlation: "c1"}
        assert decoded(frame(**members)) == FULL

    def test_what_is_not_there_is_empty(self) -> None:
        assert decoded('{"action":"ICE_CANDIDATE","messagePayload":"e30="}') == ClientMessage("ICE_CANDIDATE", "e30=")
        assert decoded("{}") == ClientMessage("")

    @pytest.mark.parametrize("null", ["messagePayload", "recipientClientId", "correlationId", "action"])
    def test_null_is_not_there(self, null: str) -> None:
        members = {"action": "SDP_OFFER", "messagePayload": "e30=", "recipientClientId": "v", "correlationId": "c"}
        without = {name: value for name, value in members.items() if name != null}
        assert decoded(frame(**{**members, null: None})) == decoded(frame(**without))

    def test_junk_members_are_ignored(self) -> None:
        """Android's senderClientId, a C viewer's TURN credentials, and anything else."""
        junk = {
            "senderClientId": "me",
            "IceServerList": [{"Uris": ["turn:h:1"], "Username": "a:b", "Password": "p", "Ttl": 300}],
            "number": 1e300,
            "nested": {"action": "GO_AWAY"},
            "": None,
        }
        usual = {
            "action": "SDP_OFFER",
            "messagePayload": "e30=",
            "recipientClientId": "viewer-1",
            "correlationId": "c1",
        }
        assert decoded(frame(**junk, **usual)) == FULL
        assert decoded(frame(**junk, **{name.capitalize(): value for name, value in usual.items()})) == FULL

    def test_an_empty_member_does_not_hide_one_that_says_something(self) -> None:
        text = (
            '{"action":"SDP_OFFER","messagePayload":"","MessagePayload":"e30=","CorrelationId":"c","correlationId":""}'
        )
        assert decoded(text) == ClientMessage("SDP_OFFER", "e30=", "", "c")

    @pytest.mark.parametrize("wrong", ["7", "true", "[]", '{"type":"offer"}', "1.5"])
    def test_a_wrong_type_still_tells_whom_to_answer(self, wrong: str) -> None:
        """The exchange refuses what no action and no base64 can be."""
        message = decoded(f'{{"action":"SDP_OFFER","messagePayload":{wrong},"correlationId":"c1"}}')
        assert message.correlationId == "c1"
        assert message.messagePayload.startswith("(")
        message = decoded(f'{{"action":{wrong},"messagePayload":"e30=","correlationId":"c1"}}')
        assert message.correlationId == "c1"
        assert message.action not in set(MessageType)
        message = decoded(f'{{"action":"SDP_OFFER","messagePayload":"e30=","correlationId":{wrong}}}')
        assert message.correlationId == ""
        message = decoded(f'{{"action":"SDP_OFFER","messagePayload":"e30=","recipientClientId":{wrong}}}')
        assert message.recipientClientId == ""

    @pytest.mark.parametrize(
        "text",
        [
            "",
            " ",
            "null",
            "7",
            '"SDP_OFFER"',
            "[]",
            '[{"action":"SDP_OFFER"}]',
            "{",
            '{"action":"SDP_OFFER"',
            "{'action':'SDP_OFFER'}",
            '{"action":"SDP_OFFER",}',
            '{"action":"SDP_OFFER"}{}',
            '{"a":"\\ud800"}',
            '{"a":1e999}',
            "[" * 60_000,
            '{"a":' * 10_000,
            "\ufeff{}",
        ],
    )
    def test_what_is_no_json_object(self, text: str) -> None:
        for form in (text, text.encode()):
            with pytest.raises(MalformedMessage):
                decode_client_message(form)

    @pytest.mark.parametrize("form", [b"\xff\xfe", b'{"action":"\xff"}', b'{"\xff":1}', '{"action":"\ud800"}'])
    def test_what_is_no_text(self, form: bytes | str) -> None:
        with pytest.raises(MalformedMessage):
            decode_client_message(form)


class TestToClients:
    def test_a_viewers_message_names_its_sender(self) -> None:
        """Members in AWS's order, no spaces: the C SDK scans the text (KVS.md §5.3)."""
        assert (
            encode_relayed("SDP_OFFER", "e30=", "viewer-1")
            == b'{"messagePayload":"e30=","messageType":"SDP_OFFER","senderClientId":"viewer-1"}'
        )

    def test_a_masters_message_has_no_sender_at_all(self) -> None:
        assert encode_relayed("SDP_ANSWER", "e30=", "") == b'{"messagePayload":"e30=","messageType":"SDP_ANSWER"}'

    def test_a_status_response(self) -> None:
        status = Status("c1", "InvalidArgumentException", "400", 'a "b" \\ 한')
        text = encode_status(status)
        assert json.loads(text) == {
            "messageType": "STATUS_RESPONSE",
            "statusResponse": {
                "correlationId": "c1",
                "errorType": "InvalidArgumentException",
                "statusCode": "400",
                "description": 'a "b" \\ 한',
            },
        }
        assert decode_server_message(text) == ServerMessage("STATUS_RESPONSE", status=status)

    def test_go_away_has_one_key(self) -> None:
        """iOS ignores it only then."""
        assert encode_go_away() == b'{"messageType":"GO_AWAY"}'


class TestFromTheService:
    """What our own client reads, from Sightline and from AWS."""

    def test_both_senders(self) -> None:
        assert decode_server_message(encode_relayed("SDP_OFFER", "e30=", "v")) == ServerMessage(
            "SDP_OFFER", "e30=", "v"
        )
        assert decode_server_message(encode_relayed("SDP_ANSWER", "e30=", "")) == ServerMessage("SDP_ANSWER", "e30=")

    def test_unknown_types_and_members_come_through(self) -> None:
        text = '{"messageType":"NEW_THING","more":[1],"senderClientId":null,"messagePayload":7,"statusResponse":"x"}'
        assert decode_server_message(text) == ServerMessage("NEW_THING")

    def test_a_status_code_may_be_a_number(self) -> None:
        text = '{"messageType":"STATUS_RESPONSE","statusResponse":{"correlationId":"c","statusCode":400}}'
        assert decode_server_message(text).status == Status("c", "", "400", "")

    @pytest.mark.parametrize(
        "text", ["", "null", "{}", '{"messageType":null}', '{"messageType":""}', '{"messageType":3}', "[" * 9999]
    )
    def test_what_is_no_message(self, text: str) -> None:
        with pytest.raises(MalformedMessage):
            decode_server_message(text)


class TestOurClient:
    """What our own client sends."""

    def test_exactly_what_the_javascript_sdk_sends(self) -> None:
        text = encode_client_message(MessageType.SDP_ANSWER, "e30=", recipient="viewer-1", correlation_id="c1")
        assert decode_client_message(text) == ClientMessage("SDP_ANSWER", "e30=", "viewer-1", "c1")
        assert set(json.loads(text)) == {"action", "messagePayload", "recipientClientId", "correlationId"}

    def test_absent_members_are_left_out(self) -> None:
        assert json.loads(encode_client_message(MessageType.SDP_OFFER, "e30=")) == {
            "action": "SDP_OFFER",
            "messagePayload": "e30=",
        }

    def test_a_payload_of_10000_characters_is_the_longest(self) -> None:
        encode_client_message(MessageType.SDP_OFFER, "A" * 10_000)
        with pytest.raises(MalformedMessage, match="10000"):
            encode_client_message(MessageType.SDP_OFFER, "A" * 10_001)

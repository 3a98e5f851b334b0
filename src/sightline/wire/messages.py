"""Signaling frames, both ways (KVS.md §5.2 and §5.3).

A frame of the usual camelCase form is decoded straight into a typed struct (0.8 µs at 300 B). What does not fit, for
instance the C SDK's PascalCase keys, goes through a tolerant path that compares keys without regard to case, takes
``null`` as absent and ignores members it does not know.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

from ..errors import MalformedMessage
from .payload import MAX_PAYLOAD, decode_payload, encode_payload

__all__ = [
    "ClientMessage",
    "MessageType",
    "ServerMessage",
    "Status",
    "decode_client_message",
    "decode_payload",
    "decode_server_message",
    "encode_client_message",
    "encode_go_away",
    "encode_payload",
    "encode_relayed",
    "encode_status",
]

MAX_FRAME = 64 * 1024
"""Bytes of a client's frame. Far over the payload limit, so that a C viewer's ICE server list still fits."""


class MessageType(StrEnum):
    """The messages of the wire; the first three are also the actions that a client may send."""

    SDP_OFFER = "SDP_OFFER"
    SDP_ANSWER = "SDP_ANSWER"
    ICE_CANDIDATE = "ICE_CANDIDATE"
    GO_AWAY = "GO_AWAY"
    RECONNECT_ICE_SERVER = "RECONNECT_ICE_SERVER"
    STATUS_RESPONSE = "STATUS_RESPONSE"


class ClientMessage(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    """What a master or a viewer sends. Values are as sent: the exchange judges them.

    ``action`` is plain text so that an unknown one still yields its correlation id for the error.
    """

    action: str
    messagePayload: str = ""
    recipientClientId: str = ""
    correlationId: str = ""


class Status(msgspec.Struct, frozen=True, gc=False):
    """The content of a STATUS_RESPONSE. ``status_code`` is text on the wire too."""

    correlation_id: str
    error_type: str
    status_code: str
    description: str


class ServerMessage(msgspec.Struct, frozen=True, gc=False):
    """What a client receives. ``sender_client_id`` is None when the sender is the master."""

    message_type: str
    payload: str = ""
    sender_client_id: str | None = None
    status: Status | None = None


_FIELDS = {name.lower(): name for name in ClientMessage.__struct_fields__}
_client_decoder = msgspec.json.Decoder(ClientMessage)
_any_decoder = msgspec.json.Decoder()
_encode = msgspec.json.Encoder().encode


def decode_client_message(frame: bytes | str) -> ClientMessage:
    """Read a frame that a client sent; raises MalformedMessage when it is not a JSON object."""
    try:
        return _client_decoder.decode(frame)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        # Also for a member that the struct does not know: it may be one of ours in another case.
        return _decode_tolerantly(frame)


def _decode_tolerantly(frame: bytes | str) -> ClientMessage:
    value = _decode_object(frame)
    found: dict[str, str] = {}
    for key, member in value.items():
        name = _FIELDS.get(key.lower())
        if name is None or member is None:
            continue
        if not isinstance(member, str):
            # Neither an action nor base64: the exchange refuses it, and tells who gave a correlation id.
            member = "" if name in ("recipientClientId", "correlationId") else f"({type(member).__name__})"
        # Where a client sends a key twice in two cases, the one that says something counts.
        found[name] = member or found.get(name, "")
    return ClientMessage(found.pop("action", ""), **found)


def _decode_object(frame: bytes | str) -> dict[str, object]:
    try:
        value = _any_decoder.decode(frame)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise MalformedMessage(f"The message is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise MalformedMessage("The message is not a JSON object.")
    return value


def encode_client_message(
    action: StrEnum, payload: str, *, recipient: str | None = None, correlation_id: str | None = None
) -> bytes:
    """The frame that a client sends; absent members are left out."""
    if len(payload) > MAX_PAYLOAD:
        raise MalformedMessage(f"The payload has {len(payload)} characters; the wire carries at most {MAX_PAYLOAD}.")
    message = {"action": action.value, "messagePayload": payload}
    if recipient is not None:
        message["recipientClientId"] = recipient
    if correlation_id is not None:
        message["correlationId"] = correlation_id
    return _encode(message)


def decode_server_message(frame: bytes | str) -> ServerMessage:
    """Read a frame that a service sent; raises MalformedMessage.

    Unknown types come through as they are: the reader ignores what it does not know.
    """
    value = _decode_object(frame)
    kind = value.get("messageType")
    if not isinstance(kind, str) or not kind:
        raise MalformedMessage("The message has no messageType.")
    return ServerMessage(
        kind,
        _text(value, "messagePayload"),
        _text(value, "senderClientId") or None,
        _status(value.get("statusResponse")),
    )


def _text(value: dict[str, object], name: str) -> str:
    member = value.get(name)
    return member if isinstance(member, str) else ""


def _status(value: object) -> Status | None:
    if not isinstance(value, dict):
        return None
    return Status(
        _text(value, "correlationId"),
        _text(value, "errorType"),
        str(value.get("statusCode", "")),
        _text(value, "description"),
    )


def encode_relayed(kind: str, payload: str, sender_client_id: str) -> bytes:
    """The frame that a recipient gets; ``sender_client_id`` is empty when the master sent it.

    Members in AWS's order. All three values are ASCII without characters that JSON escapes (the exchange checked
    them), so the frame is put together as text: the C SDK reads no escapes anyway.
    """
    if sender_client_id:
        return f'{{"messagePayload":"{payload}","messageType":"{kind}","senderClientId":"{sender_client_id}"}}'.encode()
    return f'{{"messagePayload":"{payload}","messageType":"{kind}"}}'.encode()


def encode_status(status: Status) -> bytes:
    """A STATUS_RESPONSE. It is sent only to those who gave a correlation id: iOS crashes on any other."""
    return _encode(
        {
            "messageType": MessageType.STATUS_RESPONSE.value,
            "statusResponse": {
                "correlationId": status.correlation_id,
                "errorType": status.error_type,
                "statusCode": status.status_code,
                "description": status.description,
            },
        }
    )


def encode_go_away() -> bytes:
    """Asks the client to finish and to reconnect."""
    return b'{"messageType":"GO_AWAY"}'

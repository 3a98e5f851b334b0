"""Payloads: whatever base64 a client sends, its peer gets standard, padded base64 (KVS.md §5.2)."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightline.errors import MalformedMessage
from sightline.wire.payload import MAX_PAYLOAD, decode_payload, encode_payload, normalise_payload


@given(st.binary(min_size=1, max_size=200), st.booleans(), st.integers(0, 3))
def test_any_alphabet_and_padding_becomes_standard_base64(data: bytes, url_safe: bool, padding: int) -> None:
    standard = base64.b64encode(data).decode()
    sent = (base64.urlsafe_b64encode(data).decode() if url_safe else standard).rstrip("=") + "=" * padding
    assert normalise_payload(sent) == standard
    assert normalise_payload(standard) == standard


def test_both_alphabets_may_be_mixed() -> None:
    assert normalise_payload("-_+/") == "+/+/"


@pytest.mark.parametrize(
    "text",
    [
        "A",
        "AAAAA",
        "A===",
        "AA=A",
        "=AAA",
        "A=B=",
        "=",
        "====",
        "AA A",
        "AAA\n",
        "QQ==QQ==",
        "AAA*",
        "ÄÄÄÄ",
        "A\ud800AA",
        "AA\x00A",
        '"}//',
    ],
)
def test_what_is_no_base64(text: str) -> None:
    """Nor is padding alone: an empty payload would make the C SDK read on into the rest of the frame."""
    with pytest.raises(MalformedMessage):
        normalise_payload(text)


@given(st.text(max_size=40))
def test_what_comes_out_can_be_decoded_and_needs_no_escapes(text: str) -> None:
    try:
        out = normalise_payload(text)
    except MalformedMessage:
        return
    base64.b64decode(out, validate=True)
    assert bool(out) == bool(text)
    assert set(out) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=")


@pytest.mark.parametrize("length", [MAX_PAYLOAD - 1, MAX_PAYLOAD - 2])
def test_padding_does_not_make_a_payload_too_long(length: int) -> None:
    assert len(normalise_payload("A" * length)) == MAX_PAYLOAD


@given(st.dictionaries(st.text(max_size=5), st.text(max_size=20) | st.integers(-5, 5) | st.none(), max_size=4))
def test_what_is_encoded_is_decoded(value: dict[str, object]) -> None:
    payload = encode_payload(value)
    assert decode_payload(payload) == value
    assert decode_payload(payload.rstrip("=").replace("+", "-").replace("/", "_")) == value


def as_payload(text: bytes) -> str:
    return base64.b64encode(text).decode()


def test_androids_end_of_candidates_is_none() -> None:
    assert decode_payload(as_payload(b"null")) is None


@pytest.mark.parametrize(
    "text",
    [b"{", b"7", b'"v=0"', b"[]", b"\xff\xfe", b'{"a":"\xff"}', b"v=0\r\no=- 1 2 IN IP4 0.0.0.0", b"[" * 7000, b" "],
)
def test_a_payload_that_holds_no_json_object(text: bytes) -> None:
    with pytest.raises(MalformedMessage):
        decode_payload(as_payload(text))


def test_a_payload_that_is_empty_or_no_base64() -> None:
    for text in ("", "*", "A"):
        with pytest.raises(MalformedMessage):
            decode_payload(text)

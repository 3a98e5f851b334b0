"""Our liveness queries are what aioice's codec would have made, and only the peer's own answers count."""

from __future__ import annotations

from aioice import stun
from hypothesis import given
from hypothesis import strategies as st

from sightline.rtc.ice.consent import ConsentQuery, transaction_of

KEY = b"the peer's password"
TRANSACTION = b"0123456789ab"


def request(username: str = "them:us") -> stun.Message:
    message = stun.Message(stun.Method.BINDING, stun.Class.REQUEST)
    message.attributes["USERNAME"] = username
    message.attributes["PRIORITY"] = 1845494271
    message.attributes["ICE-CONTROLLED"] = 1 << 63
    return message


def response(kind: stun.Class = stun.Class.RESPONSE, *, key: bytes | None = KEY) -> bytes:
    message = stun.Message(stun.Method.BINDING, kind, TRANSACTION)
    message.attributes["XOR-MAPPED-ADDRESS"] = ("192.0.2.1", 5000)
    if key is not None:
        message.add_message_integrity(key)
    return bytes(message)


@given(username=st.text("abc:", min_size=1, max_size=40), transaction=st.binary(min_size=12, max_size=12))
def test_a_query_is_byte_for_byte_what_the_codec_makes(username: str, transaction: bytes) -> None:
    encoded = ConsentQuery(request(username), KEY).encode(transaction)
    expected = request(username)
    expected.transaction_id = transaction
    expected.add_message_integrity(KEY)
    assert encoded == bytes(expected)
    assert transaction_of(encoded) == transaction


def test_the_peers_answer_is_accepted() -> None:
    assert ConsentQuery(request(), KEY).is_answer(response())


def test_nothing_else_is() -> None:
    query = ConsentQuery(request(), KEY)
    assert not query.is_answer(response(key=b"another password"))
    assert not query.is_answer(response(key=None))
    assert not query.is_answer(response(stun.Class.ERROR))
    assert not query.is_answer(response() + b"tail")
    assert not query.is_answer(b"")


@given(st.binary(max_size=200))
def test_garbage_is_not_an_answer(garbage: bytes) -> None:
    query = ConsentQuery(request(), KEY)
    assert not query.is_answer(garbage)
    header = response()[:2] + len(garbage).to_bytes(2, "big") + response()[4:20]
    assert not query.is_answer(header + garbage)

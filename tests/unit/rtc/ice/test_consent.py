"""Our liveness queries are what aioice's codec would have made, and only the peer's own answers count."""

from __future__ import annotations

import pytest
from aioice import stun
from hypothesis import given
from hypothesis import strategies as st

from sightline.rtc.ice.consent import ConsentAnswerer, ConsentQuery, transaction_of

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


# -- the peer's queries

OURS = b"our own password"


def query(*, key: bytes = OURS, username: str = "us:them", **extra: object) -> bytes:
    message = stun.Message(stun.Method.BINDING, stun.Class.REQUEST, TRANSACTION)
    message.attributes["USERNAME"] = username
    message.attributes["PRIORITY"] = 1845501695
    message.attributes["ICE-CONTROLLING"] = 1 << 62
    for name, value in extra.items():
        name = name.replace("_", "-")
        if value is False:
            message.attributes.pop(name)
        else:
            message.attributes[name] = value
    message.add_message_integrity(key)
    return bytes(message)


def answer(datagram: bytes, *, controlling: bool = False, nominated: bool = False) -> bytes | None:
    answerer = ConsentAnswerer("us:them", OURS, ("192.0.2.9", 4711))
    return answerer.answer(datagram, controlling=controlling, nominated=nominated)


@pytest.mark.parametrize("host", ["192.0.2.9", "2001:db8::9"])
def test_an_answer_is_byte_for_byte_what_aioice_makes(host: str) -> None:
    answerer = ConsentAnswerer("us:them", OURS, (host, 4711))
    expected = stun.Message(stun.Method.BINDING, stun.Class.RESPONSE, TRANSACTION)
    expected.attributes["XOR-MAPPED-ADDRESS"] = (host, 4711)
    expected.add_message_integrity(OURS)
    assert answerer.answer(query(), controlling=False, nominated=False) == bytes(expected)


def test_what_is_not_plain_is_left_to_aioice() -> None:
    assert answer(query(key=b"guessed password")) is None
    assert answer(query(username="us:others")) is None
    assert answer(query(PRIORITY=False)) is None
    assert answer(query(USE_CANDIDATE=None)) is None
    assert answer(query(), controlling=True) is None, "a role conflict"
    assert answer(query(ICE_CONTROLLING=False, ICE_CONTROLLED=1)) is None, "the other role conflict"
    assert answer(response(key=OURS)) is None
    assert answer(query()[:-1]) is None


def test_a_nomination_again_of_the_nominated_pair_is_plain() -> None:
    assert answer(query(USE_CANDIDATE=None), nominated=True) is not None


@given(st.binary(max_size=200), st.integers(0, 200))
def test_garbage_gets_no_answer(garbage: bytes, cut: int) -> None:
    assert answer(garbage) is None
    assert answer(query()[:cut]) is None or cut >= len(query())
    header = query()[:2] + len(garbage).to_bytes(2, "big") + query()[4:20]
    assert answer(header + garbage) is None

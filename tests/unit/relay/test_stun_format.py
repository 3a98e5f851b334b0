"""Our STUN codec against aioice's, and against everything that is not STUN."""

from __future__ import annotations

import hashlib

import pytest
from aioice import stun
from hypothesis import given
from hypothesis import strategies as st

from sightline.relay import StreamCutter, data_indication
from sightline.relay.stun_format import (
    Attribute,
    Kind,
    MalformedMessage,
    Method,
    address_value,
    encode,
    error_value,
    parse,
    read_address,
)

KEY = hashlib.md5(b"u:r:p").digest()
TRANSACTION = bytes(range(12))
ADDRESSES = st.tuples(st.ip_addresses().map(str), st.integers(0, 65_535))


@given(ADDRESSES, st.binary(min_size=12, max_size=12))
def test_addresses_go_there_and_back(address: tuple[str, int], transaction: bytes) -> None:
    assert read_address(address_value(address, transaction), transaction) == address


@pytest.mark.parametrize("value", [b"", b"\0\1", b"\0\1" + bytes(5), b"\0\2" + bytes(6), b"\0\3" + bytes(18), bytes(8)])
def test_what_is_no_address(value: bytes) -> None:
    with pytest.raises(MalformedMessage):
        read_address(value, TRANSACTION)


@pytest.mark.parametrize("fingerprint", [False, True])
@pytest.mark.parametrize("key", [None, KEY])
def test_aioice_reads_what_we_write(key: bytes | None, fingerprint: bool) -> None:
    attributes = [
        (Attribute.ERROR_CODE, error_value(438, "Stale Nonce")),
        (Attribute.XOR_MAPPED_ADDRESS, address_value(("192.0.2.1", 9), TRANSACTION)),
        (Attribute.REALM, b"realm"),
        (Attribute.NONCE, b"nonce"),
        (Attribute.LIFETIME, (600).to_bytes(4, "big")),
    ]
    data = encode(Kind.ERROR, Method.ALLOCATE, TRANSACTION, attributes, key=key, fingerprint=fingerprint)
    message = stun.parse_message(data)
    assert message.message_class is stun.Class.ERROR
    assert message.message_method is stun.Method.ALLOCATE
    assert message.attributes["ERROR-CODE"] == (438, "Stale Nonce")
    assert message.attributes["XOR-MAPPED-ADDRESS"] == ("192.0.2.1", 9)
    assert message.attributes["REALM"] == "realm"
    assert message.attributes["LIFETIME"] == 600
    assert ("FINGERPRINT" in message.attributes) is fingerprint
    if key:
        assert message.check_message_integrity(key)


def test_we_read_what_aioice_writes() -> None:
    request = stun.Message(stun.Method.CHANNEL_BIND, stun.Class.REQUEST)
    request.attributes.update({"CHANNEL-NUMBER": 0x4001, "XOR-PEER-ADDRESS": ("2001:db8::1", 7), "USERNAME": "abc"})
    request.add_message_integrity(KEY)
    request.add_fingerprint()
    message = parse(bytes(request))
    assert (message.kind, message.method) == (Kind.REQUEST, Method.CHANNEL_BIND)
    assert message.transaction == request.transaction_id
    assert message.attributes[Attribute.USERNAME] == b"abc"
    assert read_address(message.peers[0], message.transaction) == ("2001:db8::1", 7)
    assert message.is_signed_with(KEY)
    assert not message.is_signed_with(b"other")
    assert message.unknown_attributes(frozenset()) == [Attribute.CHANNEL_NUMBER, 0x12, 6, 8]


def test_a_data_indication() -> None:
    message = stun.parse_message(data_indication(("192.0.2.1", 9), b"hello", TRANSACTION))
    assert message.message_class is stun.Class.INDICATION
    assert message.attributes == {"XOR-PEER-ADDRESS": ("192.0.2.1", 9), "DATA": b"hello"}


def broken() -> list[bytes]:
    good = encode(Kind.REQUEST, Method.BINDING, TRANSACTION, fingerprint=True)
    head = good[:2] + b"\0\0" + good[4:20]
    return [
        b"",
        b"\0",
        bytes(20),
        good[:-1],
        good + b"\0",
        good[:-1] + bytes([good[-1] ^ 1]),
        b"\x80" + good[1:],
        b"\x40" + good[1:],
        head[:2] + b"\0\1" + head[4:] + b"x",
        head[:2] + b"\0\4" + head[4:] + b"\0\6\0\1",
        head[:2] + b"\0\4" + head[4:] + b"\0\6\xff\xff",
        head[:2] + b"\0\x08" + head[4:] + b"\0\x08\0\4abcd",
        head[:2] + b"\0\x10" + head[4:] + b"\x80\x28\0\4abcd\0\6\0\4abcd",
        head[:2] + (4 * 60).to_bytes(2, "big") + head[4:] + b"\x80\x22\0\0" * 60,
    ]


@pytest.mark.parametrize("data", broken(), ids=range(len(broken())))
def test_what_is_no_message(data: bytes) -> None:
    with pytest.raises(MalformedMessage):
        parse(data)


@given(st.binary(max_size=200), st.sampled_from([b"", b"\0\1", b"\0\3", b"\0\x16"]))
def test_only_one_error_ever(tail: bytes, start: bytes) -> None:
    data = tail
    if start:
        data = start + len(tail).to_bytes(2, "big") + b"\x21\x12\xa4\x42" + TRANSACTION + tail
    try:
        message = parse(data)
    except MalformedMessage:
        return
    assert message.raw == data


class TestStream:
    FRAMES = (
        encode(Kind.REQUEST, Method.BINDING, TRANSACTION),
        b"\x40\0\0\5hello",
        b"\x4f\xff\0\0",
        encode(Kind.INDICATION, Method.SEND, TRANSACTION, [(Attribute.DATA, bytes(100))]),
        b"\x40\1\0\4four",
    )

    @given(st.lists(st.integers(0, 200)))
    def test_frames_come_out_however_they_are_cut(self, cuts: list[int]) -> None:
        stream = b"".join(frame + bytes(-len(frame) % 4) for frame in self.FRAMES)
        cutter, at, seen = StreamCutter(), 0, []
        for cut in sorted({min(cut, len(stream)) for cut in cuts} | {len(stream)}):
            seen += cutter.feed(stream[at:cut])
            at = cut
        assert tuple(seen) == self.FRAMES
        assert cutter.waiting == 0

    @pytest.mark.parametrize("junk", [b"\xff\xff\xff\xff", b"\x80\x60\0\0", b"\xc0\0\0\0"])
    def test_what_is_neither(self, junk: bytes) -> None:
        with pytest.raises(ValueError, match="neither"):
            StreamCutter().feed(junk)

    @given(st.lists(st.binary(max_size=300), max_size=20))
    def test_memory_is_bounded(self, chunks: list[bytes]) -> None:
        cutter = StreamCutter()
        try:
            for chunk in chunks:
                cutter.feed(chunk)
                assert cutter.waiting <= 65_540
        except ValueError:
            pass

"""SCTP from a viewer that is broken or means harm: it ends its own channels at the most, soon, and nothing raises."""

from __future__ import annotations

import struct
import time
from typing import cast

import pytest
from google_crc32c import value as crc32c
from hypothesis import given, settings
from hypothesis import strategies as st

from sightline.rtc.sctp_guard import MalformedSctp, check_sctp

from .pair import End, connected, open_channel

pytestmark = pytest.mark.realtime


def chunk(kind: int, body: bytes, flags: int = 0, length: int | None = None) -> bytes:
    """A chunk, padded; ``length`` to lie about it."""
    return struct.pack("!BBH", kind, flags, len(body) + 4 if length is None else length) + body + bytes(-len(body) % 4)


def packet(end: End, *chunks: bytes, tag: int | None = None) -> bytes:
    """A packet with a right checksum, as from the peer of ``end``."""
    sctp = end.channels._association._sctp  # type: ignore[union-attr]
    head = struct.pack("!HHL", 5000, 5000, sctp._local_verification_tag if tag is None else tag)
    body = b"".join(chunks)
    return head + struct.pack("<L", cast(int, crc32c(head + bytes(4) + body))) + body


def next_tsn(end: End) -> int:
    """The TSN that ``end`` expects."""
    return (end.channels._association._sctp._last_received_tsn + 1) % 2**32  # type: ignore[union-attr]


def data(tsn: int, payload: bytes, *, stream: int = 0, sequence: int = 0, protocol: int = 51, flags: int = 3) -> bytes:
    """A DATA chunk."""
    return chunk(0, struct.pack("!LHHL", tsn, stream, sequence, protocol) + payload, flags)


PARAMETER_OF_LENGTH_0 = bytes(8)


@pytest.mark.parametrize(
    "chunks",
    [
        [chunk(4, PARAMETER_OF_LENGTH_0)],
        [chunk(130, PARAMETER_OF_LENGTH_0)],
        [chunk(9, b"\x00\x01\x00\x03")],
        [chunk(9, b"\x00\x01\xff\xff")],
        [chunk(1, bytes(10))],
        [chunk(0, b"")],
        [chunk(0, bytes(12))],
        [chunk(0, bytes(20), length=500)],
        [chunk(0, bytes(20), length=3)],
        [chunk(3, b"")],
        [chunk(3, bytes(8) + b"\x00\x01\x00\x00")],
        [chunk(3, bytes(8) + b"\x00\x01\x00\x00" + b"\x00\x01\xff\xff")],
        [chunk(3, bytes(8) + b"\x00\x01\x00\x00" + b"\x00\x05\x00\x04")],
        [chunk(3, bytes(8) + b"\x00\x02\x00\x00" + b"\x00\x05\x00\x06\x00\x02\x00\x03")],
        [chunk(192, bytes(6))],
        [b"\x00\x00"],
    ],
)
async def test_what_aiortc_must_not_see_is_dropped(chunks: list[bytes]) -> None:
    async with connected() as (client, server):
        await open_channel(client, server)
        begin = time.thread_time()
        for malformed in chunks:
            server.channels.receive(packet(server, malformed))
        assert time.thread_time() - begin < 0.5
        assert server.channels.refused == len(chunks)
        client.channels.send("still there")
        await server.until(lambda: server.messages)
        assert server.failures == []


async def test_what_aiortc_stumbles_over_ends_the_channels_of_this_viewer() -> None:
    async with connected() as (client, server):
        await open_channel(client, server)
        opening = struct.pack("!BBHLHH", 3, 0, 0, 0, 3, 0) + b"kvs"
        again = data(next_tsn(server), opening, sequence=1, protocol=50)
        server.channels.receive(packet(server, again))
        assert len(server.failures) == 1
        assert "AssertionError" in server.failures[0]
        assert server.closed == ["kvs"]
        assert server.channels.labels == ()
        assert server.channels.send("late") == 0
        server.channels.receive(packet(server, again))
        assert len(server.failures) == 1
        await client.until(lambda: client.closed == ["kvs"])


async def test_text_that_is_not_utf_8_ends_the_channels() -> None:
    async with connected() as (client, server):
        await open_channel(client, server)
        server.channels.receive(packet(server, data(next_tsn(server), b"\xff\xfe", sequence=1)))
        assert "UnicodeDecodeError" in server.failures[0]


async def test_fragments_without_end_are_not_kept() -> None:
    async with connected() as (client, server):
        await open_channel(client, server)
        first = next_tsn(server)
        sent = 0
        while not server.failures and sent < 5000:
            numbers = range(sent, sent + 40)
            body = [data((first + n) % 2**32, b"x", sequence=1, flags=0 if n else 2) for n in numbers]
            server.channels.receive(packet(server, *body))
            sent += 40
        assert "fragments" in server.failures[0]
        assert sent <= 1100


async def test_a_window_that_is_ignored_ends_the_channels() -> None:
    async with connected() as (client, server):
        await open_channel(client, server)
        first = next_tsn(server)
        sent = 0
        while not server.failures and sent < 3000:
            fragment = data((first + sent) % 2**32, bytes(1100), sequence=1, flags=0 if sent else 2)
            server.channels.receive(packet(server, fragment))
            sent += 1
        assert "announced" in server.failures[0]
        assert sent * 1100 < 600 * 1024


async def test_streams_without_number_end_the_channels() -> None:
    async with connected() as (client, server):
        await open_channel(client, server)
        first = next_tsn(server)
        for stream in range(100):
            server.channels.receive(packet(server, data((first + stream) % 2**32, b"x", stream=2 * stream + 20)))
        assert "announced" in server.failures[0]


async def test_gaps_without_end_end_the_channels() -> None:
    async with connected() as (client, server):
        await open_channel(client, server)
        first = next_tsn(server)
        for number in range(0, 1200, 40):
            body = [data((first + 2 * (number + n) + 1) % 2**32, b"x", sequence=9) for n in range(40)]
            server.channels.receive(packet(server, *body))
        assert server.failures


async def test_no_more_than_64_channels() -> None:
    async with connected() as (client, server):
        for number in range(64):
            client.channels.open(str(number))
        await client.until(lambda: len(client.opened) == 64)
        with pytest.raises(ConnectionError):
            client.channels.open("one more")
        assert len(server.channels.labels) == 64


async def test_the_peer_s_abort_closes_the_channels() -> None:
    async with connected() as (client, server):
        await open_channel(client, server)
        server.channels.receive(packet(server, chunk(6, b"")))
        assert server.closed == ["kvs"]
        assert server.channels.send("late") == 0


def test_real_packets_pass(real_packets: list[bytes]) -> None:
    assert len(real_packets) > 20
    for real in real_packets:
        check_sctp(real)


@pytest.fixture
async def real_packets() -> list[bytes]:
    """What two aiortc associations say to each other, with a loss, a long message and a closed channel."""
    async with connected() as (client, server):
        await open_channel(client, server)
        client.lose = lambda packet: len(client.outgoing) % 7 == 0
        client.channels.send(b"x" * 20_000)
        server.channels.send("hello")
        await server.until(lambda: server.messages)
        client.channels.close("kvs")
        await client.until(lambda: client.closed)
        return client.outgoing + server.outgoing


@given(st.binary(max_size=300))
def test_noise_is_refused_or_passes_and_never_raises_anything_else(noise: bytes) -> None:
    for candidate in (noise, bytes(12) + noise):
        try:
            check_sctp(candidate)
        except MalformedSctp as error:
            assert str(error)  # noqa: PT017


@settings(max_examples=60)
@given(
    st.lists(
        st.tuples(
            st.sampled_from([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 14, 130, 192, 77]),
            st.integers(0, 255),
            st.binary(max_size=60),
        ),
        min_size=1,
        max_size=4,
    ),
    st.booleans(),
)
async def test_chunks_of_any_content_never_raise(chunks: list[tuple[int, int, bytes]], first_tag: bool) -> None:
    async with connected() as (client, server):
        await open_channel(client, server)
        made = [chunk(kind, body, flags) for kind, flags, body in chunks]
        server.channels.receive(packet(server, *made, tag=0 if first_tag else None))
        for one in made:
            server.channels.receive(packet(server, one))

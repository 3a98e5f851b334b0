"""Frames on their way out: in order, one write a turn, none after the close, and no slow reader holds up the others."""

from __future__ import annotations

import asyncio

import pytest
from websockets.frames import Frame, Opcode

from sightline.exchange import Close, Connection, Drop, Ping, Role, Send
from sightline.service.outbox import Outbox, text_head
from sightline.service.performing import MAX_BACKLOG, Socket, perform
from sightline.wire.close_codes import CloseCode
from tests.unit.client.fake_signaling import eventually


class Wire:
    """Both ends of a WebSocket in one: what was written, in order, closes and pings among it."""

    def __init__(self) -> None:
        self.log: list[bytes | str] = []
        self.backlog = 0
        self.closed = False
        self.closing = False
        self.may_finish = asyncio.Event()
        self.may_finish.set()

    # -- as a transport

    def get_write_buffer_size(self) -> int:
        return self.backlog

    def is_closing(self) -> bool:
        return self.closing

    def write(self, data: bytes) -> None:
        assert not self.closing
        self.log.append(data)

    def abort(self) -> None:
        self.closing = True
        self.log.append("abort")

    # -- as aiohttp's WebSocketResponse

    async def ping(self) -> None:
        if self.closed:
            raise ConnectionResetError
        self.log.append("ping")

    async def pong(self, data: bytes) -> None:
        self.log.append(f"pong {data!r}")

    async def close(self, *, code: int, message: bytes) -> None:
        self.closed = True
        self.log.append(f"close {code} {message.decode()}")
        await self.may_finish.wait()


class Desk:
    """Sockets that share an outbox."""

    def __init__(self) -> None:
        self.outbox = Outbox()
        self.sockets: list[Socket] = []

    def socket(self) -> tuple[Wire, Connection]:
        wire = Wire()
        made = Socket(wire, wire, outbox=self.outbox, trace_id="t")  # type: ignore[arg-type]
        self.sockets.append(made)
        connection = Connection("arn:aws:kinesisvideo:r:0:channel/porch/1", Role.VIEWER, "v", now=0.0, shell=made)
        return wire, connection


@pytest.fixture
def desk() -> Desk:
    return Desk()


async def turn(times: int = 1) -> None:
    for _ in range(times):
        await asyncio.sleep(0)


def framed(*texts: bytes) -> bytes:
    """The same by somebody else's implementation."""
    return b"".join(Frame(Opcode.TEXT, text).serialize(mask=False) for text in texts)


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65_535, 65_536, 100_000])
def test_the_head_of_a_frame_of_any_size(size: int) -> None:
    assert text_head(size) + b"x" * size == framed(b"x" * size)


async def test_what_a_turn_has_for_a_socket_leaves_in_order_and_in_one_write(desk: Desk) -> None:
    wire, connection = desk.socket()
    texts = [b"a", b"b" * 125, b"c" * 126, b"d" * 65_536]
    perform([Send(connection, texts[0]), Send(connection, texts[1])])
    perform([Send(connection, texts[2]), Send(connection, texts[3])])
    assert wire.log == []
    await turn()
    assert wire.log == [framed(*texts)]
    await turn(3)
    assert len(wire.log) == 1


async def test_the_next_turn_is_another_write(desk: Desk) -> None:
    (first, one), (second, other) = desk.socket(), desk.socket()
    perform([Send(one, b"1"), Send(other, b"2"), Send(one, b"3")])
    await turn()
    perform([Send(other, b"4")])
    await turn()
    assert first.log == [framed(b"1", b"3")]
    assert second.log == [framed(b"2"), framed(b"4")]


async def test_a_notice_goes_out_before_the_close_that_it_explains(desk: Desk) -> None:
    wire, connection = desk.socket()
    perform([Send(connection, b"why"), Close(connection, CloseCode.REPLACED, "another one")])
    await turn(4)
    assert wire.log == [framed(b"why"), "close 4409 another one", "abort"]


async def test_nothing_goes_out_after_the_close(desk: Desk) -> None:
    wire, connection = desk.socket()
    wire.may_finish.clear()
    perform([Close(connection, CloseCode.REPLACED, "another one")])
    await turn(2)
    perform([Send(connection, b"late"), Close(connection, CloseCode.IDLE, "too late"), Ping(connection)])
    await turn(3)
    assert wire.log == ["close 4409 another one"]
    wire.may_finish.set()
    await turn(3)
    assert wire.log == ["close 4409 another one", "abort"], "who does not answer the close keeps nothing open"
    perform([Send(connection, b"later still")])
    await turn(2)
    assert wire.log[-1] == "abort"


async def test_a_close_in_a_while_lets_what_comes_before_it_out(desk: Desk) -> None:
    wire, connection = desk.socket()
    perform([Close(connection, CloseCode.GOING_AWAY, "the service is stopping", after=0.02)])
    await turn(2)
    perform([Send(connection, b"still here")])
    await eventually(lambda: "abort" in wire.log)
    assert wire.log == [framed(b"still here"), "close 1001 the service is stopping", "abort"]


async def test_a_handler_that_ends_ends_the_close_too(desk: Desk) -> None:
    wire, connection = desk.socket()
    perform([Close(connection, CloseCode.GOING_AWAY, "the service is stopping", after=60)])
    await turn()
    await desk.sockets[0].aclose()
    await desk.sockets[0].aclose()
    assert wire.log == []


async def test_too_slow_a_reader_is_cut_and_nobody_waits_for_it(desk: Desk) -> None:
    (slow, one), (quick, other) = desk.socket(), desk.socket()
    slow.backlog = MAX_BACKLOG
    perform([Send(one, b"just so"), Send(other, b"1")])
    await turn()
    slow.backlog += 1
    perform([Send(one, b"too much"), Send(other, b"2")])
    await turn()
    assert slow.log == [framed(b"just so"), "abort"]
    assert quick.log == [framed(b"1"), framed(b"2")]


async def test_a_cut_socket_gets_nothing_more(desk: Desk) -> None:
    wire, connection = desk.socket()
    perform([Send(connection, b"lost"), Drop(connection, "no sign of life"), Send(connection, b"lost too")])
    await turn(2)
    assert wire.log == ["abort"]


async def test_pings_do_not_wait(desk: Desk) -> None:
    wire, connection = desk.socket()
    perform([Send(connection, b"a"), Ping(connection)])
    desk.sockets[0].pong(b"7")
    await turn()
    assert wire.log == ["ping", "pong b'7'", framed(b"a")]

"""Data channels of aiortc's own stack, DTLS included, against ours: everything between two peers but ICE."""

from __future__ import annotations

import asyncio
from typing import cast

import pytest
from aiortc import (
    RTCCertificate,
    RTCDataChannel,
    RTCDataChannelParameters,
    RTCDtlsFingerprint,
    RTCDtlsParameters,
    RTCDtlsTransport,
    RTCIceTransport,
    RTCSctpCapabilities,
    RTCSctpTransport,
)

from sightline.rtc.certificates import Certificate
from sightline.rtc.datachannel import DataChannels, DataRequest
from sightline.rtc.dtls import DtlsSession
from sightline.rtc.fingerprint import Fingerprint

from .pair import AGREED

pytestmark = pytest.mark.realtime


class Ours:
    """DTLS and data channels of ours, and the way to them."""

    def __init__(self, *, client: bool, announced: list[Fingerprint]) -> None:
        self.client = client
        self.certificate = Certificate.make()
        self.channels = DataChannels(self._send)
        self._dtls = DtlsSession(self.certificate, client=client, fingerprints=announced)
        self._to_aiortc: asyncio.Queue[bytes] = asyncio.Queue()
        self._loop = asyncio.get_running_loop()

    def start(self) -> None:
        self._dtls.start(self._loop.time())
        self._flush()

    async def next_datagram(self) -> bytes:
        return await self._to_aiortc.get()

    async def take_datagram(self, datagram: bytes) -> None:
        self._dtls.receive(datagram, self._loop.time())
        if self._dtls.state == "connected":
            self.channels.start(AGREED, client=self.client)
        for data in self._dtls.take_data():
            self.channels.receive(data)
        self._flush()

    def _send(self, packet: bytes) -> None:
        self._dtls.send_data(packet)
        self._flush()

    def _flush(self) -> None:
        for datagram in self._dtls.take_outgoing():
            self._to_aiortc.put_nowait(datagram)


@pytest.mark.parametrize("client", [True, False], ids=["client", "server"])
async def test_aiortc_and_we_talk(client: bool) -> None:
    theirs = RTCCertificate.generateCertificate()
    ours = Ours(client=client, announced=[Fingerprint(one.algorithm, one.value) for one in theirs.getFingerprints()])
    wire = cast(RTCIceTransport, _Wire(ours))
    dtls = RTCDtlsTransport(wire, [theirs])
    dtls._set_role("server" if client else "client")
    sctp = RTCSctpTransport(dtls, 5000)
    heard: asyncio.Queue[tuple[str, str | bytes]] = asyncio.Queue()
    opened: asyncio.Queue[RTCDataChannel] = asyncio.Queue()
    sctp.on("datachannel", opened.put_nowait)
    ours.channels.on_message = lambda label, message: heard.put_nowait((label, message))
    ours.channels.on_request = answer

    fingerprint = RTCDtlsFingerprint(ours.certificate.fingerprint.algorithm, ours.certificate.fingerprint.value)
    starting = asyncio.ensure_future(dtls.start(RTCDtlsParameters([fingerprint])))
    ours.start()
    async with asyncio.timeout(30):
        await starting
        await sctp.start(RTCSctpCapabilities(maxMessageSize=65_536), 5000)
        theirs_channel = RTCDataChannel(sctp, RTCDataChannelParameters(label="from aiortc"))
        replies: asyncio.Queue[str | bytes] = asyncio.Queue()
        theirs_channel.on("message", replies.put_nowait)
        is_open = asyncio.Event()
        theirs_channel.on("open", is_open.set)
        await is_open.wait()
        theirs_channel.send("text")
        theirs_channel.send(b"x" * 50_000)
        assert await heard.get() == ("from aiortc", "text")
        assert await heard.get() == ("from aiortc", b"x" * 50_000)
        assert ours.channels.send(b"y" * 50_000) == 1
        assert await replies.get() == b"y" * 50_000
        theirs_channel.send('{"id":"a","request":"zoom"}')
        assert await replies.get() == '{"id":"a","reply":"zoom done"}'

        ours.channels.open("from us")
        assert (await opened.get()).label == "from us"
        is_closed = asyncio.Event()
        theirs_channel.on("close", is_closed.set)
        await ours.channels.aclose()
        await is_closed.wait()
    await sctp.stop()
    await dtls.stop()


def answer(request: DataRequest) -> None:
    """Do what was asked."""
    request.reply(f"{request.value} done")


class _Wire:
    """What aiortc's DTLS needs of an ICE transport."""

    role = "controlling"

    def __init__(self, ours: Ours) -> None:
        self._recv = ours.next_datagram
        self._send = ours.take_datagram

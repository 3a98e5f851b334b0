"""DTLS and SRTP against another implementation's use of them: aiortc's transport, in this process."""

from __future__ import annotations

import asyncio
from typing import cast

import pytest
from aiortc import RTCCertificate, RTCDtlsFingerprint, RTCDtlsParameters, RTCDtlsTransport, RTCIceTransport
from aiortc.rtcdtlstransport import SRTP_AEAD_AES_256_GCM, SRTP_AES128_CM_SHA1_80

from sightline.rtc.dtls import DtlsSession
from sightline.rtc.fingerprint import Fingerprint

from .link import CLIENT

RTP = bytes.fromhex("8060000100000000deadbeef") + b"picture"


class Wire:
    """What aiortc needs of an ICE transport."""

    role = "controlling"

    def __init__(self) -> None:
        self.to_aiortc: asyncio.Queue[bytes] = asyncio.Queue()
        self.to_us: asyncio.Queue[bytes] = asyncio.Queue()

    async def _recv(self) -> bytes:
        return await self.to_aiortc.get()

    async def _send(self, data: bytes) -> None:
        self.to_us.put_nowait(data)


class Receiver:
    """Where aiortc puts application data."""

    def __init__(self) -> None:
        self.received: asyncio.Queue[bytes] = asyncio.Queue()

    async def _handle_data(self, data: bytes) -> None:
        self.received.put_nowait(data)


@pytest.mark.parametrize("client", [True, False], ids=["client", "server"])
@pytest.mark.parametrize("old", [True, False], ids=["sha1_80", "gcm"])
async def test_aiortc_and_we_exchange_media_and_data(client: bool, old: bool) -> None:
    wire, certificate, receiver = Wire(), RTCCertificate.generateCertificate(), Receiver()
    theirs = RTCDtlsTransport(cast(RTCIceTransport, wire), [certificate])
    theirs._set_role("server" if client else "client")
    theirs._register_data_receiver(receiver)
    if old:
        theirs._srtp_profiles = [SRTP_AES128_CM_SHA1_80]
    announced = [Fingerprint(one.algorithm, one.value) for one in certificate.getFingerprints()]
    ours = DtlsSession(CLIENT, client=client, fingerprints=announced)
    loop = asyncio.get_running_loop()

    def flush() -> None:
        for datagram in ours.take_outgoing():
            wire.to_aiortc.put_nowait(datagram)

    fingerprint = RTCDtlsFingerprint(CLIENT.fingerprint.algorithm, CLIENT.fingerprint.value)
    starting = asyncio.ensure_future(theirs.start(RTCDtlsParameters([fingerprint])))
    ours.start(loop.time())
    flush()
    async with asyncio.timeout(5):
        while ours.state != "connected" or not starting.done():
            if ours.state == "connected" and wire.to_us.empty():
                await asyncio.sleep(0)
                continue
            ours.receive(await wire.to_us.get(), loop.time())
            flush()
    assert theirs.state == "connected"
    assert ours.srtp is not None
    # A client leaves the choice to the server, and aiortc likes 256 bits best.
    ours_first = "SRTP_AEAD_AES_128_GCM"
    expected = SRTP_AES128_CM_SHA1_80 if old else SRTP_AEAD_AES_256_GCM
    assert ours.srtp.profile.name == (ours_first if not old and not client else expected.openssl_profile.decode())

    assert theirs._rx_srtp.unprotect(ours.srtp.protect(RTP)) == RTP
    assert ours.srtp.unprotect(theirs._tx_srtp.protect(RTP)) == RTP

    await theirs._send_data(b"from aiortc")
    ours.receive(wire.to_us.get_nowait(), loop.time())
    assert ours.take_data() == [b"from aiortc"]
    ours.send_data(b"from us")
    flush()
    assert await asyncio.wait_for(receiver.received.get(), 1) == b"from us"

    await theirs.stop()
    ours.receive(wire.to_us.get_nowait(), loop.time())
    assert ours.state == "closed"

"""A viewer that counts instead of decoding: a hundred of them fit on one core.

ICE by aioice and DTLS by aiortc, so nothing of Sightline's judges itself. RTP packets are counted by their plain
headers as they come from the socket; only a viewer made with ``sample`` decrypts them, and keeps the last ones for
``pictures``. Every viewer sends a receiver report and an estimate of its bandwidth each second, as browsers do.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import re
import secrets
import socket
import struct
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import aioice
import aioice.ice
import pylibsrtp
from aiortc import RTCCertificate, RTCDtlsFingerprint, RTCDtlsParameters
from aiortc.rtcdtlstransport import RTCDtlsTransport

PAYLOAD_TYPE, RTX_TYPE = 102, 103
RECEIVE_BUFFER = 8 << 20
SO_RCVBUFFORCE = 33
KEPT_PACKETS = 2000
REPORT_EVERY = 1.0
ESTIMATE = 20_000_000
"""Bits per second that a viewer says it can take."""

OnCandidate = Callable[[str], Awaitable[None]]


class Exchange(Protocol):
    """The way for descriptions: sends an offer, returns the answer; candidates of the master follow."""

    def __call__(self, name: str, offer: str, on_candidate: OnCandidate) -> Awaitable[str]: ...


class _StunProtocol(aioice.ice.StunProtocol):
    """Media goes past aioice's STUN parser: it would take most of the time."""

    def datagram_received(self, data: bytes | str, addr: Any) -> None:
        assert isinstance(data, bytes)
        if data and 127 < data[0] < 192:
            self.receiver.on_media(data)  # type: ignore[attr-defined]
        else:
            super().datagram_received(data, addr)


aioice.ice.StunProtocol = _StunProtocol  # type: ignore[misc]


class _Ice(aioice.Connection):
    """One generation of ICE."""

    def __init__(self, on_media: Callable[[bytes], None]) -> None:
        super().__init__(ice_controlling=True, use_ipv6=False)
        self.on_media = on_media

    async def get_component_candidates(self, component: int, addresses: list[str], timeout: int = 5) -> list[Any]:
        made = await super().get_component_candidates(component, addresses or ["127.0.0.1"], timeout)
        for protocol in self._protocols:
            sock = protocol.transport.get_extra_info("socket")  # type: ignore[union-attr]
            with contextlib.suppress(OSError):  # only root may have this much
                sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, RECEIVE_BUFFER)
        return made


class _Transport:
    """What RTCDtlsTransport needs of ICE; the generation below it may be exchanged."""

    role = "controlling"

    def __init__(self) -> None:
        self.ice: _Ice | None = None
        self.received: asyncio.Queue[bytes | None] = asyncio.Queue()

    async def pump(self, ice: _Ice) -> None:
        with contextlib.suppress(ConnectionError):
            while True:
                self.received.put_nowait(await ice.recv())

    async def _recv(self) -> bytes:
        data = await self.received.get()
        if data is None:
            raise ConnectionError
        return data

    async def _send(self, data: bytes) -> None:
        assert self.ice is not None
        with contextlib.suppress(ConnectionError):
            await self.ice.send(data)


@dataclass
class Counted:
    """What came of the main video stream."""

    packets: int = 0
    octets: int = 0
    frames: int = 0
    """By marker bits: the last packet of each picture."""
    repeated: int = 0
    other: int = 0
    """RTX, audio, RTCP."""
    missing: set[int] = field(default_factory=set)
    longest_gap: float = 0.0
    """Seconds between two packets, at most, since ``reset_gap``."""


class LightViewer:
    """One viewer. All times are of ``time.monotonic``."""

    def __init__(self, name: str, exchange: Exchange, certificate: RTCCertificate, *, sample: bool = False) -> None:
        self.name = name
        self.counted = Counted()
        self.times: dict[str, float] = {}
        self.started = asyncio.Event()
        self._exchange = exchange
        self._certificate = certificate
        self._session, self._version = secrets.randbits(62), 1
        self._transport = _Transport()
        self._dtls: Any = RTCDtlsTransport(self._transport, [certificate])  # type: ignore[arg-type]
        self._dtls._srtp_profiles = [
            each
            for each in self._dtls._srtp_profiles
            if each.openssl_profile in (b"SRTP_AEAD_AES_128_GCM", b"SRTP_AES128_CM_SHA1_80")
        ]
        self._sample = sample
        self._kept: deque[bytes] = deque(maxlen=KEPT_PACKETS)
        self._highest = -1
        self._ssrc = 0
        self._last_packet = 0.0
        self._tasks: set[asyncio.Task[Any]] = set()
        self._own_ssrc = secrets.randbits(32)
        self._generations: list[_Ice] = []

    @property
    def srtp_profile(self) -> str:
        """What DTLS agreed on."""
        return str(self._dtls._ssl.get_selected_srtp_profile().decode()) if self._dtls._ssl else ""

    @property
    def expected(self) -> int:
        """Packets so far that the numbers on them stand for."""
        return self.counted.packets + len(self.counted.missing)

    async def connect(self) -> None:
        """Offer, and be connected. Raises TimeoutError and ConnectionError."""
        ice, answer = await self._negotiate()
        async with asyncio.timeout(30):
            await ice.connect()
            self.times["ice"] = time.monotonic()
            self._use(ice)
            fingerprint = _value(answer, r"a=fingerprint:sha-256 (\S+)")
            self._dtls._set_role("server" if _value(answer, r"a=setup:(\w+)") == "active" else "client")
            await self._dtls.start(RTCDtlsParameters([RTCDtlsFingerprint("sha-256", fingerprint)]))
        if self._dtls.state != "connected":
            raise ConnectionError(f"{self.name}: DTLS is {self._dtls.state}")
        self.times["connected"] = time.monotonic()
        self._run(self._report())

    async def restart(self, *, kill_old: bool) -> Mapping[str, float]:
        """An ICE restart; ``kill_old``: the old sockets are gone before it begins. Seconds that its parts took."""
        old = self._generations[-1]
        if kill_old:
            for protocol in list(old._protocols):
                protocol.transport.abort()  # type: ignore[union-attr]
        began = self.times["restart"] = time.monotonic()
        self.times.pop("first after restart", None)
        self._version += 1
        ice, _ = await self._negotiate()
        answered = time.monotonic()
        async with asyncio.timeout(20):
            await ice.connect()
        connected = time.monotonic()
        self._use(ice)
        if not kill_old:
            await asyncio.sleep(1)  # the master stops using the old path when the new one is nominated
        self._generations.remove(old)
        await old.close()
        return {"answer": answered - began, "nominated": connected - began}

    def reset_gap(self) -> None:
        """Begin to look for the longest pause."""
        self.counted.longest_gap = 0.0
        self._last_packet = 0.0

    async def close(self, *, goodbye: bool = True) -> None:
        """Leave; without ``goodbye`` as a program that was killed."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if goodbye and self._dtls.state == "connected":
            await self._dtls.stop()
        elif self._dtls._task is not None:
            self._dtls._task.cancel()
        for ice in self._generations:
            await ice.close()
        self._transport.received.put_nowait(None)

    def pictures(self) -> list[bytes]:
        """The last pictures of a ``sample`` viewer as H.264 access units, from a keyframe on."""
        return list(access_units(self._kept))

    # ---------------------------------------------------------------------------------------- inside

    async def _negotiate(self) -> tuple[_Ice, str]:
        ice = _Ice(self._on_media)
        self._generations.append(ice)
        await ice.gather_candidates()
        offer = self._offer(ice)
        self.times["offered"] = time.monotonic()
        answer = await self._exchange(self.name, offer, lambda text: self._add(ice, text))
        self.times["answered"] = time.monotonic()
        ice.remote_username = _value(answer, r"a=ice-ufrag:(\S+)")
        ice.remote_password = _value(answer, r"a=ice-pwd:(\S+)")
        for candidate in re.findall(r"a=candidate:(.*?)\r?$", answer, re.M):
            await self._add(ice, candidate)
        if "a=end-of-candidates" in answer:
            await ice.add_remote_candidate(None)
        return ice, answer

    async def _add(self, ice: _Ice, text: str) -> None:
        candidate = aioice.Candidate.from_sdp(text.removeprefix("candidate:"))
        if candidate.transport.lower() == "udp" and ":" not in candidate.host:
            with contextlib.suppress(ValueError):  # after the end
                await ice.add_remote_candidate(candidate)

    def _offer(self, ice: _Ice) -> str:
        fingerprint = next(each for each in self._certificate.getFingerprints() if each.algorithm == "sha-256").value
        lines = [
            "v=0",
            f"o=- {self._session} {self._version} IN IP4 127.0.0.1",
            "s=-",
            "t=0 0",
            "a=group:BUNDLE 0",
            "a=msid-semantic: WMS",
            f"m=video 9 UDP/TLS/RTP/SAVPF {PAYLOAD_TYPE} {RTX_TYPE}",
            "c=IN IP4 0.0.0.0",
            "a=rtcp:9 IN IP4 0.0.0.0",
            f"a=ice-ufrag:{ice.local_username}",
            f"a=ice-pwd:{ice.local_password}",
            "a=ice-options:trickle",
            f"a=fingerprint:sha-256 {fingerprint}",
            "a=setup:actpass",
            "a=mid:0",
            "a=recvonly",
            "a=rtcp-mux",
            f"a=rtpmap:{PAYLOAD_TYPE} H264/90000",
            *(f"a=rtcp-fb:{PAYLOAD_TYPE} {what}" for what in ("goog-remb", "ccm fir", "nack", "nack pli")),
            f"a=fmtp:{PAYLOAD_TYPE} level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f",
            f"a=rtpmap:{RTX_TYPE} rtx/90000",
            f"a=fmtp:{RTX_TYPE} apt={PAYLOAD_TYPE}",
            *(f"a=candidate:{candidate.to_sdp()}" for candidate in ice.local_candidates),
            "a=end-of-candidates",
        ]
        return "\r\n".join(lines) + "\r\n"

    def _use(self, ice: _Ice) -> None:
        self._transport.ice = ice
        self._run(self._transport.pump(ice))

    def _run(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _on_media(self, data: bytes) -> None:
        counted = self.counted
        kind = data[1]
        if kind & 0x7F != PAYLOAD_TYPE:
            counted.other += 1
            return
        now = time.monotonic()
        if self._last_packet:
            gap = now - self._last_packet
            if gap > counted.longest_gap:
                counted.longest_gap = gap
        else:
            self.times.setdefault("first packet", now)
            self.started.set()
        self._last_packet = now
        if "restart" in self.times and "first after restart" not in self.times:
            self.times["first after restart"] = now
        number = data[2] << 8 | data[3]
        if self._highest < 0:
            self._highest = number - 1
            self._ssrc = int.from_bytes(data[8:12], "big")
        ahead = (number - self._highest) & 0xFFFF
        if ahead == 1:
            self._highest += 1
        elif 0 < ahead < 0x8000:
            counted.missing.update(range(self._highest + 1, self._highest + ahead))
            self._highest += ahead
        else:
            late = self._highest - (0x10000 - ahead) if ahead else self._highest
            if late not in counted.missing:
                counted.repeated += 1
                return
            counted.missing.discard(late)
        counted.packets += 1
        counted.octets += len(data)
        if kind & 0x80:
            counted.frames += 1
        if self._sample and self._dtls._rx_srtp is not None:
            with contextlib.suppress(pylibsrtp.Error):
                self._kept.append(self._dtls._rx_srtp.unprotect(data))

    async def _report(self) -> None:
        await asyncio.sleep(random.random() * REPORT_EVERY)
        while True:
            if self._highest >= 0:
                block = struct.pack("!IBBHIIII", self._ssrc, 0, 0, 0, self._highest & 0xFFFFFFFF, 0, 0, 0)
                report = struct.pack("!BBHI", 0x81, 201, 7, self._own_ssrc) + block
                exponent = 8
                remb = struct.pack(
                    "!BBHII4sBBHI", 0x8F, 206, 5, self._own_ssrc, 0, b"REMB", 1, *_remb(exponent), self._ssrc
                )
                await self._dtls._send_rtp(report + remb)
            await asyncio.sleep(REPORT_EVERY)


def _remb(exponent: int) -> tuple[int, int]:
    mantissa = ESTIMATE >> exponent
    return exponent << 2 | mantissa >> 16, mantissa & 0xFFFF


def _value(text: str, pattern: str) -> str:
    found = re.search(pattern, text)
    if found is None:
        raise ConnectionError(f"no {pattern} in the answer")
    return found[1]


def access_units(packets: Any) -> Any:
    """H.264 access units from RTP packets (RFC 6184: single NAL units, STAP-A, FU-A), from a keyframe on."""
    unit, begun = b"", False
    start = b"\0\0\0\1"
    for packet in sorted(packets, key=_Unwrapped()):
        offset = 12 + 4 * (packet[0] & 15)
        if packet[0] & 0x10:
            offset += 4 + 4 * int.from_bytes(packet[offset + 2 : offset + 4], "big")
        payload = packet[offset:]
        if not payload:
            continue
        kind = payload[0] & 31
        if kind == 28:
            if payload[1] & 0x80:
                unit += start + bytes([payload[0] & 0xE0 | payload[1] & 31])
            unit += payload[2:]
        elif kind == 24:
            at = 1
            while at + 2 < len(payload):
                size = int.from_bytes(payload[at : at + 2], "big")
                unit += start + payload[at + 2 : at + 2 + size]
                at += 2 + size
        else:
            unit += start + payload
        if packet[1] & 0x80:
            begun = begun or any(start + bytes([head]) in unit for head in (0x67, 0x27, 0x47))
            if begun:
                yield unit
            unit = b""


class _Unwrapped:
    """Sequence numbers without the jump at 65536."""

    def __init__(self) -> None:
        self._first: int | None = None

    def __call__(self, packet: bytes) -> int:
        number = packet[2] << 8 | packet[3]
        if self._first is None:
            self._first = number
        return (number - self._first + 0x4000) & 0xFFFF

"""A small network camera: RTSP 1.0 (RFC 2326) over TCP, its RTP interleaved or over UDP, with or without a password.

It plays our moving picture with the frame number as a bar code, encoded now and in real time, and can be unplugged.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import itertools
import re
import secrets
import socket
import struct
import threading
import time
from collections.abc import Iterator
from fractions import Fraction
from typing import Self

import av

from sightline.media.encoders import AudioEncoder, VideoEncoder
from sightline.media.picture import MovingPicture
from sightline.media.picture_size import nal_units
from sightline.media.tone import SAMPLE_RATE, tone_frame
from sightline.media.units import VideoFormat
from tests.harness.service import free_port

RATE = 30
PACKET = 1200


def coded_pictures(data: bytes) -> set[bytes]:
    """The slices of H.264 in Annex B form: of what is passed through they stay the same."""
    return {unit for unit in nal_units(data) if unit[0] & 0x1F in (1, 5)}


class RtspCamera:
    """Listens on loopback from `__enter__` on; `unplug` cuts all that goes on and refuses more until `plug_in`."""

    def __init__(
        self,
        *,
        password: str | None = None,
        digest: bool = False,
        sound: bool = False,
        size: tuple[int, int] = (320, 180),
        keyframes: int = 30,
        draw: object = None,
        codec: str = "H264",
        aspect: Fraction | None = None,
    ) -> None:
        """`password`: of the user `admin`. `keyframes`: pictures from one to the next. `draw(number, seconds)`: own.

        `codec`: what it says that it sends. `aspect`: of its pixels, width to height.
        """
        self._password, self._digest, self._sound = password, digest, sound
        self._size, self._keyframes = size, keyframes
        self._draw = draw
        self._codec = codec
        self._aspect = aspect
        self.sent: set[bytes] = set()
        """The coded pictures so far."""
        self._nonce = secrets.token_hex(8)
        self._connections: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._server: socket.socket | None = None
        self.port = 0
        self.plays = 0
        self._here = threading.Event()

    @property
    def url(self) -> str:
        """With the password, if there is one."""
        user = f"admin:{self._password}@" if self._password else ""
        return f"rtsp://{user}127.0.0.1:{self.port}/live"

    def __enter__(self) -> Self:
        self.plug_in()
        return self

    def __exit__(self, *_: object) -> None:
        self.unplug()
        for thread in self._threads:
            thread.join(10)

    def plug_in(self) -> None:
        """Listen, on the same port as before."""
        server = socket.socket()
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.port = self.port or free_port()
        server.bind(("127.0.0.1", self.port))
        server.listen()
        self._server = server
        self._here.set()
        self._start(self._accept, server)

    def unplug(self) -> None:
        """Nobody is home, and those who were there are cut off."""
        self._here.clear()
        if self._server is not None:
            with contextlib.suppress(OSError):
                self._server.shutdown(socket.SHUT_RDWR)
            self._server.close()
            self._server = None
        for connection in list(self._connections):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def _start(self, work: object, *arguments: object) -> None:
        thread = threading.Thread(target=work, args=arguments, daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _accept(self, server: socket.socket) -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._connections.add(connection)
            self._start(self._serve, connection)

    def _serve(self, connection: socket.socket) -> None:
        session = _Session(self, connection)
        with contextlib.suppress(OSError, ValueError), connection, connection.makefile("rb") as stream:
            while line := stream.readline():
                if line[:1] == b"$":  # the client's RTCP, interleaved
                    head = line[1:4] if len(line) >= 4 else line[1:] + stream.read(4 - len(line))
                    rest = struct.unpack("!H", head[1:3])[0] - (len(line) - 4)
                    stream.read(max(0, rest))
                    continue
                method, url, _ = line.decode().split(" ", 2)
                headers = {}
                while header := stream.readline().decode().strip():
                    name, _, value = header.partition(":")
                    headers[name.strip().lower()] = value.strip()
                stream.read(int(headers.get("content-length", 0)))
                if not session.answer(method, url, headers):
                    break
        session.stop()
        self._connections.discard(connection)

    def allows(self, method: str, header: str) -> bool:
        """Whether this `Authorization` is right."""
        if self._password is None:
            return True
        if not self._digest:
            return header == "Basic " + base64.b64encode(f"admin:{self._password}".encode()).decode()
        found = dict(re.findall(r'(\w+)="([^"]*)"', header))

        def md5(text: str) -> str:
            return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()

        right = md5(f"{md5(f'admin:camera:{self._password}')}:{self._nonce}:{md5(method + ':' + found.get('uri', ''))}")
        return found.get("response") == right

    @property
    def challenge(self) -> str:
        """`WWW-Authenticate`."""
        return f'Digest realm="camera", nonce="{self._nonce}"' if self._digest else 'Basic realm="camera"'

    def description(self) -> bytes:
        """SDP."""
        lines = ["v=0", "o=- 1 1 IN IP4 127.0.0.1", "s=camera", "c=IN IP4 0.0.0.0", "t=0 0", "a=control:*"]
        lines += ["m=video 0 RTP/AVP 96", f"a=rtpmap:96 {self._codec}/90000"]
        lines += ["a=fmtp:96 packetization-mode=1;profile-level-id=42e01f", "a=control:track0"]
        if self._sound:
            lines += ["m=audio 0 RTP/AVP 97", "a=rtpmap:97 opus/48000/2", "a=control:track1"]
        return ("\r\n".join(lines) + "\r\n").encode()

    def units(self) -> Iterator[tuple[int, float, int, bytes]]:
        """Track, seconds from the start, timestamp and bytes, in the order of time."""
        width, height = self._size
        drawing = MovingPicture(width, height, title="RTSP")
        encoder = VideoEncoder(VideoFormat(width, height, RATE))
        if self._aspect is not None:
            encoder._codec.sample_aspect_ratio = self._aspect
        sounds = AudioEncoder()
        samples = 0
        for number in itertools.count():
            seconds = number / RATE
            if callable(self._draw):
                picture: av.VideoFrame = self._draw(number, seconds)
            else:
                picture = drawing.draw(number, seconds=seconds, caption="")
            for unit in encoder.encode(picture, seconds=seconds, keyframe=number % self._keyframes == 0):
                self.sent |= coded_pictures(unit.data)
                yield 0, seconds, unit.timestamp, unit.data
            while self._sound and samples / SAMPLE_RATE <= seconds:
                for unit in sounds.encode(tone_frame(samples, 960), seconds=samples / SAMPLE_RATE):
                    yield 1, samples / SAMPLE_RATE, unit.timestamp, unit.data
                samples += 960


class _Session:
    """One connection."""

    def __init__(self, camera: RtspCamera, connection: socket.socket) -> None:
        self._camera, self._connection = camera, connection
        self._lock = threading.Lock()
        self._ways: dict[int, int | tuple[str, int]] = {}
        self._udp: dict[int, tuple[socket.socket, socket.socket]] = {}
        self._stop = threading.Event()

    def answer(self, method: str, url: str, headers: dict[str, str]) -> bool:
        """Whether it goes on after this request."""
        cseq = headers.get("cseq", "0")
        if method != "OPTIONS" and not self._camera.allows(method, headers.get("authorization", "")):
            return self._say(cseq, "401 Unauthorized", f"WWW-Authenticate: {self._camera.challenge}")
        if method == "OPTIONS":
            return self._say(cseq, "200 OK", "Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN")
        if method == "DESCRIBE":
            if not url.rstrip("/").endswith("/live"):
                return self._say(cseq, "404 Not Found")
            content = f"Content-Base: {url}/\r\nContent-Type: application/sdp"
            return self._say(cseq, "200 OK", content, self._camera.description())
        if method == "SETUP":
            track = int(url[-1])
            wanted = headers["transport"]
            if "interleaved" in wanted:
                channel = int(wanted.partition("interleaved=")[2].partition("-")[0])
                self._ways[track] = channel
                transport = f"RTP/AVP/TCP;unicast;interleaved={channel}-{channel + 1}"
            else:
                port = int(wanted.partition("client_port=")[2].partition("-")[0])
                self._ways[track] = ("127.0.0.1", port)
                ours = self._pair(track)
                transport = f"RTP/AVP;unicast;client_port={port}-{port + 1};server_port={ours}-{ours + 1}"
            return self._say(cseq, "200 OK", f"Transport: {transport}\r\nSession: 12345678;timeout=60")
        if method == "PLAY":
            self._say(cseq, "200 OK", "Session: 12345678\r\nRange: npt=now-")
            self._camera.plays += 1
            self._camera._start(self._play)
            return True
        self._say(cseq, "200 OK", "Session: 12345678")
        return method != "TEARDOWN"

    def stop(self) -> None:
        """No more is sent."""
        self._stop.set()
        for pair in self._udp.values():
            for each in pair:
                each.close()

    def _pair(self, track: int) -> int:
        while True:
            rtp, rtcp = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
            rtp.bind(("127.0.0.1", 0))
            port: int = rtp.getsockname()[1]
            with contextlib.suppress(OSError, OverflowError):
                rtcp.bind(("127.0.0.1", port + 1))
                self._udp[track] = (rtp, rtcp)
                return port
            rtp.close()
            rtcp.close()

    def _say(self, cseq: str, status: str, headers: str = "", body: bytes = b"") -> bool:
        more = f"{headers}\r\n" if headers else ""
        head = f"RTSP/1.0 {status}\r\nCSeq: {cseq}\r\n{more}Content-Length: {len(body)}\r\n\r\n"
        with self._lock:
            self._connection.sendall(head.encode() + body)
        return True

    def _play(self) -> None:
        begun = time.monotonic()
        sequence = dict.fromkeys(self._ways, 100)
        with contextlib.suppress(OSError):
            for track, seconds, timestamp, data in self._camera.units():
                if self._stop.wait(max(0.0, begun + seconds - time.monotonic())) or not self._camera._here.is_set():
                    return
                if track not in self._ways:
                    continue
                payloads = list(_h264_payloads(data)) if track == 0 else [data]
                for index, payload in enumerate(payloads):
                    last = index == len(payloads) - 1 or track == 1
                    head = struct.pack(
                        "!BBHII",
                        0x80,
                        (96 + track) | (0x80 if last else 0),
                        sequence[track] & 0xFFFF,
                        timestamp & 0xFFFFFFFF,
                        0x1000 + track,
                    )
                    sequence[track] += 1
                    self._send(track, head + payload)

    def _send(self, track: int, packet: bytes) -> None:
        way = self._ways[track]
        if isinstance(way, int):
            with self._lock:
                self._connection.sendall(struct.pack("!cBH", b"$", way, len(packet)) + packet)
        else:
            self._udp[track][0].sendto(packet, way)


def _h264_payloads(data: bytes) -> Iterator[bytes]:
    """RFC 6184 §5.6 and §5.8."""
    for unit in filter(None, re.split(rb"\x00?\x00\x00\x01", data)):
        if len(unit) <= PACKET:
            yield unit
            continue
        indicator, kind = unit[0] & 0xE0 | 28, unit[0] & 0x1F
        parts = [unit[at : at + PACKET] for at in range(1, len(unit), PACKET)]
        for index, part in enumerate(parts):
            mark = (0x80 if index == 0 else 0) | (0x40 if index == len(parts) - 1 else 0)
            yield bytes([indicator, mark | kind]) + part

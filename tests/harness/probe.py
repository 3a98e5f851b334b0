"""HTTP by hand: what stands on the wire, byte by byte and TLS record by TLS record."""

from __future__ import annotations

import json
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from tests.harness.service import REGION, Service
from tests.harness.signing import Key, sign_headers

APPLICATION_DATA = 23


@dataclass(frozen=True)
class Answer:
    """One HTTP answer; `pieces` counts the TCP reads, or the TLS records, that it took."""

    status: int
    headers: dict[str, str]
    body: bytes
    pieces: int

    @property
    def json(self) -> Any:
        """The body, parsed."""
        return json.loads(self.body)

    @property
    def kind(self) -> str:
        """The error type of the body."""
        return str(self.json["__type"])

    @property
    def message(self) -> str:
        """The error sentence of the body, under the name that the service's model gives it."""
        return str(self.json.get("Message") or self.json.get("message"))


def request_bytes(method: str, target: str, headers: Mapping[str, str], body: bytes) -> bytes:
    """A request as it goes out."""
    lines = [f"{method} {target} HTTP/1.1"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    if not any(name.lower() == "content-length" for name in headers):
        lines.append(f"content-length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode("utf-8") + body


def _complete(read: bytes, method: str) -> Answer | None:
    head, gap, body = read.partition(b"\r\n\r\n")
    if not gap:
        return None
    status_line, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    assert "transfer-encoding" not in headers, "a chunked answer"
    assert "content-encoding" not in headers, "a compressed answer"
    status = int(status_line.split()[1])
    if status in (204, 304) or method == "HEAD":
        length = 0
    else:
        assert "content-length" in headers, f"no Content-Length in {head!r}"
        length = int(headers["content-length"])
    if len(body) < length:
        return None
    assert len(body) == length, "more bytes than Content-Length says"
    return Answer(status, headers, body, 0)


class Wire:
    """One kept-alive connection to the service on which answers are counted in reads or records."""

    def __init__(self, service: Service, *, tls: bool, version: ssl.TLSVersion | None = None) -> None:
        port = service.https_port if tls else service.http_port
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=10)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.tls = tls
        self._tls: ssl.SSLObject | None = None
        if tls:
            context = service.tls_context()
            if version is not None:
                context.minimum_version = context.maximum_version = version
            self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
            self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname="localhost")
            self._encrypted = b""
            self._handshake()

    def _handshake(self) -> None:
        assert self._tls is not None
        while True:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                self._flush()
                self._incoming.write(self._received())
                continue
            self._flush()
            return

    def _flush(self) -> None:
        if self._outgoing.pending:
            self._socket.sendall(self._outgoing.read())

    def _received(self) -> bytes:
        read = self._socket.recv(65536)
        if not read:
            raise ConnectionError("the service closed the connection")
        return read

    def ask(self, method: str, target: str, headers: Mapping[str, str], body: bytes = b"") -> Answer:
        """Send a request and read its answer, counting its pieces."""
        request = request_bytes(method, target, headers, body)
        if self._tls is None:
            self._socket.sendall(request)
        else:
            self._tls.write(request)
            self._flush()
        read, pieces = b"", 0
        while True:
            piece = self._received() if self._tls is None else self._next_record()
            if not piece:
                continue  # a TLS record that carries no data, a session ticket for instance
            pieces += 1
            read += piece
            answer = _complete(read, method)
            if answer is not None:
                return Answer(answer.status, answer.headers, answer.body, pieces)

    def _next_record(self) -> bytes:
        assert self._tls is not None
        while len(self._encrypted) < 5 or len(self._encrypted) < 5 + int.from_bytes(self._encrypted[3:5]):
            self._encrypted += self._received()
        end = 5 + int.from_bytes(self._encrypted[3:5])
        record, self._encrypted = self._encrypted[:end], self._encrypted[end:]
        self._incoming.write(record)
        try:
            return self._tls.read(1 << 16)
        except ssl.SSLWantReadError:
            return b""

    def close(self) -> None:
        """Close the connection."""
        self._socket.close()

    def __enter__(self) -> Wire:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def signed_post(
    service: Service,
    path: str,
    body: object,
    *,
    key: Key | None = None,
    tls: bool = False,
    raw_body: bytes | None = None,
    wire: Wire | None = None,
    extra_headers: Mapping[str, str] | None = None,
    **signing: Any,
) -> Answer:
    """A signed POST by hand. `signing` goes to `sign_headers`: now, region, service, signed, host, …"""
    payload = json.dumps(body).encode() if raw_body is None else raw_body
    url = (service.https if tls else service.http) + path
    headers = sign_headers(
        "POST",
        url,
        payload,
        key=key or service.admin,
        headers=extra_headers,
        **{"region": service.environment.get("SIGHTLINE_REGION", REGION), **signing},
    )
    parts = urlsplit(url)
    target = parts.path + (f"?{parts.query}" if parts.query else "")
    if wire is not None:
        return wire.ask("POST", target, headers, payload)
    with Wire(service, tls=tls) as own:
        return own.ask("POST", target, headers, payload)


def ask(
    service: Service,
    method: str,
    target: str,
    *,
    headers: Mapping[str, str] | None = None,
    body: bytes = b"",
    tls: bool = False,
) -> Answer:
    """An unsigned request by hand, with any headers; Host is the listener's own unless `headers` names one."""
    port = service.https_port if tls else service.http_port
    given = dict(headers or {})
    if not any(name.lower() == "host" for name in given):
        given["Host"] = f"localhost:{port}"
    with Wire(service, tls=tls) as wire:
        return wire.ask(method, target, given, body)


def raw_upgrade(service: Service, url: str, *, receive_buffer: int | None = None) -> socket.socket:
    """Open a signaling socket on the plain listener by hand and then do nothing: no pongs, no closing handshake.

    `receive_buffer` in bytes makes a reader that is full soon. Fails unless the answer is 101.
    """
    parts = urlsplit(url)
    connection = socket.socket()
    if receive_buffer is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    connection.settimeout(10)
    connection.connect(("127.0.0.1", service.http_port))
    headers = {
        "Host": parts.netloc,
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    }
    lines = [
        f"GET {parts.path or '/'}?{parts.query} HTTP/1.1",
        *(f"{name}: {value}" for name, value in headers.items()),
    ]
    connection.sendall("\r\n".join([*lines, "", ""]).encode())
    head = b""
    while b"\r\n\r\n" not in head:
        piece = connection.recv(1)
        assert piece, f"no answer to the upgrade: {head!r}"
        head += piece
    assert head.startswith(b"HTTP/1.1 101 "), head
    return connection

"""A KVS client made of other people's parts: boto3 for the API, the `websockets` library for the sockets."""

from __future__ import annotations

import base64
import itertools
import json
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import Any

import boto3
from botocore.config import Config
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection
from websockets.sync.client import connect as open_websocket

from tests.harness.service import REGION, Service
from tests.harness.signing import Key, presign

MASTER, VIEWER = "MASTER", "VIEWER"
EXTRAS = "X-Sightline-Extras"
C_SDK_AGENT = "AWS-WEBRTC-KVS-AGENT/1.10.2 GCC/12.2.0 Linux/6.1.0 x86_64"
PATIENCE = 30.0
"""Seconds that an answer may take where machines have other work; it takes some milliseconds."""
_numbers = itertools.count(1)


def unique_name(stem: str = "camera") -> str:
    """A channel name or client id that no other test of this run uses."""
    return f"{stem}-{next(_numbers)}"


def encode(value: object) -> str:
    """A message payload: standard base64 of JSON."""
    return base64.b64encode(json.dumps(value, separators=(",", ":")).encode()).decode()


def decode(payload: str) -> Any:
    """What is in a message payload; strict about the alphabet, as browsers' atob and gst are."""
    return json.loads(base64.b64decode(payload, validate=True))


OFFER = encode({"type": "offer", "sdp": "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n"})
ANSWER = encode({"type": "answer", "sdp": "v=0\r\no=- 2 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n"})


def candidate(number: int = 0) -> str:
    """The payload of an ICE candidate that can be told from others by its number."""
    text = f"candidate:{number} 1 udp 2130706431 127.0.0.1 {40000 + number} typ host"
    return encode({"candidate": text, "sdpMid": "0", "sdpMLineIndex": 0})


class Refused(Exception):
    """A WebSocket upgrade that got an HTTP error instead."""

    def __init__(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        super().__init__(f"{status} {body!r}")
        self.status = status
        self.headers = headers
        self.body = body

    @property
    def kind(self) -> str:
        """The error's type, as the AWS SDKs find it."""
        return str(json.loads(self.body)["__type"])

    @property
    def message(self) -> str:
        """The error's sentence."""
        read = json.loads(self.body)
        return str(read.get("message") or read.get("Message"))


class KvsSocket:
    """One signaling socket. `receive` returns messages as parsed JSON and fails on anything but text frames."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection
        self.last_words: list[dict[str, Any]] = []

    def send(
        self,
        action: str,
        payload: str,
        *,
        recipient: str | None = None,
        correlation_id: str | None = None,
    ) -> None:
        """Send a message with the keys and the order of the JavaScript SDK."""
        message = {"action": action, "messagePayload": payload}
        if recipient is not None:
            message["recipientClientId"] = recipient
        if correlation_id is not None:
            message["correlationId"] = correlation_id
        self.send_text(json.dumps(message))

    def send_text(self, text: str) -> None:
        """Send any text frame."""
        self.connection.send(text)

    def receive_text(self, within: float = PATIENCE) -> str:
        """The next frame, which has to be text."""
        try:
            frame = self.connection.recv(timeout=within)
        except TimeoutError:
            raise AssertionError(f"no message within {within:g} s") from None
        assert isinstance(frame, str), f"a binary frame: {frame!r}"
        return frame

    def receive(self, within: float = PATIENCE) -> dict[str, Any]:
        """The next message."""
        read = json.loads(self.receive_text(within))
        assert isinstance(read, dict)
        return read

    def drained(self) -> list[dict[str, Any]]:
        """Everything that the service had for this socket until now.

        A deliberately wrong message with a correlation id is answered after everything that was queued before it.
        """
        fence = unique_name("fence")
        self.send("NO_SUCH_ACTION", encode({}), correlation_id=fence)
        messages = []
        while True:
            message = self.receive()
            if message.get("statusResponse", {}).get("correlationId") == fence:
                return messages
            messages.append(message)

    def wait_closed(self, within: float = PATIENCE) -> int | None:
        """Wait until the other side closed the socket: its close code. Messages on the way are in `last_words`."""
        deadline = time.monotonic() + within
        while True:
            try:
                frame = self.connection.recv(timeout=max(0.0, deadline - time.monotonic()))
                self.last_words.append(json.loads(frame))
            except ConnectionClosed:
                return self.connection.close_code
            except TimeoutError:
                raise AssertionError(f"the socket was still open after {within:g} s") from None

    @property
    def open(self) -> bool:
        """Whether a ping comes back."""
        try:
            pong = self.connection.ping()
        except ConnectionClosed:
            return False
        deadline = time.monotonic() + PATIENCE
        while not pong.wait(0.05):
            if self.connection.close_code is not None or time.monotonic() > deadline:
                return False
        return True

    def close(self) -> None:
        """Close the socket as a leaving client does."""
        self.connection.close()

    def __enter__(self) -> KvsSocket:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Kvs:
    """Somebody who uses the service with one key: control plane, ICE configuration, sockets."""

    def __init__(self, service: Service, key: Key | None = None, *, tls: bool = False, region: str = REGION) -> None:
        self.service = service
        self.key = key or service.admin
        self.tls = tls
        self.region = region
        self.control = self.client("kinesisvideo", service.https if tls else service.http)
        self._opened: list[Any] = []

    def client(self, name: str, endpoint: str) -> Any:
        """A boto3 client without retries, so that the first answer is the one a test sees."""
        made = boto3.client(
            name,
            endpoint_url=endpoint,
            region_name=self.region,
            aws_access_key_id=self.key.access_key_id,
            aws_secret_access_key=self.key.secret_access_key,
            aws_session_token=self.key.session_token,
            verify=str(self.service.ca_file) if self.tls else False,
            config=Config(retries={"total_max_attempts": 1}, connect_timeout=PATIENCE, read_timeout=PATIENCE),
        )
        if hasattr(self, "_opened"):
            self._opened.append(made)
        return made

    def close(self) -> None:
        """Close the HTTP connections."""
        for opened in (self.control, *self._opened):
            opened.close()

    def create(self, name: str | None = None, **more: Any) -> str:
        """Create a channel; its ARN."""
        return str(self.control.create_signaling_channel(ChannelName=name or unique_name(), **more)["ChannelARN"])

    def endpoints(self, arn: str, role: str = VIEWER) -> dict[str, str]:
        """The endpoints of a channel for a role, by protocol."""
        answer = self.control.get_signaling_channel_endpoint(
            ChannelARN=arn,
            SingleMasterChannelEndpointConfiguration={"Protocols": ["WSS", "HTTPS"], "Role": role},
        )
        return {item["Protocol"]: item["ResourceEndpoint"] for item in answer["ResourceEndpointList"]}

    def signaling(self, arn: str) -> Any:
        """A boto3 client of the data plane, built with the endpoint that the control plane named."""
        return self.client("kinesis-video-signaling", self.endpoints(arn)["HTTPS"])

    def socket_url(
        self,
        role: str,
        arn: str,
        client_id: str | None = None,
        *,
        parameters: Mapping[str, str] | None = None,
        **signing: Any,
    ) -> str:
        """A presigned URL of a signaling socket."""
        query = {"X-Amz-ChannelARN": arn, **(parameters or {})}
        if client_id is not None:
            query["X-Amz-ClientId"] = client_id
        return presign(self.endpoints(arn, role)["WSS"], query, **{"key": self.key, "region": self.region, **signing})

    def connect(
        self,
        role: str,
        arn: str,
        client_id: str | None = None,
        *,
        parameters: Mapping[str, str] | None = None,
        user_agent: str | None = None,
        **signing: Any,
    ) -> KvsSocket:
        """Open a signaling socket; raises Refused when the service answers with an HTTP error."""
        url = self.socket_url(role, arn, client_id, parameters=parameters, **signing)
        return open_socket(self.service, url, user_agent=user_agent)

    def master(self, arn: str, **more: Any) -> KvsSocket:
        """Open the master's socket of a channel."""
        return self.connect(MASTER, arn, **more)

    def viewer(self, arn: str, client_id: str | None = None, **more: Any) -> KvsSocket:
        """Open a viewer's socket of a channel."""
        return self.connect(VIEWER, arn, client_id or unique_name("viewer"), **more)

    @contextmanager
    def pair(self, **more: Any) -> Iterator[tuple[KvsSocket, KvsSocket, str]]:
        """A master's and a viewer's socket on a new channel, and the viewer's client id."""
        arn = self.create(**more)
        client_id = unique_name("viewer")
        with self.master(arn) as master, self.viewer(arn, client_id) as viewer:
            yield master, viewer, client_id

    def __enter__(self) -> Kvs:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def open_socket(
    service: Service,
    url: str,
    *,
    user_agent: str | None = None,
    subprotocols: Sequence[str] | None = None,
    headers: Mapping[str, str] | None = None,
    through: socket.socket | None = None,
    origin: str | None = None,
) -> KvsSocket:
    """Open a presigned URL; `through` is a connected socket where the URL's own host and port will not do."""
    try:
        connection = open_websocket(
            url,
            ssl=service.tls_context() if url.startswith("wss:") else None,
            sock=through,
            subprotocols=list(subprotocols) if subprotocols else None,  # type: ignore[arg-type]
            additional_headers=dict(headers or {}),
            user_agent_header=user_agent,
            origin=origin,  # type: ignore[arg-type]
            open_timeout=PATIENCE,
            close_timeout=2,
            ping_interval=None,
            max_size=1 << 20,
            proxy=None,
        ).__enter__()  # KvsSocket.close() is its end
    except InvalidStatus as refusal:
        response = refusal.response
        raise Refused(response.status_code, dict(response.headers.raw_items()), response.body or b"") from None
    return KvsSocket(connection)

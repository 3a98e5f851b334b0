"""Whatever comes from outside, only documented errors come out of the parsers of the wire."""

from __future__ import annotations

import json
from contextlib import suppress
from hashlib import sha256
from urllib.parse import unquote_to_bytes

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from sightline.errors import InvalidArgument, InvalidArn, LinkError, MalformedMessage, SignatureRejected
from sightline.wire.api_model import operations, parse_input
from sightline.wire.arn import ChannelArn
from sightline.wire.extras import Presence, ViewerPresence, decode_presence, encode_presence
from sightline.wire.link_token import make_token, read_token
from sightline.wire.messages import ClientMessage, decode_client_message, decode_server_message, encode_relayed
from sightline.wire.payload import decode_payload, normalise_payload
from sightline.wire.sigv4 import Credentials, SignedRequest, parse_authorization, presign_websocket, verify
from tests.harness import signing

pytestmark = pytest.mark.realtime

MANY = settings(max_examples=300)
KEY = signing.Key("AKIAEXAMPLE", "secret")
NOW = 1_790_000_000.0
ARN = "arn:aws:kinesisvideo:us-west-2:123456789012:channel/demo/1700000000123"

raw = st.binary(max_size=120)
"""Bytes; where a header or a path is meant, as aiohttp gives those that are no UTF-8."""
on_the_wire = raw.map(lambda data: data.decode("utf-8", "surrogateescape"))

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)


def cased(name: str) -> st.SearchStrategy[str]:
    """A name in any mixture of upper and lower case."""
    return st.lists(st.booleans(), min_size=len(name), max_size=len(name)).map(
        lambda upper: "".join(c.upper() if u else c.lower() for c, u in zip(name, upper, strict=True))
    )


frames = st.dictionaries(
    st.sampled_from(
        ("action", "messagePayload", "recipientClientId", "correlationId", "messageType", "senderClientId")
    ).flatmap(lambda name: st.just(name) | cased(name))
    | st.just("statusResponse")
    | st.text(max_size=8),
    json_values | st.sampled_from(("SDP_OFFER", "e30=", "viewer-1", "STATUS_RESPONSE")),
    max_size=7,
).map(json.dumps)


@st.composite
def damaged(draw: st.DrawFn, good: st.SearchStrategy[bytes]) -> bytes:
    """Something right with a few bytes cut out, put in, changed or repeated."""
    data = bytearray(draw(good))
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, len(data)))
        match draw(st.sampled_from(("cut", "put", "change", "repeat"))):
            case "cut":
                del data[at : at + draw(st.integers(1, 20))]
            case "put":
                data[at:at] = draw(st.binary(max_size=6))
            case "change" if at < len(data):
                data[at] = draw(st.integers(0, 255))
            case _:
                data[at:at] = data[max(0, at - 20) : at]
    return bytes(data)


class TestFrames:
    @MANY
    @given(frames | st.text(max_size=100))
    def test_as_text(self, text: str) -> None:
        self.check(text)

    @MANY
    @given(damaged(frames.map(str.encode)) | raw)
    @example(b"[" * 5000)
    @example(b'{"a":' * 5000)
    def test_as_bytes(self, data: bytes) -> None:
        self.check(data)

    def check(self, frame: bytes | str) -> None:
        for decode in (decode_server_message, decode_presence):
            with suppress(MalformedMessage):
                decode(frame)
        try:
            message = decode_client_message(frame)
        except MalformedMessage:
            return
        members = (message.action, message.messagePayload, message.recipientClientId, message.correlationId)
        assert all(type(member) is str for member in members)
        try:
            payload = normalise_payload(message.messagePayload)
        except MalformedMessage:
            return
        relayed = json.loads(encode_relayed("SDP_OFFER", payload, "viewer-1"))
        assert relayed["messagePayload"] == payload

    @MANY
    @given(frames)
    def test_what_a_frame_says_does_not_hang_on_its_keys_case(self, text: str) -> None:
        value = json.loads(text)
        upper = {key.upper(): member for key, member in value.items()}
        lower = {key.lower(): member for key, member in value.items()}
        assume(len(upper) == len(lower) == len(value))
        assert self.read(json.dumps(upper)) == self.read(json.dumps(lower))

    def read(self, text: str) -> ClientMessage | None:
        try:
            return decode_client_message(text)
        except MalformedMessage:
            return None


VIEWER = ViewerPresence(client_id="v", connection_state="connected", ice_connection_state="completed", since=NOW)


@MANY
@given(damaged(st.just(encode_presence((VIEWER, VIEWER)))))
def test_damaged_presence_reports(frame: bytes) -> None:
    try:
        report = decode_presence(frame)
    except MalformedMessage:
        return
    assert isinstance(report, Presence)
    assert all(0 <= viewer.since <= 1e11 for viewer in report.viewers)


class TestPayloads:
    @MANY
    @given(st.text(max_size=60) | st.text("AZaz09+/-_=", max_size=30))
    def test_of_any_text(self, text: str) -> None:
        try:
            decoded = decode_payload(text)
        except MalformedMessage:
            return
        assert decoded is None or isinstance(decoded, dict)


# --------------------------------------------------------------------------------------------- signatures


def judge(request: SignedRequest) -> bool:
    """Whether the service takes it; only SignatureRejected may say no."""
    try:
        authorization = parse_authorization(request)
        verify(request, authorization, KEY.secret_access_key, region="us-west-2", now=NOW, base_path="/base")
    except SignatureRejected as error:
        error.message.encode()  # it is sent
        return False
    return True


HEADERS = signing.sign_headers("POST", "http://h:1/x", b"{}", key=KEY, now=NOW)
URL = signing.presign("ws://h:1/viewer", {"X-Amz-ChannelARN": ARN, "X-Amz-ClientId": "v"}, key=KEY, now=NOW)
PATH, _, QUERY = URL.removeprefix("ws://h:1").partition("?")


class TestSignatures:
    def test_what_is_damaged_below_was_right(self) -> None:
        assert judge(SignedRequest("POST", "/x", "", HEADERS, sha256(b"{}").hexdigest()))
        assert judge(SignedRequest("GET", PATH, QUERY, {"host": "h:1"}))

    @MANY
    @given(
        st.sampled_from(("GET", "POST", "")),
        on_the_wire,
        on_the_wire,
        st.dictionaries(st.sampled_from((*HEADERS, "x-amz-content-sha256", "x-amz-security-token")), on_the_wire),
    )
    def test_junk(self, method: str, path: str, query: str, headers: dict[str, str]) -> None:
        assert not judge(SignedRequest(method, path, query, headers))

    @MANY
    @given(st.sampled_from(sorted(HEADERS)), st.data())
    def test_damaged_headers(self, name: str, data: st.DataObject) -> None:
        changed = data.draw(damaged(st.just(HEADERS[name].encode()))).decode("utf-8", "surrogateescape")
        taken = judge(SignedRequest("POST", "/x", "", {**HEADERS, name: changed}, sha256(b"{}").hexdigest()))
        if taken and name not in ("authorization", "host"):
            assert changed.strip() == HEADERS[name]

    @MANY
    @given(damaged(st.just(QUERY.encode())))
    def test_damaged_queries(self, changed: bytes) -> None:
        text = changed.decode("utf-8", "surrogateescape")
        if judge(SignedRequest("GET", PATH, text, {"host": "h:1"})):
            # Empty parts, another order and another spelling of the same bytes are the same query.
            assert _parts(text) == _parts(QUERY)

    @MANY
    @given(
        st.text(min_size=1, max_size=40, alphabet=st.characters(codec="utf-8")),
        st.from_regex(r"[a-zA-Z0-9_.-]{1,30}", fullmatch=True).filter(lambda name: name[:4].upper() != "AWS_"),
        st.booleans(),
    )
    def test_what_we_sign_we_take(self, secret: str, client_id: str, extras: bool) -> None:
        url = presign_websocket(
            "wss://h:8443/base/viewer",
            credentials=Credentials("A/B", secret),
            region="us-west-2",
            channel_arn=ARN,
            client_id=client_id,
            now=NOW,
            extras=extras,
        )
        path, _, query = url.removeprefix("wss://h:8443").partition("?")
        for sent in (path, path.removeprefix("/base")):
            request = SignedRequest("GET", sent, query, {"host": "h:8443"})
            verify(request, parse_authorization(request), secret, region="us-west-2", now=NOW, base_path="/base")


def _parts(query: str) -> list[tuple[bytes, bytes]]:
    pairs = (part.partition(b"=") for part in query.encode("utf-8", "surrogateescape").split(b"&") if part)
    return sorted((unquote_to_bytes(name), unquote_to_bytes(value)) for name, _, value in pairs)


# --------------------------------------------------------------------------------------------- the rest

members = sorted({name for operation in operations().values() for name in operation.input_shape.members})
inputs = st.dictionaries(
    st.sampled_from(members) | st.text(max_size=6),
    json_values
    | st.sampled_from((ARN, "demo", [{"Key": "a", "Value": "b"}], {"MessageTtlSeconds": 60}, {"Status": "DISABLED"})),
    max_size=5,
).map(lambda value: json.dumps(value).encode())


class TestInputs:
    @MANY
    @given(st.sampled_from(list(operations().values())), damaged(inputs) | inputs | raw)
    def test_of_operations(self, operation: object, body: bytes) -> None:
        try:
            parsed = parse_input(operation, body)  # type: ignore[arg-type]
        except InvalidArgument as error:
            error.message.encode()  # it is sent
            return
        assert set(parsed) <= set(members)
        assert None not in parsed.values()


@MANY
@given(st.text(max_size=60) | damaged(st.just(ARN.encode())).map(lambda data: data.decode("utf-8", "replace")))
def test_arns(text: str) -> None:
    try:
        arn = ChannelArn.parse(text)
    except InvalidArn as error:
        error.message.encode()
        return
    assert ChannelArn.parse(str(arn)) == arn


SECRET = bytes(32)
TOKEN = make_token(SECRET, "link-1")


@MANY
@given(on_the_wire | damaged(st.just(TOKEN.encode())).map(lambda data: data.decode("utf-8", "surrogateescape")))
def test_link_tokens(token: str) -> None:
    try:
        assert read_token(SECRET, token) == "link-1"
    except LinkError:
        assert token != TOKEN
        return
    assert token == TOKEN

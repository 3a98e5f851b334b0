"""GetIceServerConfig through boto3, and the STUN and TURN server that the service is."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import socket
import struct
import time
from pathlib import Path
from typing import Any

import pytest

from tests.harness.kvs import PATIENCE, Kvs
from tests.harness.polling import SOON
from tests.harness.service import Service
from tests.harness.signing import Key

MAGIC = 0x2112A442
BINDING, ALLOCATE = 0x0001, 0x0003
BINDING_SUCCESS, ALLOCATE_ERROR = 0x0101, 0x0113
XOR_MAPPED_ADDRESS, ERROR_CODE, REQUESTED_TRANSPORT = 0x0020, 0x0009, 0x0019


def ask_stun(port: int, kind: int, attributes: bytes = b"") -> tuple[int, dict[int, bytes], int]:
    """Send a STUN request to the service: the answer's type and attributes, and the local port used."""
    transaction = os.urandom(12)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.settimeout(PATIENCE)
        udp.connect(("127.0.0.1", port))
        udp.send(struct.pack("!HHI12s", kind, len(attributes), MAGIC, transaction) + attributes)
        answer, own_port = udp.recv(2048), udp.getsockname()[1]
    answered, length, magic, echoed = struct.unpack_from("!HHI12s", answer)
    assert magic == MAGIC
    assert echoed == transaction
    assert len(answer) == 20 + length
    found, at = {}, 20
    while at < len(answer):
        name, size = struct.unpack_from("!HH", answer, at)
        found[name] = answer[at + 4 : at + 4 + size]
        at += 4 + (size + 3) // 4 * 4
    return answered, found, own_port


def test_the_list_fits_every_client(service: Service, kvs: Kvs) -> None:
    arn = kvs.create()
    for asked in ({}, {"ClientId": "ProducerMaster", "Service": "TURN"}, {"ClientId": "MASTER"}, {"Username": "me"}):
        answer = kvs.signaling(arn).get_ice_server_config(ChannelARN=arn, **asked)
        servers = answer["IceServerList"]
        assert 1 <= len(servers) <= 5
        for server in servers:
            assert 1 <= len(server["Uris"]) <= 4
            assert server["Uris"] == [
                f"turn:127.0.0.1:{service.stun_port}?transport=udp",
                f"turn:127.0.0.1:{service.stun_port}?transport=tcp",
                f"turns:127.0.0.1:{service.turn_tls_port}?transport=tcp",
            ]
            assert all(len(uri) <= 127 for uri in server["Uris"])
            assert ":" in server["Username"]
            assert 0 < len(server["Username"]) <= 256
            assert 0 < len(server["Password"]) <= 256
            assert server["Ttl"] == 300


def test_an_unknown_channel_and_a_wrong_client_id_are_typed_errors(kvs: Kvs) -> None:
    arn = kvs.create()
    client = kvs.signaling(arn)
    with pytest.raises(client.exceptions.ResourceNotFoundException) as missing:
        client.get_ice_server_config(ChannelARN=arn[:-13] + "1700000000000")
    assert missing.value.response["ResponseMetadata"]["HTTPStatusCode"] == 404
    for wrong in ({"ClientId": "a b"}, {"ClientId": "x" * 257}, {"Service": "STUN"}, {"Username": "a/b"}):
        with pytest.raises(client.exceptions.InvalidArgumentException) as invalid:
            client.get_ice_server_config(ChannelARN=arn, **wrong)
        assert invalid.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400


def test_an_alexa_offer_is_answered_with_an_error_of_the_model(kvs: Kvs) -> None:
    arn = kvs.create()
    client = kvs.signaling(arn)
    with pytest.raises(client.exceptions.ClientError) as refusal:
        client.send_alexa_offer_to_master(ChannelARN=arn, SenderClientId="echo", MessagePayload="dj0w")
    assert 400 <= refusal.value.response["ResponseMetadata"]["HTTPStatusCode"] < 500


def test_the_service_answers_stun_with_the_address_it_sees(service: Service) -> None:
    kind, attributes, port = ask_stun(service.stun_port, BINDING)
    assert kind == BINDING_SUCCESS
    _zero, family, xor_port, xor_address = struct.unpack("!BBHI", attributes[XOR_MAPPED_ADDRESS])
    assert family == 1
    assert xor_port ^ (MAGIC >> 16) == port
    assert socket.inet_ntoa(struct.pack("!I", xor_address ^ MAGIC)) == "127.0.0.1"


def test_a_relay_is_nothing_for_strangers_who_are_told_at_once(service: Service) -> None:
    udp_transport = struct.pack("!HHI", REQUESTED_TRANSPORT, 4, 17 << 24)
    asked = time.monotonic()
    kind, attributes, _port = ask_stun(service.stun_port, ALLOCATE, udp_transport)
    assert time.monotonic() - asked < SOON
    assert kind == ALLOCATE_ERROR
    _zero, hundreds, rest = struct.unpack_from("!HBB", attributes[ERROR_CODE])
    assert hundreds * 100 + rest == 401


@pytest.mark.parametrize(
    "junk",
    [b"", b"hello", b"\x00\x01\x00\x00", os.urandom(1200), b"\x00\x01\xff\xff" + b"\x21\x12\xa4\x42" * 4],
    ids=["nothing", "text", "the beginning", "noise", "a length that is not there"],
)
def test_junk_on_the_stun_port_disturbs_nobody(service: Service, junk: bytes) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.sendto(junk, ("127.0.0.1", service.stun_port))
    assert ask_stun(service.stun_port, BINDING)[0] == BINDING_SUCCESS


def test_credentials_for_a_configured_turn_server_are_coturns(start_service: Any, tmp_path: Path) -> None:
    secret = "turn-shared-secret-of-a-test"
    urls = ["turn:turn.example:3478?transport=udp", "turns:turn.example:5349?transport=tcp"]
    settings = tmp_path / "sightline.toml"
    settings.write_text(f"[[turn]]\nurls = {urls!r}\nsecret = {secret!r}\n", encoding="utf-8")
    with Kvs(start_service(environment={"SIGHTLINE_CONFIG": str(settings)})) as user:
        arn = user.create()
        servers = user.signaling(arn).get_ice_server_config(ChannelARN=arn, ClientId="viewer-1")["IceServerList"]
    (server,) = servers
    assert server["Uris"] == urls
    assert server["Ttl"] == 300
    expiry = int(server["Username"].partition(":")[0])
    assert abs(expiry - time.time() - 300) < 10
    digest = hmac.new(secret.encode(), server["Username"].encode(), hashlib.sha1).digest()
    assert server["Password"] == base64.b64encode(digest).decode()


def test_no_password_is_given_to_a_wrong_signature(service: Service, kvs: Kvs) -> None:
    arn = kvs.create()
    with Kvs(service, Key(service.admin.access_key_id, "wrong")) as thief:
        client = thief.client("kinesis-video-signaling", service.http)
        with pytest.raises(client.exceptions.ClientError) as refusal:
            client.get_ice_server_config(ChannelARN=arn)
    assert refusal.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403

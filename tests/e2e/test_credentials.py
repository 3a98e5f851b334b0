"""Keys with roles: what an administrator, a master and a viewer may do, and what taking a key back does."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.harness.access import admin, make_key
from tests.harness.kvs import ANSWER, MASTER, OFFER, VIEWER, Kvs, Refused, open_socket
from tests.harness.polling import SOON, eventually
from tests.harness.service import Service
from tests.harness.signing import Key, presign


@pytest.fixture(scope="module")
def arns(kvs: Kvs) -> dict[str, str]:
    """Three channels, by name."""
    return {name: kvs.create(name) for name in ("yard-1", "yard-2", "house")}


@pytest.fixture
def user_with(service: Service) -> Iterator[Any]:
    """A function that makes a key and gives its user."""
    users: list[Kvs] = []

    def make(role: str, channel: str = "*", **more: Any) -> Kvs:
        users.append(Kvs(service, make_key(service, role, channel, **more)))
        return users[-1]

    yield make
    for user in users:
        user.close()


def denied(call: Any, **arguments: Any) -> None:
    """The call is refused with the control plane's AccessDeniedException."""
    with pytest.raises(ClientError) as refusal:
        call(**arguments)
    assert refusal.value.response["Error"]["Code"] == "AccessDeniedException"
    assert refusal.value.response["ResponseMetadata"]["HTTPStatusCode"] == 401


def connect_denied(kvs: Kvs, admin_user: Kvs, role: str, arn: str) -> None:
    """The socket is refused with 403."""
    with pytest.raises(Refused) as refusal:
        admin_user.connect(role, arn, "someone" if role == VIEWER else None, key=kvs.key)
    assert (refusal.value.status, refusal.value.kind) == (403, "AccessDeniedException")


def test_a_viewers_key_watches_its_channels_and_does_nothing_else(
    kvs: Kvs, arns: dict[str, str], user_with: Any
) -> None:
    viewer = user_with("viewer", "yard-*")
    assert viewer.control.describe_signaling_channel(ChannelName="yard-1")["ChannelInfo"]
    assert viewer.signaling(arns["yard-2"]).get_ice_server_config(ChannelARN=arns["yard-2"])["IceServerList"]
    with kvs.master(arns["yard-1"]) as master, viewer.viewer(arns["yard-1"], "watcher") as socket:
        socket.send("SDP_OFFER", OFFER)
        assert master.receive()["senderClientId"] == "watcher"

    connect_denied(viewer, kvs, MASTER, arns["yard-1"])
    connect_denied(viewer, kvs, VIEWER, arns["house"])
    denied(viewer.control.describe_signaling_channel, ChannelName="house")
    denied(viewer.control.create_signaling_channel, ChannelName="yard-3")
    denied(viewer.control.delete_signaling_channel, ChannelARN=arns["yard-1"])
    denied(viewer.control.tag_resource, ResourceARN=arns["yard-1"], Tags=[{"Key": "k", "Value": "v"}])
    client = viewer.client("kinesis-video-signaling", kvs.service.http)
    with pytest.raises(ClientError) as refusal:
        client.get_ice_server_config(ChannelARN=arns["house"])
    assert refusal.value.response["ResponseMetadata"]["HTTPStatusCode"] in (401, 403)


def test_on_the_root_path_the_deduced_role_is_the_authorised_one(
    service: Service, kvs: Kvs, arns: dict[str, str], user_with: Any
) -> None:
    viewer, root = user_with("viewer", "yard-*"), f"ws://localhost:{service.http_port}"

    def url(**more: str) -> str:
        return presign(root, {"X-Amz-ChannelARN": arns["yard-1"], **more}, key=viewer.key)

    open_socket(service, url(**{"X-Amz-ClientId": "watcher"})).close()
    for as_master in (url(), url(**{"X-Amz-ClientId": "MASTER"})):
        with pytest.raises(Refused) as refusal:
            open_socket(service, as_master)
        assert refusal.value.status == 403


def test_a_masters_key_is_the_camera_of_its_channels(kvs: Kvs, arns: dict[str, str], user_with: Any) -> None:
    camera = user_with("master", "yard-?")
    assert camera.control.describe_signaling_channel(ChannelARN=arns["yard-1"])["ChannelInfo"]
    with camera.master(arns["yard-1"]) as master, kvs.viewer(arns["yard-1"], "watcher") as watcher:
        master.send("SDP_ANSWER", ANSWER, recipient="watcher")
        assert watcher.receive()["messagePayload"] == ANSWER
    connect_denied(camera, kvs, MASTER, arns["house"])
    denied(camera.control.delete_signaling_channel, ChannelARN=arns["yard-1"])


def test_an_administrators_key_may_everything_and_only_it_makes_keys(
    service: Service, kvs: Kvs, user_with: Any
) -> None:
    second = user_with("admin")
    arn = second.create("made-by-second")
    second.master(arn).close()
    second.viewer(arn).close()
    assert admin(service, "credentials/list", key=second.key).status == 200
    for role in ("viewer", "master"):
        key = make_key(service, role)
        for what in ("credentials/create", "credentials/list", "credentials/revoke", "links/create", "links/list"):
            answer = admin(service, what, {"role": "admin", "channel": "*"}, key=key)
            assert answer.status in (401, 403), (role, what)
            assert answer.kind == "AccessDeniedException"


def test_the_list_of_keys_has_no_secrets(service: Service, user_with: Any) -> None:
    viewer = user_with("viewer", "yard-*", note="the neighbour")
    answer = admin(service, "credentials/list")
    entry = next(each for each in answer.json["credentials"] if each["accessKeyId"] == viewer.key.access_key_id)
    assert (entry["role"], entry["channel"], entry["note"], entry["state"]) == (
        "viewer",
        "yard-*",
        "the neighbour",
        "active",
    )
    assert viewer.key.secret_access_key not in answer.body.decode()
    assert service.admin.secret_access_key not in answer.body.decode()


@pytest.mark.parametrize("role", ["viewer", "master"])
def test_taking_a_key_back_closes_its_sockets_within_a_second(
    service: Service, kvs: Kvs, arns: dict[str, str], user_with: Any, role: str
) -> None:
    user = user_with(role, "yard-*")
    bystander = kvs.viewer(arns["yard-2"], "bystander")
    url = user.socket_url(role.upper(), arns["yard-2"], "gone" if role == "viewer" else None)
    with bystander, open_socket(service, url) as socket:
        assert socket.open
        revoked = time.monotonic()
        answer = admin(service, "credentials/revoke", {"accessKeyId": user.key.access_key_id})
        assert answer.json == {"closedSockets": 1}
        assert socket.wait_closed(SOON) not in (None, 1006)
        assert time.monotonic() - revoked < SOON
        assert bystander.open
    with pytest.raises(Refused) as refusal:
        open_socket(service, url)
    assert refusal.value.status == 403
    with pytest.raises(ClientError) as refused:
        user.control.describe_signaling_channel(ChannelARN=arns["yard-2"])
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403
    listed = admin(service, "credentials/list").json["credentials"]
    assert next(each["state"] for each in listed if each["accessKeyId"] == user.key.access_key_id) == "revoked"


def test_a_key_expires(service: Service, kvs: Kvs, arns: dict[str, str], user_with: Any) -> None:
    def refused() -> Refused | None:
        try:
            open_socket(service, url).close()
        except Refused as refusal:
            return refusal
        return None

    for lasts in (1, 10):  # a busy machine may need more than a second before the key is used
        guest = user_with("viewer", "*", expiresIn=lasts)
        try:
            url = guest.socket_url(VIEWER, arns["yard-1"], "guest")
        except ClientError:
            continue
        if not refused():
            break
    else:
        pytest.fail("the key was never good")
    assert eventually(refused, "the end of the key", every=0.2).status == 403
    with pytest.raises(ClientError):
        guest.control.describe_signaling_channel(ChannelName="yard-1")


def test_the_last_administrator_cannot_lock_everybody_out(start_service: Any) -> None:
    service = start_service()
    answer = admin(service, "credentials/revoke", {"accessKeyId": service.admin.access_key_id})
    assert answer.status == 400
    assert admin(service, "credentials/list").status == 200


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"role": "owner"},
        {"role": "viewer", "channel": "no/slash"},
        {"role": "viewer", "channel": 7},
        {"role": "viewer", "expiresIn": -1},
        {"role": "viewer", "expiresIn": "tomorrow"},
    ],
)
def test_a_wrong_wish_for_a_key_is_an_invalid_argument(service: Service, body: dict[str, Any]) -> None:
    answer = admin(service, "credentials/create", body)
    assert (answer.status, answer.kind) == (400, "InvalidArgumentException")


def test_guessing_a_secret_is_slowed_down_and_other_keys_of_the_address_still_pass(start_service: Any) -> None:
    service = start_service()
    neighbour = make_key(service, "admin")
    wrong = Key(service.admin.access_key_id, "guess")
    refused = [admin(service, "credentials/list", key=wrong) for _ in range(60)]
    assert refused[0].status == 403
    assert (refused[-1].status, refused[-1].kind) == (400, "ClientLimitExceededException")
    assert admin(service, "credentials/list", key=neighbour).status == 200

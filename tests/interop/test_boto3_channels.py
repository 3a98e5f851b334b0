"""boto3 against the control plane: channels, paging, endpoints, media storage."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.harness.kvs import MASTER, VIEWER, Kvs, unique_name
from tests.harness.service import ACCOUNT, REGION, Service

ARN = re.compile(rf"arn:aws:kinesisvideo:{REGION}:{ACCOUNT}:channel/(?P<name>[\w.-]+)/(?P<created>\d{{13}})")


def refused(error: ClientError) -> tuple[str, int]:
    """The error's type and HTTP status as boto3 shows them."""
    return error.response["Error"]["Code"], error.response["ResponseMetadata"]["HTTPStatusCode"]


def test_a_channel_from_its_creation_to_its_end(kvs: Kvs) -> None:
    control, name = kvs.control, unique_name("front.door_1")
    before = time.time()
    arn = control.create_signaling_channel(ChannelName=name, ChannelType="SINGLE_MASTER")["ChannelARN"]
    parts = ARN.fullmatch(arn)
    assert parts is not None
    assert parts["name"] == name
    assert before - 2 <= int(parts["created"]) / 1000 <= time.time() + 2

    by_name = control.describe_signaling_channel(ChannelName=name)["ChannelInfo"]
    by_arn = control.describe_signaling_channel(ChannelARN=arn)["ChannelInfo"]
    assert by_name == by_arn
    assert by_name["ChannelARN"] == arn
    assert by_name["ChannelName"] == name
    assert by_name["ChannelType"] == "SINGLE_MASTER"
    assert by_name["ChannelStatus"] == "ACTIVE"
    assert by_name["SingleMasterConfiguration"] == {"MessageTtlSeconds": 60}
    assert re.fullmatch("[a-zA-Z0-9]{1,64}", by_name["Version"])
    assert abs((by_name["CreationTime"] - datetime.now(UTC)).total_seconds()) < 10

    control.delete_signaling_channel(ChannelARN=arn, CurrentVersion=by_name["Version"])
    with pytest.raises(control.exceptions.ResourceNotFoundException) as gone:
        control.describe_signaling_channel(ChannelName=name)
    assert refused(gone.value) == ("ResourceNotFoundException", 404)
    assert name in gone.value.response["Error"]["Message"]


def test_every_answer_carries_what_clients_read(kvs: Kvs) -> None:
    arn = kvs.create()
    metadata = kvs.control.describe_signaling_channel(ChannelARN=arn)["ResponseMetadata"]
    headers = metadata["HTTPHeaders"]
    assert metadata["HTTPStatusCode"] == 200
    assert metadata["RequestId"]
    assert metadata["RetryAttempts"] == 0
    assert headers["content-type"] == "application/json"
    assert headers["x-sightline"] == "1"
    assert int(headers["content-length"]) > 0
    date = datetime.strptime(headers["date"], "%a, %d %b %Y %H:%M:%S GMT").replace(tzinfo=UTC)
    assert abs((date - datetime.now(UTC)).total_seconds()) < 5

    with pytest.raises(ClientError) as missing:
        kvs.control.describe_signaling_channel(ChannelName=unique_name("nobody"))
    headers = missing.value.response["ResponseMetadata"]["HTTPHeaders"]
    assert headers["x-amzn-errortype"].startswith("ResourceNotFoundException")
    assert headers["x-amzn-requestid"]
    assert "date" in headers


def test_an_update_needs_the_current_version_and_makes_a_new_one(kvs: Kvs) -> None:
    control, arn = kvs.control, kvs.create(SingleMasterConfiguration={"MessageTtlSeconds": 5})
    first = control.describe_signaling_channel(ChannelARN=arn)["ChannelInfo"]
    assert first["SingleMasterConfiguration"] == {"MessageTtlSeconds": 5}

    control.update_signaling_channel(
        ChannelARN=arn,
        CurrentVersion=first["Version"],
        SingleMasterConfiguration={"MessageTtlSeconds": 120},
    )
    second = control.describe_signaling_channel(ChannelARN=arn)["ChannelInfo"]
    assert second["SingleMasterConfiguration"] == {"MessageTtlSeconds": 120}
    assert second["Version"] != first["Version"]
    assert second["CreationTime"] == first["CreationTime"]

    with pytest.raises(control.exceptions.VersionMismatchException) as stale:
        control.update_signaling_channel(
            ChannelARN=arn,
            CurrentVersion=first["Version"],
            SingleMasterConfiguration={"MessageTtlSeconds": 10},
        )
    assert refused(stale.value) == ("VersionMismatchException", 400)
    with pytest.raises(control.exceptions.VersionMismatchException):
        control.delete_signaling_channel(ChannelARN=arn, CurrentVersion=first["Version"])
    assert control.describe_signaling_channel(ChannelARN=arn)["ChannelInfo"] == second


def test_a_single_master_channel_is_updated_only_with_a_ttl(kvs: Kvs) -> None:
    arn = kvs.create()
    version = kvs.control.describe_signaling_channel(ChannelARN=arn)["ChannelInfo"]["Version"]
    with pytest.raises(kvs.control.exceptions.InvalidArgumentException):
        kvs.control.update_signaling_channel(ChannelARN=arn, CurrentVersion=version)


def test_a_name_is_taken_until_its_channel_is_deleted(kvs: Kvs) -> None:
    control, name = kvs.control, unique_name()
    first = kvs.create(name)
    with pytest.raises(control.exceptions.ResourceInUseException) as taken:
        kvs.create(name)
    assert refused(taken.value) == ("ResourceInUseException", 400)

    control.delete_signaling_channel(ChannelARN=first)
    second = kvs.create(name)
    assert second != first
    with pytest.raises(control.exceptions.ResourceNotFoundException):
        control.describe_signaling_channel(ChannelARN=first)
    with pytest.raises(control.exceptions.ResourceNotFoundException):
        control.delete_signaling_channel(ChannelARN=first)
    assert control.describe_signaling_channel(ChannelName=name)["ChannelInfo"]["ChannelARN"] == second


def test_names_differ_by_case_and_may_be_256_long(kvs: Kvs) -> None:
    stem = unique_name("Case")
    assert kvs.create(stem) != kvs.create(stem.lower())
    long = unique_name("x").ljust(256, "y")
    arn = kvs.create(long)
    assert kvs.control.describe_signaling_channel(ChannelName=long)["ChannelInfo"]["ChannelARN"] == arn


def test_listing_goes_page_by_page_and_by_the_beginning_of_the_name(kvs: Kvs) -> None:
    control, stem = kvs.control, unique_name("paged")
    names = [f"{stem}-{letter}" for letter in "abcdefg"]
    for name in names:
        kvs.create(name)
    condition = {"ComparisonOperator": "BEGINS_WITH", "ComparisonValue": f"{stem}-"}

    pages = list(
        control.get_paginator("list_signaling_channels").paginate(
            ChannelNameCondition=condition, PaginationConfig={"PageSize": 3}
        )
    )
    assert [len(page["ChannelInfoList"]) for page in pages] == [3, 3, 1]
    assert [info["ChannelName"] for page in pages for info in page["ChannelInfoList"]] == names
    assert "NextToken" not in pages[-1]
    assert all(re.fullmatch("[a-zA-Z0-9+/=]{1,1024}", page["NextToken"]) for page in pages[:-1])
    described = control.describe_signaling_channel(ChannelName=names[0])["ChannelInfo"]
    assert pages[0]["ChannelInfoList"][0] == described

    everything = control.get_paginator("list_signaling_channels").paginate().build_full_result()
    assert set(names) <= {info["ChannelName"] for info in everything["ChannelInfoList"]}
    nothing = control.list_signaling_channels(
        ChannelNameCondition={**condition, "ComparisonValue": unique_name("nobody")}
    )
    assert nothing["ChannelInfoList"] == []
    assert "NextToken" not in nothing


def test_a_page_token_of_somebody_else_is_an_invalid_argument(kvs: Kvs) -> None:
    with pytest.raises(kvs.control.exceptions.InvalidArgumentException):
        kvs.control.list_signaling_channels(NextToken="bm90IG1pbmU=")


def test_paging_goes_on_when_a_channel_of_the_page_is_deleted(kvs: Kvs) -> None:
    control, stem = kvs.control, unique_name("shrinking")
    arns = [kvs.create(f"{stem}-{letter}") for letter in "abcd"]
    condition = {"ComparisonOperator": "BEGINS_WITH", "ComparisonValue": f"{stem}-"}
    first = control.list_signaling_channels(ChannelNameCondition=condition, MaxResults=2)
    control.delete_signaling_channel(ChannelARN=arns[1])
    rest = control.list_signaling_channels(ChannelNameCondition=condition, MaxResults=2, NextToken=first["NextToken"])
    assert [info["ChannelARN"] for info in rest["ChannelInfoList"]] == arns[2:]


@pytest.mark.parametrize("role", [MASTER, VIEWER])
@pytest.mark.parametrize("protocols", [["WSS", "HTTPS"], ["WSS"], ["HTTPS"]])
def test_endpoints_are_this_listener_without_path_slash_or_443(
    service: Service, kvs: Kvs, tls_kvs: Kvs, role: str, protocols: list[str]
) -> None:
    arn = kvs.create()
    for user, port, schemes in (
        (kvs, service.http_port, {"WSS": "ws", "HTTPS": "http"}),
        (tls_kvs, service.https_port, {"WSS": "wss", "HTTPS": "https"}),
    ):
        found = user.control.get_signaling_channel_endpoint(
            ChannelARN=arn,
            SingleMasterChannelEndpointConfiguration={"Protocols": protocols, "Role": role},
        )["ResourceEndpointList"]
        endpoints = {item["Protocol"]: item["ResourceEndpoint"] for item in found}
        assert sorted(endpoints) == sorted(protocols)
        for protocol, endpoint in endpoints.items():
            assert endpoint.startswith(f"{schemes[protocol]}://localhost:{port}")
            assert not endpoint.endswith("/")
            assert ":443" not in endpoint


def test_master_and_viewer_get_different_socket_endpoints(kvs: Kvs) -> None:
    arn = kvs.create()
    assert kvs.endpoints(arn, MASTER)["WSS"] != kvs.endpoints(arn, VIEWER)["WSS"]
    assert kvs.endpoints(arn, MASTER)["HTTPS"] == kvs.endpoints(arn, VIEWER)["HTTPS"]


def test_a_webrtc_endpoint_needs_media_storage(kvs: Kvs) -> None:
    with pytest.raises(kvs.control.exceptions.InvalidArgumentException):
        kvs.control.get_signaling_channel_endpoint(
            ChannelARN=kvs.create(),
            SingleMasterChannelEndpointConfiguration={"Protocols": ["WEBRTC"], "Role": MASTER},
        )


def test_media_storage_is_disabled_and_stays_so(kvs: Kvs) -> None:
    control, name = kvs.control, unique_name()
    arn = kvs.create(name)
    for asked in ({"ChannelName": name}, {"ChannelARN": arn}):
        answer = control.describe_media_storage_configuration(**asked)
        assert answer["MediaStorageConfiguration"] == {"Status": "DISABLED"}
    with pytest.raises(control.exceptions.InvalidArgumentException):
        control.describe_media_storage_configuration()
    with pytest.raises(control.exceptions.ResourceNotFoundException):
        control.describe_media_storage_configuration(ChannelName=unique_name("nobody"))

    stream = f"arn:aws:kinesisvideo:{REGION}:{ACCOUNT}:stream/store/1700000000000"
    with pytest.raises(ClientError) as enabled:
        control.update_media_storage_configuration(
            ChannelARN=arn, MediaStorageConfiguration={"Status": "ENABLED", "StreamARN": stream}
        )
    assert refused(enabled.value) in {
        ("InvalidArgumentException", 400),
        ("NoDataRetentionException", 400),
        ("ResourceInUseException", 400),
        ("ResourceNotFoundException", 404),
    }
    control.update_media_storage_configuration(ChannelARN=arn, MediaStorageConfiguration={"Status": "DISABLED"})
    with pytest.raises(control.exceptions.ResourceNotFoundException):
        control.update_media_storage_configuration(
            ChannelARN=arn[:-1] + ("0" if arn[-1] != "0" else "1"),
            MediaStorageConfiguration={"Status": "DISABLED"},
        )


def test_no_stream_is_mapped_to_a_channel(kvs: Kvs) -> None:
    with pytest.raises(kvs.control.exceptions.ResourceNotFoundException) as missing:
        kvs.control.describe_mapped_resource_configuration(StreamName="store")
    assert refused(missing.value) == ("ResourceNotFoundException", 404)
    with pytest.raises(kvs.control.exceptions.InvalidArgumentException):
        kvs.control.describe_mapped_resource_configuration()


def test_the_account_has_a_channel_limit(start_service: Any) -> None:
    with Kvs(start_service(environment={"SIGHTLINE_MAX_CHANNELS": "2"})) as user:
        first = user.create()
        user.create()
        with pytest.raises(user.control.exceptions.AccountChannelLimitExceededException) as full:
            user.create()
        assert refused(full.value) == ("AccountChannelLimitExceededException", 400)
        user.control.delete_signaling_channel(ChannelARN=first)
        user.create()

"""What the control plane says to wrong arguments; boto3's own checks are off, so that the service's are seen."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.config import Config

from tests.harness.kvs import Kvs
from tests.harness.probe import signed_post
from tests.harness.service import ACCOUNT, REGION, Service

NOBODY = f"arn:aws:kinesisvideo:{REGION}:{ACCOUNT}:channel/nobody/1700000000000"
TTL = "SingleMasterConfiguration"


@pytest.fixture(scope="module")
def unchecked(service: Service) -> Iterator[Any]:
    """boto3 that sends whatever it is given."""
    client = boto3.client(
        "kinesisvideo",
        endpoint_url=service.http,
        region_name=REGION,
        aws_access_key_id=service.admin.access_key_id,
        aws_secret_access_key=service.admin.secret_access_key,
        config=Config(parameter_validation=False, retries={"total_max_attempts": 1}),
    )
    yield client
    client.close()


@pytest.mark.parametrize(
    ("operation", "arguments"),
    [
        ("create_signaling_channel", {}),
        ("create_signaling_channel", {"ChannelName": ""}),
        ("create_signaling_channel", {"ChannelName": "x" * 257}),
        ("create_signaling_channel", {"ChannelName": "with space"}),
        ("create_signaling_channel", {"ChannelName": "slash/slash"}),
        ("create_signaling_channel", {"ChannelName": "현관"}),
        ("create_signaling_channel", {"ChannelName": "newline\n"}),
        ("create_signaling_channel", {"ChannelName": "ok", "ChannelType": "FULL_MESH"}),
        ("create_signaling_channel", {"ChannelName": "ok", "ChannelType": "single_master"}),
        ("create_signaling_channel", {"ChannelName": "ok", TTL: {"MessageTtlSeconds": 4}}),
        ("create_signaling_channel", {"ChannelName": "ok", TTL: {"MessageTtlSeconds": 121}}),
        ("create_signaling_channel", {"ChannelName": "ok", TTL: {"MessageTtlSeconds": -60}}),
        ("create_signaling_channel", {"ChannelName": "ok", "Tags": [{"Key": "no value"}]}),
        ("create_signaling_channel", {"ChannelName": "ok", "Tags": [{"Key": "", "Value": "v"}]}),
        ("create_signaling_channel", {"ChannelName": "ok", "Tags": [{"Key": "k" * 129, "Value": "v"}]}),
        ("create_signaling_channel", {"ChannelName": "ok", "Tags": [{"Key": "k", "Value": "v" * 257}]}),
        ("describe_signaling_channel", {}),
        ("describe_signaling_channel", {"ChannelName": "no good!"}),
        ("describe_signaling_channel", {"ChannelARN": "arn:aws:s3:::bucket"}),
        ("describe_signaling_channel", {"ChannelARN": ""}),
        ("list_signaling_channels", {"MaxResults": 0}),
        ("list_signaling_channels", {"MaxResults": 10001}),
        ("list_signaling_channels", {"NextToken": "-_-"}),
        (
            "list_signaling_channels",
            {"ChannelNameCondition": {"ComparisonOperator": "ENDS_WITH", "ComparisonValue": "x"}},
        ),
        ("update_signaling_channel", {"ChannelARN": NOBODY}),
        ("update_signaling_channel", {"ChannelARN": NOBODY, "CurrentVersion": "no-dashes"}),
        ("update_signaling_channel", {"ChannelARN": NOBODY, "CurrentVersion": "v" * 65}),
        ("delete_signaling_channel", {}),
        ("delete_signaling_channel", {"ChannelARN": "x" * 1025}),
        ("get_signaling_channel_endpoint", {}),
        (
            "get_signaling_channel_endpoint",
            {
                "ChannelARN": NOBODY,
                "SingleMasterChannelEndpointConfiguration": {"Protocols": ["HTTP"], "Role": "VIEWER"},
            },
        ),
        (
            "get_signaling_channel_endpoint",
            {"ChannelARN": NOBODY, "SingleMasterChannelEndpointConfiguration": {"Protocols": []}},
        ),
        (
            "get_signaling_channel_endpoint",
            {
                "ChannelARN": NOBODY,
                "SingleMasterChannelEndpointConfiguration": {"Protocols": ["WSS"], "Role": "ADMIN"},
            },
        ),
        ("tag_resource", {"ResourceARN": NOBODY}),
        ("tag_resource", {"ResourceARN": NOBODY, "Tags": []}),
        ("untag_resource", {"ResourceARN": NOBODY, "TagKeyList": []}),
        ("untag_resource", {"ResourceARN": NOBODY, "TagKeyList": ["k"] * 51}),
        ("list_tags_for_resource", {"ResourceARN": "nonsense"}),
        ("describe_media_storage_configuration", {}),
        ("update_media_storage_configuration", {"ChannelARN": NOBODY}),
        (
            "update_media_storage_configuration",
            {"ChannelARN": NOBODY, "MediaStorageConfiguration": {"Status": "MAYBE"}},
        ),
        ("describe_mapped_resource_configuration", {}),
    ],
)
def test_wrong_arguments_are_invalid_arguments(unchecked: Any, operation: str, arguments: dict[str, Any]) -> None:
    with pytest.raises(unchecked.exceptions.InvalidArgumentException) as refusal:
        getattr(unchecked, operation)(**arguments)
    assert refusal.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert refusal.value.response["Error"]["Message"]


@pytest.mark.parametrize("ttl", [5, 120])
def test_the_bounds_of_the_message_ttl_are_allowed(kvs: Kvs, ttl: int) -> None:
    arn = kvs.create(SingleMasterConfiguration={"MessageTtlSeconds": ttl})
    info = kvs.control.describe_signaling_channel(ChannelARN=arn)["ChannelInfo"]
    assert info["SingleMasterConfiguration"]["MessageTtlSeconds"] == ttl


@pytest.mark.parametrize(
    ("operation", "arguments"),
    [
        ("describe_signaling_channel", {"ChannelName": "nobody"}),
        ("describe_signaling_channel", {"ChannelARN": NOBODY}),
        ("update_signaling_channel", {"CurrentVersion": "1", TTL: {"MessageTtlSeconds": 60}}),
        ("delete_signaling_channel", {}),
        (
            "get_signaling_channel_endpoint",
            {"SingleMasterChannelEndpointConfiguration": {"Protocols": ["WSS"], "Role": "VIEWER"}},
        ),
        ("tag_resource", {"ResourceARN": NOBODY, "Tags": [{"Key": "k", "Value": "v"}]}),
        ("untag_resource", {"ResourceARN": NOBODY, "TagKeyList": ["k"]}),
        ("list_tags_for_resource", {"ResourceARN": NOBODY}),
        ("describe_media_storage_configuration", {}),
        ("update_media_storage_configuration", {"MediaStorageConfiguration": {"Status": "DISABLED"}}),
    ],
)
def test_what_does_not_exist_is_not_found(kvs: Kvs, operation: str, arguments: dict[str, Any]) -> None:
    if not arguments.keys() & {"ChannelName", "ChannelARN", "ResourceARN"}:
        arguments = {"ChannelARN": NOBODY, **arguments}
    with pytest.raises(kvs.control.exceptions.ResourceNotFoundException) as missing:
        getattr(kvs.control, operation)(**arguments)
    assert missing.value.response["ResponseMetadata"]["HTTPStatusCode"] == 404


@pytest.mark.parametrize(
    "arn",
    [
        f"arn:aws:kinesisvideo:eu-west-1:{ACCOUNT}:channel/nobody/1700000000000",
        f"arn:aws:kinesisvideo:{REGION}:999999999999:channel/nobody/1700000000000",
        f"arn:aws-cn:kinesisvideo:{REGION}:{ACCOUNT}:channel/nobody/1700000000000",
        f"arn:aws:kinesisvideo:{REGION}:{ACCOUNT}:stream/nobody/1700000000000",
    ],
)
def test_an_arn_of_elsewhere_is_refused_cleanly(kvs: Kvs, arn: str) -> None:
    with pytest.raises(
        (
            kvs.control.exceptions.ResourceNotFoundException,
            kvs.control.exceptions.InvalidArgumentException,
            kvs.control.exceptions.AccessDeniedException,
        )
    ):
        kvs.control.describe_signaling_channel(ChannelARN=arn)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/TagResource", {"ResourceARN": NOBODY, "Tags": {"a": "map"}}),
        ("/TagResource", {"ResourceARN": NOBODY, "Tags": ["text"]}),
        ("/createSignalingChannel", {"ChannelName": ["list"]}),
        ("/createSignalingChannel", {"ChannelName": "ok", "SingleMasterConfiguration": "60"}),
        ("/createSignalingChannel", {"ChannelName": "ok", TTL: {"MessageTtlSeconds": "60"}}),
        ("/createSignalingChannel", {"ChannelName": "ok", TTL: {"MessageTtlSeconds": 60.5}}),
        ("/createSignalingChannel", {"ChannelName": "ok", TTL: {"MessageTtlSeconds": True}}),
        ("/listSignalingChannels", {"MaxResults": 1e400}),
        ("/listSignalingChannels", {"MaxResults": "5"}),
    ],
)
def test_wrong_types_that_no_sdk_would_send(service: Service, path: str, body: dict[str, Any]) -> None:
    answer = signed_post(service, path, body)
    assert answer.status == 400, answer.body
    assert answer.kind in {"InvalidArgumentException", "SerializationException"}
    assert answer.message


def test_unknown_members_and_nulls_are_ignored(service: Service, kvs: Kvs) -> None:
    arn = kvs.create()
    answer = signed_post(
        service, "/describeSignalingChannel", {"ChannelARN": arn, "ChannelName": None, "Colour": "red"}
    )
    assert answer.status == 200, answer.body
    assert answer.json["ChannelInfo"]["ChannelARN"] == arn

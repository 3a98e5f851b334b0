"""Every constraint of the KVS API's model is enforced, and nothing else is (KVS.md §2.2, §2.3, §2.8)."""

from __future__ import annotations

import json

import pytest

from sightline.errors import InvalidArgument
from sightline.wire.api_model import CONTROL_PLANE, DATA_PLANE, operation, operations, parse_input

ARN = "arn:aws:kinesisvideo:us-west-2:123456789012:channel/demo/1700000000123"
STREAM = "arn:aws:kinesisvideo:us-west-2:123456789012:stream/demo/1700000000123"
TAG = {"Key": "room", "Value": "1"}
TAGS50 = [{"Key": f"k{number}", "Value": ""} for number in range(50)]

SMALLEST: dict[str, dict[str, object]] = {
    "CreateSignalingChannel": {"ChannelName": "demo"},
    "DescribeSignalingChannel": {},
    "ListSignalingChannels": {},
    "UpdateSignalingChannel": {"ChannelARN": ARN, "CurrentVersion": "v"},
    "DeleteSignalingChannel": {"ChannelARN": ARN},
    "GetSignalingChannelEndpoint": {"ChannelARN": ARN},
    "TagResource": {"ResourceARN": ARN, "Tags": [TAG]},
    "UntagResource": {"ResourceARN": ARN, "TagKeyList": ["room"]},
    "ListTagsForResource": {"ResourceARN": ARN},
    "DescribeMediaStorageConfiguration": {},
    "UpdateMediaStorageConfiguration": {"ChannelARN": ARN, "MediaStorageConfiguration": {"Status": "DISABLED"}},
    "DescribeMappedResourceConfiguration": {},
    "GetIceServerConfig": {"ChannelARN": ARN},
    "SendAlexaOfferToMaster": {"ChannelARN": ARN, "SenderClientId": "echo", "MessagePayload": "e30="},
}


def parse(name: str, value: object) -> dict[str, object]:
    return parse_input(operation(name), json.dumps(value).encode())


def refusal(name: str, value: object) -> str:
    with pytest.raises(InvalidArgument) as caught:
        parse(name, value)
    return caught.value.message


def with_members(name: str, **members: object) -> dict[str, object]:
    return {**SMALLEST[name], **members}


def test_the_paths_are_the_models() -> None:
    """Case and all: only the tag calls are PascalCase (KVS.md §2.2)."""
    paths = {found.name: path for path, found in operations().items()}
    assert set(paths) == set(CONTROL_PLANE) | set(DATA_PLANE)
    for name in CONTROL_PLANE:
        pascal = name in ("TagResource", "UntagResource", "ListTagsForResource")
        assert paths[name] == "/" + (name if pascal else name[0].lower() + name[1:])
    assert paths["GetIceServerConfig"] == "/v1/get-ice-server-config"
    assert paths["SendAlexaOfferToMaster"] == "/v1/send-alexa-offer-to-master"


@pytest.mark.parametrize("name", SMALLEST)
def test_what_is_required_is_enough(name: str) -> None:
    assert parse(name, SMALLEST[name]) == SMALLEST[name]


@pytest.mark.parametrize(("name", "member"), [(name, member) for name, value in SMALLEST.items() for member in value])
@pytest.mark.parametrize("null", [False, True])
def test_what_is_required_cannot_be_left_out(name: str, member: str, null: bool) -> None:
    value = {other: kept for other, kept in SMALLEST[name].items() if other != member}
    if null:
        value[member] = None
    assert f"'{member}' failed to satisfy constraint: Member must not be null" in refusal(name, value)


@pytest.mark.parametrize(
    ("name", "members", "at"),
    [
        ("CreateSignalingChannel", {"Tags": [{"Key": "k"}]}, "Tags.1.member.Value"),
        ("CreateSignalingChannel", {"Tags": [TAG, {"Value": "v"}]}, "Tags.2.member.Key"),
        ("UpdateMediaStorageConfiguration", {"MediaStorageConfiguration": {}}, "MediaStorageConfiguration.Status"),
    ],
)
def test_required_members_of_members(name: str, members: dict[str, object], at: str) -> None:
    assert f"'{at}' failed to satisfy constraint: Member must not be null" in refusal(
        name, with_members(name, **members)
    )


NAMES: list[tuple[object, bool]] = [
    ("a", True),
    ("x" * 256, True),
    ("A.b_c-9", True),
    ("", False),
    ("x" * 257, False),
    ("a b", False),
    ("demo\n", False),
    ("dé", False),
    (7, False),
    (["a"], False),
]


@pytest.mark.parametrize(("value", "good"), NAMES)
@pytest.mark.parametrize(
    ("name", "member"),
    [
        ("CreateSignalingChannel", "ChannelName"),
        ("DescribeSignalingChannel", "ChannelName"),
        ("DescribeMediaStorageConfiguration", "ChannelName"),
        ("DescribeMappedResourceConfiguration", "StreamName"),
        ("GetIceServerConfig", "ClientId"),
        ("GetIceServerConfig", "Username"),
        ("SendAlexaOfferToMaster", "SenderClientId"),
    ],
)
def test_names(name: str, member: str, value: object, good: bool) -> None:
    check(name, {member: value}, good)


@pytest.mark.parametrize(
    ("name", "members", "good"),
    [
        ("CreateSignalingChannel", {"ChannelType": "SINGLE_MASTER"}, True),
        ("CreateSignalingChannel", {"ChannelType": "FULL_MESH"}, True),
        ("CreateSignalingChannel", {"ChannelType": "single_master"}, False),
        ("CreateSignalingChannel", {"ChannelType": ""}, False),
        ("CreateSignalingChannel", {"SingleMasterConfiguration": {}}, True),
        ("CreateSignalingChannel", {"SingleMasterConfiguration": {"MessageTtlSeconds": 5}}, True),
        ("CreateSignalingChannel", {"SingleMasterConfiguration": {"MessageTtlSeconds": 120}}, True),
        ("CreateSignalingChannel", {"SingleMasterConfiguration": {"MessageTtlSeconds": 4}}, False),
        ("CreateSignalingChannel", {"SingleMasterConfiguration": {"MessageTtlSeconds": 121}}, False),
        ("CreateSignalingChannel", {"SingleMasterConfiguration": {"MessageTtlSeconds": 60.0}}, False),
        ("CreateSignalingChannel", {"SingleMasterConfiguration": {"MessageTtlSeconds": "60"}}, False),
        ("CreateSignalingChannel", {"SingleMasterConfiguration": {"MessageTtlSeconds": True}}, False),
        ("CreateSignalingChannel", {"SingleMasterConfiguration": {"MessageTtlSeconds": 10**30}}, False),
        ("CreateSignalingChannel", {"SingleMasterConfiguration": []}, False),
        ("CreateSignalingChannel", {"SingleMasterConfiguration": "x"}, False),
        ("CreateSignalingChannel", {"Tags": []}, True),
        ("CreateSignalingChannel", {"Tags": TAGS50}, True),
        ("CreateSignalingChannel", {"Tags": [*TAGS50, TAG]}, False),
        ("CreateSignalingChannel", {"Tags": {"room": "1"}}, False),
        ("CreateSignalingChannel", {"Tags": ["room"]}, False),
        ("CreateSignalingChannel", {"Tags": [None]}, False),
        ("TagResource", {"Tags": []}, False),
        ("TagResource", {"Tags": TAGS50}, True),
        ("TagResource", {"Tags": [*TAGS50, TAG]}, False),
        ("TagResource", {"Tags": [{"Key": "", "Value": "1"}]}, False),
        ("TagResource", {"Tags": [{"Key": "k" * 128, "Value": "v" * 256}]}, True),
        ("TagResource", {"Tags": [{"Key": "k" * 129, "Value": ""}]}, False),
        ("TagResource", {"Tags": [{"Key": "k", "Value": "v" * 257}]}, False),
        ("TagResource", {"Tags": [{"Key": "Zimmer/방 ½:é_.=+-@", "Value": "문\u3000Tür ٣"}]}, True),
        ("TagResource", {"Tags": [{"Key": "a*b", "Value": ""}]}, False),
        ("TagResource", {"Tags": [{"Key": "a", "Value": "<script>"}]}, False),
        ("TagResource", {"Tags": [{"Key": "a\n", "Value": ""}]}, False),
        ("TagResource", {"Tags": [{"Key": "🎥", "Value": ""}]}, False),
        ("UntagResource", {"TagKeyList": []}, False),
        ("UntagResource", {"TagKeyList": ["방"] * 50}, True),
        ("UntagResource", {"TagKeyList": ["a"] * 51}, False),
        ("UntagResource", {"TagKeyList": [""]}, False),
        ("UntagResource", {"TagKeyList": [5]}, False),
        ("DescribeSignalingChannel", {"ChannelARN": STREAM}, True),
        ("DescribeSignalingChannel", {"ChannelARN": ARN + "x"}, False),
        ("DescribeSignalingChannel", {"ChannelARN": "x" + ARN}, False),
        ("DescribeSignalingChannel", {"ChannelARN": ARN + "1" * 1024}, False),
        ("DescribeSignalingChannel", {"ChannelARN": "demo"}, False),
        ("UpdateSignalingChannel", {"CurrentVersion": "aZ9"}, True),
        ("UpdateSignalingChannel", {"CurrentVersion": "x" * 64}, True),
        ("UpdateSignalingChannel", {"CurrentVersion": "x" * 65}, False),
        ("UpdateSignalingChannel", {"CurrentVersion": "a-b"}, False),
        ("DeleteSignalingChannel", {"CurrentVersion": ""}, False),
        ("ListSignalingChannels", {"MaxResults": 1}, True),
        ("ListSignalingChannels", {"MaxResults": 10_000}, True),
        ("ListSignalingChannels", {"MaxResults": 0}, False),
        ("ListSignalingChannels", {"MaxResults": 10_001}, False),
        ("ListSignalingChannels", {"NextToken": ""}, True),
        ("ListSignalingChannels", {"NextToken": "aA0+/="}, True),
        ("ListSignalingChannels", {"NextToken": "a-_"}, False),
        ("ListSignalingChannels", {"NextToken": "a" * 1025}, False),
        ("ListSignalingChannels", {"ChannelNameCondition": {}}, True),
        ("ListSignalingChannels", {"ChannelNameCondition": {"ComparisonOperator": "BEGINS_WITH"}}, True),
        ("ListSignalingChannels", {"ChannelNameCondition": {"ComparisonOperator": "ENDS_WITH"}}, False),
        ("ListSignalingChannels", {"ChannelNameCondition": {"ComparisonValue": "a b"}}, False),
        ("GetSignalingChannelEndpoint", {"SingleMasterChannelEndpointConfiguration": {}}, True),
        ("GetSignalingChannelEndpoint", {"SingleMasterChannelEndpointConfiguration": {"Role": "VIEWER"}}, True),
        ("GetSignalingChannelEndpoint", {"SingleMasterChannelEndpointConfiguration": {"Role": "viewer"}}, False),
        (
            "GetSignalingChannelEndpoint",
            {"SingleMasterChannelEndpointConfiguration": {"Protocols": ["WSS", "HTTPS", "WEBRTC"]}},
            True,
        ),
        ("GetSignalingChannelEndpoint", {"SingleMasterChannelEndpointConfiguration": {"Protocols": []}}, False),
        (
            "GetSignalingChannelEndpoint",
            {"SingleMasterChannelEndpointConfiguration": {"Protocols": ["WSS"] * 6}},
            False,
        ),
        ("GetSignalingChannelEndpoint", {"SingleMasterChannelEndpointConfiguration": {"Protocols": ["WS"]}}, False),
        ("UpdateMediaStorageConfiguration", {"MediaStorageConfiguration": {"Status": "ON"}}, False),
        (
            "UpdateMediaStorageConfiguration",
            {"MediaStorageConfiguration": {"Status": "ENABLED", "StreamARN": STREAM}},
            True,
        ),
        ("DescribeMappedResourceConfiguration", {"MaxResults": 2}, False),
        ("GetIceServerConfig", {"Service": "TURN"}, True),
        ("GetIceServerConfig", {"Service": "STUN"}, False),
        ("SendAlexaOfferToMaster", {"MessagePayload": "A" * 10_000}, True),
        ("SendAlexaOfferToMaster", {"MessagePayload": "A" * 10_001}, False),
        ("SendAlexaOfferToMaster", {"MessagePayload": "a_b"}, False),
        ("SendAlexaOfferToMaster", {"MessagePayload": ""}, False),
    ],
)
def test_ranges_patterns_enums_and_types(name: str, members: dict[str, object], good: bool) -> None:
    check(name, members, good)


def check(name: str, members: dict[str, object], good: bool) -> None:
    value = with_members(name, **members)
    if good:
        assert parse(name, value) == value
    else:
        message = refusal(name, value)
        assert "validation error" in message
        assert next(iter(members)) in message
        assert len(message) < 3000


@pytest.mark.parametrize("name", SMALLEST)
def test_unknown_members_and_nulls_are_as_if_absent(name: str) -> None:
    junk = {"Foo": {"Bar": [1]}, "channelName": 7, "Tagz": None}
    optional = {member: None for member in operation(name).input_shape.members if member not in SMALLEST[name]}
    assert parse(name, {**junk, **optional, **SMALLEST[name]}) == SMALLEST[name]


def test_unknown_members_inside_of_members_are_ignored_too() -> None:
    value = with_members(
        "CreateSignalingChannel",
        Tags=[{**TAG, "Foo": 1, "Bar": None}],
        SingleMasterConfiguration={"MessageTtlSeconds": None, "Foo": 1},
    )
    expected = with_members("CreateSignalingChannel", Tags=[TAG], SingleMasterConfiguration={})
    assert parse("CreateSignalingChannel", value) == expected


def test_all_that_is_wrong_is_told_at_once_but_not_without_end() -> None:
    message = refusal("TagResource", {"Tags": [{"Key": "*" * 300}] * 60})
    assert message.startswith("6") or message.startswith("1")
    assert "validation errors detected" in message
    assert "'ResourceARN'" in message
    assert len(message) < 3000
    assert refusal("CreateSignalingChannel", {}).startswith("1 validation error detected: ")


@pytest.mark.parametrize("body", [b"", b"  \n\t", b"{}", b'\n{\n\t"MaxResults": null\n}\n'])
def test_an_empty_body_is_an_empty_object(body: bytes) -> None:
    assert parse_input(operation("ListSignalingChannels"), body) == {}


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[]",
        b"null",
        b"7",
        b'"x"',
        b"\xff",
        b'{"ChannelName":"\xff"}',
        b'{"a":"\\ud800"}',
        b"[" * 100_000,
        b"{}{}",
    ],
)
def test_a_body_that_is_no_object(body: bytes) -> None:
    with pytest.raises(InvalidArgument, match="request body"):
        parse_input(operation("CreateSignalingChannel"), body)

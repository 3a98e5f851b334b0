"""boto3 against the control plane: tags, which are a list on the way in and a map on the way out."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from tests.harness.kvs import Kvs


def tags(**pairs: str) -> list[dict[str, str]]:
    """Tags as the API takes them."""
    return [{"Key": key, "Value": value} for key, value in pairs.items()]


def tags_of(kvs: Kvs, arn: str) -> dict[str, str]:
    """Tags as the API gives them."""
    answer = kvs.control.list_tags_for_resource(ResourceARN=arn)
    assert isinstance(answer["Tags"], dict)
    return answer["Tags"]


def test_tags_are_set_overwritten_and_removed(kvs: Kvs) -> None:
    arn = kvs.create(Tags=tags(StreamName="DEVICE_1", Environment="Development"))
    assert tags_of(kvs, arn) == {"StreamName": "DEVICE_1", "Environment": "Development"}
    kvs.control.tag_resource(ResourceARN=arn, Tags=tags(Environment="Production", Room="door"))
    assert tags_of(kvs, arn) == {"StreamName": "DEVICE_1", "Environment": "Production", "Room": "door"}
    kvs.control.untag_resource(ResourceARN=arn, TagKeyList=["Room", "Environment", "NeverThere"])
    assert tags_of(kvs, arn) == {"StreamName": "DEVICE_1"}


def test_a_channel_without_tags_has_an_empty_map(kvs: Kvs) -> None:
    assert tags_of(kvs, kvs.create()) == {}


def test_tags_hold_letters_of_every_script_and_empty_values(kvs: Kvs) -> None:
    arn = kvs.create(Tags=[{"Key": "위치", "Value": "현관 앞"}, {"Key": "a b+c=d:e/f@g.h_i-j", "Value": ""}])
    assert tags_of(kvs, arn) == {"위치": "현관 앞", "a b+c=d:e/f@g.h_i-j": ""}


@pytest.mark.parametrize(("key", "value"), [("what?", "x"), ("x", "semi;colon"), ("tab\tkey", "x"), ("🎥", "x")])
def test_tags_outside_the_pattern_are_refused(kvs: Kvs, key: str, value: str) -> None:
    with pytest.raises(kvs.control.exceptions.InvalidArgumentException):
        kvs.create(Tags=[{"Key": key, "Value": value}])


def test_fifty_tags_fit_and_the_next_one_does_not(kvs: Kvs) -> None:
    arn = kvs.create(Tags=tags(**{f"k{number}": "v" for number in range(50)}))
    with pytest.raises(kvs.control.exceptions.TagsPerResourceExceededLimitException) as full:
        kvs.control.tag_resource(ResourceARN=arn, Tags=tags(another="v"))
    assert full.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    # Overwriting is not adding.
    kvs.control.tag_resource(ResourceARN=arn, Tags=tags(k7="new"))
    assert tags_of(kvs, arn)["k7"] == "new"
    assert len(tags_of(kvs, arn)) == 50


def test_a_channel_is_not_made_with_51_tags(kvs: Kvs) -> None:
    name = "too-many-tags"
    with pytest.raises(ClientError) as refusal:
        kvs.create(name, Tags=tags(**{f"k{number}": "v" for number in range(51)}))
    assert refusal.value.response["Error"]["Code"] in {
        "InvalidArgumentException",
        "TagsPerResourceExceededLimitException",
    }
    assert refusal.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    with pytest.raises(kvs.control.exceptions.ResourceNotFoundException):
        kvs.control.describe_signaling_channel(ChannelName=name)


def test_tags_die_with_their_channel(kvs: Kvs) -> None:
    arn = kvs.create("tagged-then-gone", Tags=tags(old="yes"))
    kvs.control.delete_signaling_channel(ChannelARN=arn)
    for operation, more in (
        (kvs.control.list_tags_for_resource, {}),
        (kvs.control.tag_resource, {"Tags": tags(a="b")}),
        (kvs.control.untag_resource, {"TagKeyList": ["a"]}),
    ):
        with pytest.raises(kvs.control.exceptions.ResourceNotFoundException) as gone:
            operation(ResourceARN=arn, **more)
        assert gone.value.response["ResponseMetadata"]["HTTPStatusCode"] == 404
    assert tags_of(kvs, kvs.create("tagged-then-gone")) == {}

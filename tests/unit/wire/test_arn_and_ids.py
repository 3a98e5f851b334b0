"""Names on the wire: ARNs of channels, channel names, client ids (KVS.md §2.3, §2.6, §5.1)."""

from __future__ import annotations

import pytest

from sightline.errors import InvalidArn, InvalidChannelName, InvalidClientId
from sightline.wire.arn import ChannelArn
from sightline.wire.ids import check_channel_name, check_client_id, is_name

ARN = "arn:aws:kinesisvideo:us-west-2:123456789012:channel/demo/1700000000123"


def test_an_arn_is_read_and_written() -> None:
    arn = ChannelArn.parse(ARN)
    assert arn == ChannelArn("us-west-2", "123456789012", "demo", 1_700_000_000_123)
    assert str(arn) == ARN
    assert ChannelArn.parse(ARN.replace("arn:aws:", "arn:aws-cn:")).partition == "aws-cn"


def test_an_early_time_of_creation_still_has_13_digits() -> None:
    """The C SDK insists on them (KVS.md §2.6)."""
    assert str(ChannelArn("us-west-2", "000000000000", "a", 5)).endswith("/0000000000005")


@pytest.mark.parametrize("name", ["a", "A-Z_0.9", "x" * 256, "..", "-"])
def test_names_that_an_arn_may_hold(name: str) -> None:
    assert ChannelArn.parse(ARN.replace("demo", name)).name == name


@pytest.mark.parametrize(
    "text",
    [
        "",
        "demo",
        " " + ARN,
        ARN + "\n",
        ARN + "/",
        ARN.replace("demo", ""),
        ARN.replace("demo", "x" * 257),
        ARN.replace("demo", "a b"),
        ARN.replace("demo", "a/b"),
        ARN.replace("demo", "dé"),
        ARN.replace("channel/", "stream/"),
        ARN.replace("kinesisvideo", "kinesis"),
        ARN.replace("arn:", "ARN:"),
        ARN.replace("us-west-2", ""),
        ARN.replace("123456789012", "12345678901x"),
        ARN.replace("1700000000123", "17e9"),
        ARN.replace("1700000000123", "١٧"),
        ARN.replace("1700000000123", "9" * 2000),
    ],
)
def test_what_is_no_arn_of_a_channel(text: str) -> None:
    with pytest.raises(InvalidArn) as caught:
        ChannelArn.parse(text)
    assert len(caught.value.message) < 300
    assert "arn:aws:kinesisvideo:REGION:ACCOUNT:channel/NAME/CREATED" in caught.value.message


NOT_NAMES = ["", "a b", "a/b", "a:b", "a\n", "\na", "é", "a@b", "#", '"', "x" * 257, "a\x00", "٣"]


@pytest.mark.parametrize("text", ["a", "viewer-1", "A.B_c-9", "x" * 256, "_", "..."])
def test_names(text: str) -> None:
    assert is_name(text)
    assert check_channel_name(text) == text
    assert check_client_id(text) == text


@pytest.mark.parametrize("text", NOT_NAMES)
def test_what_is_no_name(text: str) -> None:
    assert not is_name(text)
    with pytest.raises(InvalidChannelName) as channel:
        check_channel_name(text)
    with pytest.raises(InvalidClientId) as client:
        check_client_id(text)
    for caught in (channel, client):
        assert "1 to 256 characters" in caught.value.message
        assert len(caught.value.message) < 300


@pytest.mark.parametrize("text", ["AWS_", "aws_x", "Aws_viewer", "aWS__"])
def test_ids_that_begin_with_aws_are_reserved(text: str) -> None:
    with pytest.raises(InvalidClientId, match="reserved"):
        check_client_id(text)
    assert check_channel_name(text) == text


@pytest.mark.parametrize("text", ["AWS", "AWS-1", "_AWS_", "xAWS_"])
def test_only_that_very_beginning_is_reserved(text: str) -> None:
    assert check_client_id(text) == text

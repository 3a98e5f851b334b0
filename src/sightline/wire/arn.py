"""The ARN of a signaling channel (KVS.md §2.6)."""

from __future__ import annotations

import re
from typing import Self

import msgspec

from ..errors import InvalidArn

__all__ = ["ChannelArn"]

_ARN = re.compile(
    r"arn:(?P<partition>[a-z\d-]+):kinesisvideo:(?P<region>[a-z0-9-]+):(?P<account>[0-9]+)"
    r":channel/(?P<name>[a-zA-Z0-9_.\-]{1,256})/(?P<created_ms>[0-9]+)"
)


class ChannelArn(msgspec.Struct, frozen=True, gc=False):
    """``arn:aws:kinesisvideo:REGION:ACCOUNT:channel/NAME/CREATED``.

    ``account`` has 12 digits and ``created_ms`` (epoch milliseconds) 13: the C SDK insists on both.
    """

    region: str
    account: str
    name: str
    created_ms: int
    partition: str = "aws"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read an ARN; raises InvalidArn for anything that is not a signaling channel's."""
        match = _ARN.fullmatch(text) if len(text) <= 1024 else None
        if match is None:
            raise InvalidArn(
                f"{text[:80]!r} is not the ARN of a signaling channel. It reads "
                "arn:aws:kinesisvideo:REGION:ACCOUNT:channel/NAME/CREATED."
            )
        part = match.groupdict()
        return cls(part["region"], part["account"], part["name"], int(part["created_ms"]), part["partition"])

    def __str__(self) -> str:
        return (
            f"arn:{self.partition}:kinesisvideo:{self.region}:{self.account}:channel/{self.name}/{self.created_ms:013d}"
        )

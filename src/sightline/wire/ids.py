"""Names on the wire: channel names and client ids (KVS.md §2.3 and §5.1, seed 001.5)."""

from __future__ import annotations

import re

from ..errors import InvalidChannelName, InvalidClientId

__all__ = ["MAX_NAME", "check_channel_name", "check_client_id", "is_name"]

MAX_NAME = 256
_NAME = re.compile(r"[a-zA-Z0-9_.\-]{1,256}")


def is_name(text: str) -> bool:
    """Whether the text is 1 to 256 characters of ``A-Z a-z 0-9 _ . -``: the rule that all ids share."""
    return _NAME.fullmatch(text) is not None


def check_channel_name(text: str) -> str:
    """Give the channel name back, or raise InvalidChannelName."""
    if not is_name(text):
        raise InvalidChannelName(
            f"{_shown(text)} is not a channel name. A channel name has 1 to 256 characters, each a letter, "
            "a digit, '_', '.' or '-'."
        )
    return text


def check_client_id(text: str) -> str:
    """Give the client id back, or raise InvalidClientId. Ids that start with ``AWS_`` are reserved."""
    if not is_name(text):
        raise InvalidClientId(
            f"{_shown(text)} is not a client id. A client id has 1 to 256 characters, each a letter, a digit, "
            "'_', '.' or '-'; no space, slash, colon, quote, @ or #."
        )
    if text[:4].upper() == "AWS_":
        raise InvalidClientId(f"{_shown(text)} is not allowed as a client id: names that start with AWS_ are reserved.")
    return text


def _shown(text: str) -> str:
    return repr(text if len(text) <= 40 else text[:40] + "…")

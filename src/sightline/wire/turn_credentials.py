"""Time-limited TURN credentials, the scheme that coturn calls ``use-auth-secret`` (KVS.md §4.1).

The user name is ``EXPIRY:ID``, the password base64(HMAC-SHA1(secret, user name)). A TURN server that knows the secret
needs no table of users.
"""

from __future__ import annotations

import base64
import hashlib
import hmac

import msgspec

__all__ = ["VIEWER_MARK", "TurnCredential", "mint", "owner_id", "password_for"]

VIEWER_MARK = "v."
"""Begins the owner of a credential that one viewer got: the built-in server grants it less than a master."""


class TurnCredential(msgspec.Struct, frozen=True):
    """``ttl`` is in seconds; the C SDK wants more than its 30 s of grace."""

    username: str
    password: str
    ttl: int

    def __repr__(self) -> str:
        return f"TurnCredential({self.username!r}, …, ttl={self.ttl})"


def mint(secret: str, owner: str, *, ttl: int, now: float) -> TurnCredential:
    """A credential for ``owner`` (see ``owner_id``) that lasts ``ttl`` seconds from ``now`` (epoch seconds)."""
    username = f"{int(now) + ttl}:{owner}"
    return TurnCredential(username, password_for(secret, username), ttl)


def password_for(secret: str, username: str) -> str:
    """What `mint` gives with a user name, and what a server that knows the secret expects."""
    return base64.b64encode(hmac.digest(secret.encode(), username.encode(), "sha1")).decode("ascii")


def owner_id(channel_arn: str, client_id: str, *, viewer: bool = False) -> str:
    """A short id that binds a credential to a channel and a client; ``viewer``: known to be one.

    Short, because the C SDK's buffer holds 256 characters and an ARN with a long client id would not fit.
    """
    digest = hashlib.sha256(f"{channel_arn}\n{client_id}".encode()).hexdigest()[:20]
    return VIEWER_MARK + digest if viewer else digest

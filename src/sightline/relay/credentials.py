"""Who may use the relay: time-limited credentials (KVS.md §4.1), and nonces that need no memory (RFC 8489 §9.2)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re

import msgspec

from ..wire.turn_credentials import VIEWER_MARK, password_for

__all__ = ["Authority", "Credential", "Nonces"]

_USERNAME = re.compile(r"([0-9]{1,12}):([!-~]{1,200})")


class Credential(msgspec.Struct, frozen=True):
    """A user name that was made here, with the key that signs its messages."""

    username: str
    key: bytes
    expires_at: int
    """Epoch seconds. It matters for new allocations only."""
    viewer: bool
    """Whether it was given to one viewer; any other may be a master's, which relays for all of its viewers."""

    def __repr__(self) -> str:
        return f"Credential({self.username!r}, …)"


class Authority:
    """Knows the credentials that `wire.turn_credentials.mint` made with a secret, and no others: there is no table."""

    def __init__(self, secret: str, realm: str) -> None:
        self._secret = secret
        self.realm = realm

    def credential(self, username: bytes) -> Credential | None:
        """The credential of that name, whoever claims it; None for a name that was never made here."""
        try:
            name = username.decode("ascii")
        except UnicodeDecodeError:
            return None
        found = _USERNAME.fullmatch(name)
        if found is None:
            return None
        secret = f"{name}:{self.realm}:{password_for(self._secret, name)}"
        key = hashlib.md5(secret.encode(), usedforsecurity=False).digest()
        return Credential(name, key, int(found[1]), found[2].startswith(VIEWER_MARK))


class Nonces:
    """Nonces that carry their time and a signature, bound to the client's address; 16 characters."""

    def __init__(self, secret: bytes, *, lifetime: float) -> None:
        """``lifetime`` in seconds; after it a client is told 438 and goes on with a fresh one."""
        self._secret = secret
        self._lifetime = lifetime

    def make(self, source: str, now: float) -> bytes:
        """One for a client at ``source``; ``now`` in seconds of the clock that `is_fresh` gets, too."""
        return self._of(int(now) & 0xFFFFFFFF, source)

    def is_fresh(self, nonce: bytes, source: str, now: float) -> bool:
        """Whether it was made for that client, not too long ago."""
        try:
            made = int.from_bytes(base64.b64decode(nonce, validate=True)[:4], "big")
        except ValueError:
            return False
        age = (int(now) - made) & 0xFFFFFFFF
        return age <= self._lifetime and hmac.compare_digest(nonce, self._of(made, source))

    def _of(self, made: int, source: str) -> bytes:
        when = made.to_bytes(4, "big")
        return base64.b64encode(when + hmac.digest(self._secret, when + source.encode(), "sha256")[:8])

"""Link tokens: what stands in the fragment of a page's address.

A token is ``ID.MAC``: the id of a link in the service's store and an HMAC over it, so that a guessed id is worth
nothing and a stored link (one channel, one role, an expiry, revocable) is all there is to look up.
"""

from __future__ import annotations

import base64
import hmac

from ..errors import LinkError
from ..reasons import Reason

__all__ = ["link_secret", "make_token", "read_token"]


def make_token(service_secret: bytes, link_id: str) -> str:
    """The token of a link; the same whenever it is asked for."""
    return f"{link_id}.{_mac(service_secret, 'token', link_id)}"


def read_token(service_secret: bytes, token: str) -> str:
    """The link's id; raises LinkError for a token that this service has not made."""
    link_id, _, mac = token.partition(".")
    # A header may hold bytes that are no text; no token of ours does.
    if not token.isascii() or not hmac.compare_digest(mac, _mac(service_secret, "token", link_id)):
        raise LinkError(
            Reason.LINK_INVALID,
            "This link is not valid here. It may be cut off; ask for a new one (`sightline link CHANNEL`).",
        )
    return link_id


def link_secret(service_secret: bytes, link_id: str) -> str:
    """The secret access key with which the service presigns for the pages of that link."""
    return _mac(service_secret, "signing", link_id)


def _mac(service_secret: bytes, purpose: str, link_id: str) -> str:
    digest = hmac.digest(service_secret, f"sightline/{purpose}/{link_id}".encode(), "sha256")
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode("ascii")

"""Tickets for the lobby's socket: a page that was let in gets one in its socket's address, good for a minute.

A ticket is ``EXPIRY.LINK.MAC``: until when, of which link (empty in an open lobby), and an HMAC over both and the room.
It is no secret for long, and it opens one room: the link's own token never stands in an address that servers log.
"""

from __future__ import annotations

import base64
import hmac

from ..errors import LinkError
from ..reasons import Reason

__all__ = ["make_ticket", "read_ticket"]


def make_ticket(service_secret: bytes, *, room: str, link_id: str, expires_at: int) -> str:
    """A ticket for that room until ``expires_at`` (epoch seconds)."""
    return f"{expires_at}.{link_id}.{_mac(service_secret, room, link_id, expires_at)}"


def read_ticket(service_secret: bytes, ticket: str, *, room: str, now: float) -> str:
    """The id of the link, empty in an open lobby; raises LinkError."""
    expiry, _, rest = ticket.partition(".")
    link_id, _, mac = rest.rpartition(".")
    if ticket.isascii() and room.isascii() and expiry.isdigit() and len(expiry) <= 15:
        expires_at = int(expiry)
        if hmac.compare_digest(mac, _mac(service_secret, room, link_id, expires_at)):
            if now < expires_at:
                return link_id
            raise LinkError(Reason.LINK_EXPIRED, "This address was good for a minute. Ask for another call session.")
    raise LinkError(Reason.LINK_INVALID, "This is no address of a lobby of this service. Ask for a call session.")


def _mac(service_secret: bytes, room: str, link_id: str, expires_at: int) -> str:
    text = f"sightline/lobby/{expires_at}/{link_id}/{room}"
    return base64.urlsafe_b64encode(hmac.digest(service_secret, text.encode(), "sha256")).rstrip(b"=").decode("ascii")

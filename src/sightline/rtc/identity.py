"""What an offer shows of the session that it belongs to (``sessions.negotiation``)."""

from __future__ import annotations

from ..sessions.negotiation import OfferIdentity
from .sdp import parse_description

__all__ = ["offer_identity"]


def offer_identity(sdp: str) -> OfferIdentity:
    """The identity of an offer. Raises InvalidSdp for a text that is no session description."""
    offer = parse_description(sdp)
    return OfferIdentity(
        offer.session_id,
        frozenset(str(fingerprint).lower() for fingerprint in offer.fingerprints),
        offer.ufrag,
        offer.password,
    )

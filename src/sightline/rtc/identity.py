"""What an offer shows of the session that it belongs to (``sessions.negotiation``)."""

from __future__ import annotations

from functools import lru_cache

from ..sessions.negotiation import OfferIdentity
from .sdp import Description, parse_description

__all__ = ["offer_identity", "read_offer"]


@lru_cache(maxsize=8)
def read_offer(sdp: str) -> Description:
    """``parse_description``, once for who asks what an offer is and then for who answers it. Raises InvalidSdp."""
    return parse_description(sdp)


def offer_identity(sdp: str) -> OfferIdentity:
    """The identity of an offer. Raises InvalidSdp for a text that is no session description."""
    offer = read_offer(sdp)
    return OfferIdentity(
        offer.session_id,
        frozenset(str(fingerprint).lower() for fingerprint in offer.fingerprints),
        offer.ufrag,
        offer.password,
    )

"""What an offer means to a master: a new session, a restart, a renegotiation (DESIGN.md, RFC 8839 §4.4).

A browser that restarts ICE offers the session that it has: the same ``o=`` id, the same DTLS fingerprint, other ICE
credentials. Answered by a master that no longer holds that session, its ICE would connect and its DTLS would wait for
keys that are gone: a black picture for ever. Hence the two rules for such an offer:

* a viewer that understands us is told ``session-gone`` and connects anew;
* any other is answered under the certificate that its last session did *not* have. A changed fingerprint is how a
  peer learns that DTLS begins again (RFC 8842 §4.6). Each master has two certificates for that, made ahead.
"""

from __future__ import annotations

from collections import OrderedDict
from enum import StrEnum

import msgspec

from ..timers import DEFAULT_TIMERS, Timers

__all__ = ["Memory", "OfferIdentity", "OfferMeaning", "meaning_of"]

_MEMORY = 4096
"""Sessions that a master remembers; what falls out is answered as new, which costs that viewer one more offer."""


class OfferIdentity(msgspec.Struct, frozen=True):
    """What tells sessions apart: the id of ``o=``, the DTLS fingerprints, and the ICE credentials of this offer."""

    session_id: str
    fingerprints: frozenset[str]
    """Each ``algorithm value`` in lower case."""
    ufrag: str
    password: str

    @property
    def session(self) -> tuple[str, frozenset[str]]:
        """What stays the same as long as the viewer's peer connection lives."""
        return self.session_id, self.fingerprints


class OfferMeaning(StrEnum):
    """What to do with an offer of a client id."""

    FIRST = "first"
    """A new session, for a client id that has none."""
    RENEGOTIATION = "renegotiation"
    """The held session, on its path: other media, or the same offer once more."""
    RESTART = "restart"
    """The held session, on a new path."""
    REPLACEMENT = "replacement"
    """Another session: the held one ends at once."""


def meaning_of(offer: OfferIdentity, held: OfferIdentity | None) -> OfferMeaning:
    """What the offer is to the session that its client id holds, asleep or awake."""
    if held is None:
        return OfferMeaning.FIRST
    if offer.session != held.session:
        return OfferMeaning.REPLACEMENT
    if (offer.ufrag, offer.password) == (held.ufrag, held.password):
        return OfferMeaning.RENEGOTIATION
    if offer.ufrag != held.ufrag and offer.password != held.password:
        return OfferMeaning.RESTART
    # Half of the credentials changed: neither (RFC 8839 §4.4.3 changes both), so nothing of the old may be trusted.
    return OfferMeaning.REPLACEMENT


class Memory:
    """Under which of the two certificates sessions were answered, of those that are no longer held."""

    def __init__(self, *, timers: Timers = DEFAULT_TIMERS, limit: int = _MEMORY) -> None:
        self._timers = timers
        self._limit = limit
        self._gone: OrderedDict[tuple[str, frozenset[str]], tuple[int, float]] = OrderedDict()

    def forget_session(self, offer: OfferIdentity, certificate: int, *, now: float) -> None:
        """The session of that offer, answered under certificate 0 or 1, is no longer held."""
        self._gone.pop(offer.session, None)
        self._gone[offer.session] = (certificate, now)
        if len(self._gone) > self._limit:
            self._gone.popitem(last=False)

    def is_gone(self, offer: OfferIdentity, *, now: float) -> bool:
        """Whether the offer is of a session that was held and is not any more."""
        return self._last(offer, now) is not None

    def certificate_for(self, offer: OfferIdentity, *, now: float) -> int:
        """Which certificate, 0 or 1, a new session of this offer is answered under."""
        last = self._last(offer, now)
        return 0 if last is None else 1 - last

    def _last(self, offer: OfferIdentity, now: float) -> int | None:
        certificate, since = self._gone.get(offer.session, (0, None))
        return None if since is None or now - since >= self._timers.session_memory else certificate

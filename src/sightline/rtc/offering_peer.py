"""A connection that may begin: the offers of a viewer and of a caller."""

from __future__ import annotations

import time
from collections.abc import Sequence

from ..errors import InvalidSdp, PeerError
from .link import PeerLink
from .peer import IceServer
from .sdp import make_offer, parse_description, write_description

__all__ = ["OfferingPeer"]


class OfferingPeer(PeerLink):
    """What ``ViewerPeer`` and ``CallPeer`` have in common. Everything happens in the event loop's thread."""

    @property
    def last_heard(self) -> float:
        """When the last datagram of any kind came (``time.monotonic``); minus infinity before it."""
        return self._ice.last_heard

    async def offer(self, *, ice_servers: Sequence[IceServer] | None = None) -> str:
        """The first offer. Candidates of this machine stand in it; those that servers know come by ``on_candidate``.

        Raises PeerError when there was one that was answered, and when the connection is closed.
        """
        if self._agreement is not None:
            raise PeerError("The first offer was answered: the next one is a restart.")
        agent = await self._new_agent(ice_servers)
        offer = make_offer(self._ours(agent))
        self._local, self._offered = offer, (offer, agent)
        return write_description(offer)

    async def restart(self, *, ice_servers: Sequence[IceServer] | None = None) -> str:
        """An offer that looks for a new path; media goes on over the old one until the new one is there.

        Also revives a connection that has ``failed`` and still has its keys. Raises PeerError before the first answer,
        and when the connection is closed.
        """
        offer = await super().restart(ice_servers=ice_servers)
        self._apply(self._machine.restart(time.monotonic()))
        self._arrange()
        return offer

    async def accept(self, answer_sdp: str) -> None:
        """The answer. One to an offer that was given up meanwhile is ignored.

        Raises InvalidSdp when it cannot be read, does not belong to the offer, or comes from somebody who no longer
        has this session: then there is nothing to restart, and all has to begin anew.
        """
        if self._offered is not None and self._agreement is not None:
            answer = parse_description(answer_sdp)
            if answer.fingerprints.isdisjoint(self._agreement.remote.fingerprints):
                self._withdraw()
                raise InvalidSdp("The answer is of another session: the other side has no keys of this one any more.")
        await super().accept(answer_sdp)

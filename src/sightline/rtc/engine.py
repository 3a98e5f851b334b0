"""What all viewers of one source share: the fan-out, our certificates, the settings."""

from __future__ import annotations

import asyncio
import logging
import ssl
import time
from collections.abc import Sequence

import msgspec

from ..timers import DEFAULT_TIMERS, Timers
from .certificates import CertificatePair
from .engine_peer import EnginePeer
from .ice.config import IceConfig
from .ice.interfaces import interface_problem
from .outgoing import OutgoingMedia
from .peer import IceServer
from .rtp.fanout import Fanout

__all__ = ["Engine"]

log = logging.getLogger(__name__)


class Engine:
    """Makes the peers of one source. To be made and used in the event loop's thread."""

    def __init__(self, source: OutgoingMedia, *, ice: IceConfig | None = None, timers: Timers = DEFAULT_TIMERS) -> None:
        """``ice``: ports, interfaces and addresses to use; its servers are those of each peer."""
        self.source = source
        self.timers = timers
        self.fanout = Fanout(
            clock=time.monotonic,
            wall=time.time,
            call_later=asyncio.get_running_loop().call_later,
            report_interval=timers.sender_report,
        )
        self._ice = ice or IceConfig()
        problem = interface_problem(self._ice.interfaces) if self._ice.interfaces else None
        if problem is not None:
            log.warning("%s Until that changes, viewers reach this camera through TURN servers or not at all.", problem)
        self._certificates = CertificatePair()

    def trust(self, tls: ssl.SSLContext) -> None:
        """For ``turns:`` servers of peers that are made from now on, unless the configuration says whom to trust."""
        if self._ice.tls is None:
            self._ice = msgspec.structs.replace(self._ice, tls=tls)

    def new_peer(
        self, *, ice_servers: Sequence[IceServer] = (), certificate: int = 0, hears: bool = False
    ) -> EnginePeer:
        """See ``PeerEngine``."""
        pair = self._certificates
        return EnginePeer(
            self.fanout,
            self.source,
            ice=msgspec.structs.replace(self._ice, servers=tuple(ice_servers)),
            certificate=pair.second if certificate else pair.first,
            timers=self.timers,
            hears=hears,
        )

    async def aclose(self) -> None:
        """See ``PeerEngine``."""
        self.fanout.close()

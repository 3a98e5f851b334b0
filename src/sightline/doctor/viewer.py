"""The peer connection with which the doctor watches: the viewer's own, receiving only."""

from __future__ import annotations

import ssl
from collections.abc import Sequence

from ..rtc.certificates import Certificate
from ..rtc.ice.config import IceConfig, IceServer
from ..rtc.viewer_peer import ViewerPeer
from ..timers import DEFAULT_TIMERS

__all__ = ["DoctorPeer", "new_viewer"]


class DoctorPeer(ViewerPeer):
    """A viewer's peer that can say its path for people."""

    def path(self) -> str:
        """The candidate pair in use; empty while there is none."""
        return self.statistics().candidate_pair or ""


def new_viewer(servers: Sequence[IceServer], *, tls: ssl.SSLContext | None) -> DoctorPeer:
    """To be made in the event loop. `tls` is for ``turns:``."""
    ice = IceConfig(servers=tuple(servers), tls=tls)
    return DoctorPeer(ice=ice, certificate=Certificate.make(), timers=DEFAULT_TIMERS, data=False)

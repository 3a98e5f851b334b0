"""The connections of one viewer, one after the other: what they carry, and what they may use."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import msgspec

from ..client.socket import trusting
from ..rtc.certificates import Certificate
from ..rtc.ice.config import IceConfig
from ..rtc.peer import IceServer
from ..rtc.viewer_peer import ViewerPeer
from ..timers import DEFAULT_TIMERS, Timers
from .link import SessionInfo

__all__ = ["Peers", "ice_of_session", "ice_wanted"]


class Peers:
    """All with one certificate."""

    def __init__(
        self,
        *,
        ice: IceConfig,
        video: bool,
        audio: Literal["recvonly", "sendrecv"] | None,
        data: bool,
        timers: Timers = DEFAULT_TIMERS,
    ) -> None:
        """``video``, ``audio``, ``data``: what is asked for."""
        self._ice = ice
        self._video = video
        self._audio = audio
        self._data = data
        self._timers = timers
        self._certificate = Certificate.make()

    async def make(self, session: SessionInfo) -> ViewerPeer:
        """One with the session's ICE servers."""
        return ViewerPeer(
            ice=await ice_of_session(self._ice, session.ice_servers, session.ca_files),
            certificate=self._certificate,
            timers=self._timers,
            video=self._video,
            audio=self._audio,
            data=self._data,
        )


async def ice_of_session(ice: IceConfig, servers: Sequence[IceServer], ca_files: Sequence[Path]) -> IceConfig:
    """What somebody wants, with the service's ICE servers (their own where it has none), and trust in its CA."""
    tls = ice.tls
    if tls is None and ca_files:
        tls = await asyncio.to_thread(trusting, ca_files)
    return msgspec.structs.replace(ice, servers=tuple(servers) or tuple(ice.servers), tls=tls)


def ice_wanted(ice: IceConfig | None, policy: Literal["all", "relay"]) -> IceConfig:
    """The two ways in which a program may say that only relays are to be used, as one."""
    ice = ice or IceConfig()
    return msgspec.structs.replace(ice, relay_only=True) if policy == "relay" else ice

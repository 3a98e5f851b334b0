"""What aioice sees of a TURN allocation: a datagram transport for its checks."""

from __future__ import annotations

import asyncio
from typing import cast

from aioice.ice import StunProtocol

from .turn import TurnClient

__all__ = ["RelayTransport"]


class RelayTransport:
    """Sends a ``StunProtocol``'s checks through the relay. Media does not come this way, see ``TurnClient.sender``."""

    def __init__(self, client: TurnClient, protocol: StunProtocol) -> None:
        """Connects itself to ``protocol``. The client stays its owner's, who closes it."""
        self._client = client
        self._protocol = protocol
        self._closing = False
        protocol.connection_made(cast(asyncio.BaseTransport, self))

    def sendto(self, data: bytes, addr: tuple[str, int]) -> None:
        """As asyncio's transports: never waits, reports nothing."""
        if not self._closing:
            self._client.send_to(addr, data)

    def is_closing(self) -> bool:
        """As asyncio's transports."""
        return self._closing

    def close(self) -> None:
        """As asyncio's transports: ``connection_lost`` follows on a later turn of the loop."""
        if not self._closing:
            self._closing = True
            asyncio.get_running_loop().call_soon(self._protocol.connection_lost, None)

"""A master's side of signaling: what it needs to connect, and what it and its viewers say to each other."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from ..client.network import NetworkWatcher
from ..client.signaling import SignalingClient
from ..errors import ConnectError, MalformedMessage
from ..reasons import Reason
from ..rtc.peer import IceServer
from ..wire.extras import Extra, encode_notice, viewer_socket_state
from ..wire.messages import MessageType, ServerMessage, decode_payload, encode_payload
from .registry import Registry

__all__ = ["MasterSession", "SessionProvider", "ViewerMessages", "watched_network"]

_NOTICE_LIMIT = 2.0
"""Seconds in which a notice must be out; later, the viewer has given up on its offer."""


class MasterSession(Protocol):
    """What a master needs for one connection to signaling, as ``ControlPlane.master_session`` gives it."""

    @property
    def url(self) -> str:
        """Presigned WebSocket URL."""

    @property
    def ice_servers(self) -> Sequence[IceServer]:
        """STUN and TURN servers for the viewers' connections."""

    @property
    def ca_files(self) -> Sequence[Path]:
        """Certificates to trust beside the system's."""

    @property
    def is_sightline(self) -> bool:
        """Whether the service has said so: only then it is told more than KVS knows."""


SessionProvider = Callable[[], Awaitable[MasterSession]]
"""Asked before each connection to signaling; raises ConnectError."""


class ViewerMessages:
    """The messages between a master and its viewers, through the service (KVS.md §5)."""

    def __init__(
        self,
        signaling: SignalingClient[MasterSession],
        *,
        tasks: asyncio.TaskGroup,
        log: logging.Logger | logging.LoggerAdapter[logging.Logger],
    ) -> None:
        """``tasks`` owns the notices that are on their way."""
        self._signaling = signaling
        self._tasks = tasks
        self._log = log

    async def send(
        self,
        kind: MessageType,
        content: Mapping[str, object],
        *,
        client_id: str,
        trace_id: str | None = None,
        within: float,
    ) -> None:
        """Send to a viewer, in at most ``within`` seconds; raises ConnectError."""
        await self._signaling.send(
            kind, encode_payload(content), recipient=client_id, correlation_id=trace_id, within=within
        )

    def notify(self, client_id: str, reason: Reason, text: str) -> None:
        """Tell a viewer why it gets nothing. What cannot be told in time is forgotten."""
        self._tasks.create_task(self._send_notice(client_id, reason, text), name=f"notice to {client_id}")

    def receive(
        self, message: ServerMessage, registry: Registry, *, servers: Sequence[IceServer], from_sightline: bool
    ) -> None:
        """Hand a message to its viewer's session. Raises MalformedMessage.

        ``servers``: for a session that it begins. ``from_sightline``: whether the service is one of ours.
        """
        if message.message_type == MessageType.STATUS_RESPONSE and message.status is not None:
            status = message.status
            viewer = registry.client_of(status.correlation_id)
            self._log.warning("the answer to %s was refused: %s %s", viewer, status.error_type, status.description)
            return
        client_id = message.sender_client_id
        content = decode_payload(message.payload) if message.payload else None
        if client_id is None or content is None:
            return  # nobody to answer; or the literal null with which Android ends its candidates
        match message.message_type:
            case MessageType.SDP_OFFER:
                registry.offer(client_id, _sdp(content), servers=servers)
            case MessageType.SDP_ANSWER:
                registry.answer(client_id, _sdp(content))
            case MessageType.ICE_CANDIDATE:
                registry.candidate(client_id, content)
            # From the service itself: what it says of roles must come from nobody else.
            case Extra.VIEWER if from_sightline:
                registry.signaling(client_id, viewer_socket_state(content))
            case Extra.FAREWELL:
                registry.farewell(client_id)

    async def _send_notice(self, client_id: str, reason: Reason, text: str) -> None:
        with suppress(ConnectError):
            await self._signaling.send(
                Extra.NOTICE, encode_notice(reason, text), recipient=client_id, within=_NOTICE_LIMIT
            )


def watched_network(signaling: SignalingClient[MasterSession]) -> NetworkWatcher:
    """On another network the service is there again at once: by it the viewers find the new way to the camera."""

    def destinations() -> Sequence[str]:
        return (signaling.peer_address,) if signaling.peer_address else ()

    return NetworkWatcher(lambda online: signaling.renew() if online else None, destinations=destinations)


def _sdp(content: Mapping[str, object]) -> str:
    sdp = content.get("sdp")
    if not isinstance(sdp, str):
        raise MalformedMessage("The description has no sdp.")
    return sdp

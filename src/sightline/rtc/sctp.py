"""One SCTP association, by aiortc's RTCSctpTransport, with our DTLS under it. All of its hooks are used here only.

What aiortc wants of the transport below, and what is used of it beyond its documented interface, stands in ``HOOKS``;
``tests/unit/rtc/datachannel/test_hooks.py`` fails when a version changes one. Its coroutines never wait when the
transport below does not, so that they can be run to their end on the spot.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import cast

from aiortc import RTCDataChannel, RTCDtlsTransport, RTCSctpCapabilities, RTCSctpTransport

from .sctp_guard import MalformedSctp, check_sctp

__all__ = ["HOOKS", "SctpAssociation"]

log = logging.getLogger(__name__)

HOOKS = {
    "transport below": ("state", "_role", "_register_data_receiver", "_unregister_data_receiver", "_send_data"),
    "RTCSctpTransport": ("_handle_data", "_advertised_rwnd", "_inbound_streams", "_sack_misordered"),
    "InboundStream": ("reassembly",),
}

_MAX_STREAMS = 64
_WINDOW = 512 * 1024
"""Bytes that wait for a lost packet, or for the rest of their message; twice the longest message that we take."""

_MAX_FRAGMENTS = 1024
"""Chunks that wait so: about twice a window full of whole packets. aiortc announces its window and does not enforce it;
neither memory nor time of a master with a hundred viewers is one viewer's to take."""

_WINDOW_OVERDRAFT = 65_536
"""Bytes beyond the announced window that a peer may have sent before it could know."""


class SctpAssociation:
    """Carries data channels. ``send`` takes a packet for DTLS and must not raise; all callbacks come at once."""

    def __init__(
        self,
        send: Callable[[bytes], None],
        *,
        client: bool,
        port: int,
        on_channel: Callable[[RTCDataChannel], None],
        on_failure: Callable[[str], None],
    ) -> None:
        """``client``: our role in DTLS, by which numbers of channels are given (RFC 8832 §6)."""
        self.refused = 0
        """Packets that were dropped because they were malformed."""
        self._on_failure = on_failure
        below = _Below(send, client=client)
        self._sctp = RTCSctpTransport(cast(RTCDtlsTransport, below), port)
        self._sctp._advertised_rwnd = _WINDOW
        self._sctp.on("datachannel", on_channel)
        self._ended = False

    @property
    def connected(self) -> bool:
        """Whether channels can be open."""
        return not self._ended and self._sctp.state == "connected"

    def start(self, *, remote_port: int, max_message_size: int) -> None:
        """Begin the association. ``max_message_size``: bytes that the peer takes, 0 for any."""
        self._run(self._sctp.start(RTCSctpCapabilities(maxMessageSize=max_message_size), remote_port))

    def open(self, make: Callable[[RTCSctpTransport], RTCDataChannel]) -> RTCDataChannel:
        """A new channel of ours, made by ``make``."""
        return make(self._sctp)

    def receive(self, packet: bytes) -> None:
        """A packet out of DTLS. Malformed ones are dropped; one that aiortc stumbles over ends the association."""
        if self._ended:
            return
        try:
            check_sctp(packet)
        except MalformedSctp as error:
            self.refused += 1
            log.debug("SCTP packet dropped: %s", error)
            return
        self._run(self._sctp._handle_data(packet))
        if not self._ended:
            self._check_limits()

    async def aclose(self) -> None:
        """Abort the association and wait until aiortc's own tasks are over. Idempotent."""
        self._end()
        # Its tasks are all begun by now and none of them waits for anything: after two turns they are done.
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    def _check_limits(self) -> None:
        sctp = self._sctp
        streams = sctp._inbound_streams.values()
        fragments = sum(len(stream.reassembly) for stream in streams)
        if sctp._advertised_rwnd < -_WINDOW_OVERDRAFT or len(streams) > _MAX_STREAMS:
            self._fail("the peer sends more than was announced")
        elif max(fragments, len(sctp._sack_misordered)) > _MAX_FRAGMENTS:
            self._fail("the peer sends more fragments than a message has")

    def _run(self, coroutine: Coroutine[object, object, None]) -> None:
        try:
            coroutine.send(None)
        except StopIteration:
            pass
        except Exception as error:
            # aiortc checks its input with asserts and by stumbling; what state that leaves it in nobody knows.
            self._fail(f"{type(error).__name__}: {error}")
        else:
            coroutine.close()
            self._fail("aiortc's SCTP waits for something, which it never did")

    def _fail(self, why: str) -> None:
        if not self._ended:
            self._end()
            self._on_failure(why)

    def _end(self) -> None:
        if self._ended:
            return
        self._ended = True
        stopping = self._sctp.stop()
        try:
            stopping.send(None)
        except StopIteration:
            pass
        except Exception as error:
            log.debug("SCTP stopped badly: %r", error)
        finally:
            stopping.close()


class _Below:
    """What RTCSctpTransport sees of a DTLS transport."""

    state = "connected"

    def __init__(self, send: Callable[[bytes], None], *, client: bool) -> None:
        self._send = send
        self._role = "client" if client else "server"

    def _register_data_receiver(self, receiver: object) -> None:
        pass  # packets are handed to it by SctpAssociation.receive

    def _unregister_data_receiver(self, receiver: object) -> None:
        pass

    async def _send_data(self, data: bytes) -> None:
        self._send(data)

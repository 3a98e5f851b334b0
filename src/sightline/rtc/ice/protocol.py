"""One local socket or relay: tells STUN from media, and knows which addresses have shown who they are."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, cast

from aioice import stun
from aioice.ice import StunProtocol

from .paths import PeerPath

if TYPE_CHECKING:
    from .connection import CheckedConnection

__all__ = ["AgentProtocol"]

log = logging.getLogger(__name__)

_MAX_KNOWN = 64
"""Addresses of one peer that may send to one socket. Each has shown the password, so real ones are few."""


class AgentProtocol(StunProtocol):
    """A ``StunProtocol`` of aioice that hands media to the agent at once and keeps strangers out.

    Datagrams are accepted from addresses that have sent a check with our password, or answered one of ours: nobody who
    only guesses an address and a port gets a byte to DTLS or SRTP.
    """

    def __init__(self, receiver: CheckedConnection) -> None:
        super().__init__(receiver)
        self._agent = receiver
        self._known: set[tuple[str, int]] = set()
        self._unanswered: dict[tuple[str, int], stun.Message] = {}
        self.paths: dict[tuple[str, int], PeerPath] = {}

    def datagram_received(self, data: bytes | str, addr: tuple[object, ...]) -> None:
        """Called by the transport. The first byte says what it is (RFC 7983 §7)."""
        datagram = cast(bytes, data)
        source = cast(tuple[str, int], addr if len(addr) == 2 else addr[:2])
        if datagram and datagram[0] > 3:
            path = self.paths.get(source)
            if path is not None:
                path.heard = time.monotonic()
            elif source not in self._known:
                self._agent.counters.strangers += 1
                return
            self._agent.deliver(datagram)
            return
        try:
            if not self._agent.take_query(datagram, source, self) and not self._agent.take_answer(datagram, source):
                super().datagram_received(datagram, source)
        except Exception as error:  # aioice's codec and checks raise all kinds of errors on malformed input
            self._agent.counters.malformed += 1
            log.debug("malformed STUN from %s: %r", source, error)

    def send_stun(self, message: stun.Message, addr: tuple[str, int]) -> None:
        """Called by aioice for checks and for answers to checks that it has accepted."""
        if message.message_class is stun.Class.RESPONSE:
            self.accept(addr)
        elif message.message_class is stun.Class.REQUEST and "USERNAME" in message.attributes:
            self._unanswered[addr] = message
        super().send_stun(message, addr)

    def accept(self, addr: tuple[str, int]) -> None:
        """An address has shown that it knows a password."""
        path = self.paths.get(addr)
        if path is not None:
            path.heard = time.monotonic()
        elif len(self._known) < _MAX_KNOWN:
            self._known.add(addr)

    def repeat_check(self, addr: tuple[str, int]) -> None:
        """Send the check under way to ``addr`` again now: the peer's own check has just come through from there.

        Its NAT has a hole now, while our first check may have been lost (RFC 8445 §7.3.1.4). aioice would repeat it
        only after 0.5 s.
        """
        message = self._unanswered.get(addr)
        if message is not None and message.transaction_id in self.transactions:
            super().send_stun(message, addr)

    def forget_check(self, addr: tuple[str, int]) -> None:
        """The check to ``addr`` has ended, one way or the other."""
        self._unanswered.pop(addr, None)

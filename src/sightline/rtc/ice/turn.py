"""A TURN client over UDP, TCP or TLS (RFC 8656), made for media: nothing waits, nothing is queued.

What aioice's own client lacks: it makes a task for each datagram, binds the channel with the first check (which is lost
then, and costs half a second), refreshes permissions after they have expired, and lets a slow TCP connection swell.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
import time
from collections.abc import Callable, Coroutine

import msgspec
from aioice import stun

from .resolve import resolve
from .servers import TurnServer
from .turn_channel import ChannelSender, Wire
from .turn_messages import (
    LongTermCredentials,
    TurnError,
    TurnForbidden,
    TurnMismatch,
    TurnUnreachable,
    channel_frame,
    is_channel_data,
    turn_error,
)
from .turn_wire import open_wire

__all__ = ["Allocation", "TurnClient", "TurnError"]

log = logging.getLogger(__name__)

_LIFETIME = 600
"""Seconds asked for: the default of RFC 8656 §3.2."""

_CHANNEL_REFRESH = 240.0
"""Seconds. A channel lives 600 s, but the permission that comes with it only 300 (RFC 8656 §9, §12)."""

_FIRST_RETRY = 0.5
"""Seconds until a request is repeated over UDP; then twice as long each time (RFC 8489 §6.2.1)."""

_PATIENCE = 10.0
"""Seconds for an answer. Nobody waits for it: a relay that comes late is a candidate that comes late."""

_REFRESH_AGAIN = 5.0
"""Seconds until the next attempt when the server did not answer one to refresh the allocation."""

_RELEASE_PATIENCE = 0.5
"""Seconds for the answer to our farewell; the server frees the allocation by itself in the end."""

_TRIES = 4
"""Of one request: without credentials, with them, and twice after a stale nonce."""

_NOT_THESE_CREDENTIALS = (401, 438, 441)
"""Error codes that are left when realm and nonce are as the server wants them."""

_MAX_PEERS = 64
_REQUESTED_UDP = 17 << 24
_FIRST_CHANNEL = 0x4000


class Allocation(msgspec.Struct, frozen=True):
    """What the server gave: its own address that stands for us, and ours as the server sees it."""

    relayed: tuple[str, int]
    mapped: tuple[str, int]


class TurnClient:
    """One allocation. ``on_data`` gets each datagram with its peer's address; ``on_lost`` is called at most once."""

    def __init__(
        self,
        server: TurnServer,
        *,
        on_data: Callable[[bytes, tuple[str, int]], None],
        on_lost: Callable[[], None],
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """``tls``: for ``turns:``; None trusts what the system trusts."""
        self.server = server
        self.refused = False
        """Whether the server has refused the credentials: they are wrong or have expired."""
        self._on_data = on_data
        self._on_lost = on_lost
        self._tls = tls
        self._credentials = LongTermCredentials(server.username, server.password)
        self._wire: Wire | None = None
        self._allocation: Allocation | None = None
        self._lifetime = float(_LIFETIME)
        self._expires_at = float("inf")
        self._pending: dict[bytes, tuple[asyncio.Future[stun.Message], bytes | None]] = {}
        self._channels: dict[tuple[str, int], ChannelSender] = {}
        self._by_number: dict[int, tuple[str, int]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._may_be_allocated = False
        self._lost = False
        self._closed = False

    async def allocate(self) -> Allocation:
        """Connect and allocate. Raises TurnError."""
        problem = TurnUnreachable("the server's name leads to no address")
        for address in await self._addresses():
            try:
                self._wire = await open_wire(
                    self.server, address, tls=self._tls, received=self._received, lost=self._wire_lost
                )
                response = await self._request(
                    stun.Method.ALLOCATE, {"LIFETIME": _LIFETIME, "REQUESTED-TRANSPORT": _REQUESTED_UDP}
                )
                break
            except TurnUnreachable as error:
                problem = error
                await self._close_wire()
        else:
            raise problem
        relayed = response.attributes.get("XOR-RELAYED-ADDRESS")
        if relayed is None:
            raise TurnUnreachable("the server's answer names no relayed address")
        mapped = response.attributes.get("XOR-MAPPED-ADDRESS") or relayed
        self._allocation = Allocation(relayed, mapped)
        self._lives(response)
        self._spawn(self._keep_alive())
        return self._allocation

    def bind(self, peer: tuple[str, int]) -> None:
        """Ask for a channel to a peer, so that it is there before the first check. Idempotent, does not wait.

        The channel brings the permission for the peer's address along (RFC 8656 §12).
        """
        if self._allocation is None or self._closed or (":" in peer[0]) != (":" in self._allocation.relayed[0]):
            return
        channel = self._channels.get(peer)
        if channel is None:
            if len(self._channels) >= _MAX_PEERS:
                return
            channel = self._channel(peer)
        if channel.may_bind(time.monotonic()):
            channel.binding = True
            self._spawn(self._bind(channel))

    def sender(self, peer: tuple[str, int]) -> ChannelSender:
        """What sends to a peer; it drops everything until the channel is bound."""
        self.bind(peer)
        return self._channels.get(peer) or self._channel(peer)

    def send_to(self, peer: tuple[str, int], datagram: bytes) -> None:
        """Send a check; it waits for the channel when that is still being bound."""
        self.bind(peer)
        channel = self._channels.get(peer)
        if channel is not None:
            channel.send_when_bound(datagram)

    async def aclose(self) -> None:
        """Release the allocation and close. Idempotent, takes at most half a second."""
        if self._closed:
            return
        self._closed = True
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        try:
            if self._may_be_allocated and not self._lost:
                async with asyncio.timeout(_RELEASE_PATIENCE):
                    await self._request(stun.Method.REFRESH, {"LIFETIME": 0})
        except (TurnError, TimeoutError):
            log.debug("TURN server %s did not confirm the release", self.server.host)
        finally:
            await self._close_wire()

    # -- requests

    async def _request(self, method: stun.Method, attributes: dict[str, object]) -> stun.Message:
        for _ in range(_TRIES):
            request = stun.Message(method, stun.Class.REQUEST, attributes=dict(attributes))
            self._credentials.sign(request)
            # From here on there is something to release, even if we are closed before the answer is there.
            self._may_be_allocated |= method is stun.Method.ALLOCATE and self._credentials.key is not None
            response = await self._transact(request)
            if response.message_class is stun.Class.RESPONSE:
                return response
            if not self._credentials.learn(response):
                break
        error = turn_error(response)
        self.refused |= error.code in _NOT_THESE_CREDENTIALS
        raise error

    async def _transact(self, request: stun.Message) -> stun.Message:
        wire = self._wire
        if wire is None or self._lost:
            raise TurnUnreachable("the connection to the server is lost")
        answer: asyncio.Future[stun.Message] = asyncio.get_running_loop().create_future()
        self._pending[request.transaction_id] = answer, self._credentials.key
        encoded = bytes(request)
        wait, left = _FIRST_RETRY, _PATIENCE
        try:
            while left > 0:
                wire.send_message(encoded)
                step = left if wire.reliable else min(wait, left)
                await asyncio.wait({answer}, timeout=step)
                if answer.done():
                    return answer.result()
                wait, left = wait * 2, left - step
        finally:
            del self._pending[request.transaction_id]
            answer.cancel()
        raise TurnUnreachable(f"no answer within {_PATIENCE:g} s")

    def _received(self, datagram: bytes) -> None:
        try:
            if is_channel_data(datagram):
                number, payload = channel_frame(datagram)
                peer = self._by_number.get(number)
                if peer is not None:
                    self._on_data(payload, peer)
                return
            message = stun.parse_message(datagram)
            if message.message_class is stun.Class.INDICATION:
                self._indicated(message)
                return
            answer, key = self._pending.get(message.transaction_id, (None, None))
            if answer is not None and not answer.done() and self._credentials.is_genuine(message, key=key):
                answer.set_result(message)
        except Exception as error:  # aioice's codec raises all kinds of errors on malformed input
            log.debug("malformed datagram from TURN server %s: %r", self.server.host, error)

    def _indicated(self, message: stun.Message) -> None:
        """Data of a peer without a channel yet, but with a permission, which is for all ports of an address."""
        peer, data = message.attributes.get("XOR-PEER-ADDRESS"), message.attributes.get("DATA")
        if message.message_method is stun.Method.DATA and peer is not None and data is not None:
            peer = (peer[0], peer[1])
            if any(known[0] == peer[0] for known in self._channels):
                self._on_data(data, peer)

    # -- keeping it

    async def _bind(self, channel: ChannelSender) -> None:
        attributes = {"CHANNEL-NUMBER": channel.number, "XOR-PEER-ADDRESS": channel.peer}
        try:
            await self._request(stun.Method.CHANNEL_BIND, attributes)
            channel.bound(time.monotonic())
        except TurnForbidden as error:
            channel.refused(forever=True, now=time.monotonic())
            log.debug("TURN server %s relays nothing to %s: %s", self.server.host, channel.peer[0], error)
        except TurnMismatch:
            self._lose("it has forgotten the allocation")
        except TurnError as error:
            channel.refused(forever=False, now=time.monotonic())
            log.info("TURN server %s: no channel to %s: %s", self.server.host, channel.peer[0], error)
        finally:
            channel.binding = False

    async def _keep_alive(self) -> None:
        refresh_at = time.monotonic() + _refresh_after(self._lifetime)
        while not self._lost:
            now = time.monotonic()
            if now >= refresh_at:
                refresh_at = now + await self._refresh()
            for channel in list(self._channels.values()):
                if channel.bound_at is not None and now >= channel.bound_at + _CHANNEL_REFRESH and not channel.binding:
                    channel.binding = True
                    self._spawn(self._bind(channel))
            times = [c.bound_at + _CHANNEL_REFRESH for c in self._channels.values() if c.bound_at is not None]
            await asyncio.sleep(max(1.0, min([refresh_at, now + 30.0, *times]) - time.monotonic()))

    async def _refresh(self) -> float:
        """Seconds until the next one."""
        try:
            response = await self._request(stun.Method.REFRESH, {"LIFETIME": _LIFETIME})
        except TurnUnreachable:
            if time.monotonic() < self._expires_at:
                return _REFRESH_AGAIN
            self._lose("the allocation could not be refreshed")
        except TurnError as error:
            self._lose(str(error))
        else:
            self._lives(response)
        return _refresh_after(self._lifetime)

    def _lives(self, response: stun.Message) -> None:
        self._lifetime = float(response.attributes.get("LIFETIME", _LIFETIME))
        self._expires_at = time.monotonic() + self._lifetime

    def _wire_lost(self, reason: str) -> None:
        for answer, _ in self._pending.values():
            if not answer.done():
                answer.set_exception(TurnUnreachable(f"the connection to the server is lost: {reason}"))
        if self._allocation is not None:
            self._lose(reason)

    def _lose(self, reason: str) -> None:
        if self._lost or self._closed:
            return
        self._lost = True
        log.info("relay on TURN server %s is lost: %s", self.server.host, reason)
        for channel in self._channels.values():
            channel.refused(forever=True, now=time.monotonic())
        self._on_lost()

    def _channel(self, peer: tuple[str, int]) -> ChannelSender:
        assert self._wire is not None
        number = _FIRST_CHANNEL + len(self._channels)
        channel = self._channels[peer] = ChannelSender(self._wire, number=number, peer=peer)
        self._by_number[number] = peer
        return channel

    async def _addresses(self) -> list[tuple[str, int]]:
        try:
            return await resolve(self.server.host, self.server.port)
        except OSError as error:
            raise TurnUnreachable(f"the server's name is not known: {error}") from error

    async def _close_wire(self) -> None:
        wire, self._wire = self._wire, None
        if wire is not None:
            await wire.aclose()

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _refresh_after(lifetime: float) -> float:
    """A minute before the end, or sooner where the server grants little."""
    return max(lifetime - 60.0, lifetime / 2)

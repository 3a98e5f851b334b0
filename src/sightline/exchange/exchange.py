"""The signaling exchange: who is connected, what is pending, what goes to whom, when what expires (KVS.md §5).

Sans-IO: each method takes an input and ``now`` (seconds of a steady clock) and returns what the shell has to do, in
order.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterator, Set
from itertools import count

import msgspec

from ..errors import ClientLimitExceeded, InvalidArgument, KvsError, MalformedMessage
from ..reasons import Reason
from ..timers import DEFAULT_TIMERS, Timers
from ..wire.close_codes import CloseCode
from ..wire.extras import Extra
from ..wire.ids import is_name
from ..wire.messages import ClientMessage, MessageType, Status, encode_go_away, encode_relayed, encode_status
from ..wire.payload import MAX_PAYLOAD, normalise_payload
from .channel import MASTER, Channel, dismissed, told
from .connection import Close, Connection, Drop, Muted, Output, Ping, Role, Send
from .pending import PendingMessage, PendingQueue

__all__ = ["Exchange", "ExchangeLimits", "ExchangeStats"]

_ASK = Extra.ASK.value
_ANOTHER_MASTER = "Another camera has taken this channel over. Run one for each channel, and stop one of the two."
_OFFER = MessageType.SDP_OFFER.value
_ACTIONS = frozenset((MessageType.SDP_OFFER.value, MessageType.SDP_ANSWER.value, MessageType.ICE_CANDIDATE.value))
_EXTRA_ACTION = {Role.MASTER: Extra.NOTICE.value, Role.VIEWER: Extra.FAREWELL.value}
"""What a client with extras may send to one that has them too."""


class ExchangeLimits(msgspec.Struct, frozen=True, kw_only=True):
    """What one channel or one socket may take up."""

    max_viewers: int = 100
    message_rate: float = 100.0
    """Messages per second and viewer socket, twice that in a burst; a master may send that for each of its viewers."""
    pending_per_sender: int = 128
    pending_per_channel: int = 4096
    muted_per_id: int = 8


class ExchangeStats(msgspec.Struct):
    """Counters since the start."""

    relayed: int = 0
    queued: int = 0
    overwritten: int = 0
    expired: int = 0
    refused: int = 0
    malformed: int = 0
    evicted: int = 0
    muted: int = 0
    dead: int = 0


class Exchange:
    """The signaling of all channels of a service."""

    def __init__(self, *, limits: ExchangeLimits | None = None, timers: Timers = DEFAULT_TIMERS) -> None:
        self.limits = limits or ExchangeLimits()
        self.timers = timers
        self.stats = ExchangeStats()
        self._channels: dict[str, Channel] = {}
        self._due: list[tuple[float, int, Connection | Channel]] = []
        self._order = count()
        self._connections = 0

    # ------------------------------------------------------------------------------------- questions

    def __len__(self) -> int:
        """How many sockets are open, the muted ones too."""
        return self._connections

    def connections(self) -> Iterator[Connection]:
        """All open sockets."""
        for channel in self._channels.values():
            yield from channel.all_connections()

    def count(self, role: Role) -> int:
        """How many clients of that role are connected and heard."""
        masters = sum(MASTER in channel.members for channel in self._channels.values())
        if role is Role.MASTER:
            return masters
        return sum(len(channel.members) for channel in self._channels.values()) - masters

    def has_master(self, channel_arn: str) -> bool:
        """Whether the channel's master is connected now."""
        channel = self._channels.get(channel_arn)
        return channel is not None and MASTER in channel.members

    def master(self, channel_arn: str) -> Connection | None:
        """The channel's master, if it is connected now."""
        channel = self._channels.get(channel_arn)
        return channel.members.get(MASTER) if channel is not None else None

    def check_admission(self, channel_arn: str, role: Role, client_id: str) -> None:
        """Raise ClientLimitExceeded when the channel is full. A viewer that replaces itself always fits."""
        channel = self._channels.get(channel_arn)
        if role is Role.MASTER or channel is None or client_id in channel.members:
            return
        if channel.viewers() >= self.limits.max_viewers:
            raise ClientLimitExceeded(
                f"The channel has {channel.viewers()} viewers, as many as it may have. "
                "Try again when one has left, or raise max_viewers.",
                reason=Reason.VIEWER_LIMIT,
            )

    def next_deadline(self) -> float | None:
        """When ``tick`` has something to do at the earliest."""
        return self._due[0][0] if self._due else None

    # --------------------------------------------------------------------------------- sockets come and go

    def connect(self, connection: Connection, *, ttl: float, now: float) -> list[Output]:
        """A socket is open. The newest of an id wins; what waited for it is sent. Raises ClientLimitExceeded."""
        self.check_admission(connection.channel_arn, connection.role, connection.client_id)
        channel = self._channels.get(connection.channel_arn)
        if channel is None:
            channel = self._channels[connection.channel_arn] = Channel(connection.channel_arn, ttl)
        channel.ttl = ttl
        key = connection.client_id
        outputs: list[Output] = []
        if (loser := channel.members.get(key)) is not None:
            outputs += self._evict(channel, key, loser, now)
        channel.members[key] = connection
        self._connections += 1
        outputs += channel.sockets_told(connection)
        if connection.role is Role.MASTER:
            outputs += channel.master_told_to_all()
        else:
            outputs += channel.master_told(connection)
        if (queue := channel.pending.get(key)) is not None:
            outputs += self._welcome(channel, connection, queue, now)
        self._schedule_check(connection)
        return outputs

    def _welcome(self, channel: Channel, connection: Connection, queue: PendingQueue, now: float) -> list[Output]:
        """What waited for the client of a new socket, but for a moment not what is likely to be stale.

        An answer that waits for a viewer is to an offer of an older socket of his, and an offer of a viewer that has
        left is likely to be followed by a newer one: a viewer that retries offers anew at once. So do those that have
        just been told that the master came; two offers would be two sessions at a master that is not ours.
        """
        self.stats.expired += queue.expire(now)
        stale: Set[str] = frozenset()
        if not self.timers.stale_hold:
            pass
        elif connection.role is Role.MASTER:
            members = channel.members
            offering = queue.senders_of(MessageType.SDP_OFFER.value)
            stale = {key for key in offering if key not in members or members[key].extras}
        else:
            stale = queue.senders_of(MessageType.SDP_ANSWER.value)
        outputs = self._relayed(connection, queue.take(now, but_of=stale))
        if queue:
            connection.held_until = now + self.timers.stale_hold
            queue.keep_until(connection.held_until + 1)
        else:
            del channel.pending[connection.client_id]
        return outputs

    def _release(self, connection: Connection, now: float) -> list[Output]:
        """The moment is over: what was held back is still wanted."""
        connection.held_until = 0.0
        queue = self._channels[connection.channel_arn].pending.pop(connection.client_id, None)
        return self._relayed(connection, queue.take(now)) if queue is not None else []

    def _relayed(self, connection: Connection, frames: list[bytes]) -> list[Output]:
        self.stats.relayed += len(frames)
        return [Send(connection, frame) for frame in frames]

    def disconnect(self, connection: Connection) -> list[Output]:
        """A socket is gone, for whatever reason. Repeatable."""
        if connection.closed:
            return []
        connection.closed = True
        self._connections -= 1
        channel = self._channels[connection.channel_arn]
        key = connection.client_id
        outputs: list[Output] = []
        channel.askers.discard(connection)
        if channel.members.get(key) is connection:
            del channel.members[key]
            if connection.role is Role.MASTER:
                channel.askers.clear()
                outputs += channel.master_told_to_all()
            else:
                outputs += channel.socket_told(connection, is_open=False)
                if connection.extras:
                    self._withdraw(channel, connection.client_id)
            if losers := channel.muted.get(key):
                # Its rival left. Closed, the newest loser comes back and is heard again.
                outputs.append(Close(losers[-1], CloseCode.REPLACED, "the other connection of this id has left"))
        elif connection in (losers := channel.muted.get(key, [])):
            losers.remove(connection)
            if not losers:
                del channel.muted[key]
        if key not in channel.members and key not in channel.muted:
            channel.evictions.pop(key, None)
        self._forget_if_empty(channel)
        return outputs

    def _withdraw(self, channel: Channel, client_id: str) -> None:
        """Our own viewers offer anew when they come back: an old offer would cost the master a session for nobody,
        and its answer would meet the viewer's next offer. Others keep KVS's semantics: what waits, waits for its TTL.
        """
        if (queue := channel.pending.get(MASTER)) is not None:
            queue.withdraw(client_id)
            if not queue:
                del channel.pending[MASTER]

    def _evict(self, channel: Channel, key: str, loser: Connection, now: float) -> list[Output]:
        self.stats.evicted += 1
        recent = channel.evictions.setdefault(key, deque())
        while recent and recent[0] <= now - self.timers.eviction_window:
            recent.popleft()
        recent.append(now)
        del channel.members[key]
        losers = channel.muted.setdefault(key, [])
        losers.append(loser)
        loser.muted_until = now + self.timers.mute
        outputs = told(loser, Reason.CLIENT_ID_IN_USE, _ANOTHER_MASTER if loser.role is Role.MASTER else "")
        if loser.role is Role.MASTER:
            # Gone and here again, at once: what the one before was told, the new one does not know.
            channel.askers.clear()
            loser.asked_until = 0.0
            outputs += channel.master_told_to_all()
        if len(recent) < 3:
            return [*outputs, Close(loser, CloseCode.REPLACED, "a newer connection of this id took over")]
        self.stats.muted += 1
        self._schedule_check(loser)
        outputs.append(Muted(loser, self.timers.mute))
        if len(losers) > self.limits.muted_per_id:
            outputs.append(Close(losers[0], CloseCode.REPLACED, "too many connections of this id"))
        return outputs

    def _forget_if_empty(self, channel: Channel) -> None:
        if channel.is_empty():
            self._channels.pop(channel.arn, None)

    # ------------------------------------------------------------------------------------------ messages

    def message(self, sender: Connection, message: ClientMessage, now: float) -> list[Output]:
        """A client sent a message: relay it, keep it for an absent recipient, or refuse it."""
        if sender.closed:
            return []
        sender.last_seen = sender.last_active = now
        sender.asked_until = 0.0
        channel = self._channels[sender.channel_arn]
        try:
            self._take_token(sender, channel, now)
            if sender.muted_until:
                raise InvalidArgument(
                    "Another connection of this client id has taken over; this one is not heard.",
                    reason=Reason.CLIENT_ID_IN_USE,
                )
            is_extra = sender.extras and message.action == _EXTRA_ACTION[sender.role]
            if message.action not in _ACTIONS and not is_extra:
                if message.action == _ASK and sender.extras and sender.client_id:
                    return self._asked(channel, sender, now)
                raise InvalidArgument(
                    f"The action {message.action[:40]!r} is not one of {', '.join(sorted(_ACTIONS))}."
                )
            if len(message.messagePayload) > MAX_PAYLOAD:
                raise InvalidArgument(
                    f"messagePayload has {len(message.messagePayload)} characters; it may have {MAX_PAYLOAD}."
                )
            if not message.messagePayload:
                raise InvalidArgument("messagePayload is missing.")
            payload = normalise_payload(message.messagePayload)
            if message.correlationId and not is_name(message.correlationId):
                raise InvalidArgument("correlationId must have 1 to 256 characters of A-Z a-z 0-9 _ . -")
            if sender.client_id:
                # Whatever recipient a viewer names, it talks to the master (KVS.md §5.2).
                recipient = MASTER
            else:
                recipient = message.recipientClientId
                # Who is connected has a name that was checked.
                if not recipient or not (recipient in channel.members or is_name(recipient)):
                    raise InvalidArgument(
                        "recipientClientId is missing: a master names the viewer it talks to."
                        if not recipient
                        else "recipientClientId must have 1 to 256 characters of A-Z a-z 0-9 _ . -"
                    )
            if sender.held_until and message.action == _OFFER:
                # It begins anew: what was meant for its older socket is of no use any more.
                sender.held_until = 0.0
                self.stats.overwritten += len(channel.pending.pop(sender.client_id, ()))
            frame = encode_relayed(message.action, payload, sender.client_id)
            peer = channel.members.get(recipient)
            if is_extra and (peer is None or not peer.extras):
                # Of no use to anybody but who is there now and understands it.
                raise InvalidArgument(f"The recipient is not connected, or takes no {message.action}.")
            if peer is not None and (is_extra or not peer.held_until):
                self.stats.relayed += 1
                return [Send(peer, frame)]
            if peer is not None and recipient == MASTER:
                return self._past_what_is_held(channel, sender, peer, message.action, frame, now)
            self._keep(channel, recipient, PendingMessage(sender.client_id, message.action, frame, now + channel.ttl))
        except MalformedMessage as error:
            return self._refused(sender, message, InvalidArgument(error.message), now)
        except KvsError as error:
            return self._refused(sender, message, error, now)
        if recipient == MASTER and message.action == _OFFER:
            return told(sender, Reason.CAMERA_OFFLINE)
        return []

    def _asked(self, channel: Channel, viewer: Connection, now: float) -> list[Output]:
        """A viewer asks whether the master lives. The reply shows that this socket does; a ping will show the rest."""
        outputs = channel.master_told(viewer)
        master = channel.members.get(MASTER)
        if master is None:
            return outputs
        if not master.asked_until:
            channel.askers.clear()  # it has given the sign of life that they waited for
            master.asked_until = now + self.timers.asked
            if master.asked_until < master.check_due:
                self._schedule_check(master, now)
            outputs.append(Ping(master))
        channel.askers.add(viewer)
        return outputs

    def _silent(self, channel: Channel, master: Connection) -> list[Output]:
        """A master was asked for and gave no sign of life."""
        self.stats.dead += 1
        askers = [member for member in channel.members.values() if member in channel.askers]
        outputs = [output for asker in askers for output in told(asker, Reason.CAMERA_SILENT)]
        return [*outputs, Drop(master, f"no sign of life within {self.timers.asked:g} s of being asked for")]

    def _past_what_is_held(
        self, channel: Channel, viewer: Connection, master: Connection, action: str, frame: bytes, now: float
    ) -> list[Output]:
        """A message to a master for which messages are held back: after those of the same viewer, or in their place."""
        outputs: list[Output] = []
        if (queue := channel.pending.get(MASTER)) is not None:
            if action == _OFFER:
                self.stats.overwritten += queue.withdraw(viewer.client_id)
            elif viewer.extras and queue.count_from(viewer.client_id):
                # It is about to offer anew, with all candidates that it has.
                self._keep(channel, MASTER, PendingMessage(viewer.client_id, action, frame, now + channel.ttl))
                return []
            else:
                outputs = self._relayed(master, queue.take_of(viewer.client_id, now))
        self.stats.relayed += 1
        return [*outputs, Send(master, frame)]

    def malformed(self, sender: Connection, now: float) -> list[Output]:
        """A client sent something that is no message; without a correlation id there is nobody to tell."""
        if sender.closed:
            return []
        sender.last_seen = sender.last_active = now
        sender.asked_until = 0.0
        self.stats.malformed += 1
        return self._count_refusal(sender, now)

    def _take_token(self, sender: Connection, channel: Channel, now: float) -> None:
        rate = self.limits.message_rate
        if not sender.client_id:
            rate *= 1 + channel.viewers()
        tokens, most = sender.tokens, 2 * rate
        tokens = tokens + (now - sender.tokens_at) * rate if tokens >= 0 else most
        if tokens > most:
            tokens = most
        sender.tokens_at = now
        if tokens < 1:
            sender.tokens = tokens
            raise ClientLimitExceeded(f"Too many messages: this socket may send {rate:.0f} per second.")
        sender.tokens = tokens - 1

    def _keep(self, channel: Channel, recipient: str, message: PendingMessage) -> None:
        queue = channel.pending.get(recipient)
        if queue is None:
            queue = channel.pending[recipient] = PendingQueue()
        elif message.kind == MessageType.ICE_CANDIDATE and queue.count_from(message.sender) >= (
            self.limits.pending_per_sender
        ):
            raise ClientLimitExceeded(
                f"{self.limits.pending_per_sender} messages wait for the recipient already, which is not connected."
            )
        if sum(map(len, channel.pending.values())) >= self.limits.pending_per_channel:
            if not queue:
                del channel.pending[recipient]
            raise ClientLimitExceeded("Too many messages of this channel wait for recipients that are not connected.")
        self.stats.queued += 1
        self.stats.overwritten += queue.put(message)
        heapq.heappush(self._due, (message.expires_at, next(self._order), channel))

    def _refused(self, sender: Connection, message: ClientMessage, error: KvsError, now: float) -> list[Output]:
        self.stats.refused += 1
        outputs: list[Output] = []
        if message.action == _OFFER and sender.client_id:
            # Else a viewer would wait for an answer to what nobody got.
            reason = Reason.BAD_OFFER if error.reason is Reason.BAD_REQUEST else error.reason
            outputs += told(sender, reason, error.message)
        if message.correlationId:
            status = Status(message.correlationId[:256], error.kvs_name, str(error.http_status), error.message[:1000])
            outputs.append(Send(sender, encode_status(status)))
        return outputs + self._count_refusal(sender, now)

    def _count_refusal(self, sender: Connection, now: float) -> list[Output]:
        """One who goes on and on is cut off: reading his messages costs the others."""
        if now - sender.refused_since > 10:
            sender.refused, sender.refused_since = 0, now
        sender.refused += 1
        if sender.refused <= 20 * self.limits.message_rate:
            return []
        return dismissed(
            sender, Reason.TOO_MANY_REQUESTS, CloseCode.POLICY, "too many messages that cannot be accepted"
        )

    # ------------------------------------------------------------------------------------ time and control

    def seen(self, connection: Connection, now: float, *, active: bool) -> None:
        """A ping (``active``) or a pong came in. KVS clients keep a socket from idling out by pings."""
        connection.last_seen = now
        connection.asked_until = 0.0
        if active:
            connection.last_active = now

    def tick(self, now: float) -> list[Output]:
        """Do what has become due: pings, dead peers, idle and old sockets, the ends of mutes, expired messages."""
        outputs: list[Output] = []
        while self._due and self._due[0][0] <= now:
            due, _, subject = heapq.heappop(self._due)
            if isinstance(subject, Channel):
                self._expire(subject, now)
            elif not subject.closed and due == subject.check_due:
                outputs += self._check(subject, now)
        return outputs

    def _expire(self, channel: Channel, now: float) -> None:
        for recipient, queue in list(channel.pending.items()):
            self.stats.expired += queue.expire(now)
            if not queue:
                del channel.pending[recipient]
        if self._channels.get(channel.arn) is channel:
            self._forget_if_empty(channel)

    def _check(self, connection: Connection, now: float) -> list[Output]:
        timers = self.timers
        if connection.held_until and now >= connection.held_until:
            outputs = self._release(connection, now)
            self._schedule_check(connection, now)
            return outputs
        if connection.muted_until and now >= connection.muted_until:
            return [Close(connection, CloseCode.REPLACED, "a newer connection of this id took over")]
        if timers.lifetime and now >= (connection.leaves_at or connection.opened_at + timers.lifetime):
            if connection.obeys_go_away and not connection.leaves_at and not connection.muted_until:
                connection.leaves_at = now + timers.go_away
                self._schedule_check(connection, now)
                return [Send(connection, encode_go_away())]
            return [Close(connection, CloseCode.LIFETIME, "the socket is as old as it may be; connect again")]
        if timers.idle and now >= connection.last_active + timers.idle:
            return [Close(connection, CloseCode.IDLE, "no traffic; connect again")]
        if connection.asked_until and now >= connection.asked_until:
            return self._silent(self._channels[connection.channel_arn], connection)
        if now >= connection.last_seen + timers.dead:
            self.stats.dead += 1
            return [Drop(connection, f"no sign of life for {timers.dead:g} s")]
        self._schedule_check(connection, now)
        if now >= connection.last_seen + timers.ping:
            return [Ping(connection)]
        return []

    def _schedule_check(self, connection: Connection, now: float = 0.0) -> None:
        timers = self.timers
        silence = connection.last_seen + timers.ping
        due = [silence if silence > now else connection.last_seen + timers.dead]
        if connection.muted_until:
            due.append(connection.muted_until)
        if connection.held_until:
            due.append(connection.held_until)
        if connection.asked_until:
            due.append(connection.asked_until)
        if timers.lifetime:
            due.append(connection.leaves_at or connection.opened_at + timers.lifetime)
        if timers.idle:
            due.append(connection.last_active + timers.idle)
        connection.check_due = min(due)
        heapq.heappush(self._due, (connection.check_due, next(self._order), connection))

    def set_ttl(self, channel_arn: str, ttl: float) -> None:
        """The channel's message TTL changed; it applies to new messages only (KVS.md §2.5)."""
        if (channel := self._channels.get(channel_arn)) is not None:
            channel.ttl = ttl

    def close_channel(self, channel_arn: str) -> list[Output]:
        """The channel was deleted: its sockets close, its messages are forgotten."""
        channel = self._channels.get(channel_arn)
        if channel is None:
            return []
        channel.pending.clear()
        members = channel.all_connections()
        self._forget_if_empty(channel)
        return [
            output
            for member in members
            for output in dismissed(member, Reason.UNKNOWN_CHANNEL, CloseCode.CHANNEL_GONE, "the channel was deleted")
        ]

    def revoke(self, access_key_id: str, reason: Reason = Reason.NOT_ALLOWED) -> list[Output]:
        """A key was revoked: its sockets close, and those with extras are told that reason."""
        text = "the key or link of this connection is no longer valid"
        outputs: list[Output] = []
        for connection in self.connections():
            if connection.access_key_id == access_key_id:
                # Its master hears it with the socket's end: what is seen may go on, what is commanded may not.
                connection.viewer_role = None
                outputs += dismissed(connection, reason, CloseCode.NOT_ALLOWED, text)
        return outputs

    def shut_down(self) -> list[Output]:
        """GO_AWAY to those who obey it, close 1001 to all, spread over time; those who obey come last."""
        polite = [connection for connection in self.connections() if connection.obeys_go_away]
        others = [connection for connection in self.connections() if not connection.obeys_go_away]
        outputs: list[Output] = [Send(connection, encode_go_away()) for connection in polite]
        spread = self.timers.shutdown_spread
        for index, connection in enumerate(others):
            outputs.append(
                Close(connection, CloseCode.GOING_AWAY, "the service is stopping", index * spread / len(others))
            )
        for connection in polite:
            outputs.append(Close(connection, CloseCode.GOING_AWAY, "the service is stopping", spread))
        return outputs

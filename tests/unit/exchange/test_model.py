"""The exchange against a model of it: any order of events, and what must hold after each.

The model is written in other terms than the exchange: it keeps the whole history of each pair and says what a socket
may be told, not how.
"""

from __future__ import annotations

import base64
import json
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import count

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from sightline.errors import ClientLimitExceeded
from sightline.exchange import Close, Connection, Drop, Exchange, ExchangeLimits, Muted, Output, Ping, Role, Send
from sightline.timers import Timers
from sightline.wire.close_codes import CloseCode
from sightline.wire.messages import ClientMessage

from .room import payload

CHANNELS = ("arn:aws:kinesisvideo:r:000000000000:channel/a/1", "arn:aws:kinesisvideo:r:000000000000:channel/b/1")
IDS = ("", "v1", "v2", "v3")
"""The empty one is the master."""
LIMITS = ExchangeLimits(max_viewers=2, message_rate=4, pending_per_sender=3, pending_per_channel=6, muted_per_id=2)
# Nothing is held back here: test_delivery.py has that.
TIMERS = Timers(ping=20, dead=40, asked=2, idle=90, lifetime=300, go_away=60, eviction_window=60, mute=60, stale_hold=0)
ADDRESSES = st.tuples(st.sampled_from((*CHANNELS[:1] * 4, CHANNELS[1])), st.sampled_from(IDS))
WHO = st.integers(0, 1000)
"""Picks one of the open sockets, or one of those that are gone."""
SDP = ("SDP_OFFER", "SDP_ANSWER")


@dataclass(eq=False)
class Sock:
    """A socket as the model sees it."""

    channel: str
    id: str
    connection: Connection
    key: str
    polite: bool
    extras: bool
    opened: float
    seen: float
    heard: bool = True
    told_to_close: list[CloseCode] = field(default_factory=list)
    dropped: bool = False
    evicted_at: float | None = None
    muted: bool = False
    camera: tuple[bool, bool] | None = None
    """What a viewer with extras was told last: whether the master is there, whether it is ours."""
    sockets: set[str] = field(default_factory=set)
    """Which viewers' sockets are open, as a master with extras was told."""
    reasons: list[str] = field(default_factory=list)
    asked_to_go: float | None = None
    asked_at: float | None = None
    """Since when a master has owed a sign of life."""


@dataclass
class Waiting:
    """A message that waits for an absent peer."""

    text: str
    sender: str
    kind: str
    until: float


class ExchangeModel(RuleBasedStateMachine):
    """One exchange, two channels, a master and three viewers each, and a clock that only goes on."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1000.0
        self.exchange = Exchange(limits=LIMITS, timers=TIMERS)
        self.open: list[Sock] = []
        self.gone: list[Sock] = []
        self.current: dict[tuple[str, str], Sock] = {}
        self.waiting: dict[tuple[str, str], list[Waiting]] = defaultdict(list)
        self.ttl = dict.fromkeys(CHANNELS, 60.0)
        self.numbers = count()
        self.evictions: dict[tuple[str, str], list[float]] = defaultdict(list)

    # -------------------------------------------------------------------------------------- what happens

    @initialize()
    def somebody_is_there(self) -> None:
        self._connect(CHANNELS[0], "v1", "A", False, True)

    @rule(at=ADDRESSES, key=st.sampled_from("AB"), polite=st.booleans(), extras=st.booleans())
    def connect(self, at: tuple[str, str], key: str, polite: bool, extras: bool) -> None:
        self._connect(*at, key, polite, extras)

    @precondition(lambda self: self.open)
    @rule(who=WHO, times=st.integers(1, 3))
    def connect_once_more(self, who: int, times: int) -> None:
        sock = self._open(who)
        for _ in range(times):
            self._connect(sock.channel, sock.id, sock.key, sock.polite, sock.extras)

    @rule(extras=st.booleans())
    def all_come(self, extras: bool) -> None:
        for id in IDS:
            self._connect(CHANNELS[0], id, "A", False, extras)

    @precondition(lambda self: any(self.waiting.values()))
    @rule(early=st.booleans())
    def somebody_comes_at_the_last_moment(self, early: bool) -> None:
        """And nobody has looked at the deadlines."""
        (channel, id), queue = next((at, queue) for at, queue in self.waiting.items() if queue)
        self.now = max(self.now, queue[0].until - (0.125 if early else 0.0))
        self._connect(channel, id, "A", False, False)

    def _open(self, who: int) -> Sock:
        return self.open[who % len(self.open)]

    def _connect(self, channel: str, id: str, key: str, polite: bool, extras: bool) -> None:
        role = Role.VIEWER if id else Role.MASTER
        connection = Connection(channel, role, id, access_key_id=key, obeys_go_away=polite, extras=extras, now=self.now)
        new = Sock(channel, id, connection, key, polite, extras, self.now, self.now)
        connection.shell = new
        others = [sock for (c, i), sock in self.current.items() if c == channel and i and i != id]
        try:
            outputs = self.exchange.connect(connection, ttl=self.ttl[channel], now=self.now)
        except ClientLimitExceeded:
            assert id
            assert (channel, id) not in self.current
            assert len(others) == LIMITS.max_viewers
            return
        assert not id or len(others) < LIMITS.max_viewers
        old = self.current.get((channel, id))
        self.open.append(new)
        self.current[channel, id] = new
        if old is not None:
            self._evicted(old, outputs)
        # What waited comes at once, in order, and nothing whose time is over.
        waited = [message for message in self.waiting.pop((channel, id), []) if message.until > self.now]
        assert self._texts(outputs, to=new) == [(m.kind, m.sender, m.text) for m in waited]
        self._perform(outputs)

    def _evicted(self, old: Sock, outputs: list[Output]) -> None:
        old.heard = False
        old.evicted_at = self.now
        old.asked_at = None
        assert self._reasons(outputs, to=old) == ["client-id-in-use"] * old.extras
        muted = [output for output in outputs if isinstance(output, Muted)]
        closes = [output for output in outputs if isinstance(output, Close) and output.to is old.connection]
        times = self.evictions[old.channel, old.id]
        times.append(self.now)
        lately = sum(time > self.now - TIMERS.eviction_window for time in times)
        assert bool(muted) == (lately >= 3), "the third eviction within a minute mutes"
        if muted:
            assert [output.to for output in muted] == [old.connection]
            assert closes == [] or len(self.open) > LIMITS.muted_per_id
            old.muted = True
        else:
            assert [close.code for close in closes] == [CloseCode.REPLACED]

    @precondition(lambda self: self.open)
    @rule(who=WHO)
    def leave(self, who: int) -> None:
        self._gone(self._open(who))

    @rule()
    def those_leave_that_were_told_to(self) -> None:
        for sock in [sock for sock in self.open if sock.told_to_close or sock.dropped]:
            self._gone(sock)

    def _gone(self, sock: Sock) -> None:
        self.open.remove(sock)
        self.gone.append(sock)
        was_current = self.current.get((sock.channel, sock.id)) is sock
        if was_current:
            del self.current[sock.channel, sock.id]
        outputs = self.exchange.disconnect(sock.connection)
        if was_current and sock.id and sock.extras:
            self._takes_back(sock)
        rivals = [s for s in self.open if (s.channel, s.id) == (sock.channel, sock.id)]
        if not rivals:
            self.evictions.pop((sock.channel, sock.id), None)
        if was_current and rivals:
            # The newest loser is asked to come back.
            (close,) = _kvs(outputs)
            assert isinstance(close, Close)
            assert close.to is max(rivals, key=lambda rival: (rival.evicted_at, self.open.index(rival))).connection
        else:
            assert _kvs(outputs) == []
        self._perform(outputs)
        assert self.exchange.disconnect(sock.connection) == []

    def _takes_back(self, sock: Sock) -> None:
        """A viewer of ours leaves: it offers anew when it comes back."""
        queue = self.waiting[sock.channel, ""]
        queue[:] = [message for message in queue if message.sender != sock.id]

    @precondition(lambda self: self.open)
    @rule(who=WHO, payload=st.sampled_from(("", "e30=")))
    def ask(self, who: int, payload: str) -> None:
        sock = self._open(who)
        refused = self.exchange.stats.refused
        outputs = self.exchange.message(sock.connection, ClientMessage("sightline/ask", payload, "", ""), self.now)
        sock.seen, sock.asked_at = self.now, None
        before, sock.camera = sock.camera, None
        self._perform(outputs)
        master = self.current.get((sock.channel, ""))
        if self.exchange.stats.refused > refused:
            assert sock.camera is None
            assert len(outputs) == len(_closes(outputs)) * (1 + sock.extras), "only who floods is told, and closed"
            sock.camera = before
            return
        assert sock.extras
        assert sock.heard
        assert sock.id
        assert sock.camera is not None, "asking is answered at once"
        pings = [output.to for output in outputs if isinstance(output, Ping)]
        assert pings == ([master.connection] if master is not None and master.asked_at is None else [])
        assert len(outputs) == 1 + len(pings)
        if pings:
            master.asked_at = self.now

    @precondition(lambda self: self.open)
    @rule(
        who=WHO,
        to=st.sampled_from(("v1", "v2", "v3", "", "not a name", "absent")),
        kind=st.sampled_from((*SDP, *SDP, *["ICE_CANDIDATE"] * 4, "GO_AWAY")),
        good=st.sampled_from((True, True, True, True, True, True, False)),
        correlation=st.sampled_from(("", "c1")),
        times=st.sampled_from((1, 1, 1, 2, 4, 12)),
    )
    def say(self, who: int, to: str, kind: str, good: bool, correlation: str, times: int) -> None:
        for _ in range(times):
            self._say(self._open(who), to, kind, good, correlation)

    @precondition(lambda self: self.open)
    @rule(who=WHO, to=st.sampled_from(("v1", "v2", "v3", "absent")))
    def offer_and_candidates(self, who: int, to: str) -> None:
        for kind in ("SDP_OFFER", "ICE_CANDIDATE", "ICE_CANDIDATE"):
            self._say(self._open(who), to, kind, True, "")

    @precondition(lambda self: self.gone)
    @rule(who=WHO, kind=st.sampled_from(SDP))
    def somebody_who_is_gone_speaks(self, who: int, kind: str) -> None:
        sock = self.gone[who % len(self.gone)]
        message = ClientMessage(kind, payload("x"), "v1", "c1")
        assert self.exchange.message(sock.connection, message, self.now) == []
        ask = ClientMessage("sightline/ask", "", "", "")
        assert self.exchange.message(sock.connection, ask, self.now) == []
        assert self.exchange.malformed(sock.connection, self.now) == []

    def _say(self, sock: Sock, to: str, kind: str, good: bool, correlation: str) -> None:
        text = f"{next(self.numbers)}"
        message = ClientMessage(kind, payload(text) if good else "***", to, correlation)
        refused = self.exchange.stats.refused
        outputs = self.exchange.message(sock.connection, message, self.now)
        sock.seen, sock.asked_at = self.now, None
        self._perform(outputs)
        reasons = self._reasons(outputs, to=sock)
        assert not reasons or (sock.id and sock.extras and kind == "SDP_OFFER") or _closes(outputs)
        statuses = self._statuses(outputs, to=sock)
        if self.exchange.stats.refused > refused:
            # Told to the sender alone, and only when it gave a correlation id; nobody else hears anything.
            assert len(statuses) == (1 if correlation else 0)
            assert all(output.to is sock.connection for output in outputs)
            assert all(status["correlationId"] == correlation for status in statuses)
            assert all(status["statusCode"] == "400" for status in statuses)
            assert self._texts(outputs, to=sock) == []
            return
        assert statuses == []
        # It was accepted: so it was right, and its sender is the one that counts.
        assert good
        assert kind != "GO_AWAY"
        assert sock.heard
        recipient = "" if sock.id else to
        assert sock.id or (to and " " not in to)
        peer = self.current.get((sock.channel, recipient))
        if peer is not None:
            (send,) = outputs
            assert self._texts([send], to=peer) == [(kind, sock.id, text)]
            assert bool(peer.id) != bool(sock.id), "a viewer never talks to a viewer"
            return
        assert _kvs(outputs) == []
        assert reasons == ["camera-offline"] * (kind == "SDP_OFFER" and bool(sock.id) and sock.extras)
        queue = self.waiting[sock.channel, recipient]
        new = Waiting(text, sock.id, kind, self.now + self.ttl[sock.channel])
        same = [m for m in queue if kind in SDP and (m.kind, m.sender) == (kind, sock.id)]
        if same:
            queue[queue.index(same[0])] = new
        else:
            queue.append(new)

    @precondition(lambda self: self.open)
    @rule(who=WHO, times=st.sampled_from((1, 10, 100)))
    def junk(self, who: int, times: int) -> None:
        sock = self._open(who)
        for _ in range(times):
            outputs = self.exchange.malformed(sock.connection, self.now)
            sock.seen, sock.asked_at = self.now, None
            assert all(isinstance(output, Close) and output.code is CloseCode.POLICY for output in _kvs(outputs))
            assert self._reasons(outputs, to=sock) == ["too-many-requests"] * (sock.extras and bool(outputs))
            self._perform(outputs)

    @precondition(lambda self: self.open)
    @rule(who=WHO, active=st.booleans())
    def ping_or_pong(self, who: int, active: bool) -> None:
        sock = self._open(who)
        sock.seen, sock.asked_at = self.now, None
        self.exchange.seen(sock.connection, self.now, active=active)

    @rule(seconds=st.sampled_from((5.0, 30.0, 60.0)))
    def a_tick_is_late(self, seconds: float) -> None:
        """The clock goes on and nobody has looked at the deadlines yet."""
        self.now += seconds

    @rule(seconds=st.sampled_from((0.125, 1.0, 7.0, 19.0, 21.0, 45.0)))
    def time_passes(self, seconds: float) -> None:
        end = self.now + seconds
        while (due := self.exchange.next_deadline()) is not None and due <= end:
            self.now = max(self.now, due)
            outputs = self.exchange.tick(self.now)
            for address, queue in list(self.waiting.items()):
                self.waiting[address] = [message for message in queue if message.until > self.now]
            for output in _kvs(outputs):
                self._was_due(output)
            silent = {s.channel for s in self.open if s.asked_at is not None and self.now >= s.asked_at + TIMERS.asked}
            for output in outputs:
                if output not in _kvs(outputs):
                    assert self._reasons([output], to=output.to.shell) == ["camera-silent"]  # type: ignore[arg-type]
                    assert output.to.channel_arn in silent
            self._perform(outputs)
        self.now = end
        # A socket that was told to close and does not is cut by its shell.
        for sock in [s for s in self.open if s.told_to_close or s.dropped]:
            self._gone(sock)

    def _was_due(self, output: Output) -> None:
        sock = output.to.shell
        assert isinstance(sock, Sock)
        silent = self.now - sock.seen
        match output:
            case Ping():
                assert TIMERS.ping <= silent < TIMERS.dead
                assert not sock.dropped
            case Drop():
                asked = sock.asked_at is not None and self.now >= sock.asked_at + TIMERS.asked
                assert asked or silent >= TIMERS.dead
            case Close(code=CloseCode.REPLACED):
                assert sock.evicted_at is not None
                assert self.now >= sock.evicted_at + TIMERS.mute
            case Close(code=CloseCode.IDLE):
                assert self.now >= sock.opened + TIMERS.idle
            case Close(code=CloseCode.LIFETIME):
                assert self.now >= sock.opened + TIMERS.lifetime
                assert sock.muted or not sock.polite or (sock.asked_to_go is not None)
                if not sock.muted and sock.asked_to_go is not None:
                    assert self.now >= sock.asked_to_go + TIMERS.go_away
            case Send(frame=b'{"messageType":"GO_AWAY"}'):
                assert sock.polite
                assert sock.asked_to_go is None, "once is enough"
                assert self.now >= sock.opened + TIMERS.lifetime
                sock.asked_to_go = self.now
            case _:
                raise AssertionError(output)

    @rule(channel=st.sampled_from(CHANNELS), ttl=st.sampled_from((5.0, 30.0, 120.0)))
    def set_ttl(self, channel: str, ttl: float) -> None:
        self.ttl[channel] = ttl
        self.exchange.set_ttl(channel, ttl)

    @rule(channel=st.sampled_from(CHANNELS))
    def delete(self, channel: str) -> None:
        outputs = self.exchange.close_channel(channel)
        for address in [address for address in self.waiting if address[0] == channel]:
            del self.waiting[address]
        expected = [s for s in self.open if s.channel == channel]
        self._all_closed(outputs, expected, CloseCode.CHANNEL_GONE, reason="unknown-channel")

    @rule(key=st.sampled_from("AB"))
    def revoke(self, key: str) -> None:
        outputs = self.exchange.revoke(key)
        expected = [s for s in self.open if s.key == key]
        self._all_closed(outputs, expected, CloseCode.NOT_ALLOWED, reason="not-allowed")

    @precondition(lambda self: len(self.open) >= 4)
    @rule()
    def shut_down(self) -> None:
        outputs = self.exchange.shut_down()
        assert _kvs(outputs) == outputs
        told = [output.to for output in outputs if isinstance(output, Send)]
        assert sorted(map(id, told)) == sorted(id(sock.connection) for sock in self.open if sock.polite)
        closes = [output for output in outputs if isinstance(output, Close)]
        assert all(0 <= close.after <= TIMERS.shutdown_spread for close in closes)
        self._all_closed(closes, list(self.open), CloseCode.GOING_AWAY)

    def _all_closed(
        self, outputs: Iterable[Output], expected: list[Sock], code: CloseCode, *, reason: str = ""
    ) -> None:
        outputs = list(outputs)
        closes = _kvs(outputs)
        assert all(isinstance(output, Close) and output.code is code for output in closes)
        assert sorted(id(output.to) for output in closes) == sorted(id(sock.connection) for sock in expected)
        for sock in expected:
            assert self._reasons(outputs, to=sock) == [reason] * (sock.extras and bool(reason))
        self._perform(outputs)
        for sock in list(expected):
            self._gone(sock)

    # ------------------------------------------------------------------------------------ what must hold

    def _perform(self, outputs: Iterable[Output]) -> None:
        for output in outputs:
            sock = output.to.shell
            assert isinstance(sock, Sock)
            assert sock in self.open, f"{output} for a socket that is gone"
            match output:
                case Send():
                    frame = json.loads(output.frame)
                    kind = frame["messageType"]
                    if kind.startswith("sightline/"):
                        self._told(sock, kind, frame)
                    else:
                        assert sock.heard or kind == "STATUS_RESPONSE", "a muted socket was sent a message"
                case Close():
                    sock.told_to_close.append(output.code)
                case Drop():
                    sock.dropped = True

    def _told(self, sock: Sock, kind: str, frame: dict[str, str]) -> None:
        assert sock.extras, "it did not ask for any of this"
        content = json.loads(base64.b64decode(frame["messagePayload"]))
        match kind:
            case "sightline/master":
                assert sock.heard
                assert sock.id
                sock.camera = content["present"], content["ours"]
            case "sightline/viewer":
                assert sock.heard
                assert not sock.id
                (sock.sockets.add if content["open"] else sock.sockets.discard)(frame["senderClientId"])
            case "sightline/notice":
                sock.reasons.append(content["reason"])
            case _:
                raise AssertionError(frame)

    def _reasons(self, outputs: Iterable[Output], *, to: Sock) -> list[str]:
        frames = [json.loads(o.frame) for o in outputs if isinstance(o, Send) and o.to is to.connection]
        return [
            json.loads(base64.b64decode(frame["messagePayload"]))["reason"]
            for frame in frames
            if frame["messageType"] == "sightline/notice"
        ]

    def _texts(self, outputs: Iterable[Output], *, to: Sock) -> list[tuple[str, str, str]]:
        found = []
        for output in outputs:
            if isinstance(output, Send) and output.to is to.connection:
                frame = json.loads(output.frame)
                if "messagePayload" in frame and not frame["messageType"].startswith("sightline/"):
                    text = _TEXTS[frame["messagePayload"]]
                    found.append((frame["messageType"], frame.get("senderClientId", ""), text))
        return found

    def _statuses(self, outputs: Iterable[Output], *, to: Sock) -> list[dict[str, str]]:
        frames = [json.loads(o.frame) for o in outputs if isinstance(o, Send) and o.to is to.connection]
        return [frame["statusResponse"] for frame in frames if frame["messageType"] == "STATUS_RESPONSE"]

    @invariant()
    def all_open_sockets_are_known_once(self) -> None:
        known = list(self.exchange.connections())
        assert len(known) == len(set(map(id, known))) == len(self.exchange)
        assert set(map(id, known)) == {id(sock.connection) for sock in self.open}

    @invariant()
    def one_is_heard_of_each_id(self) -> None:
        heard = [(sock.channel, sock.id) for sock in self.open if sock.heard]
        assert len(heard) == len(set(heard))
        masters = sum(1 for _, id in self.current if not id)
        assert self.exchange.count(Role.MASTER) == masters
        assert self.exchange.count(Role.VIEWER) == len(self.current) - masters
        for channel in CHANNELS:
            assert self.exchange.has_master(channel) == ((channel, "") in self.current)
            assert sum(1 for c, id in self.current if c == channel and id) <= LIMITS.max_viewers

    @invariant()
    def what_nobody_needs_is_forgotten(self) -> None:
        """Channels without sockets and without messages, and sockets that are gone."""
        for channel in self.exchange._channels.values():
            assert channel.members or channel.muted or channel.pending
            assert all(channel.muted.values())
            assert all(len(queue) for queue in channel.pending.values())
            assert sum(map(len, channel.pending.values())) <= LIMITS.pending_per_channel
            assert set(channel.evictions) <= set(channel.members) | set(channel.muted)

    @invariant()
    def all_know_who_is_there(self) -> None:
        """Those with extras, that are heard: viewers their master, a master its viewers."""
        for (channel, id), sock in self.current.items():
            if id and sock.extras:
                master = self.current.get((channel, ""))
                assert sock.camera == (master is not None, master is not None and master.extras)
            elif not id and sock.extras:
                assert sock.sockets == {i for c, i in self.current if c == channel and i}

    @invariant()
    def a_camera_that_owes_a_sign_of_life_is_looked_after(self) -> None:
        for sock in self.current.values():
            due = self.exchange.next_deadline()
            if sock.asked_at is not None and not sock.dropped:
                assert due is not None
                assert due <= sock.asked_at + TIMERS.asked

    @invariant()
    def losers_do_not_stay(self) -> None:
        """Each is muted or was told to go; and of the muted not too many stay."""
        for sock in self.open:
            assert sock.heard or sock.muted or sock.told_to_close or sock.dropped

    def teardown(self) -> None:
        for sock in list(self.open):
            self._gone(sock)
        self.now += 1000
        assert self.exchange.tick(self.now) == []
        assert not self.exchange._channels
        assert self.exchange.next_deadline() is None


def _kvs(outputs: Iterable[Output]) -> list[Output]:
    """All but what only those with extras see."""
    return [o for o in outputs if not (isinstance(o, Send) and b'"sightline/' in o.frame)]


def _closes(outputs: Iterable[Output]) -> list[Close]:
    return [output for output in outputs if isinstance(output, Close)]


_TEXTS = {payload(str(number)): str(number) for number in range(10_000)}

TestExchangeModel = ExchangeModel.TestCase
TestExchangeModel.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)

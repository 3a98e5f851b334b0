"""The machine. Its states and timers are the page's, word for word."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from .messages import (
    Accept,
    AcceptAnswer,
    AcceptOffer,
    AddCandidate,
    Answer,
    Begin,
    Broken,
    CallState,
    Candidate,
    Decline,
    Description,
    End,
    HangUp,
    Input,
    MakeOffer,
    Media,
    MediaFailed,
    Name,
    NegotiationNeeded,
    Network,
    Offer,
    OpenMedia,
    Output,
    Peer,
    Place,
    RemoteHangUp,
    Repeat,
    SendHangUp,
    Socket,
    State,
    Undeliverable,
    Users,
)
from .options import CallOptions

__all__ = ["CallMachine", "fingerprint_of"]

_MAX_CANDIDATES: Final = 200
"""Candidates that wait for a person to accept."""

_FINGERPRINT: Final = re.compile(r"^a=fingerprint:(.+?)\s*$", re.MULTILINE)


class CallMachine:
    """``take`` and ``tick`` give what is to be done, in order; ``now`` is in seconds, monotonic.

    When both call each other at once, one call comes of it, without ringing. Offers that cross are settled as in
    "perfect negotiation" (WebRTC 1.0 §10.7): the polite side takes back its own and answers, the other ignores what
    comes in. Polite is the one whose name is the greater in code units of UTF-16, which both sides know.
    """

    def __init__(self, options: CallOptions | None = None, *, name: str = "") -> None:
        self.state = CallState.IDLE
        self.peer: str | None = None
        """Who is at the other end, also of the call that ended last."""
        self.reason: str | None = None
        """How the last call ended; None while there is one."""
        self._options = options or CallOptions()
        self._name = name
        self._outputs: list[Output] = []
        self._is_caller = False
        self._has_media = False
        self._outstanding = False
        """An offer of ours is out and not answered."""
        self._wants_offer = False
        """Something changed while an offer was out: another one is due."""
        self._wants_restart = False
        self._held: Description | None = None
        """An offer that waits for a person, or for what is to be sent."""
        self._candidates: list[dict[str, object]] = []
        self._fingerprint = ""
        self._socket_open = True
        self._deadline: float | None = None
        self._restart_at: float | None = None
        self._reconnecting_since = 0.0
        self._absent_since: float | None = None
        """Since when the other side is not in the room."""

    @property
    def is_busy(self) -> bool:
        """Whether there is a call, or one that rings."""
        return self.state not in (CallState.IDLE, CallState.ENDED)

    def next_deadline(self) -> float | None:
        """When ``tick`` is wanted next."""
        return min((due for due in (self._deadline, self._restart_at) if due is not None), default=None)

    def take(self, message: Input, now: float) -> Sequence[Output]:
        """Something happened."""
        match message:
            case Name(name=name):
                self._name = name
            case Place(to=to):
                self._place(to, now)
            case Accept():
                self._accept(now)
            case Decline():
                if self.state is CallState.RINGING:
                    self._end("refused", "declined")
            case HangUp(reason=reason):
                self._hang_up(reason)
            case Media():
                self._media(now)
            case MediaFailed(reason=reason):
                self._media_failed(reason)
            case Offer():
                self._offer(message.sender, message.description, now)
            case Answer():
                self._answer(message.sender, message.description, now)
            case Candidate():
                self._candidate(message)
            case RemoteHangUp():
                if self._is_peer(message.sender):
                    self._remote_hang_up(message.reason)
            case Undeliverable(to=who):
                if self.state is CallState.CALLING and who in (None, self.peer):
                    self._end("gone", None)
            case Users(users=users):
                self._users(users, now)
            case Peer(state=state):
                self._follow(state, now)
            case NegotiationNeeded():
                if self._is_up:  # the first offer has all there is
                    self._wants_offer = True
                    self._negotiate_again()
            case Broken():
                if self.is_busy:
                    self._end("internal", "failed")
            case Socket(open=is_open):
                self._socket(is_open, now)
            case Network():
                if self._is_up:
                    self._restart(now)
        return self._drain()

    def tick(self, now: float) -> Sequence[Output]:
        """Time has passed."""
        if self._deadline is not None and now >= self._deadline:
            self._deadline = None
            match self.state:
                case CallState.RINGING:
                    self._end("missed", "no-answer")
                case CallState.CALLING | CallState.CONNECTING if not self._has_media:
                    # The browser's question is not answered: nobody rang there, and no firewall is in the way.
                    self._end("media-unanswered", "no-answer")
                case CallState.CALLING:
                    self._end("no-answer", "cancelled")
                case CallState.CONNECTING:
                    self._end("no-path", "failed")
                case CallState.RECONNECTING:
                    self._end("lost", "failed")
        if self._restart_at is not None and now >= self._restart_at:
            self._restart(now)
        return self._drain()

    # ---------------------------------------------------------------------------------------------- what we want

    def _place(self, to: str, now: float) -> None:
        if self.is_busy or to in ("", self._name):
            return
        self._is_caller = True
        self._deadline = now + self._options.media
        self._become(CallState.CALLING, to)
        self._outputs.append(OpenMedia())

    def _accept(self, now: float) -> None:
        if self.state is CallState.RINGING:
            self._deadline = now + self._options.media
            self._become(CallState.CONNECTING, self.peer)
            self._outputs.append(OpenMedia())

    def _hang_up(self, reason: str) -> None:
        if self.state is CallState.RINGING:
            self._end(reason, "gone" if reason == "gone" else "declined")
        elif self.is_busy:
            self._end(reason, "cancelled" if self.state is CallState.CALLING else "hung-up")

    def _media(self, now: float) -> None:
        if self._has_media or self.state not in (CallState.CALLING, CallState.CONNECTING):
            return
        self._has_media = True
        self._outputs.append(Begin())
        if self._held is not None:
            self._accept_offer(self._held, now)
        else:
            self._deadline = now + self._options.ring_out
            self._make_offer()
        self._outputs.extend(AddCandidate(candidate) for candidate in self._candidates)
        self._held, self._candidates = None, []

    def _media_failed(self, reason: str) -> None:
        if not self._has_media and self.state in (CallState.CALLING, CallState.CONNECTING):
            self._end(reason, "no-media" if self._held is not None else None)

    # ------------------------------------------------------------------------------------ what the other side sends

    def _offer(self, sender: str, description: Description, now: float) -> None:
        if not self.is_busy:
            self._ring(sender, description, now)
            return
        if sender != self.peer:
            self._outputs.append(SendHangUp(sender, "busy"))
            return
        if not self._has_media:
            # It rings, or what is sent is being opened. Of both who called each other, this one answers.
            self._held, self._candidates = description, []
            return
        fingerprint = fingerprint_of(description.sdp)
        if self._fingerprint and fingerprint and fingerprint != self._fingerprint:
            # They began anew without a farewell: another call, which this one must not prevent.
            self._end("replaced", None)
            self._ring(sender, description, now)
        elif self._is_polite or not self._outstanding:
            self._accept_offer(description, now)
        elif self.state is CallState.RECONNECTING:
            # Ours counts, and they take back theirs. But ours may have got lost: theirs says that they hear now.
            self._outputs.append(Repeat())

    def _ring(self, sender: str, description: Description, now: float) -> None:
        if sender in ("", self._name):
            return
        self._is_caller = False
        self._held = description
        self._deadline = now + self._options.ring_in
        self._become(CallState.RINGING, sender)

    def _accept_offer(self, description: Description, now: float) -> None:
        if self._outstanding:
            self._wants_offer = self._wants_offer or self._is_up  # what ours was about is still to be said
            if self.state is CallState.CALLING:
                self._outputs.append(Begin())
        self._outstanding = False
        self._fingerprint = self._fingerprint or fingerprint_of(description.sdp)
        self._outputs.append(AcceptOffer(description))
        if not self._is_up:
            self._deadline = now + self._options.connect
            if self.state is CallState.CALLING:
                self._become(CallState.CONNECTING, self.peer)
        self._negotiate_again()

    def _answer(self, sender: str, description: Description, now: float) -> None:
        if not self._is_peer(sender) or not self._outstanding:
            return
        self._outstanding = False
        self._fingerprint = self._fingerprint or fingerprint_of(description.sdp)
        self._outputs.append(AcceptAnswer(description))
        if self.state is CallState.CALLING:
            self._deadline = now + self._options.connect
            self._become(CallState.CONNECTING, self.peer)
        self._negotiate_again()

    def _candidate(self, message: Candidate) -> None:
        if not self.is_busy or message.sender not in (None, self.peer):
            return
        if self._has_media:
            self._outputs.append(AddCandidate(message.candidate))
        elif len(self._candidates) < _MAX_CANDIDATES:
            self._candidates.append(message.candidate)

    def _remote_hang_up(self, reason: str | None) -> None:
        if self.state is CallState.RINGING or (reason == "cancelled" and not self._has_media):
            self._end("cancelled", None)  # they gave up before there was anything to send here
        elif self.state is not CallState.CALLING and reason != "no-media":
            self._end("lost" if reason == "failed" else "left", None)
        elif reason in ("busy", "no-answer", "gone"):
            self._end(reason, None)
        elif reason == "no-media":
            self._end("peer-no-media", None)
        else:
            self._end("declined", None)  # an MDN client gives no reason

    def _users(self, users: tuple[str, ...], now: float) -> None:
        if self.peer is None:
            return
        is_there = self.peer in users
        self._absent_since = None if is_there else now if self._absent_since is None else self._absent_since
        if self.state is CallState.RECONNECTING:
            self._limit_reconnecting()
        elif is_there:
            return
        elif self.state is CallState.CALLING:
            self._end("gone", None)
        elif self.state is CallState.RINGING:
            self._end("cancelled", None)

    # ------------------------------------------------------------------------------------------------ the connection

    def _follow(self, state: str, now: float) -> None:
        if not self.is_busy:
            return
        if state == "connected":
            self._deadline = self._restart_at = None
            self._become(CallState.IN_CALL, self.peer)
            self._negotiate_again()
        elif state == "disconnected" and self.state is CallState.IN_CALL:
            self._reconnect(now)
        elif state == "failed":
            if self.state is CallState.CONNECTING:
                self._end("no-path", "failed")
            elif self._is_up and (self._wants_restart or self._outstanding):
                # While the way to the other side is being asked for anew, there is hope until the deadline.
                self._reconnect(now)
            elif self._is_up:
                self._end("lost", "failed")
        elif state == "closed":
            self._end("lost", "failed")

    def _reconnect(self, now: float) -> None:
        if self.state is CallState.RECONNECTING:
            return
        options = self._options
        self._reconnecting_since = now
        self._limit_reconnecting()
        if self._restart_at is None:
            self._restart_at = now + (options.restart_caller if self._is_caller else options.restart_callee)
        self._become(CallState.RECONNECTING, self.peer)

    def _limit_reconnecting(self) -> None:
        """Whoever has left the room too, and did not say so, is not waited for that long."""
        since = self._reconnecting_since
        self._deadline = since + self._options.reconnect
        if self._absent_since is not None:
            self._deadline = min(self._deadline, max(since, self._absent_since) + self._options.absent)

    def _restart(self, now: float) -> None:
        """Another path for the same call: an ICE restart, again and again until it is up or given up."""
        # Perhaps nothing is broken: then once is enough.
        self._restart_at = None if self.state is CallState.IN_CALL else now + self._options.restart_again
        self._wants_restart = not self._socket_open
        if self._socket_open:
            self._make_offer(restart=True)

    def _socket(self, is_open: bool, now: float) -> None:
        is_new = is_open and not self._socket_open
        self._socket_open = is_open
        if not is_open:
            return
        if self._is_up and (self._wants_restart or (is_new and self.state is CallState.RECONNECTING)):
            self._restart(now)
        elif is_new and self._has_media and (self._outstanding or not self._is_up):
            # What was said last may have gone into a socket that was dead already.
            self._outputs.append(Repeat())
        else:
            self._negotiate_again()

    def _negotiate_again(self) -> None:
        if self._wants_offer and not self._outstanding and self._is_up and self._socket_open:
            self._make_offer()

    def _make_offer(self, *, restart: bool = False) -> None:
        self._outstanding = True
        self._wants_offer = False
        self._outputs.append(MakeOffer(restart))

    # ------------------------------------------------------------------------------------------------------ the rest

    @property
    def _is_up(self) -> bool:
        return self.state in (CallState.IN_CALL, CallState.RECONNECTING)

    @property
    def _is_polite(self) -> bool:
        return _code_units(self._name) > _code_units(self.peer or "")

    def _is_peer(self, sender: str) -> bool:
        return self.is_busy and sender == self.peer

    def _end(self, reason: str, tell: str | None) -> None:
        """``tell``: what the other side is told; None: it knows, or knows of nothing."""
        knows = self._has_media or not self._is_caller or self._held is not None
        if tell is not None and self.peer is not None and knows:
            self._outputs.append(SendHangUp(self.peer, tell))
        self._outputs.append(End())
        self._has_media = self._outstanding = self._wants_offer = self._wants_restart = False
        self._held, self._candidates, self._fingerprint = None, [], ""
        self._deadline = self._restart_at = self._absent_since = None
        self._become(CallState.ENDED, self.peer, reason)

    def _become(self, state: CallState, peer: str | None, reason: str | None = None) -> None:
        before = self.state
        if before is not state:
            self.state, self.peer, self.reason = state, peer, reason
            self._outputs.append(State(before, state, peer, reason))

    def _drain(self) -> Sequence[Output]:
        outputs, self._outputs = self._outputs, []
        return outputs


def fingerprint_of(sdp: str) -> str:
    """The certificate's fingerprint: another one is another connection (RFC 8122). Empty when there is none."""
    found = _FINGERPRINT.search(sdp)
    return found[1].lower() if found is not None else ""


def _code_units(name: str) -> bytes:
    """By what JavaScript compares texts: beyond the Basic Multilingual Plane that is not the order of code points."""
    return name.encode("utf-16-be", "surrogatepass")

"""What goes into a call's machine and what comes out of it: plain values, the same in Python, JavaScript and JSON."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

import msgspec

__all__ = [
    "Accept",
    "AcceptAnswer",
    "AcceptOffer",
    "AddCandidate",
    "Answer",
    "Begin",
    "Broken",
    "CallState",
    "Candidate",
    "Decline",
    "Description",
    "End",
    "HangUp",
    "Input",
    "MakeOffer",
    "Media",
    "MediaFailed",
    "Name",
    "NegotiationNeeded",
    "Network",
    "Offer",
    "OpenMedia",
    "Output",
    "Peer",
    "Place",
    "RemoteHangUp",
    "Repeat",
    "SendHangUp",
    "Socket",
    "State",
    "Undeliverable",
    "Users",
]


class CallState(StrEnum):
    """Where the call is. The words are the page's (``web/sdk/call_session.js``)."""

    IDLE = "idle"
    CALLING = "calling"
    """It rings there."""
    RINGING = "ringing"
    """It rings here."""
    CONNECTING = "connecting"
    IN_CALL = "in-call"
    RECONNECTING = "reconnecting"
    ENDED = "ended"
    """The reason tells why; otherwise as ``idle``."""


class _Message(msgspec.Struct, frozen=True, gc=False, tag_field="type", rename="camel"):
    pass


class Description(msgspec.Struct, frozen=True, gc=False):
    """A session description, as the W3C's ``RTCSessionDescriptionInit``."""

    type: Literal["offer", "answer"]
    sdp: str


# ------------------------------------------------------------------------------------------------------------ inputs


class Name(_Message, frozen=True, gc=False, tag="name"):
    """The lobby gave us this name."""

    name: str


class Place(_Message, frozen=True, gc=False, tag="call"):
    """Call somebody."""

    to: str


class Accept(_Message, frozen=True, gc=False, tag="accept"):
    """Take the call that rings."""


class Decline(_Message, frozen=True, gc=False, tag="decline"):
    """Refuse it."""


class HangUp(_Message, frozen=True, gc=False, tag="hang-up"):
    """End whatever there is."""

    reason: str = "hung-up"


class Media(_Message, frozen=True, gc=False, tag="media"):
    """What ``OpenMedia`` asked for is there."""


class MediaFailed(_Message, frozen=True, gc=False, tag="media-failed"):
    """It cannot be had."""

    reason: str


class Offer(_Message, frozen=True, gc=False, tag="offer"):
    """From somebody in the room."""

    sender: str = msgspec.field(name="from")
    description: Description


class Answer(_Message, frozen=True, gc=False, tag="answer"):
    """From somebody in the room."""

    sender: str = msgspec.field(name="from")
    description: Description


class Candidate(_Message, frozen=True, tag="candidate"):
    """The reference server does not say whose it is (None): then it is the peer's."""

    candidate: dict[str, object]
    sender: str | None = msgspec.field(name="from", default=None)


class RemoteHangUp(_Message, frozen=True, gc=False, tag="remote-hang-up"):
    """Somebody ended the call with us, or declined it."""

    sender: str = msgspec.field(name="from")
    reason: str | None = None


class Undeliverable(_Message, frozen=True, gc=False, tag="undeliverable"):
    """The lobby knows nobody of that name; None: it does not say which."""

    to: str | None = None


class Users(_Message, frozen=True, tag="users"):
    """Who is in the room now."""

    users: tuple[str, ...]


class Peer(_Message, frozen=True, gc=False, tag="peer"):
    """The peer connection's state changed."""

    state: Literal["new", "connecting", "connected", "disconnected", "failed", "closed"]


class NegotiationNeeded(_Message, frozen=True, gc=False, tag="negotiation-needed"):
    """What is sent changed."""


class Broken(_Message, frozen=True, gc=False, tag="broken"):
    """A description could not be used."""


class Socket(_Message, frozen=True, gc=False, tag="socket"):
    """The lobby's socket came or went."""

    open: bool


class Network(_Message, frozen=True, gc=False, tag="network"):
    """The machine's network is another one."""


Input = (
    Name
    | Place
    | Accept
    | Decline
    | HangUp
    | Media
    | MediaFailed
    | Offer
    | Answer
    | Candidate
    | RemoteHangUp
    | Undeliverable
    | Users
    | Peer
    | NegotiationNeeded
    | Broken
    | Socket
    | Network
)


# ----------------------------------------------------------------------------------------------------------- outputs


class State(_Message, frozen=True, gc=False, tag="state"):
    """The state changed. ``reason``: why it ended."""

    before: CallState = msgspec.field(name="from")
    after: CallState = msgspec.field(name="state")
    peer: str | None
    reason: str | None = None


class OpenMedia(_Message, frozen=True, gc=False, tag="open-media"):
    """Have ready what is to be sent; answer with ``Media`` or ``MediaFailed``."""


class Begin(_Message, frozen=True, gc=False, tag="begin"):
    """Make a peer connection, in place of one that there may be."""


class MakeOffer(_Message, frozen=True, gc=False, tag="make-offer"):
    """Make an offer and send it; ``restart``: for a new path (RFC 8839 §4.4.1.1.1)."""

    restart: bool = False


class Repeat(_Message, frozen=True, gc=False, tag="repeat"):
    """Send our last description once more, with the candidates found since: it may have been lost."""


class AcceptOffer(_Message, frozen=True, gc=False, tag="accept-offer"):
    """Take theirs, in place of one of ours that may be out, and send the answer."""

    description: Description


class AcceptAnswer(_Message, frozen=True, gc=False, tag="accept-answer"):
    """Take it."""

    description: Description


class AddCandidate(_Message, frozen=True, tag="add-candidate"):
    """Take it."""

    candidate: dict[str, object]


class SendHangUp(_Message, frozen=True, gc=False, tag="send-hang-up"):
    """Tell somebody that there is no call with us (any more), and why."""

    to: str
    reason: str


class End(_Message, frozen=True, gc=False, tag="end"):
    """Close the peer connection and let go of everything."""


Output = State | OpenMedia | Begin | MakeOffer | Repeat | AcceptOffer | AcceptAnswer | AddCandidate | SendHangUp | End

"""What goes into a viewer's session and what comes out of it: plain values, the same in Python, JavaScript and JSON."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

import msgspec

__all__ = [
    "Answer",
    "Ask",
    "Begin",
    "Close",
    "End",
    "Failed",
    "Failure",
    "Frame",
    "Heard",
    "Input",
    "Master",
    "Network",
    "Notice",
    "OfferReady",
    "Open",
    "Output",
    "Peer",
    "Reconnect",
    "Reopen",
    "Restart",
    "SendOffer",
    "Session",
    "SocketClosed",
    "SocketOpen",
    "State",
    "Tell",
    "ViewerState",
]


class ViewerState(StrEnum):
    """Where a viewer's session is; the table stands in docs/topics/viewer-session.md."""

    IDLE = "idle"
    OPENING = "opening"
    OFFERING = "offering"
    CONNECTING = "connecting"
    WATCHING = "watching"
    RECOVERING = "recovering"
    WAITING = "waiting"
    FAILED = "failed"
    CLOSED = "closed"


class _Message(msgspec.Struct, frozen=True, gc=False, tag_field="type", rename="camel"):
    pass


# ------------------------------------------------------------------------------------------------------------ inputs


class Open(_Message, frozen=True, gc=False, tag="open"):
    """Begin, unless it has begun."""


class Close(_Message, frozen=True, gc=False, tag="close"):
    """End for good, from any state."""


class Reconnect(_Message, frozen=True, gc=False, tag="reconnect"):
    """The person wants everything made anew, now (seed 003.3)."""


class Session(_Message, frozen=True, gc=False, tag="session"):
    """The presigned URL and the ICE servers are here. ``extras``: from a service that said it is a Sightline."""

    extras: bool = False


class Failure(_Message, frozen=True, gc=False, tag="failure"):
    """The session request, the socket's upgrade, the offer or the answer failed: a reason of ``sightline.reasons``."""

    reason: str
    message: str = ""


class OfferReady(_Message, frozen=True, gc=False, tag="offer-ready"):
    """The offer that ``Begin`` or ``Restart`` asked for is made."""


class SocketOpen(_Message, frozen=True, gc=False, tag="socket-open"):
    """The signaling socket is open: the attempt's first, or one that ``Reopen`` asked for."""


class SocketClosed(_Message, frozen=True, gc=False, tag="socket-closed"):
    """The newest signaling socket closed, or could not be opened."""


class Answer(_Message, frozen=True, gc=False, tag="answer"):
    """An answer came, and the peer connection took it for the offer that is out."""


class Peer(_Message, frozen=True, gc=False, tag="peer"):
    """The peer connection's state changed."""

    state: Literal["connected", "disconnected", "failed"]


class Heard(_Message, frozen=True, gc=False, tag="heard"):
    """Some packet of the camera came since the last of these."""


class Frame(_Message, frozen=True, gc=False, tag="frame"):
    """A new picture was decoded since the last of these."""


class Master(_Message, frozen=True, gc=False, tag="master"):
    """The service says whether the camera is there, and whether it is one of ours (``sightline/master``)."""

    present: bool
    ours: bool = False


class Notice(_Message, frozen=True, gc=False, tag="notice"):
    """The service, the camera or the shell says why it does not go on (``sightline/notice``)."""

    reason: str
    message: str = ""


class Network(_Message, frozen=True, gc=False, tag="network"):
    """The platform says that the network is gone, or that it is there again or another one."""

    online: bool


Input = (
    Open
    | Close
    | Reconnect
    | Session
    | Failure
    | OfferReady
    | SocketOpen
    | SocketClosed
    | Answer
    | Peer
    | Heard
    | Frame
    | Master
    | Notice
    | Network
)

# ----------------------------------------------------------------------------------------------------------- outputs


class Begin(_Message, frozen=True, gc=False, tag="begin"):
    """Ask for a session, open its socket, make the peer connection and its offer. ``client_id_number``: 1 is the
    viewer's own id, 2 that id with ``-2`` behind it, and so on."""

    client_id_number: int


class SendOffer(_Message, frozen=True, gc=False, tag="send-offer"):
    """Send the local description, and candidates as they come. ``again``: the same as before, with its candidates."""

    again: bool = False


class Restart(_Message, frozen=True, gc=False, tag="restart"):
    """Make an offer that restarts ICE on the same peer connection (RFC 8839 §4.4.1.1.1)."""


class Reopen(_Message, frozen=True, gc=False, tag="reopen"):
    """Ask for a fresh session and open its socket under the same id; the old one closes when the new one is open. A
    reopening under way is given up. The session's ICE servers are for the peer connection's next gathering."""


class Ask(_Message, frozen=True, gc=False, tag="ask"):
    """Ask the service whether the camera lives (``sightline/ask``)."""


class End(_Message, frozen=True, gc=False, tag="end"):
    """Let go of the attempt, in the order of seed 001.7."""


class State(_Message, frozen=True, gc=False, tag="state", rename={"before": "from", "after": "to"}):
    """The state changed."""

    before: ViewerState
    after: ViewerState


class Tell(_Message, frozen=True, gc=False, tag="notice"):
    """Tell the person what is the matter meanwhile; no reason: nothing any more."""

    reason: str | None
    message: str = ""


class Failed(_Message, frozen=True, gc=False, tag="failed"):
    """It ended, for that reason."""

    reason: str
    message: str = ""


Output = Begin | SendOffer | Restart | Reopen | Ask | End | State | Tell | Failed

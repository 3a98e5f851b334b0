"""Why there is no picture: one table for the service, the master, both viewers, the pages and the documentation.

An id never changes: programs compare it, the page "Why is there no video?" has it as an anchor and `sightline doctor`
as a check. A sentence may be bettered at any time. ``web/sdk/reasons.js`` is generated from here
(``scripts/generate_reasons.py``).

A reason is a notice and no end: the viewer shows it, its deadline runs on. Only a final one ends the attempt, because
trying the same again would end the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final

import msgspec

__all__ = ["CALL_ENDS", "LOBBY_REASONS", "REASONS", "Entry", "LobbyReason", "Reason", "reason_of_close"]


class Reason(StrEnum):
    """The ids."""

    # The camera.
    CAMERA_OFFLINE = "camera-offline"
    CAMERA_SILENT = "camera-silent"
    SOURCE_LOST = "source-lost"
    NO_ANSWER = "no-answer"
    NO_COMMON_CODEC = "no-common-codec"
    BAD_OFFER = "bad-offer"
    BAD_ANSWER = "bad-answer"
    SESSION_GONE = "session-gone"
    VIEWER_LIMIT = "viewer-limit"
    # Who wants to watch, and whether that is allowed.
    BAD_CLIENT_ID = "bad-client-id"
    CLIENT_ID_IN_USE = "client-id-in-use"
    WRONG_KEY = "wrong-key"
    CLOCK_SKEW = "clock-skew"
    WRONG_REGION = "wrong-region"
    UNKNOWN_CHANNEL = "unknown-channel"
    NOT_ALLOWED = "not-allowed"
    LINK_REQUIRED = "link-required"
    LINK_INVALID = "link-invalid"
    LINK_EXPIRED = "link-expired"
    LINK_REVOKED = "link-revoked"
    LINK_SCOPE = "link-scope"
    FOREIGN_ORIGIN = "foreign-origin"
    BAD_REQUEST = "bad-request"
    TOO_MANY_REQUESTS = "too-many-requests"
    # The way there.
    OFFLINE = "offline"
    SERVICE_UNREACHABLE = "service-unreachable"
    SIGNALING_REFUSED = "signaling-refused"
    SIGNALING_LOST = "signaling-lost"
    ICE_EXPIRED = "ice-expired"
    NETWORK_CHANGED = "network-changed"
    NO_PATH = "no-path"
    NO_MEDIA = "no-media"
    CONNECTION_LOST = "connection-lost"
    # The viewer's own machine.
    WEBRTC_UNSUPPORTED = "webrtc-unsupported"
    INTERNAL = "internal"


class Entry(msgspec.Struct, frozen=True, gc=False):
    """What is to be known of a reason."""

    id: Reason
    message: str
    """For a person: what happened, what it means, what to do. At most 250 bytes."""
    final: bool = False
    """Whether trying the same again is useless."""
    close_code: int | None = None
    """With which a service closes a socket for this reason (RFC 6455 §7.4.2)."""


def _table(*entries: Entry) -> Mapping[Reason, Entry]:
    return MappingProxyType({entry.id: entry for entry in entries})


REASONS: Final = _table(
    Entry(
        Reason.CAMERA_OFFLINE,
        "The camera is not connected to the service: it is switched off, or its program or its network is down. "
        "The picture comes by itself as soon as the camera is back.",
    ),
    Entry(
        Reason.CAMERA_SILENT,
        "The camera does not react any more: it has probably lost its power or its network. "
        "Check it; the picture comes by itself as soon as the camera is back.",
    ),
    Entry(
        Reason.SOURCE_LOST,
        "The camera's program runs, but its picture source is gone: unplugged, switched off or out of reach. "
        "The connection stays; the picture comes by itself as soon as the source is back.",
    ),
    Entry(
        Reason.NO_ANSWER,
        "The camera did not answer: it is switched off, busy, or not of this channel. "
        "Check the channel's name and that the camera's program runs, then try again.",
    ),
    Entry(
        Reason.NO_COMMON_CODEC,
        "The camera and this viewer have no video format in common. "
        "Use another browser, or set the camera to H.264 or VP8.",
        final=True,
    ),
    Entry(
        Reason.BAD_OFFER,
        "The camera cannot use this viewer's offer: it is malformed, or it asks for nothing that the camera sends. "
        "Offer to receive video with a current browser or program.",
    ),
    Entry(
        Reason.BAD_ANSWER,
        "The camera sent an answer that this viewer cannot use. Update the camera's program or use another browser.",
    ),
    Entry(
        Reason.SESSION_GONE,
        "The camera no longer holds this session: it was gone for too long. A new connection is being made.",
    ),
    Entry(
        Reason.VIEWER_LIMIT,
        "As many people watch as the camera or its channel may serve. "
        "Try again when one has left, or ask the operator to raise the limit.",
        final=True,
        close_code=4429,
    ),
    Entry(
        Reason.BAD_CLIENT_ID,
        "The viewer's client id was refused. It must have 1 to 256 characters of A-Z a-z 0-9 . _ - "
        "and not begin with AWS_. Use another one.",
        final=True,
        close_code=4422,
    ),
    Entry(
        Reason.CLIENT_ID_IN_USE,
        "Another connection with the same client id took this one's place. "
        "Close the other window or program, or give each viewer an id of its own.",
        final=True,
        close_code=4409,
    ),
    Entry(
        Reason.WRONG_KEY,
        "The service does not accept the key: it is unknown, revoked or expired, or its secret is wrong. "
        "Check the access key id and its secret.",
        final=True,
        close_code=4401,
    ),
    Entry(
        Reason.CLOCK_SKEW,
        "The signature is out of date: this machine's clock and the service's differ by more than five minutes, "
        "or the address is an old one. Set the clock, then connect anew.",
        final=True,
        close_code=4425,
    ),
    Entry(
        Reason.WRONG_REGION,
        "The request was signed for another region than the service's. Set the region that the service names.",
        final=True,
        close_code=4421,
    ),
    Entry(
        Reason.UNKNOWN_CHANNEL,
        "The service has no such channel: its name or ARN is wrong, or it was deleted. "
        "Check it, or make the channel: sightline channel create NAME",
        final=True,
        close_code=4404,
    ),
    Entry(
        Reason.NOT_ALLOWED,
        "This key or link may not do that on this channel, or not any more. Ask the operator for one that may.",
        final=True,
        close_code=4403,
    ),
    Entry(
        Reason.LINK_REQUIRED,
        "This page needs a link, and the address has none. Open the whole link, or ask the operator for one: "
        "sightline link CHANNEL",
        final=True,
    ),
    Entry(
        Reason.LINK_INVALID,
        "This link is not known here: it is damaged, or of another service. Copy it whole, or ask for a new one.",
        final=True,
    ),
    Entry(
        Reason.LINK_EXPIRED,
        "This link has expired: it was valid for a limited time only. Ask the operator for a new one.",
        final=True,
        close_code=4440,
    ),
    Entry(
        Reason.LINK_REVOKED,
        "This link was withdrawn by the operator. Ask for a new one if you should still be able to watch.",
        final=True,
        close_code=4441,
    ),
    Entry(
        Reason.LINK_SCOPE,
        "This link is for another channel or another purpose. Open it unchanged, or ask for one for this channel.",
        final=True,
    ),
    Entry(
        Reason.FOREIGN_ORIGIN,
        "Without a link only pages at http://localhost of the service's own machine are served. "
        "Open the page there, or ask for a link: sightline link CHANNEL",
        final=True,
    ),
    Entry(
        Reason.BAD_REQUEST,
        "The service did not understand the request. Check the address; the viewer may be older than the service.",
        final=True,
        close_code=4400,
    ),
    Entry(
        Reason.TOO_MANY_REQUESTS,
        "The service was asked too often in a short time, and refuses for a while. Wait a minute, then try again.",
        close_code=4420,
    ),
    Entry(
        Reason.OFFLINE,
        "This device has no network. The picture comes by itself as soon as there is one.",
    ),
    Entry(
        Reason.SERVICE_UNREACHABLE,
        "The service does not reply: it is stopped, or the network between is down. "
        "Check the address, your network, and that the service runs.",
    ),
    Entry(
        Reason.SIGNALING_REFUSED,
        "The service refused the signaling connection, or something between blocks WebSockets. "
        "Wait a moment and try again, or use another network.",
    ),
    Entry(
        Reason.SIGNALING_LOST,
        "The connection to the service was cut before the camera had answered. Try again.",
    ),
    Entry(
        Reason.ICE_EXPIRED,
        "The relay (TURN) refused its credentials: they have expired. Fresh ones come with a new connection.",
    ),
    Entry(
        Reason.NETWORK_CHANGED,
        "Your network changed while connecting. A new connection is being made over the new one.",
    ),
    Entry(
        Reason.NO_PATH,
        "The camera answered, but no network path to it was found: a firewall or a NAT is in the way. "
        "Try another network, or ask the operator for a TURN server.",
    ),
    Entry(
        Reason.NO_MEDIA,
        "The connection to the camera is up, but no picture arrives. Check the camera's video source, then try again.",
    ),
    Entry(
        Reason.CONNECTION_LOST,
        "The connection to the camera was lost: it was switched off, or the network between failed. "
        "Check both, then try again.",
    ),
    Entry(
        Reason.WEBRTC_UNSUPPORTED,
        "This browser cannot show live video: it has no WebRTC, or it is switched off. Use another browser.",
        final=True,
    ),
    Entry(
        Reason.INTERNAL,
        "Something went wrong in the viewer itself; this is a fault of Sightline. Try again, and report it.",
    ),
)
"""All of them, by id."""

_BY_CLOSE_CODE: Final = {entry.close_code: entry.id for entry in REASONS.values() if entry.close_code is not None}


def reason_of_close(code: int | None) -> Reason | None:
    """What a close code says where no notice came; None for one that says nothing (RFC 6455's own, idle, lifetime)."""
    return _BY_CLOSE_CODE.get(code) if code is not None else None


# ---------------------------------------------------------------------------------------------------------- calls


class LobbyReason(StrEnum):
    """Why the lobby did not do what a message asked for; as in ``sightline.reasons``, an id never changes."""

    MALFORMED = "malformed"
    TOO_LARGE = "too-large"
    UNKNOWN_TYPE = "unknown-type"
    BAD_NAME = "bad-name"
    NO_NAME = "no-name"
    UNKNOWN_TARGET = "unknown-target"
    TO_ONESELF = "to-oneself"
    NO_CALL = "no-call"
    BAD_MESSAGE = "bad-message"
    TOO_MANY_REQUESTS = "too-many-requests"
    ROOM_FULL = "room-full"
    LINK_FULL = "link-full"
    SERVICE_FULL = "service-full"


LOBBY_REASONS: Final = MappingProxyType(
    {
        LobbyReason.MALFORMED: "The message is not a JSON object with a type. Send one in a text frame.",
        LobbyReason.TOO_LARGE: "The message is larger than 64 KiB. Send less.",
        LobbyReason.UNKNOWN_TYPE: "The lobby has no message of this type. Check its spelling.",
        LobbyReason.BAD_NAME: (
            "A name has 1 to 32 letters, digits, spaces, '.', '_' or '-', and not spaces alone. Choose another one."
        ),
        LobbyReason.NO_NAME: "This connection has no name yet, so nobody could tell who it is. Send a username first.",
        LobbyReason.UNKNOWN_TARGET: "Nobody of that name is in the room: they have left, or changed their name.",
        LobbyReason.TO_ONESELF: "Nobody can call themselves. Choose somebody else.",
        LobbyReason.NO_CALL: "There is no call with that person: it has ended, or was never offered. Offer one first.",
        LobbyReason.BAD_MESSAGE: "A part of the message is missing or not of its form. Check it against the protocol.",
        LobbyReason.TOO_MANY_REQUESTS: "Too many messages came in a short time; this one was dropped. Send fewer.",
        LobbyReason.ROOM_FULL: (
            "The room is full: as many people are in it as it holds. Try again when somebody has left, or take another "
            "room."
        ),
        LobbyReason.LINK_FULL: (
            "This link is in use by as many pages and programs as one link may let in. Try again when one of them has "
            "left, or ask for another link to the room."
        ),
        LobbyReason.SERVICE_FULL: (
            "As many rooms are in use as the service has. Try again when one of them is empty, or take a room in which "
            "somebody is."
        ),
    }
)
"""For a person: what happened, what it means, what to do."""


CALL_ENDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "hung-up": "You ended the call.",
        "refused": "You declined the call.",
        "left": "{peer} ended the call.",
        "declined": "{peer} declined the call.",
        "busy": "{peer} is in another call. Try again in a while.",
        "cancelled": "{peer} no longer calls.",
        "no-answer": "{peer} does not answer.",
        "missed": "You missed a call from {peer}.",
        "gone": "Nobody of the name {peer} is in the room now.",
        "peer-no-media": "{peer} cannot use camera and microphone.",
        "no-path": "No connection to {peer} could be made: a firewall may be in the way.",
        "lost": "The connection to {peer} was lost.",
        "replaced": "{peer} opened the page, or began, anew.",
        "internal": "The two sides did not understand each other.",
    }
)
"""How a call ended, by id: the same for ``sightline.Call``, the page and the documentation. An id never changes."""

"""What we bring into a negotiation: our side's transport, what we send and what we want to receive."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from ..fingerprint import Fingerprint
from .codecs import SourceCodec
from .description import Origin, Section, Setup, Source, SourceGroup, Transport

__all__ = [
    "ABS_SEND_TIME",
    "FEEDBACK",
    "MAX_MESSAGE_SIZE",
    "MID",
    "REMB",
    "TRANSPORT_CC",
    "TRANSPORT_WIDE",
    "LocalTransport",
    "OurMedia",
    "Ours",
    "prefers_transport_cc",
    "with_sources",
]

MID = "urn:ietf:params:rtp-hdrext:sdes:mid"
ABS_SEND_TIME = "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time"

TRANSPORT_WIDE = "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01"
"""Counts all packets of the connection, for ``TRANSPORT_CC``."""

REMB, TRANSPORT_CC = "goog-remb", "transport-cc"
"""Two ways to find out what a path carries: the receiver says it, or tells when each packet came."""

FEEDBACK = (REMB, "ccm fir", "nack", "nack pli")
"""What a video stream's receiver may tell us, and ``TRANSPORT_CC`` in place of REMB, see ``prefers_transport_cc``."""

MAX_MESSAGE_SIZE = 262_144
"""Bytes of one data channel message that we take, as browsers do."""


class LocalTransport(msgspec.Struct, frozen=True, kw_only=True):
    """Our end: of one ICE generation, and the certificate of our DTLS session."""

    ufrag: str
    password: str
    fingerprint: Fingerprint
    candidates: tuple[str, ...] = ()
    """Those known already, beginning with ``candidate:``; the others trickle."""
    end_of_candidates: bool = False

    def with_setup(self, setup: Setup) -> Transport:
        """As it stands in a description."""
        return Transport(self.ufrag, self.password, (self.fingerprint,), setup, trickle=True)


class OurMedia(msgspec.Struct, frozen=True, kw_only=True):
    """A stream of ours, a wish for one of the peer's, or both."""

    kind: str
    """``video`` or ``audio``."""
    codecs: tuple[SourceCodec, ...]
    """In the order of preference."""
    sends: bool = True
    receives: bool = False
    ssrc: int = 0
    rtx_ssrc: int | None = None
    """None: retransmit under the stream's own SSRC, whatever the peer offers."""
    cname: str = ""
    stream: str = "sightline"
    """Streams of one name are shown together and in time with each other."""
    track: str = ""


class Ours(msgspec.Struct, frozen=True, kw_only=True):
    """Our whole side."""

    origin: Origin
    transport: LocalTransport
    media: tuple[OurMedia, ...] = ()
    data_channels: bool = True
    setup: Setup | None = None
    """Our role in the DTLS session that there already is; None for a new one.

    A new one lets the peer begin: as the server we have our keys half a round trip earlier, and libwebrtc repeats a
    lost hello after 50 ms.
    """
    extensions: tuple[str, ...] = (MID, ABS_SEND_TIME)
    """URIs of those that we can write, and of those that the peer may send."""


def prefers_transport_cc(feedback: Sequence[str], *, receives: bool = False) -> bool:
    """Whether of the feedback that a peer offers ``TRANSPORT_CC`` is taken. ``receives``: whether it is we who give it.

    Browsers name REMB first, and it costs us nothing: they estimate, and their packets need no count. So they keep it.
    Who names the other one first, or alone, gets that.
    """
    if TRANSPORT_CC not in feedback:
        return False
    return receives or REMB not in feedback or feedback.index(TRANSPORT_CC) < feedback.index(REMB)


def with_sources(section: Section, media: OurMedia, *, retransmits: bool) -> Section:
    """The section with what we send in it: SSRCs, their group, the stream and track they belong to."""
    msid = f"{media.stream} {media.track or media.kind}"
    ssrcs = (media.ssrc,) if media.rtx_ssrc is None or not retransmits else (media.ssrc, media.rtx_ssrc)
    return msgspec.structs.replace(
        section,
        msids=(msid,),
        sources=tuple(Source(ssrc, media.cname, msid) for ssrc in ssrcs),
        source_groups=(SourceGroup("FID", ssrcs),) if len(ssrcs) > 1 else (),
    )

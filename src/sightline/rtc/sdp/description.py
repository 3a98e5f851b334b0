"""What a session description says, as values. Nothing here is valid by itself: see ``parse`` for what is checked."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from ..fingerprint import Fingerprint

__all__ = [
    "Codec",
    "Description",
    "Direction",
    "HeaderExtension",
    "Origin",
    "Section",
    "Setup",
    "Source",
    "SourceGroup",
    "Transport",
]


class Direction(StrEnum):
    """Who sends in a section, as seen by whoever wrote the description (RFC 8866 §6.7)."""

    SENDRECV = "sendrecv"
    SENDONLY = "sendonly"
    RECVONLY = "recvonly"
    INACTIVE = "inactive"

    @classmethod
    def of(cls, *, sends: bool, receives: bool) -> Direction:
        """The word for it."""
        if sends:
            return cls.SENDRECV if receives else cls.SENDONLY
        return cls.RECVONLY if receives else cls.INACTIVE

    @property
    def sends(self) -> bool:
        """Whether the writer sends."""
        return self in (Direction.SENDRECV, Direction.SENDONLY)

    @property
    def receives(self) -> bool:
        """Whether the writer wants to receive."""
        return self in (Direction.SENDRECV, Direction.RECVONLY)


class Setup(StrEnum):
    """Who begins the DTLS handshake (RFC 8842 §5.2): the active one is the client."""

    ACTPASS = "actpass"
    ACTIVE = "active"
    PASSIVE = "passive"


class Origin(msgspec.Struct, frozen=True):
    """Of ``o=``: a session keeps its id for life, and each new description of it has a higher version."""

    session_id: str
    version: int

    def next(self) -> Origin:
        """For the next description of the same session."""
        return Origin(self.session_id, self.version + 1)


class Transport(msgspec.Struct, frozen=True):
    """How a section is reached: ICE credentials (RFC 8839) and whom to expect in DTLS (RFC 8122)."""

    ufrag: str = ""
    password: str = ""
    fingerprints: tuple[Fingerprint, ...] = ()
    setup: Setup | None = None
    trickle: bool = False


class Codec(msgspec.Struct, frozen=True):
    """A payload type: ``a=rtpmap`` with its ``a=fmtp`` and ``a=rtcp-fb``. ``channels`` is 1 for video."""

    payload_type: int
    name: str
    clock_rate: int
    channels: int = 1
    parameters: tuple[tuple[str, str], ...] = ()
    """In their order, names in small letters; one without ``=`` has the name ``""``."""
    feedback: tuple[str, ...] = ()

    def parameter(self, name: str, default: str = "") -> str:
        """The value of a format parameter."""
        return dict(self.parameters).get(name, default)

    def is_called(self, name: str) -> bool:
        """Names do not differ by case (RFC 8866 §6.6)."""
        return self.name.lower() == name.lower()

    @property
    def repaired(self) -> int | None:
        """The payload type that this one retransmits (RFC 4588 §8.6), None when it is no ``rtx``."""
        apt = self.parameter("apt")
        return int(apt) if self.is_called("rtx") and apt.isdecimal() and len(apt) <= 3 else None


class HeaderExtension(msgspec.Struct, frozen=True):
    """``a=extmap`` (RFC 8285)."""

    id: int
    uri: str
    direction: Direction | None = None


class Source(msgspec.Struct, frozen=True):
    """A stream that will be sent, by its SSRC (RFC 5576). ``msid``: stream and track, separated by a space."""

    ssrc: int
    cname: str = ""
    msid: str = ""


class SourceGroup(msgspec.Struct, frozen=True):
    """``FID``: a stream and its retransmissions."""

    semantics: str
    ssrcs: tuple[int, ...]


class Section(msgspec.Struct, frozen=True, kw_only=True):
    """One m-section. What the session says for all sections (ICE, DTLS, direction) is repeated here."""

    kind: str
    mid: str = ""
    port: int = 9
    protocol: str = "UDP/TLS/RTP/SAVPF"
    formats: tuple[str, ...] = ()
    """As in the m-line: payload types, or ``webrtc-datachannel``."""
    direction: Direction = Direction.SENDRECV
    transport: Transport = Transport()
    codecs: tuple[Codec, ...] = ()
    """In the order of the m-line, which is that of preference."""
    extensions: tuple[HeaderExtension, ...] = ()
    rtcp_mux: bool = False
    rtcp_rsize: bool = False
    bundle_only: bool = False
    msids: tuple[str, ...] = ()
    sources: tuple[Source, ...] = ()
    source_groups: tuple[SourceGroup, ...] = ()
    candidates: tuple[str, ...] = ()
    """Beginning with ``candidate:``, as in signaling."""
    end_of_candidates: bool = False
    sctp_port: int | None = None
    max_message_size: int | None = None
    """In bytes; 0 is any size, None is not said (RFC 8841 §6.1)."""

    @property
    def rejected(self) -> bool:
        """Port 0 says no, except where the bundle's port is meant (RFC 9143 §7.1.3)."""
        return self.port == 0 and not self.bundle_only

    @property
    def is_data(self) -> bool:
        """Whether it is for data channels."""
        return self.kind == "application" and "SCTP" in self.protocol

    def codec(self, payload_type: int) -> Codec | None:
        """The codec behind a payload type."""
        return next((codec for codec in self.codecs if codec.payload_type == payload_type), None)

    def retransmission_of(self, payload_type: int) -> Codec | None:
        """The ``rtx`` codec for a payload type."""
        return next((codec for codec in self.codecs if codec.repaired == payload_type), None)

    def extension_id(self, uri: str) -> int | None:
        """Under which number an extension goes into packets."""
        return next((extension.id for extension in self.extensions if extension.uri == uri), None)


class Description(msgspec.Struct, frozen=True, kw_only=True):
    """An offer or an answer: the text itself does not say which."""

    origin: Origin
    sections: tuple[Section, ...]
    bundles: tuple[tuple[str, ...], ...] = ()
    """Mids that share one transport, per group (RFC 9143)."""
    ice_lite: bool = False
    extmap_allow_mixed: bool = False

    @property
    def session_id(self) -> str:
        """Of ``o=``; empty when the description has none."""
        return self.origin.session_id

    @property
    def tagged(self) -> Section:
        """The section whose transport carries everything: the bundle's first that is not rejected."""
        for mid in self.bundles[0] if self.bundles else ():
            section = self.section(mid)
            if section is not None and not section.rejected:
                return section
        return next((section for section in self.sections if not section.rejected), self.sections[0])

    @property
    def transport(self) -> Transport:
        """Of the tagged section."""
        return self.tagged.transport

    @property
    def ufrag(self) -> str:
        """The ICE user name fragment."""
        return self.transport.ufrag

    @property
    def password(self) -> str:
        """The ICE password."""
        return self.transport.password

    @property
    def fingerprints(self) -> frozenset[Fingerprint]:
        """The peer's certificates: the same ones mean the same DTLS endpoint."""
        return frozenset(self.transport.fingerprints)

    @property
    def setup(self) -> Setup | None:
        """Who begins the DTLS handshake, None when it is not said."""
        return self.transport.setup

    @property
    def candidates(self) -> tuple[str, ...]:
        """Those of the tagged section: a bundle needs no others."""
        return self.tagged.candidates

    @property
    def end_of_candidates(self) -> bool:
        """Whether no more are to come (RFC 8838 §14)."""
        return self.tagged.end_of_candidates

    @property
    def carries(self) -> bool:
        """Whether anything can flow: data, or a stream in either direction."""
        return any(
            section.is_data or section.direction is not Direction.INACTIVE
            for section in self.sections
            if not section.rejected
        )

    def section(self, mid: str) -> Section | None:
        """The section of that name."""
        return next((section for section in self.sections if section.mid == mid), None)

"""Our offers: a viewer's first one, and the one with which either side restarts ICE (RFC 8829 §5.2)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import count

from msgspec.structs import replace

from .codecs import SourceCodec
from .description import Codec, Description, Direction, HeaderExtension, Origin, Section, Setup
from .ours import (
    FEEDBACK,
    MAX_MESSAGE_SIZE,
    TRANSPORT_CC,
    TRANSPORT_WIDE,
    LocalTransport,
    OurMedia,
    Ours,
    with_sources,
)

__all__ = ["make_offer", "make_restart_offer", "with_sending"]

_FIRST_PAYLOAD_TYPE = 96
_SCTP_PORT = 5000


def make_offer(ours: Ours) -> Description:
    """A first offer: one section for each of our media in their order, then one for data channels."""
    payload_types = count(_FIRST_PAYLOAD_TYPE)
    transport = ours.transport.with_setup(ours.setup or Setup.ACTPASS)
    extensions = tuple(HeaderExtension(number, uri) for number, uri in enumerate(ours.extensions, start=1))
    # First in the list, and so before REMB, which is for those who know nothing else.
    first = (TRANSPORT_CC,) if TRANSPORT_WIDE in ours.extensions else ()
    sections = []
    for number, media in enumerate(ours.media):
        codecs = tuple(_codecs(media, payload_types, first))
        section = Section(
            kind=media.kind,
            mid=str(number),
            formats=tuple(str(codec.payload_type) for codec in codecs),
            direction=Direction.of(sends=media.sends, receives=media.receives),
            transport=transport,
            codecs=codecs,
            extensions=extensions,
            rtcp_mux=True,
            rtcp_rsize=True,
        )
        sections.append(with_sources(section, media, retransmits=media.kind == "video") if media.sends else section)
    if ours.data_channels:
        sections.append(
            Section(
                kind="application",
                mid=str(len(sections)),
                protocol="UDP/DTLS/SCTP",
                formats=("webrtc-datachannel",),
                transport=transport,
                sctp_port=_SCTP_PORT,
                max_message_size=MAX_MESSAGE_SIZE,
            )
        )
    offer = Description(
        origin=ours.origin,
        sections=tuple(sections),
        bundles=(tuple(section.mid for section in sections),),
        extmap_allow_mixed=True,
    )
    return _with_candidates(offer, ours.transport)


def make_restart_offer(held: Description, *, origin: Origin, transport: LocalTransport) -> Description:
    """An offer to go on with the session over new ICE credentials.

    ``held`` is our last description in it, an answer or an offer: its sections, rejected ones among them, come again
    in their order, with the same mids, payload types and SSRCs. ``origin`` is ``held.origin.next()``, and the
    fingerprint that of the DTLS session, which goes on.
    """
    ours = transport.with_setup(Setup.ACTPASS)
    sections = tuple(
        replace(section, transport=ours, candidates=(), end_of_candidates=False) for section in held.sections
    )
    return _with_candidates(replace(held, origin=origin, sections=sections), transport)


def with_sending(offer: Description, media: Sequence[OurMedia]) -> Description:
    """A later offer in which we send what ``media`` has, and nothing else: each kind in the section that it had before,
    or in the first of its kind, which the first offer has whether we send in it or not.
    """
    sections = list(offer.sections)
    for kind in ("video", "audio"):
        ours = next((one for one in media if one.kind == kind and one.sends), None)
        places = [place for place, one in enumerate(sections) if one.kind == kind and not one.rejected]
        mine = next((place for place in places if sections[place].sources), next(iter(places), None))
        for place in places:
            section = sections[place]
            sends = ours if place == mine else None
            section = replace(
                section,
                direction=Direction.of(sends=sends is not None, receives=section.direction.receives),
                msids=(),
                sources=(),
                source_groups=(),
            )
            if sends is not None:
                retransmits = any(codec.repaired is not None for codec in section.codecs)
                section = with_sources(section, sends, retransmits=retransmits)
            sections[place] = section
    return replace(offer, sections=tuple(sections))


def _with_candidates(offer: Description, transport: LocalTransport) -> Description:
    tagged = offer.tagged
    sections = tuple(
        replace(section, candidates=transport.candidates, end_of_candidates=transport.end_of_candidates)
        if section is tagged
        else section
        for section in offer.sections
    )
    return replace(offer, sections=sections)


def _codecs(media: OurMedia, payload_types: Iterator[int], feedback: tuple[str, ...]) -> Iterator[Codec]:
    for source in media.codecs:
        codec = _codec(source, next(payload_types))
        yield replace(codec, feedback=(*feedback, *codec.feedback))
        if media.kind == "video":
            yield Codec(next(payload_types), "rtx", 90_000, parameters=(("apt", str(codec.payload_type)),))


def _codec(source: SourceCodec, payload_type: int) -> Codec:
    if source.name.lower() == "opus":
        stereo = (("stereo", "1"), ("sprop-stereo", "1")) if source.stereo else ()
        parameters = (("minptime", "10"), ("useinbandfec", "1"), *stereo)
        return Codec(payload_type, "opus", 48_000, 2, parameters)
    if source.name.upper() == "H264":
        parameters = (
            ("level-asymmetry-allowed", "1"),
            ("packetization-mode", "1"),
            ("profile-level-id", source.profile_level_id),
        )
        return Codec(payload_type, "H264", 90_000, 1, parameters, FEEDBACK)
    return Codec(payload_type, source.name, 90_000, 1, (), FEEDBACK)

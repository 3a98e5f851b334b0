"""Our answer to an offer (RFC 8829 §5.3)."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from ...errors import InvalidSdp, NoCommonCodec
from .codecs import SourceCodec, choose_codec
from .description import Codec, Description, Direction, Section, Setup, Transport
from .ours import (
    FEEDBACK,
    MAX_MESSAGE_SIZE,
    REMB,
    TRANSPORT_CC,
    TRANSPORT_WIDE,
    OurMedia,
    Ours,
    prefers_transport_cc,
    with_sources,
)

__all__ = ["make_answer"]

_ONE_BYTE_IDS = range(1, 15)  # RFC 8285 §4.2: others need a longer header, which nobody wants per packet


def make_answer(offer: Description, ours: Ours) -> Description:
    """The answer, with a section for each of the offer's, in its order; those of no use are rejected.

    The first section of a kind that wants to receive gets what we send. Raises InvalidSdp when nothing at all can be
    answered, and NoCommonCodec when the peer wants video and has no codec for ours.
    """
    joining = _joining(offer)
    if not joining:
        raise InvalidSdp("The offer has no media section that is not rejected already.")
    _check(joining[0].transport)
    share = _Share(ours, _setup(joining[0].transport.setup, ours), _with_transport_cc(joining, ours))
    sections = []
    for offered in offer.sections:
        answered = share.answer(offered) if any(offered is one for one in joining) else None
        sections.append(answered or _rejection(offered, share.transport))
    _check_video(offer, ours, sections)
    accepted = [section for section in sections if not section.rejected]
    if not accepted:
        raise InvalidSdp("The offer has nothing that can be answered: no usable video, audio or data channel.")
    first = sections.index(accepted[0])
    sections[first] = replace(
        accepted[0], candidates=ours.transport.candidates, end_of_candidates=ours.transport.end_of_candidates
    )
    mids = tuple(section.mid for section in accepted)
    return Description(
        origin=ours.origin,
        sections=tuple(sections),
        bundles=(mids,) if offer.bundles and all(mids) else (),
        extmap_allow_mixed=offer.extmap_allow_mixed,
    )


def _check(transport: Transport) -> None:
    if not transport.ufrag or not transport.password:
        raise InvalidSdp("The offer has no ICE user name and password (a=ice-ufrag, a=ice-pwd).")
    if not any(fingerprint.believed for fingerprint in transport.fingerprints):
        raise InvalidSdp("The offer names no certificate by sha-256 or better (a=fingerprint): nobody can be trusted.")


def _setup(offered: Setup | None, ours: Ours) -> Setup:
    """What the offer leaves open is ours to say: as before, or the server's part."""
    if offered is Setup.ACTIVE:
        return Setup.PASSIVE
    if offered is Setup.PASSIVE:
        return Setup.ACTIVE
    return ours.setup or Setup.PASSIVE


def _joining(offer: Description) -> list[Section]:
    """The sections that go over the one transport that we make: a bundle, else a single one, of video if it can be."""
    usable = [section for section in offer.sections if not section.rejected]
    if offer.bundles:
        return [section for section in usable if section.mid in offer.bundles[0]]
    wanted = [section for section in usable if section.kind == "video" and section.direction.receives]
    return [*wanted, *usable][:1]


def _with_transport_cc(joining: Sequence[Section], ours: Ours) -> bool:
    """Whether all packets of the connection are counted: the picture decides for the sound too."""
    if TRANSPORT_WIDE not in ours.extensions:
        return False
    receives = any(media.kind == "video" and media.receives for media in ours.media)
    return any(
        section.kind == "video"
        and section.extension_id(TRANSPORT_WIDE) in _ONE_BYTE_IDS
        and any(prefers_transport_cc(codec.feedback, receives=receives) for codec in section.codecs)
        for section in joining
    )


class _Share:
    """Gives what we have to the sections that want it, each thing once in each direction."""

    def __init__(self, ours: Ours, setup: Setup, transport_cc: bool) -> None:
        self._waiting = list(ours.media)
        self._data_channels = ours.data_channels
        self._extensions = [uri for uri in ours.extensions if uri != TRANSPORT_WIDE or transport_cc]
        self.transport = ours.transport.with_setup(setup)

    def answer(self, offered: Section) -> Section | None:
        """The answer to a section, None when it is of no use to us."""
        if offered.is_data:
            if not self._data_channels or not offered.sctp_port:
                return None
            self._data_channels = False  # one association per transport (RFC 8841 §7)
            return _data(offered, self.transport)
        media = self._taker(offered)
        if media is None or not offered.rtcp_mux:
            return None
        section = _media(offered, media, self.transport, self._extensions)
        if section is not None and section.direction is not Direction.INACTIVE:
            self._waiting.remove(media)
            # A page may have a section for each way, one for its microphone and one for our sound.
            sends = media.sends and not section.direction.sends
            receives = media.receives and not section.direction.receives
            if sends or receives:
                self._waiting.append(replace(media, sends=sends, receives=receives))
        return section

    def _taker(self, offered: Section) -> OurMedia | None:
        """Which of ours goes into a section: what can flow there, else anything of the kind, to keep the section."""
        alike = [media for media in self._waiting if media.kind == offered.kind]
        fitting = [
            media
            for media in alike
            if _direction(offered, media) is not Direction.INACTIVE and _choose(offered, media) is not None
        ]
        return next(iter([*fitting, *alike]), None) or _STAND_INS.get(offered.kind)


_STAND_INS = {
    "video": OurMedia(kind="video", codecs=(SourceCodec("H264"), SourceCodec("VP8")), sends=False),
    "audio": OurMedia(kind="audio", codecs=(SourceCodec("opus"),), sends=False),
}
"""For a kind that we have nothing of: the section stays, inactive, so that a later description can use it."""


def _direction(offered: Section, media: OurMedia) -> Direction:
    return Direction.of(
        sends=media.sends and offered.direction.receives, receives=media.receives and offered.direction.sends
    )


def _choose(offered: Section, media: OurMedia) -> Codec | None:
    choices = (choose_codec(offered, codec) for codec in media.codecs)
    return next((codec for codec in choices if codec is not None), None)


def _media(offered: Section, media: OurMedia, transport: Transport, extensions: Sequence[str]) -> Section | None:
    chosen = _choose(offered, media)
    if chosen is None:
        return None
    counted = TRANSPORT_WIDE in extensions and TRANSPORT_CC in chosen.feedback
    codecs = [_answered(chosen, media, transport_cc=counted)]
    repair = offered.retransmission_of(chosen.payload_type)
    if repair is not None and offered.kind == "video":
        codecs.append(replace(repair, feedback=()))
    direction = _direction(offered, media)
    section = Section(
        kind=offered.kind,
        mid=offered.mid,
        protocol=offered.protocol,
        formats=tuple(str(codec.payload_type) for codec in codecs),
        direction=direction,
        transport=transport,
        codecs=tuple(codecs),
        extensions=tuple(
            replace(extension, direction=None)
            for extension in offered.extensions
            if extension.uri in extensions
            and extension.id in _ONE_BYTE_IDS
            and (counted or extension.uri != TRANSPORT_WIDE)
        ),
        rtcp_mux=True,
        rtcp_rsize=offered.rtcp_rsize,
    )
    return with_sources(section, media, retransmits=len(codecs) > 1) if direction.sends else section


def _answered(codec: Codec, media: OurMedia, *, transport_cc: bool) -> Codec:
    """The offered codec with what we take up of it.

    H.264 keeps the offered ``profile-level-id``, by which browsers find the codec again. Our stream may well be of a
    lower profile, or another level where the offer allows that (``level-asymmetry-allowed``).
    """
    if media.kind == "audio":
        stereo = any(one.stereo for one in media.codecs) and media.sends
        extra = (("sprop-stereo", "1"),) if stereo else ()
        return replace(
            codec,
            parameters=(("minptime", "10"), ("useinbandfec", "1"), *extra),
            feedback=(TRANSPORT_CC,) if transport_cc else (),
        )
    taken = (TRANSPORT_CC, *(one for one in FEEDBACK if one != REMB)) if transport_cc else FEEDBACK
    kept = ("level-asymmetry-allowed", "packetization-mode", "profile-level-id")
    return replace(
        codec,
        parameters=tuple((name, value) for name, value in codec.parameters if name in kept),
        feedback=tuple(feedback for feedback in codec.feedback if feedback in taken),
    )


def _data(offered: Section, transport: Transport) -> Section:
    return Section(
        kind=offered.kind,
        mid=offered.mid,
        protocol=offered.protocol,
        formats=offered.formats,
        transport=transport,
        sctp_port=offered.sctp_port if str(offered.sctp_port) == offered.formats[0] else 5000,
        max_message_size=MAX_MESSAGE_SIZE,
    )


def _rejection(offered: Section, transport: Transport) -> Section:
    """It needs no transport (RFC 8829 §5.3.1), but webrtcbin takes no answer in which one has none."""
    return Section(
        kind=offered.kind,
        mid=offered.mid,
        port=0,
        protocol=offered.protocol,
        formats=offered.formats,
        direction=Direction.INACTIVE,
        transport=transport,
        codecs=offered.codecs if len(offered.codecs) == len(offered.formats) else (),
        sctp_port=offered.sctp_port if str(offered.sctp_port) in offered.formats else None,
    )


def _check_video(offer: Description, ours: Ours, sections: Sequence[Section]) -> None:
    names = [codec.name for media in ours.media if media.kind == "video" and media.sends for codec in media.codecs]
    wanted = [section for section in offer.sections if section.kind == "video" and section.direction.receives]
    sent = [section for section in sections if section.kind == "video" and section.direction.sends]
    if names and wanted and not sent:
        raise NoCommonCodec(
            f"The viewer takes no {' or '.join(names)} for video, and the master has nothing else to send."
        )

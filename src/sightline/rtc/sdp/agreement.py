"""What two descriptions, ours and the peer's, come to together (RFC 3264 §7)."""

from __future__ import annotations

import msgspec

from ...errors import InvalidSdp
from .codecs import same_format
from .description import Codec, Description, Section, Setup, Transport

__all__ = ["AgreedData", "AgreedMedia", "Agreement", "agree"]

_DEFAULT_MESSAGE_SIZE = 65_536  # RFC 8841 §6.1, for a peer that does not say


class AgreedMedia(msgspec.Struct, frozen=True, kw_only=True):
    """One stream, or one each way. Payload types are those that the peer reads; it sends us ours, mostly the same."""

    kind: str
    mid: str
    sends: bool
    """Whether we send."""
    receives: bool
    codec: Codec
    """The one to send in. Its ``feedback`` is what the peer may tell us."""
    rtx: Codec | None
    """For retransmissions; None: send the same packet again."""
    receivable: dict[int, Codec]
    """Payload types that may come in, ``rtx`` among them."""
    extensions: dict[str, int]
    """Header extensions by their URI: their numbers in packets."""
    ssrc: int | None
    """Ours, and that of our retransmissions."""
    rtx_ssrc: int | None
    remote_ssrcs: tuple[int, ...]
    """Those that the peer has announced; it need not announce any."""


class AgreedData(msgspec.Struct, frozen=True, kw_only=True):
    """Data channels: SCTP ports, and bytes of a message that the peer takes (0: any)."""

    mid: str
    local_port: int
    remote_port: int
    max_message_size: int


class Agreement(msgspec.Struct, frozen=True, kw_only=True):
    """All that the engine needs of a negotiation."""

    remote: Transport
    """Where the peer is and who it is."""
    candidates: tuple[str, ...]
    """Those that came with its description; others trickle, unless ``end_of_candidates``."""
    end_of_candidates: bool
    client: bool
    """Whether we begin the DTLS handshake."""
    media: tuple[AgreedMedia, ...]
    data: AgreedData | None


def agree(local: Description, remote: Description, *, offerer: bool) -> Agreement:
    """Bring our description and the peer's together. ``offerer``: whether ours was the offer.

    Raises InvalidSdp when the peer's answer does not belong to our offer.
    """
    offer, answer = (local, remote) if offerer else (remote, local)
    # Small devices leave the names out of their answers; the order says as much (RFC 3264 §6).
    alike = len(offer.sections) == len(answer.sections) and all(
        one.kind == other.kind and other.mid in (one.mid, "")
        for one, other in zip(offer.sections, answer.sections, strict=True)
    )
    if not alike:
        raise InvalidSdp("The answer has other media sections than the offer that it answers.")
    pairs = [
        (ours, theirs)
        for ours, theirs in zip(local.sections, remote.sections, strict=True)
        if not ours.rejected and not theirs.rejected
    ]
    if not pairs:
        raise InvalidSdp("The answer rejects all that was offered.")
    # The first section that both sides accept carries the others: we make and take only bundles (RFC 9143 §7.3).
    carrier = pairs[0][1]
    setup = (carrier if offerer else pairs[0][0]).transport.setup
    if setup not in (Setup.ACTIVE, Setup.PASSIVE):
        raise InvalidSdp("The answer does not say who begins the DTLS handshake (a=setup).")
    return Agreement(
        remote=_remote_transport(carrier),
        candidates=carrier.candidates,
        end_of_candidates=carrier.end_of_candidates,
        client=(setup is Setup.ACTIVE) != offerer,
        media=tuple(
            media for ours, theirs in pairs if not ours.is_data and (media := _media(ours, theirs, offerer)) is not None
        ),
        data=next((_data(ours, theirs) for ours, theirs in pairs if ours.is_data), None),
    )


def _remote_transport(carrier: Section) -> Transport:
    transport = carrier.transport
    if not transport.ufrag or not transport.password:
        raise InvalidSdp("The peer's description has no ICE user name and password (a=ice-ufrag, a=ice-pwd).")
    if not any(fingerprint.believed for fingerprint in transport.fingerprints):
        raise InvalidSdp("The peer's description names no certificate by sha-256 or better (a=fingerprint).")
    return transport


def _media(ours: Section, theirs: Section, offerer: bool) -> AgreedMedia | None:
    # The answer is the shorter list, and its order is the last word.
    ranked = (
        [(mine, one) for one in theirs.codecs for mine in ours.codecs if same_format(mine, one)]
        if offerer
        else [(mine, one) for mine in ours.codecs for one in theirs.codecs if same_format(mine, one)]
    )
    ranked = [pair for pair in ranked if pair[1].repaired is None]
    if not ranked and offerer:
        # Parameters that were forgotten or are another stream's: the number is one of ours, and says what is meant.
        numbered = [(ours.codec(one.payload_type), one) for one in theirs.codecs if one.repaired is None]
        ranked = [(mine, one) for mine, one in numbered if mine is not None and mine.is_called(one.name)]
    same_number = [pair for pair in ranked if pair[0].payload_type == pair[1].payload_type]
    if not ranked:
        return None
    first = ranked[0]
    mine, codec = next((pair for pair in same_number if pair[0] is first[0] or pair[1] is first[1]), first)
    both = tuple(feedback for feedback in mine.feedback if feedback in codec.feedback)
    repairing = theirs.retransmission_of(codec.payload_type) if ours.retransmission_of(mine.payload_type) else None
    return AgreedMedia(
        kind=ours.kind,
        mid=ours.mid,
        sends=ours.direction.sends and theirs.direction.receives,
        receives=ours.direction.receives and theirs.direction.sends,
        codec=msgspec.structs.replace(codec, feedback=both),
        rtx=repairing,
        receivable={one.payload_type: one for one in ours.codecs},
        extensions={one.uri: one.id for one in ours.extensions if theirs.extension_id(one.uri) == one.id},
        ssrc=ours.sources[0].ssrc if ours.sources else None,
        rtx_ssrc=ours.sources[1].ssrc if len(ours.sources) > 1 and repairing is not None else None,
        remote_ssrcs=tuple(source.ssrc for source in theirs.sources),
    )


def _data(ours: Section, theirs: Section) -> AgreedData:
    size = theirs.max_message_size
    return AgreedData(
        mid=ours.mid,
        local_port=ours.sctp_port or 5000,
        remote_port=theirs.sctp_port or 5000,
        max_message_size=_DEFAULT_MESSAGE_SIZE if size is None else size,
    )

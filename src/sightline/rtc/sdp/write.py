"""Session descriptions written, line by line in the order of RFC 8866 and RFC 8829 §5.2.1."""

from __future__ import annotations

from collections.abc import Iterator

from .description import Codec, Description, Section, Transport

__all__ = ["write_description"]


def write_description(description: Description) -> str:
    """The text, with CRLF after each line."""
    lines = [*_session(description)]
    for section in description.sections:
        lines += _section(section)
    return "\r\n".join(lines) + "\r\n"


def _session(description: Description) -> Iterator[str]:
    origin = description.origin
    yield "v=0"
    yield f"o=- {origin.session_id or 0} {origin.version} IN IP4 127.0.0.1"
    yield "s=-"
    yield "t=0 0"
    for mids in description.bundles:
        yield f"a=group:BUNDLE {' '.join(mids)}"
    if description.ice_lite:
        yield "a=ice-lite"
    if description.extmap_allow_mixed:
        yield "a=extmap-allow-mixed"
    yield "a=msid-semantic: WMS *"


def _section(section: Section) -> Iterator[str]:
    yield f"m={section.kind} {section.port} {section.protocol} {' '.join(section.formats)}"
    yield "c=IN IP4 0.0.0.0"
    if "RTP/" in section.protocol and not section.rejected:
        yield "a=rtcp:9 IN IP4 0.0.0.0"
    for candidate in section.candidates:
        yield f"a={candidate}"
    if section.end_of_candidates:
        yield "a=end-of-candidates"
    yield from _transport(section.transport)
    if section.mid:
        yield f"a=mid:{section.mid}"
    if section.bundle_only:
        yield "a=bundle-only"
    for extension in section.extensions:
        direction = f"/{extension.direction}" if extension.direction else ""
        yield f"a=extmap:{extension.id}{direction} {extension.uri}"
    yield f"a={section.direction}"
    for msid in section.msids:
        yield f"a=msid:{msid}"
    if section.rtcp_mux:
        yield "a=rtcp-mux"
    if section.rtcp_rsize:
        yield "a=rtcp-rsize"
    for codec in section.codecs:
        yield from _codec(codec)
    yield from _sources(section)
    if section.sctp_port is not None and str(section.sctp_port) == section.formats[0]:
        yield f"a=sctpmap:{section.sctp_port} webrtc-datachannel 1024"  # as before RFC 8841
    elif section.sctp_port is not None:
        yield f"a=sctp-port:{section.sctp_port}"
    if section.max_message_size is not None:
        yield f"a=max-message-size:{section.max_message_size}"


def _transport(transport: Transport) -> Iterator[str]:
    if transport.ufrag:
        yield f"a=ice-ufrag:{transport.ufrag}"
    if transport.password:
        yield f"a=ice-pwd:{transport.password}"
    if transport.trickle:
        yield "a=ice-options:trickle"
    for fingerprint in transport.fingerprints:
        yield f"a=fingerprint:{fingerprint}"
    if transport.setup:
        yield f"a=setup:{transport.setup}"


def _codec(codec: Codec) -> Iterator[str]:
    channels = f"/{codec.channels}" if codec.channels > 1 else ""
    yield f"a=rtpmap:{codec.payload_type} {codec.name}/{codec.clock_rate}{channels}"
    for feedback in codec.feedback:
        yield f"a=rtcp-fb:{codec.payload_type} {feedback}"
    if codec.parameters:
        written = ";".join(f"{name}={value}" if name else value for name, value in codec.parameters)
        yield f"a=fmtp:{codec.payload_type} {written}"


def _sources(section: Section) -> Iterator[str]:
    for group in section.source_groups:
        yield f"a=ssrc-group:{group.semantics} {' '.join(map(str, group.ssrcs))}"
    for source in section.sources:
        if source.cname:
            yield f"a=ssrc:{source.ssrc} cname:{source.cname}"
        if source.msid:
            yield f"a=ssrc:{source.ssrc} msid:{source.msid}"

"""Session descriptions read: strict where security or the connection hangs on it, else forgiving."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from ...errors import InvalidSdp
from ..fingerprint import Fingerprint
from .description import (
    Codec,
    Description,
    Direction,
    HeaderExtension,
    Origin,
    Section,
    Setup,
    Source,
    SourceGroup,
    Transport,
)

__all__ = ["parse_description"]

_MAX_LENGTH = 64 * 1024
_MAX_SECTIONS = 32
_MAX_CANDIDATES = 100
"""Per section. Browsers have a dozen; the rest is not worth a check."""

# What we repeat in an answer, or hand on, is made of these and nothing else (RFC 8866 §9; no control characters,
# no halves of characters, which JSON can carry and UTF-8 cannot).
_TOKEN = r"[!#$%&'*+.0-9A-Z^_`a-z{|}~-]"
_VISIBLE = r"[!-~]"
_PRINTABLE = r"[ -~]"


def _form(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.ASCII)


_MEDIA = _form(
    rf"m=(?P<kind>{_TOKEN}{{1,32}}) (?P<port>\d{{1,5}})(?:/\d{{1,5}})? "
    rf"(?P<protocol>{_TOKEN}{{1,16}}(?:/{_TOKEN}{{1,16}}){{0,4}})(?P<formats>(?: {_TOKEN}{{1,32}}){{1,256}}) ?"
)
_MID = _form(rf"{_TOKEN}{{1,64}}")
_ORIGIN = _form(rf"o=\S+ (?P<id>{_VISIBLE}{{1,64}}) (?P<version>\d{{1,20}})(?: .*)?")
_RTPMAP = _form(r"(?P<type>\d{1,3}) +(?P<name>[\w.+-]{1,64})/(?P<rate>\d{1,9})(?:/(?P<channels>\d{1,3}))?")
_FORMAT_LINE = _form(rf"(?P<type>\*|\d{{1,3}}) +(?P<value>{_PRINTABLE}{{1,1000}})")
_EXTMAP = _form(rf"(?P<id>\d{{1,4}})(?:/(?P<direction>\w+))? +(?P<uri>{_VISIBLE}{{1,256}})(?: .*)?")
_MSID = _form(rf"{_VISIBLE}{{1,256}}(?: {_VISIBLE}{{1,256}})?")
_SSRC = _form(rf"(?P<ssrc>\d{{1,10}}) (?P<name>cname|msid):(?P<value>{_MSID.pattern})")
_SSRC_GROUP = _form(r"(?P<semantics>[\w-]{1,16})(?P<ssrcs>(?: \d{1,10}){1,16})")
_CANDIDATE = _form(rf"{_PRINTABLE}{{1,1000}}")
_UFRAG = _form(rf"{_VISIBLE}{{4,256}}")
_PASSWORD = _form(rf"{_VISIBLE}{{22,256}}")
_NUMBER = _form(r"\d{1,19}")

_DIRECTIONS = {direction.value: direction for direction in Direction}

Attributes = Sequence[tuple[str, str]]
"""Name and value of each ``a=`` line, in order."""


def parse_description(text: str) -> Description:
    """Read an offer or an answer; raises InvalidSdp when it is none, or could not be meant.

    Attributes that nobody here needs are left out, as are codecs and extensions that cannot be read. What is checked:
    the m-lines, names of sections and the bundle over them, ICE credentials, fingerprints, and the size of it all.
    """
    if len(text) > _MAX_LENGTH:
        raise InvalidSdp(f"The description has {len(text)} characters; no real one has over {_MAX_LENGTH}.")
    lines = [line for line in re.split(r"[\r\n]+", text) if line]
    if not lines or lines[0].strip() != "v=0":
        raise InvalidSdp("This is not a session description: it does not begin with v=0.")
    starts = [number for number, line in enumerate(lines) if line.startswith("m=")]
    if not 1 <= len(starts) <= _MAX_SECTIONS:
        raise InvalidSdp(f"The description has {len(starts)} media sections; 1 to {_MAX_SECTIONS} can be answered.")
    session_lines = lines[: starts[0]]
    session = _attributes(session_lines)
    parts = [lines[begin:end] for begin, end in zip(starts, [*starts[1:], len(lines)], strict=True)]
    sections = tuple(_section(part[0], _attributes(part[1:]), session) for part in parts)
    names = {name for name, _ in session}
    return Description(
        origin=_origin(session_lines),
        sections=sections,
        bundles=_bundles(session, sections),
        ice_lite="ice-lite" in names,
        extmap_allow_mixed="extmap-allow-mixed" in names,
    )


def _attributes(lines: Iterable[str]) -> Attributes:
    split = (line[2:].partition(":") for line in lines if line.startswith("a="))
    return [(name.strip(), value.strip()) for name, _, value in split]


def _values(attributes: Attributes, name: str) -> list[str]:
    return [value for key, value in attributes if key == name]


def _origin(session_lines: Sequence[str]) -> Origin:
    match = next((match for line in session_lines if (match := _ORIGIN.fullmatch(line))), None)
    return Origin(match["id"], int(match["version"])) if match else Origin("", 0)


def _bundles(session: Attributes, sections: Sequence[Section]) -> tuple[tuple[str, ...], ...]:
    groups = (group.split() for group in _values(session, "group"))
    bundles = [tuple(group[1:]) for group in groups if group[:1] == ["BUNDLE"]]
    named = [section.mid for section in sections if section.mid]
    bundled = [mid for mids in bundles for mid in mids]
    if len(set(named)) < len(named) or len(set(bundled)) < len(bundled) or not set(bundled) <= set(named):
        raise InvalidSdp("The media sections are not named as the bundle says (a=mid, a=group:BUNDLE).")
    return tuple(mids for mids in bundles if mids)


def _section(media_line: str, own: Attributes, session: Attributes) -> Section:
    media = _MEDIA.fullmatch(media_line)
    if media is None or int(media["port"]) > 65535:
        raise InvalidSdp(f"A media section cannot be read: {media_line[:80]!r}.")
    names = {name for name, _ in own}
    formats = tuple(media["formats"].split())
    protocol = media["protocol"]
    return Section(
        kind=media["kind"],
        mid=_mid(own),
        port=int(media["port"]),
        protocol=protocol,
        formats=formats,
        direction=_direction(own) or _direction(session) or Direction.SENDRECV,
        transport=_transport(own, session),
        codecs=_codecs(formats, own) if "RTP/" in protocol else (),
        extensions=_extensions([*_only(session, "extmap"), *own]),
        rtcp_mux="rtcp-mux" in names,
        rtcp_rsize="rtcp-rsize" in names,
        bundle_only="bundle-only" in names,
        msids=tuple(value for value in _values(own, "msid") if _MSID.fullmatch(value)),
        sources=_sources(own),
        source_groups=_source_groups(own),
        candidates=_candidates(own),
        end_of_candidates="end-of-candidates" in names,
        sctp_port=_sctp_port(protocol, formats, own),
        max_message_size=_number(_values(own, "max-message-size"), 2**63),
    )


def _only(attributes: Attributes, name: str) -> Attributes:
    return [(key, value) for key, value in attributes if key == name]


def _mid(own: Attributes) -> str:
    mid = next(iter(_values(own, "mid")), "")
    if mid and not _MID.fullmatch(mid):
        raise InvalidSdp(f"A media section has a name that cannot be: {mid[:40]!r}.")
    return mid


def _direction(attributes: Attributes) -> Direction | None:
    return next((_DIRECTIONS[name] for name, _ in attributes if name in _DIRECTIONS), None)


def _transport(own: Attributes, session: Attributes) -> Transport:
    def values(name: str) -> list[str]:
        return _values(own, name) or _values(session, name)

    ufrag, password = next(iter(values("ice-ufrag")), ""), next(iter(values("ice-pwd")), "")
    if (ufrag and not _UFRAG.fullmatch(ufrag)) or (password and not _PASSWORD.fullmatch(password)):
        raise InvalidSdp("The ICE user name or password is not of the form of RFC 8839 (a=ice-ufrag, a=ice-pwd).")
    try:
        # Each may stand for another of the peer's certificates, or for the same one by another algorithm.
        fingerprints = tuple(dict.fromkeys(Fingerprint.parse(value) for value in values("fingerprint")))
        setup = next((Setup(value) for value in values("setup")), None)
    except ValueError as error:
        raise InvalidSdp(f"The DTLS parameters cannot be read: {error}.") from error
    options = " ".join([*_values(own, "ice-options"), *_values(session, "ice-options")]).split()
    return Transport(ufrag, password, fingerprints, setup, "trickle" in options)


def _codecs(formats: Sequence[str], own: Attributes) -> tuple[Codec, ...]:
    maps: dict[int, re.Match[str]] = {}
    for value in _values(own, "rtpmap"):
        match = _RTPMAP.fullmatch(value)
        if match is not None:
            maps.setdefault(int(match["type"]), match)
    parameters: dict[str, tuple[tuple[str, str], ...]] = {}
    for match in _format_lines(own, "fmtp"):
        parameters.setdefault(match["type"], _parameters(match["value"]))
    feedback: dict[str, list[str]] = {}
    for match in _format_lines(own, "rtcp-fb"):
        feedback.setdefault(match["type"], []).append(" ".join(match["value"].split()))
    codecs = []
    for payload_type in dict.fromkeys(int(text) for text in formats if _NUMBER.fullmatch(text)):
        found, key = maps.get(payload_type), str(payload_type)
        if found is None or payload_type > 127:
            continue  # without a map it is one of the static types, none of which is ours
        codecs.append(
            Codec(
                payload_type,
                found["name"],
                int(found["rate"]),
                int(found["channels"] or 1),
                parameters.get(key, ()),
                tuple(dict.fromkeys([*feedback.get(key, ()), *feedback.get("*", ())])),
            )
        )
    return tuple(codecs)


def _format_lines(own: Attributes, name: str) -> Iterable[re.Match[str]]:
    return (match for value in _values(own, name) if (match := _FORMAT_LINE.fullmatch(value)))


def _parameters(text: str) -> tuple[tuple[str, str], ...]:
    found: dict[str, str] = {}
    for part in text.split(";"):
        name, equals, value = (piece.strip() for piece in part.partition("="))
        if equals and name:
            found.setdefault(name.lower(), value)
        elif name:
            found.setdefault("", name)
    return tuple(found.items())


def _extensions(attributes: Attributes) -> tuple[HeaderExtension, ...]:
    found: dict[int, HeaderExtension] = {}
    for value in _values(attributes, "extmap"):
        match = _EXTMAP.fullmatch(value)
        if match is not None and 1 <= int(match["id"]) <= 4095:
            direction = _DIRECTIONS.get(match["direction"] or "")
            found.setdefault(int(match["id"]), HeaderExtension(int(match["id"]), match["uri"], direction))
    return tuple(found.values())


def _sources(own: Attributes) -> tuple[Source, ...]:
    found: dict[int, dict[str, str]] = {}
    for value in _values(own, "ssrc"):
        match = _SSRC.fullmatch(value)
        if match is not None and int(match["ssrc"]) < 2**32:
            found.setdefault(int(match["ssrc"]), {}).setdefault(match["name"], match["value"])
    return tuple(Source(ssrc, said.get("cname", ""), said.get("msid", "")) for ssrc, said in found.items())


def _source_groups(own: Attributes) -> tuple[SourceGroup, ...]:
    matches = (match for value in _values(own, "ssrc-group") if (match := _SSRC_GROUP.fullmatch(value)))
    groups = [SourceGroup(match["semantics"], tuple(map(int, match["ssrcs"].split()))) for match in matches]
    return tuple(group for group in groups if max(group.ssrcs) < 2**32)


def _candidates(own: Attributes) -> tuple[str, ...]:
    texts = (value for value in _values(own, "candidate") if _CANDIDATE.fullmatch(value))
    return tuple(f"candidate:{text}" for text in texts)[:_MAX_CANDIDATES]


def _sctp_port(protocol: str, formats: Sequence[str], own: Attributes) -> int | None:
    if "SCTP" not in protocol:
        return None
    # Before RFC 8841 the port stood in the m-line: `m=application 9 DTLS/SCTP 5000`.
    return _number([*_values(own, "sctp-port"), formats[0]], 65535)


def _number(values: Iterable[str], limit: int) -> int | None:
    return next((int(value) for value in values if _NUMBER.fullmatch(value) and int(value) <= limit), None)

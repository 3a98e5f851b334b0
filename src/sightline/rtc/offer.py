"""What a master must know of a viewer's offer before an engine answers it (RFC 8866, RFC 8829)."""

from __future__ import annotations

import re

import msgspec

from ..errors import InvalidSdp

__all__ = ["Offer", "OfferedCandidate", "OfferedMedia", "offered_ufrag", "parse_offer"]

_MAX_LENGTH = 64 * 1024
_MAX_SECTIONS = 32

_UFRAG = re.compile(r"^a=ice-ufrag:(\S+)", re.M)
_MEDIA_LINE = re.compile(r"m=(?P<kind>audio|video|application) \d{1,5} [A-Z/]+ \S.*")
_DIRECTIONS = {"a=sendrecv": True, "a=recvonly": True, "a=sendonly": False, "a=inactive": False}
_CODECS = {
    "audio": re.compile(r"a=rtpmap:\d+ opus/48000/2", re.I),
    "video": re.compile(r"a=rtpmap:\d+ H264/90000", re.I),
}


class OfferedMedia(msgspec.Struct, frozen=True):
    """One m-section. ``receives``: the viewer wants to get this; ``usable``: it names a codec that we send."""

    kind: str
    mid: str
    receives: bool
    usable: bool


class OfferedCandidate(msgspec.Struct, frozen=True):
    """A candidate that came in the offer: its text, beginning with ``candidate:``, and its m-section."""

    text: str
    mid: str


class Offer(msgspec.Struct, frozen=True):
    """``sdp`` is the offer without its candidates, which are listed apart so that each can be judged."""

    sdp: str
    media: tuple[OfferedMedia, ...]
    candidates: tuple[OfferedCandidate, ...]
    bundled_under: str | None
    """The mid whose transport carries everything (RFC 9143), or None when the sections are not bundled."""


def parse_offer(sdp: str) -> Offer:
    """Read an offer; raises InvalidSdp when it is no session description or has nothing to connect."""
    if len(sdp) > _MAX_LENGTH:
        raise InvalidSdp(f"The offer has {len(sdp)} characters; no real one has over {_MAX_LENGTH}.")
    lines = [line for line in re.split(r"\r?\n", sdp) if line]
    if not lines or not lines[0].startswith("v=0"):
        raise InvalidSdp("The offer is not a session description: it does not begin with v=0.")
    starts = [number for number, line in enumerate(lines) if line.startswith("m=")]
    if not starts or len(starts) > _MAX_SECTIONS:
        raise InvalidSdp(f"The offer has {len(starts)} media sections; 1 to {_MAX_SECTIONS} can be answered.")
    sections = [lines[begin:end] for begin, end in zip(starts, [*starts[1:], len(lines)], strict=True)]
    media = tuple(_read_section(section) for section in sections)
    bundled_under = _bundle(lines[: starts[0]])
    mids = [offered.mid for offered in media]
    if len(mids) > 1 and (len(set(mids)) < len(mids) or bundled_under not in (None, *mids)):
        raise InvalidSdp("The offer's media sections are not named as its bundle says (a=mid, a=group:BUNDLE).")
    candidates = tuple(
        OfferedCandidate(line.removeprefix("a="), offered.mid)
        for section, offered in zip(sections, media, strict=True)
        for line in section
        if line.startswith("a=candidate:")
    )
    # Without a=end-of-candidates the agent stays open for addresses that it learns from the viewer's own checks.
    kept = [line for line in lines if not line.startswith(("a=candidate:", "a=end-of-candidates"))]
    return Offer("\r\n".join(kept) + "\r\n", media, candidates, bundled_under)


def offered_ufrag(sdp: str) -> str | None:
    """The ICE user name fragment of an offer (of its first section), None when there is none."""
    match = _UFRAG.search(sdp)
    return match[1] if match else None


def _read_section(lines: list[str]) -> OfferedMedia:
    match = _MEDIA_LINE.fullmatch(lines[0])
    if match is None:
        raise InvalidSdp(f"The offer has a media section that cannot be answered: {lines[0][:80]!r}.")
    kind = match["kind"]
    receives = next((_DIRECTIONS[line] for line in lines if line in _DIRECTIONS), True)
    codec = _CODECS.get(kind)
    usable = codec is not None and any(codec.match(line) for line in lines)
    mid = next((line.removeprefix("a=mid:").strip() for line in lines if line.startswith("a=mid:")), "")
    return OfferedMedia(kind, mid, receives, usable)


def _bundle(session_lines: list[str]) -> str | None:
    for line in session_lines:
        if line.startswith("a=group:BUNDLE "):
            mids = line.split()[1:]
            return mids[0] if mids else None
    return None

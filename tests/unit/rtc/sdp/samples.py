"""Descriptions as they are out there.

``chromium_*`` and ``firefox_*`` were written by Chromium 156 and Firefox ESR, headless, in a laboratory; the others
were put together after what such peers say in their issue trackers.
"""

from __future__ import annotations

from pathlib import Path

from sightline.rtc.fingerprint import Fingerprint
from sightline.rtc.sdp import LocalTransport, Origin, OurMedia, Ours, SourceCodec

FOLDER = Path(__file__).parent / "samples"
NAMES = sorted(file.stem for file in FOLDER.glob("*.sdp"))

H264, VP8, OPUS = SourceCodec("H264"), SourceCodec("VP8"), SourceCodec("opus")

TRANSPORT = LocalTransport(ufrag="ours", password="p" * 24, fingerprint=Fingerprint("sha-256", ":".join(["0F"] * 32)))


def sample(name: str) -> str:
    """The text of a sample, with the line ends of the wire."""
    return (FOLDER / f"{name}.sdp").read_text().replace("\n", "\r\n")


def video(*codecs: SourceCodec, ssrc: int = 1111, rtx_ssrc: int | None = 2222) -> OurMedia:
    """A camera's picture."""
    return OurMedia(kind="video", codecs=codecs or (H264,), ssrc=ssrc, rtx_ssrc=rtx_ssrc, cname="camera")


def audio() -> OurMedia:
    """A camera's sound."""
    return OurMedia(kind="audio", codecs=(OPUS,), ssrc=3333, cname="camera")


def master(*media: OurMedia, transport: LocalTransport = TRANSPORT, version: int = 1) -> Ours:
    """A master's side."""
    return Ours(origin=Origin("4611731400430051336", version), transport=transport, media=media or (video(), audio()))


def viewer(transport: LocalTransport = TRANSPORT) -> Ours:
    """A viewer's side: it receives."""
    wishes = (("video", (H264, VP8)), ("audio", (OPUS,)))
    media = tuple(OurMedia(kind=kind, codecs=codecs, sends=False, receives=True) for kind, codecs in wishes)
    return Ours(origin=Origin("77", 1), transport=transport, media=media)

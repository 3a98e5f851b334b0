"""What a master streams from, and how the command line names it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote, urlsplit

from ..errors import ConfigError, UnsupportedMedia
from .encoders import check_encoder
from .encoding_source import EncodingSource
from .feed import Feed
from .file_source import FileSource
from .ladder import Ladder
from .live_input import live_input
from .live_source import LiveSource
from .pass_through import PassThroughSource
from .test_picture import TestPicture

__all__ = ["Source", "open_source"]

_TEST = re.compile(r"test(?::(?P<width>\d{1,5})x(?P<height>\d{1,5})(?:@(?P<rate>\d{1,3}))?)?")


class Source(Protocol):
    """Encoded pictures and sound, made once for all viewers, from the first subscription to the last one's end."""

    @property
    def video(self) -> Feed | None:
        """H.264 access units on a 90 kHz clock, or None."""

    @property
    def video_feeds(self) -> Mapping[str, Feed]:
        """The same pictures by codec, the preferred one first: ``H264``, and ``VP8`` for viewers without it."""

    def renditions(self, codec: str) -> Sequence[Feed]:
        """The pictures in one of those codecs in all sizes that there are, the greatest first: ``video_feeds[codec]``.

        All have the same timestamps, so that a viewer may go on with another one at any of its keyframes.
        """

    @property
    def audio(self) -> Feed | None:
        """Opus packets on a 48 kHz clock, or None."""

    def request_keyframe(self) -> None:
        """A viewer needs a keyframe. Requests are joined; a source that cannot make one ignores them."""

    async def aclose(self) -> None:
        """End it and all subscriptions. Idempotent."""


def open_source(
    text: str,
    *,
    bitrate: int | None = None,
    loop: bool = True,
    transport: str = "tcp",
    encoder: str | None = None,
    renditions: str = "auto",
    transcode: bool = True,
) -> Source:
    """The source that ``--source`` names: a file's path, ``test``, ``test:1280x720@30``, or one that is live.

    Live are what `live_input` knows: ``rtsp://`` cameras (``transport``: ``tcp`` or ``udp``), devices, the screen,
    URLs. ``loop``: a file begins again at its end. ``encoder``: FFmpeg's name of the H.264 encoder.

    ``renditions``: the smaller pictures for viewers whose path is too narrow, each encoded only while somebody needs
    it: ``auto``, ``off``, or heights as ``720p,360p@300``, with kbit/s. Without ``transcode`` viewers get what the
    source has and nothing else: no VP8 beside H.264, no smaller picture.

    A file whose H.264 can be sent as it is costs no encoding, unless a ``bitrate`` is asked for, in bits per second of
    the video. Blocks: milliseconds for a file, seconds for a camera. Raises ConfigError and MediaError.
    """
    if encoder is not None:
        check_encoder(encoder)
    ladder = Ladder.parse(renditions, transcode=transcode)
    if text == "test" or text.startswith("test:"):
        match = _TEST.fullmatch(text)
        if match is None:
            raise ConfigError(f"The source {text!r} is not understood: write test, test:1280x720 or test:1280x720@30.")
        if match["width"] is None:
            size, rate = (640, 360), 30
        else:
            size, rate = (int(match["width"]), int(match["height"])), int(match["rate"] or 30)
        return _encoded_by(encoder, TestPicture(*size, rate, bitrate=bitrate, ladder=ladder, transcode=transcode))
    if not text:
        raise ConfigError("The source is empty: give a video file, or test for the test picture.")
    if text.startswith("file://"):
        text = unquote(urlsplit(text).path)
    if (input := live_input(text, transport=transport)) is not None:
        return LiveSource(input, bitrate=bitrate, encoder=encoder, ladder=ladder, transcode=transcode)
    if bitrate is None and encoder is None:
        try:
            return PassThroughSource(Path(text), loop=loop, ladder=ladder, transcode=transcode)
        except UnsupportedMedia:
            pass  # It is encoded anew, or nothing can be done with it: the next line says which.
    source = FileSource(Path(text), loop=loop, bitrate=bitrate, ladder=ladder, transcode=transcode)
    return _encoded_by(encoder, source)


def _encoded_by(encoder: str | None, source: EncodingSource) -> EncodingSource:
    if encoder is not None:
        source.use_encoder(encoder)
    return source

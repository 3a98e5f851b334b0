"""What somebody in a room sends: of a source that may be changed at any time, all or only a part."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

import msgspec

from ..media.opus_packets import silent_packet
from ..media.units import EncodedUnit
from ..rtc.outgoing import OutgoingMedia
from ..rtc.rtp.fanout import Feed
from ..rtc.rtp.packetize import Unit

__all__ = ["ALL", "Outgoing", "Sending", "read_sending"]


class Sending(msgspec.Struct, frozen=True):
    """What one side of a call says that it sends. Pages and we say it; of others it is not known."""

    sound: bool = True
    """False: muted, or there is no microphone."""
    picture: str | None = "camera"
    """``camera`` or ``screen``; None: switched off, or there is no camera."""


ALL: Final = Sending()
"""What is believed of those who do not say it."""

_encode = msgspec.json.Encoder().encode


def read_sending(text: str) -> Sending | None:
    """What the other side says on the data channel ``status``; None for what is not understood."""
    try:
        said = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None
    if not isinstance(said, dict):
        return None
    picture = said.get("picture")
    return Sending(said.get("sound") is not False, picture if picture in ("camera", "screen") else None)


class Outgoing:
    """``rtc.outgoing.OutgoingMedia`` of the source that there is, without what is switched off.

    Whoever changes something tells the connections (``CallPeer.source_changed``).
    """

    def __init__(self) -> None:
        self.source: OutgoingMedia | None = None
        """None: nothing is sent."""
        self.muted = False
        self.picture_off = False
        self._silence: _Silence | None = None

    @property
    def sending(self) -> Sending:
        """What the other side is told."""
        return Sending(self.audio is not None and not self.muted, "camera" if self.video_feeds else None)

    @property
    def status(self) -> str:
        """The same, as it goes over the data channel ``status``."""
        return _encode(self.sending).decode()

    @property
    def video_feeds(self) -> Mapping[str, Feed]:
        """See ``OutgoingMedia``."""
        return {} if self.source is None or self.picture_off else self.source.video_feeds

    def renditions(self, codec: str) -> Sequence[Feed]:
        """See ``OutgoingMedia``."""
        return () if self.source is None or self.picture_off else self.source.renditions(codec)

    @property
    def audio(self) -> Feed | None:
        """See ``OutgoingMedia``. Silence while it is muted: whoever listens goes on without a break."""
        sound = self.source.audio if self.source is not None else None
        if sound is None or not self.muted:
            self._silence = None
            return sound
        if self._silence is None or self._silence.feed is not sound:
            self._silence = _Silence(sound)
        return self._silence


class _Silence:
    """A feed of Opus as another one, packet by packet, without its sound."""

    def __init__(self, feed: Feed) -> None:
        self.feed = feed

    codec = "opus"
    profile_level_id = ""
    label = ""
    makes_keyframes = True

    @property
    def clock_rate(self) -> int:
        return self.feed.clock_rate

    @property
    def bitrate(self) -> int | None:
        return self.feed.bitrate

    @property
    def fit(self) -> Callable[[int | None], None]:
        return self.feed.fit

    @property
    def request_keyframe(self) -> Callable[[], None]:
        return self.feed.request_keyframe

    def listen(self, listener: Callable[[Unit], None]) -> Callable[[], None]:
        return self.feed.listen(lambda unit: listener(EncodedUnit(silent_packet(unit.data), unit.timestamp)))

    def replay(self, now: float) -> Sequence[tuple[Unit, float, int]]:
        return ()

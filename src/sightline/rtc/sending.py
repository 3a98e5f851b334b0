"""What one viewer is sent: from what was agreed to the streams that the fan-out feeds."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Sequence

from .outgoing import OutgoingMedia
from .rtp.fanout import Fanout, Feed
from .rtp.outlet import Outlet, OutletStats, Send
from .rtp.stream import PLAYOUT_DELAY, OutgoingStream, Rtx, StreamSettings
from .rtp.transport_wide import SentPackets
from .sdp import AgreedMedia, Agreement, OurMedia, SourceCodec
from .sdp.ours import MID, TRANSPORT_CC, TRANSPORT_WIDE
from .srtp import SrtpSession

__all__ = ["EXTENSIONS", "Sending"]

EXTENSIONS = (MID, PLAYOUT_DELAY, TRANSPORT_WIDE)
"""Header extensions that go into our packets where the viewer knows them."""


def _nothing(_: object) -> None:
    pass


def _random_ssrcs(count: int) -> list[int]:
    return secrets.SystemRandom().sample(range(1, 1 << 32), count)


class Sending:
    """The streams of one viewer. They come into being with the keys, and live through renegotiations and restarts."""

    def __init__(
        self, fanout: Fanout, source: OutgoingMedia, *, send: Send, on_error: Callable[[Exception], None]
    ) -> None:
        """``on_error`` is told what makes it impossible to go on with this viewer."""
        self._fanout = fanout
        self._source = source
        self._send = send
        self._on_error = on_error
        self._cname = secrets.token_urlsafe(12)
        # Random, and no two alike: the viewer tells the streams of its one port apart by them (RFC 3550 §8).
        self._ssrcs = _random_ssrcs(3)
        self._wanted: dict[str, AgreedMedia] = {}
        """What was agreed, whether the source has it now or not."""
        self._agreed: dict[str, AgreedMedia] = {}
        self._feeds: dict[str, Feed] = {}
        self._streams: dict[str, OutgoingStream] = {}
        """By kind, those that ended too: who sends again under an SSRC goes on with its numbers."""
        self._outlet: Outlet | None = None
        self._wide: SentPackets | None = None
        """Where the viewer tells of each packet; for others nothing is counted."""
        self._srtp: SrtpSession | None = None
        self._warm: list[Callable[[], None]] = []
        self._active = False

    def wishes(self) -> tuple[OurMedia, ...]:
        """What we bring into a negotiation."""
        video, retransmissions, audio = self._ssrcs
        wishes = []
        if self._source.video_feeds:
            codecs = tuple(
                SourceCodec(name, feed.profile_level_id) if feed.profile_level_id else SourceCodec(name)
                for name, feed in self._source.video_feeds.items()
            )
            wishes.append(
                OurMedia(kind="video", codecs=codecs, ssrc=video, rtx_ssrc=retransmissions, cname=self._cname)
            )
        if self._source.audio is not None:
            wishes.append(
                OurMedia(kind="audio", codecs=(SourceCodec("opus", stereo=True),), ssrc=audio, cname=self._cname)
            )
        return tuple(wishes)

    def agreed(self, agreement: Agreement) -> None:
        """A negotiation is done, the first or a later one. The source begins to work, for whom it will be soon."""
        self._wanted = {media.kind: media for media in agreement.media if media.sends}
        agreed = self._had(self._wanted)
        if agreed == self._agreed:
            return
        self._agreed = agreed
        if self._srtp is not None:
            self._build(self._srtp)
        elif not self._warm:
            self._warm_up()

    def source_changed(self) -> None:
        """The source gives other feeds than before. What was agreed goes on with them without a break; of what was not,
        nothing is sent before the next agreement.
        """
        self._agreed = self._had(self._wanted)
        outlet, srtp, before = self._outlet, self._srtp, self._feeds
        if outlet is None or srtp is None:
            if self._warm:
                stop, self._warm = self._warm, []
                self._warm_up()
                for each in stop:
                    each()
            return
        feeds = self._had_feeds()
        if feeds.get("video") is not before.get("video"):
            outlet.drop_pictures()
        for kind, stream in self._streams.items():
            if feeds.get(kind) is not before.get(kind):
                stream.begin_timeline()
        self._build(srtp)
        if outlet.video is not None and feeds.get("video") is not before.get("video"):
            self._fanout.request_keyframe(outlet)

    def renew(self, kind: str) -> None:
        """A stream that ended is to begin again, as another one: Chromium has no picture of one that comes back under
        the SSRC that it had, whose receiver it takes for one that is still connected to its track.
        """
        video, retransmissions, audio = self._ssrcs
        first, second = [ssrc for ssrc in _random_ssrcs(5) if ssrc not in self._ssrcs][:2]
        self._ssrcs = [first, second, audio] if kind == "video" else [video, retransmissions, first]

    def keys(self, srtp: SrtpSession) -> None:
        """The handshake is done."""
        if srtp is not self._srtp:
            self._srtp = srtp
            self._build(srtp)

    def start(self) -> None:
        """The viewer is connected (again): from the next keyframe on it gets everything."""
        self._active = True
        if self._outlet is not None:
            self._fanout.start(self._outlet)

    def pause(self) -> None:
        """Nothing is sent any more until ``start``."""
        self._active = False
        if self._outlet is not None:
            self._fanout.pause(self._outlet)

    def path_changed(self) -> None:
        """What is on its way may be lost: the viewer gets a keyframe."""
        if self._outlet is not None:
            self._outlet.path_changed()
            self._fanout.request_keyframe(self._outlet)

    def receive(self, packet: bytes) -> Sequence[object]:
        """An RTCP packet of the viewer; the reports in it. Raises MalformedRtcp."""
        return self._fanout.receive_rtcp(self._outlet, packet) if self._outlet is not None else ()

    def goodbye(self) -> None:
        """Say that the streams end (RFC 3550 §6.6)."""
        if self._outlet is not None:
            self._outlet.goodbye()

    def statistics(self) -> OutletStats | None:
        """Figures, once there are streams."""
        return self._outlet.stats(time.monotonic()) if self._outlet is not None else None

    @property
    def rendition(self) -> str | None:
        """The size in which the viewer gets the pictures, for instance ``720p``."""
        return self._fanout.rendition(self._outlet) if self._outlet is not None else None

    def close(self) -> None:
        """Leave the fan-out. Idempotent."""
        self._cool()
        if self._outlet is not None:
            self._fanout.remove(self._outlet)

    def _build(self, srtp: SrtpSession) -> None:
        """Make the streams that were agreed. Those that stay as they were go on without a break."""
        if self._wide is None and any(_counts(media) is not None for media in self._agreed.values()):
            self._wide = SentPackets()
        streams = {kind: self._stream(media, srtp) for kind, media in self._agreed.items()}
        self._streams |= streams
        feeds = self._feeds = self._had_feeds()
        renditions = self._renditions(self._agreed["video"]) if "video" in feeds else ()
        video, audio = streams.get("video"), streams.get("audio")
        if self._outlet is None:
            self._outlet = Outlet(
                send=self._send,
                protect_rtcp=srtp.protect_rtcp,
                cname=self._cname,
                video=video,
                audio=audio,
                wide=self._wide,
                on_error=self._on_error,
            )
            self._fanout.add(self._outlet, video=feeds.get("video"), audio=feeds.get("audio"), renditions=renditions)
            self._cool()
            if self._active:
                self._fanout.start(self._outlet)
            return
        has_new_picture = video is not None and video is not self._outlet.video
        self._outlet.video, self._outlet.audio = video, audio
        self._fanout.change(self._outlet, video=feeds.get("video"), audio=feeds.get("audio"), renditions=renditions)
        if video is not None and has_new_picture:
            video.drop_to_keyframe()
            self._fanout.request_keyframe(self._outlet)

    def _stream(self, media: AgreedMedia, srtp: SrtpSession) -> OutgoingStream:
        rtx = None
        if media.rtx is not None and media.rtx_ssrc is not None:
            rtx = Rtx(media.rtx_ssrc, media.rtx.payload_type)
        settings = StreamSettings(
            ssrc=media.ssrc or 0,
            payload_type=media.codec.payload_type,
            clock_rate=media.codec.clock_rate,
            rtx=rtx,
            mid=media.mid,
            mid_extension=media.extensions.get(MID),
            playout_extension=media.extensions.get(PLAYOUT_DELAY) if media.kind == "video" else None,
            wide_extension=_counts(media),
        )
        before = self._streams.get(media.kind)
        if before is not None and before.settings == settings:
            return before
        return OutgoingStream(
            settings,
            protect=srtp.protect,
            # One that goes on under other settings must not use a number twice: with GCM that gives the key away.
            sequence=secrets.randbits(15) if before is None else before.next_sequence,
            timestamp_offset=secrets.randbits(32),
            rtx_sequence=secrets.randbits(15) if before is None else before.next_rtx_sequence,
            wide=self._wide,
        )

    def _had(self, wanted: dict[str, AgreedMedia]) -> dict[str, AgreedMedia]:
        return {kind: media for kind, media in wanted.items() if self._feed(media) is not None}

    def _had_feeds(self) -> dict[str, Feed]:
        return {kind: feed for kind, media in self._agreed.items() if (feed := self._feed(media)) is not None}

    def _warm_up(self) -> None:
        self._warm = [feed.listen(_nothing) for feed in self._had_feeds().values()]

    def _feed(self, media: AgreedMedia) -> Feed | None:
        if media.kind == "audio":
            return self._source.audio
        return next(iter(self._renditions(media)), None)

    def _renditions(self, media: AgreedMedia) -> Sequence[Feed]:
        names = [name for name in self._source.video_feeds if media.codec.is_called(name)]
        return self._source.renditions(names[0]) if names else ()

    def _cool(self) -> None:
        for stop in self._warm:
            stop()
        self._warm = []


def _counts(media: AgreedMedia) -> int | None:
    """The id under which packets are counted, None where the viewer does not tell of them."""
    return media.extensions.get(TRANSPORT_WIDE) if TRANSPORT_CC in media.codec.feedback else None

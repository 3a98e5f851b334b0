"""What a viewer receives: from what was agreed to whole frames; and its own sound, where it talks."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Sequence

from .rtp.clock import LiveClock
from .rtp.incoming import EncodedFrame, IncomingSettings, Payload
from .rtp.inlet import Inlet, InletStats
from .rtp.outlet import Send
from .rtp.packetize import Packets
from .rtp.rtcp import MalformedRtcp, SourceDescription, build
from .rtp.stream import OutgoingStream, StreamSettings
from .sdp import AgreedMedia, Agreement, OurMedia, SourceCodec
from .sdp.ours import MID, REMB, TRANSPORT_CC, TRANSPORT_WIDE
from .srtp import SrtpSession

__all__ = ["EXTENSIONS", "Receiving"]

EXTENSIONS = (MID, TRANSPORT_WIDE)
"""Header extensions that we read."""

H264_PROFILES = ("42e01f", "42001f", "4d001f", "64001f")
"""Those that masters send: constrained baseline first, which all of them know; every decoder here shows them all."""

_REPORT = 1.0
"""Seconds between two reports on our own sound."""


class Receiving:
    """The streams of one viewer. They come into being with the keys, and live through renegotiations and restarts."""

    def __init__(
        self,
        *,
        video: bool,
        audio: str | None,
        send: Send,
        on_frame: Callable[[EncodedFrame], None],
    ) -> None:
        """``audio``: ``recvonly``, ``sendrecv`` or None."""
        self.malformed = 0
        self._video = video
        self._audio = audio
        self._send = send
        self._on_frame = on_frame
        self._cname = secrets.token_urlsafe(12)
        self._ssrc, self._audio_ssrc = secrets.SystemRandom().sample(range(1, 1 << 32), 2)
        self._agreement: Agreement | None = None
        self._inlet: Inlet | None = None
        self._srtp: SrtpSession | None = None
        self._voice: OutgoingStream | None = None
        self._clock = LiveClock(48_000)
        self._spoken = 0
        self._voice_report_at = 0.0
        self._active = False

    # -- negotiation and state, see ``LinkMedia``

    def wishes(self) -> tuple[OurMedia, ...]:
        """See ``LinkMedia``."""
        wishes = []
        if self._video:
            codecs = (*(SourceCodec("H264", profile) for profile in H264_PROFILES), SourceCodec("VP8"))
            wishes.append(OurMedia(kind="video", codecs=codecs, sends=False, receives=True))
        if self._audio is not None:
            talks = self._audio == "sendrecv"
            wishes.append(
                OurMedia(
                    kind="audio",
                    codecs=(SourceCodec("opus", stereo=True),),
                    sends=talks,
                    receives=True,
                    ssrc=self._audio_ssrc,
                    cname=self._cname,
                )
            )
        return tuple(wishes)

    def agreed(self, agreement: Agreement) -> None:
        """See ``LinkMedia``."""
        self._agreement = agreement
        if self._srtp is not None:
            self._build(self._srtp, agreement)

    def keys(self, srtp: SrtpSession) -> None:
        """See ``LinkMedia``."""
        self._srtp = srtp
        if self._agreement is not None:
            self._build(srtp, self._agreement)

    def start(self) -> None:
        """See ``LinkMedia``."""
        self._active = True

    def pause(self) -> None:
        """See ``LinkMedia``."""
        self._active = False

    def path_changed(self) -> None:
        """See ``LinkMedia``. What is lost with a path is noticed like any loss, and mostly nothing is."""
        if self._inlet is not None:
            self._inlet.path_changed()

    def request_keyframe(self) -> None:
        """Ask the master for one, for whatever reason."""
        if self._inlet is not None:
            self._inlet.request_keyframe(time.monotonic())

    def goodbye(self) -> None:
        """See ``LinkMedia``."""
        if self._inlet is not None:
            self._inlet.goodbye()

    def close(self) -> None:
        """See ``LinkMedia``."""
        self._active = False
        self._inlet = None
        self._voice = None

    # -- what comes and goes

    def receive_rtp(self, packet: bytes, now: float) -> None:
        """A decrypted RTP packet."""
        if self._inlet is not None:
            self._inlet.receive_rtp(packet, now)

    def receive_rtcp(self, packet: bytes, now: float) -> Sequence[object]:
        """A decrypted RTCP packet; the reports in it, none of one that cannot be read."""
        if self._inlet is None:
            return ()
        try:
            return self._inlet.receive_rtcp(packet, now)
        except MalformedRtcp:
            self.malformed += 1
            return ()

    def send_audio(self, opus: bytes, samples: int, now: float) -> None:
        """Send a packet of ours, of so many samples at 48 kHz; it is lost when nobody wants it."""
        timestamp, self._spoken = self._spoken, self._spoken + max(0, samples)
        self._clock.observe(timestamp, now)
        if self._voice is not None and self._active and opus:
            self._send(self._voice.build(Packets((opus,), timestamp, True, False, len(opus)), now))

    def tick(self, now: float, rtt: float | None) -> None:
        """Do what is due; ``rtt`` is that of the path."""
        if self._inlet is None or not self._active:
            return
        self._inlet.rtt = rtt
        self._inlet.tick(now)
        if self._voice is not None and now >= self._voice_report_at:
            self._voice_report_at = now + _REPORT
            self._report_voice(self._voice, now)

    def next_time(self) -> float | None:
        """When ``tick`` has something to do."""
        if self._inlet is None or not self._active:
            return None
        due = self._inlet.next_time()
        return due if self._voice is None else min(due, self._voice_report_at)

    @property
    def ended(self) -> bool:
        """Whether the master has said goodbye of all its streams."""
        return self._inlet is not None and self._inlet.ended

    def statistics(self, now: float) -> InletStats | None:
        """Figures, once there are streams."""
        return self._inlet.stats(now) if self._inlet is not None else None

    # -- inside

    def _build(self, srtp: SrtpSession, agreement: Agreement) -> None:
        now = time.monotonic()
        if self._inlet is None:
            self._inlet = Inlet(
                send=self._send,
                protect_rtcp=srtp.protect_rtcp,
                ssrc=self._ssrc,
                cname=self._cname,
                on_frame=self._on_frame,
                now=now,
            )
        taken: dict[str, AgreedMedia] = {}
        for media in agreement.media:
            if media.receives and media.kind in ("video", "audio"):
                taken.setdefault(media.kind, media)
        extension = next((media.extensions[MID] for media in taken.values() if MID in media.extensions), None)
        counted = (media.extensions.get(TRANSPORT_WIDE) for media in taken.values() if _is_counted(media))
        self._inlet.agree(
            [_settings(media) for media in taken.values()],
            mid_extension=extension,
            wide_extension=next(counted, None),
        )
        speaking = agreement.media if self._audio == "sendrecv" else ()  # what else is sent has its own owner
        talking = next((media for media in speaking if media.kind == "audio" and media.sends), None)
        if talking is None:
            self._voice = None
        elif self._voice is None or self._voice.settings != (settings := _voice(talking, self._audio_ssrc)):
            settings = _voice(talking, self._audio_ssrc)
            before = self._voice
            self._voice = OutgoingStream(
                settings,
                protect=srtp.protect,
                # One that goes on under other settings must not use a number twice: with GCM that gives the key away.
                sequence=secrets.randbits(15) if before is None else before.next_sequence,
                timestamp_offset=secrets.randbits(32),
            )

    def _report_voice(self, voice: OutgoingStream, now: float) -> None:
        report = voice.sender_report(self._clock, now, time.time())
        if report is not None and self._srtp is not None:
            name = SourceDescription(((voice.settings.ssrc, self._cname),))
            self._send([self._srtp.protect_rtcp(build([report, name]))])


def _is_counted(media: AgreedMedia) -> bool:
    """Whether the sender counts its packets and wants to hear when each came."""
    return TRANSPORT_CC in media.codec.feedback and TRANSPORT_WIDE in media.extensions


def _settings(media: AgreedMedia) -> IncomingSettings:
    feedback = media.codec.feedback
    return IncomingSettings(
        kind="audio" if media.kind == "audio" else "video",
        clock_rate=media.codec.clock_rate,
        payloads={
            number: Payload(codec.name, parameters=codec.parameter("sprop-parameter-sets"), repairs=codec.repaired)
            for number, codec in media.receivable.items()
        },
        mid=media.mid,
        ssrcs=media.remote_ssrcs[:1],
        nack="nack" in feedback,
        pli="nack pli" in feedback,
        fir="ccm fir" in feedback,
        remb=REMB in feedback and not _is_counted(media),
    )


def _voice(media: AgreedMedia, ssrc: int) -> StreamSettings:
    return StreamSettings(
        ssrc=ssrc,
        payload_type=media.codec.payload_type,
        clock_rate=48_000,
        mid=media.mid,
        mid_extension=media.extensions.get(MID),
    )

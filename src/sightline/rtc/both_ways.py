"""Sending and receiving in one connection: what a viewer's voice needs, and a call."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from .receiving import EXTENSIONS as RECEIVED
from .receiving import Receiving
from .rtp.inlet import InletStats
from .rtp.outlet import OutletStats
from .rtp.rtcp import Goodbye
from .sdp import Agreement, OurMedia, SourceCodec
from .sdp.codecs import h264_profile
from .sending import EXTENSIONS as SENT
from .sending import Sending
from .srtp import SrtpSession

__all__ = ["EXTENSIONS", "BothWays"]

EXTENSIONS = (*SENT, *(extension for extension in RECEIVED if extension not in SENT))
"""Header extensions that we write or read."""


class BothWays:
    """``LinkMedia`` made of one that sends and one that receives, section by section: each kind may go either way,
    both, or none. The two know nothing of each other.

    ``Receiving`` is to be made without a voice of its own (``recvonly``): what is sent is a source's.
    """

    def __init__(self, sending: Sending, receiving: Receiving) -> None:
        self.sending = sending
        self.receiving = receiving
        self._receives = False
        self._heard: set[int] = set()
        self._announced: frozenset[int] = frozenset()

    # -- negotiation and state, see ``LinkMedia``

    def wishes(self) -> tuple[OurMedia, ...]:
        """See ``LinkMedia``. The formats that we send in come first: an answer holds one of them for both ways."""
        sends = {media.kind: media for media in self.sending.wishes()}
        receives = {media.kind: media for media in self.receiving.wishes()}
        kinds = dict.fromkeys((*sends, *receives))
        return tuple(
            _joined(sends[kind], receives[kind])
            if kind in sends and kind in receives
            else sends.get(kind) or receives[kind]
            for kind in sorted(kinds, reverse=True)  # the picture first, as everywhere
        )

    def agreed(self, agreement: Agreement) -> None:
        """See ``LinkMedia``."""
        self._announced = frozenset(ssrc for media in agreement.media for ssrc in media.remote_ssrcs)
        self.sending.agreed(agreement)
        if self._receives or any(media.receives for media in agreement.media):
            self._receives = True
            self.receiving.agreed(agreement)

    def keys(self, srtp: SrtpSession) -> None:
        """See ``LinkMedia``."""
        self.sending.keys(srtp)
        self.receiving.keys(srtp)

    def start(self) -> None:
        """See ``LinkMedia``."""
        self.receiving.start()
        self.sending.start()

    def pause(self) -> None:
        """See ``LinkMedia``."""
        self.sending.pause()
        self.receiving.pause()

    def path_changed(self) -> None:
        """See ``LinkMedia``."""
        self.sending.path_changed()
        self.receiving.path_changed()

    def goodbye(self) -> None:
        """See ``LinkMedia``."""
        self.sending.goodbye()
        self.receiving.goodbye()

    def close(self) -> None:
        """See ``LinkMedia``."""
        self.sending.close()
        self.receiving.close()

    # -- what comes and goes

    def receive_rtp(self, packet: bytes, now: float) -> None:
        """A decrypted RTP packet."""
        self._heard.add(int.from_bytes(packet[8:12], "big"))  # SRTP lets in no more than a few
        self.receiving.receive_rtp(packet, now)

    def receive_rtcp(self, packet: bytes, now: float) -> Sequence[object]:
        """A decrypted RTCP packet, which may be about both ways; its reports. Raises MalformedRtcp."""
        reports = self.sending.receive(packet)
        return self.receiving.receive_rtcp(packet, now) or reports

    def is_farewell(self, reports: Sequence[object]) -> bool:
        """Whether the peer itself leaves by these reports, and not only a stream of its own ends, as a microphone that
        is switched off (RFC 3550 §6.6): then it names the source of its reports, or any other that is no stream.
        """
        streams = self._heard | self._announced
        return any(isinstance(report, Goodbye) and not streams.issuperset(report.ssrcs) for report in reports)

    @property
    def ended(self) -> bool:
        """Whether the peer has said goodbye of all that it sent. Of a viewer that talks, its voice; of a call, all."""
        return self.receiving.ended

    def tick(self, now: float, rtt: float | None) -> None:
        """Do what is due; ``rtt`` is that of the path. What is sent has the timers of its ``Fanout``.

        Before the first packet nothing is due: most who may talk never do.
        """
        if self._heard:
            self.receiving.tick(now, rtt)

    def next_time(self) -> float | None:
        """When ``tick`` has something to do."""
        return self.receiving.next_time() if self._heard else None

    def statistics(self, now: float) -> tuple[OutletStats | None, InletStats | None]:
        """Figures of either way, once there are streams."""
        return self.sending.statistics(), self.receiving.statistics(now)


def _joined(sends: OurMedia, receives: OurMedia) -> OurMedia:
    """One section for both ways."""
    others = [codec for codec in receives.codecs if not any(_alike(codec, one) for one in sends.codecs)]
    return replace(sends, receives=True, codecs=(*sends.codecs, *others))


def _alike(one: SourceCodec, other: SourceCodec) -> bool:
    same = one.name.lower() == other.name.lower()
    if same and one.name.upper() == "H264":
        return h264_profile(one.profile_level_id) is h264_profile(other.profile_level_id)
    return same

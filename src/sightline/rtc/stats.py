"""One connection's figures: the few that people ask for, and all the rooms' own below them."""

from __future__ import annotations

import msgspec

from .ice.session import IceStats, PairStats
from .rtp.inlet import InletStats
from .rtp.outlet import OutletStats

__all__ = ["PeerStatistics", "describe_pair"]


class PeerStatistics(msgspec.Struct, frozen=True, kw_only=True):
    """Times in seconds, rates in bits per second; None where nothing is known yet."""

    candidate_pair: str | None = None
    """The path in use, for people."""
    round_trip_time: float | None = None
    loss: float | None = None
    """The fraction, 0 to 1, of video packets that the receiver missed lately."""
    bitrate: float | None = None
    """What is sent; of a viewer, what is received."""
    available_bitrate: float | None = None
    """What the path is known to carry (docs/topics/bandwidth.md); of a viewer, what it says that it can receive."""
    rendition: str | None = None
    """The size in which the pictures are sent, for instance ``720p``."""
    srtp_profile: str | None = None
    malformed: int = 0
    """Packets of the peer that could not be read or were not its own."""
    ice: IceStats | None = None
    sent: OutletStats | None = None
    received: InletStats | None = None

    @classmethod
    def of(
        cls,
        ice: IceStats,
        sent: OutletStats | None,
        *,
        srtp_profile: str | None,
        malformed: int,
        rendition: str | None = None,
        received: InletStats | None = None,
    ) -> PeerStatistics:
        """From what the parts of a connection say."""
        pair = ice.selected
        # The path's own queries are younger than a round trip of RTCP, which is seconds apart.
        rtt = pair.rtt if pair is not None and pair.rtt is not None else sent.rtt if sent is not None else None
        video = received.video if received is not None else None
        return cls(
            candidate_pair=describe_pair(pair) if pair is not None else None,
            round_trip_time=rtt,
            loss=sent.fraction_lost if sent is not None else video.fraction_lost if video is not None else None,
            bitrate=sent.bitrate if sent is not None else received.bitrate if received is not None else None,
            available_bitrate=sent.estimate
            if sent is not None
            else received.estimate
            if received is not None
            else None,
            rendition=rendition,
            srtp_profile=srtp_profile,
            malformed=malformed,
            ice=ice,
            sent=sent,
            received=received,
        )


def describe_pair(pair: PairStats) -> str:
    """``host 192.0.2.1:5000 -> srflx 198.51.100.7:6000``; a relay of ours with how it is reached."""
    via = f" over {pair.via}" if pair.local_kind == "relay" else ""
    return f"{pair.local_kind}{via} {_address(*pair.local)} -> {pair.remote_kind} {_address(*pair.remote)}"


def _address(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

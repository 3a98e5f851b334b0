#!/usr/bin/env python3
"""What it costs a master to count a viewer's packets and to estimate from the feedback, and what it costs the viewer.

Pictures of seven packets (1.8 Mbit/s at 30 per second) are built and protected for a viewer that gives estimates of its
own (REMB), and for one whose packets are counted; the feedback is made as `sightline.Viewer` makes it, ten times a
second, and read. CPU time of one thread, the least of several rounds, without any network.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from dataclasses import dataclass

from sightline.rtc.rtp.packet import parse_rtp
from sightline.rtc.rtp.packetize import Packets, packetizer
from sightline.rtc.rtp.rtcp import TransportFeedback, build, parse
from sightline.rtc.rtp.stream import OutgoingStream, Rtx, StreamSettings
from sightline.rtc.rtp.transport_wide import ReceivedPackets, SentPackets
from sightline.rtc.srtp import SrtpSession, profile_named
from support.report import finish, say, table

EXAMPLE = """\
example:
  python benchmarks/feedback.py                        about 10 seconds
  python benchmarks/feedback.py --rounds 40            on a machine where others work"""
MID, WIDE = 4, 5
PACKETS = 7
SENDING_GOAL, RECEIVING_GOAL = 12.0, 6.0
"""Microseconds for each packet beyond what it costs anyway."""


@dataclass
class Picture:
    data: bytes
    timestamp: int
    keyframe: bool = False


def main() -> None:
    args = arguments()
    plain = least(args.rounds, lambda: send(args.pictures, None))
    counted = least(args.rounds, lambda: send(args.pictures, SentPackets()))
    datagrams, feedback = heard(args.pictures)
    reading = least(args.rounds, lambda: read(args.pictures, feedback))
    parsing = least(args.rounds, lambda: take(datagrams, None))
    telling = least(args.rounds, lambda: take(datagrams, WIDE))
    figures = {
        "build_and_protect": plain,
        "count": counted - plain,
        "read_feedback_and_estimate": reading,
        "receive_header": parsing,
        "receive_number_and_report": telling - parsing,
    }
    per_packet = {name: round(seconds / args.pictures / PACKETS * 1e6, 2) for name, seconds in figures.items()}
    table(("microseconds of CPU for each packet", ""), [(name, f"{value:.2f}") for name, value in per_packet.items()])
    say(f"\n{len(feedback)} reports on {len(datagrams)} packets, {sum(len(one) for one, _ in feedback)} bytes")
    sending = per_packet["count"] + per_packet["read_feedback_and_estimate"]
    finish(
        "feedback",
        {"microseconds_per_packet": per_packet},
        {
            f"a master pays at most {SENDING_GOAL} µs more for a packet that is counted": sending <= SENDING_GOAL,
            f"a viewer pays at most {RECEIVING_GOAL} µs more": per_packet["receive_number_and_report"]
            <= RECEIVING_GOAL,
        },
    )


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLE, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pictures", type=int, default=600, help="in each round (default 600)")
    parser.add_argument("--rounds", type=int, default=15, help="of which the least counts (default 15)")
    return parser.parse_args()


def least(rounds: int, work: Callable[[], None]) -> float:
    """CPU seconds of the quickest round: what others do on the machine only ever adds."""
    taken = []
    for _ in range(rounds):
        begun = time.thread_time()
        work()
        taken.append(time.thread_time() - begun)
    return min(taken)


def stream(wide: SentPackets | None, protect: Callable[[bytes], bytes]) -> OutgoingStream:
    settings = StreamSettings(
        ssrc=1,
        payload_type=102,
        clock_rate=90_000,
        rtx=Rtx(2, 103),
        mid="0",
        mid_extension=MID,
        wide_extension=WIDE if wide is not None else None,
    )
    return OutgoingStream(settings, protect=protect, sequence=0, timestamp_offset=0, wide=wide)


def picture(number: int) -> Packets:
    return UNITS[number % len(UNITS)]


UNITS = [packetizer("H264")(Picture(b"\0\0\0\1A" + b"\x55" * 8000, number * 3000)) for number in range(30)]


def send(pictures: int, wide: SentPackets | None) -> None:
    """Build and protect as the fan-out does."""
    profile = profile_named("SRTP_AEAD_AES_128_GCM")
    assert profile is not None
    key = os.urandom(profile.key_length + profile.salt_length)
    sending = stream(wide, SrtpSession(profile, send_key=key, receive_key=key).protect)
    for number in range(pictures):
        sending.build(picture(number), number / 30, timestamp=number * 3000)


def heard(pictures: int) -> tuple[list[bytes], list[tuple[bytes, float]]]:
    """The packets as they arrive, and what a viewer says of them and when."""
    sending, received = stream(SentPackets(), lambda packet: packet), ReceivedPackets(9)
    datagrams, feedback = [], []
    for number in range(pictures):
        now = 100 + number / 30
        for place, datagram in enumerate(sending.build(picture(number), now, timestamp=number * 3000)):
            datagrams.append(datagram)
            packet = parse_rtp(datagram, MID, WIDE)
            assert packet is not None
            assert packet.wide is not None
            received.arrived(packet.wide, 1, now + 0.02 + place / 1000)
        feedback += [(build([report]), now + 0.04) for report in received.take(now + 0.03)]
    return datagrams, feedback


def read(pictures: int, feedback: list[tuple[bytes, float]]) -> None:
    """Log what is sent, read the reports and estimate."""
    wide, waiting = SentPackets(), iter(feedback)
    datagram, due = next(waiting)
    for number in range(pictures):
        now = 100 + number / 30
        wide.sent([1200] * PACKETS, now)
        while due <= now:
            (report,) = parse(datagram)
            assert isinstance(report, TransportFeedback)
            wide.receive(report, rtt=0.04, now=now)
            datagram, due = next(waiting, (b"", float("inf")))


def take(datagrams: list[bytes], wide: int | None) -> None:
    """Read the headers, and with ``wide`` the numbers too, and report on them."""
    received, now = ReceivedPackets(9), 100.0
    for datagram in datagrams:
        now += 1 / 210
        packet = parse_rtp(datagram, MID, wide)
        if packet is not None and packet.wide is not None:
            received.arrived(packet.wide, packet.ssrc, now)
            for report in received.take(now):
                build([report])


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""How late a viewer's voice is played by the camera, and what mixing costs.

A viewer sends a beep a second over a connection on loopback; from the packet that holds its beginning to the frame
that the loudspeaker gets, without what the network and a sound card add. Some packets come late or never.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import time
from collections.abc import Callable
from statistics import median

import av
import numpy as np

from sightline.master.voices import Voices
from sightline.media.encoders import AudioEncoder
from sightline.media.mixer import Mixer, Pcm
from sightline.media.speaker_thread import SpeakerThread
from sightline.media.test_picture import TestPicture
from sightline.rtc.certificates import Certificate
from sightline.rtc.engine import Engine
from sightline.rtc.engine_peer import EnginePeer
from sightline.rtc.ice.config import IceConfig
from sightline.rtc.viewer_peer import ViewerPeer
from support.processes import be_nice
from support.report import finish, say, table

EXAMPLE = """\
example:
  python benchmarks/voice.py                 30 s of each network
  python benchmarks/voice.py --seconds 10"""
GOAL_MS, GOAL_CPU = 150.0, 0.02
FRAME = 960

Plan = Callable[[], float | None]
"""Seconds that a packet is held up, None for never."""


class Ear:
    """A loudspeaker that notes when beeps begin."""

    def __init__(self) -> None:
        self.beeps: list[float] = []
        self._quiet = 0

    def open(self) -> None:
        pass

    def play(self, samples: Pcm) -> None:
        now = time.monotonic()
        loud = np.flatnonzero(np.abs(samples[:, 0]) > 3000)
        if len(loud) and self._quiet > 5:
            self.beeps.append(now + float(loud[0]) / 48_000)
        self._quiet = 0 if len(loud) else self._quiet + 1

    def close(self) -> None:
        pass


def main() -> None:
    args = arguments()
    if args.nice:
        be_nice(args.nice)
    roll = random.Random(1)
    networks: dict[str, Plan] = {
        "clean": lambda: 0.0,
        "up to 30 ms of jitter": lambda: roll.uniform(0, 0.03),
        "2 % lost": lambda: None if roll.random() < 0.02 else 0.0,
    }
    delays = {name: asyncio.run(listen(plan, args.seconds)) for name, plan in networks.items()}
    table(
        ["milliseconds", "beeps", "median", "worst"],
        [
            [name, str(len(found)), *(f"{1000 * value:.0f}" for value in (median(found), max(found)))]
            for name, found in delays.items()
        ],
    )
    costs = {count: cost(count) for count in (1, 4, 16)}
    say()
    table(["talkers", "share of a core"], [[str(count), f"{share:.1%}"] for count, share in costs.items()])
    worst = 1000 * max(median(found) for found in delays.values())
    finish(
        "voice",
        {"delays": delays, "cpu": {str(count): share for count, share in costs.items()}},
        {
            f"median at most {GOAL_MS:.0f} ms on each network: {worst:.0f}": worst <= GOAL_MS,
            f"at most {GOAL_CPU:.0%} of a core for one talker: {costs[1]:.1%}": costs[1] <= GOAL_CPU,
        },
    )


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLE, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=30.0, help="length of each measurement (default 30)")
    parser.add_argument("--nice", type=int, default=0, help="give way to other programs")
    return parser.parse_args()


def words(seconds: float) -> list[bytes]:
    """Opus packets: a beep of 100 ms each second, silence between."""
    encoder, packets = AudioEncoder(), []
    for number in range(round(seconds * 50)):
        at = np.arange(number * FRAME, (number + 1) * FRAME) / 48_000
        wave = np.where(at % 1.0 < 0.1, np.sin(2 * np.pi * 1000 * at), 0.0)
        packets += [unit.data for unit in encoder.encode(_frame(wave), seconds=number * 0.02)]
    return packets


def _frame(wave: np.ndarray) -> av.AudioFrame:
    stereo = np.repeat((wave * 12_000).astype(np.int16), 2)[None, :]
    frame = av.AudioFrame.from_ndarray(stereo, format="s16", layout="stereo")
    frame.sample_rate = 48_000
    return frame


async def listen(plan: Plan, seconds: float) -> list[float]:
    """By how many seconds each beep is played after its packet was sent."""
    ear, source = Ear(), TestPicture(160, 90, 5)
    engine = Engine(source)
    voices = Voices("ffmpeg:null:-")
    voices._speaker = SpeakerThread(lambda: ear)
    await voices.open()
    peer = engine.new_peer(hears=True)
    peer.on_frame = lambda sound: voices.hear("talker", sound)
    _disturb(peer, plan)
    viewer = ViewerPeer(ice=IceConfig(), certificate=Certificate.make(), audio="sendrecv")
    await viewer.accept(await peer.answer(await viewer.offer()))
    await asyncio.sleep(1)
    packets, sent, begun = words(seconds), [], time.monotonic()
    for number, packet in enumerate(packets):
        await asyncio.sleep(max(0.0, begun + number * 0.02 - time.monotonic()))
        if number % 50 == 0:
            sent.append(time.monotonic())
        viewer.send_audio(packet, FRAME)
    await asyncio.sleep(0.5)
    await viewer.aclose()
    await peer.aclose()
    await engine.aclose()
    await voices.aclose()
    await source.aclose()
    # A beep whose first packet was lost is heard by its second one; one of which all was lost is not heard.
    pairs = ((at, next((beep for beep in ear.beeps if beep > at), None)) for at in sent)
    return [beep - at for at, beep in pairs if beep is not None and beep - at < 0.9]


def _disturb(peer: EnginePeer, plan: Plan) -> None:
    receive, free_at = peer._transport._on_rtp, 0.0
    assert receive is not None
    loop = asyncio.get_running_loop()

    def disturbed(packet: bytes) -> None:
        nonlocal free_at
        held = plan()
        if held is not None:
            free_at = max(free_at, loop.time() + held)
            loop.call_at(free_at, receive, packet)

    peer._transport._on_rtp = disturbed


def cost(talkers: int, seconds: float = 20.0) -> float:
    """Processor time for a second of so many talkers."""
    packets, mixer = words(seconds), Mixer()
    begun = time.process_time()
    for number, packet in enumerate(packets):
        for talker in range(talkers):
            mixer.push(str(talker), packet, number * FRAME, number * 0.02)
        mixer.mix(number * 0.02)
    return (time.process_time() - begun) / seconds


if __name__ == "__main__":
    main()

"""The stream that all masters send: 1280x720, 30 frames per second, 1.8 Mbit/s, H.264, encoded once before the run.

Two forms with the same bytes: ``stream.units`` (one access unit after the other, each behind its length and whether
it is a keyframe) to be played in a loop, and ``stream.ts`` for programs that read files, long enough for a run.
"""

from __future__ import annotations

import struct
from fractions import Fraction
from pathlib import Path

import av

from sightline.media.picture import MovingPicture

WIDTH, HEIGHT, RATE = 1280, 720, 30
FRAMES = 20 * RATE
KEYFRAME_EVERY = 2 * RATE
BITS_PER_SECOND = 1_800_000
HEAD = struct.Struct("!I?")


def make(folder: Path, *, seconds: int) -> tuple[Path, Path]:
    """Write both files; ``seconds`` of the second one."""
    units = encode()
    plain, container = folder / "stream.units", folder / "stream.ts"
    plain.write_bytes(b"".join(HEAD.pack(len(data), keyframe) + data for data, keyframe in units))
    with av.open(str(container), "w") as output:
        stream = output.add_stream("h264", rate=RATE)
        stream.width, stream.height = WIDTH, HEIGHT
        stream.time_base = Fraction(1, 90_000)
        for number in range(seconds * RATE):
            data, keyframe = units[number % FRAMES]
            packet = av.Packet(data)
            packet.stream, packet.time_base = stream, Fraction(1, 90_000)
            packet.pts = packet.dts = number * 90_000 // RATE
            packet.is_keyframe = keyframe
            output.mux(packet)
    return plain, container


def encode() -> list[tuple[bytes, bool]]:
    """The access units, and which are keyframes."""
    codec = av.CodecContext.create("libx264", "w")
    codec.width, codec.height, codec.pix_fmt = WIDTH, HEIGHT, "yuv420p"
    codec.framerate, codec.time_base = Fraction(RATE), Fraction(1, RATE)
    codec.bit_rate, codec.gop_size = BITS_PER_SECOND, KEYFRAME_EVERY
    codec.options = {
        "preset": "ultrafast",
        "tune": "zerolatency",
        "profile": "baseline",
        "maxrate": str(BITS_PER_SECOND),
        "bufsize": str(BITS_PER_SECOND // 2),
        "x264-params": "repeat-headers=1:scenecut=0:nal-hrd=cbr",
    }
    picture = MovingPicture(WIDTH, HEIGHT, title="benchmark")
    units = []
    for number in range(FRAMES):
        frame = picture.draw(number, seconds=number / RATE, caption=f"{number / RATE:05.2f}")
        frame.pts = number
        units += [(bytes(packet), bool(packet.is_keyframe)) for packet in codec.encode(frame)]
    return units + [(bytes(packet), bool(packet.is_keyframe)) for packet in codec.encode(None)]


def load(path: Path) -> list[tuple[bytes, bool]]:
    """Read ``stream.units``."""
    data, at, units = path.read_bytes(), 0, []
    while at < len(data):
        size, keyframe = HEAD.unpack_from(data, at)
        at += HEAD.size
        units.append((data[at : at + size], keyframe))
        at += size
    return units

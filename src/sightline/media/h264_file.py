"""H.264 in a file, as WebRTC can carry it: whether it can, and its pictures with parameter sets at each keyframe."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import av
from av.bitstream import BitStreamFilterContext

from .file_reading import open_container, packets
from .file_times import FORWARD
from .gop_cache import MAX_BYTES, MAX_SECONDS

__all__ = ["access_units", "profile_level_id", "why_not"]

_PROFILES = ("Baseline", "Constrained Baseline", "Main", "High")
"""What browsers decode, whatever profile was agreed on."""

_MAX_BITRATE = 10e6
"""Bits per second that a viewer's path may be expected to carry."""

_LOOKED_AT = 900
"""Packets that are looked at before the file is believed to be like that throughout: half a minute."""

_MAX_PAUSE = 1.5
"""Seconds between two pictures; viewers take 2 s for a picture that has stopped, so a slide has to be repeated."""

_START_CODE = b"\x00\x00\x01"
_IDR, _SPS, _PPS = 5, 7, 8


def why_not(path: Path) -> str | None:
    """Why a viewer cannot be sent the file's video as it is; None when it can. Blocks, as it reads half a minute of it.

    It must be H.264 without B-frames, as WebRTC has no order of display, with a keyframe at least every 12 s, because
    a viewer that joins is given all since the last one, and without slides, which have to be repeated. Raises
    SourceNotFound and UnsupportedMedia.
    """
    with open_container(path) as container:
        if not container.streams.video:
            return "it has no video"
        stream = container.streams.video[0]
        codec = stream.codec_context
        if codec.name != "h264":
            return f"its video is {codec.name}"
        if codec.profile not in _PROFILES or codec.pix_fmt not in ("yuv420p", "yuvj420p"):
            return f"its H.264 is of profile {codec.profile} in {codec.pix_fmt}"
        return _why_not_packets(container, stream)


def _why_not_packets(container: av.container.InputContainer, stream: av.VideoStream) -> str | None:
    octets = group = count = 0
    last = begun = first = None
    for packet in packets(container, stream):
        if packet.size == 0 or packet.pts is None or packet.time_base is None:
            continue
        time = float(packet.pts * packet.time_base)
        if last is not None and time <= last:
            return "it has B-frames"
        if last is not None and _MAX_PAUSE < time - last <= FORWARD:
            return f"some of its pictures are shown for {time - last:.1f} s"
        if packet.is_keyframe:
            group, begun = 0, time
        elif begun is None:
            return "it does not begin with a keyframe"
        group += packet.size
        if group > MAX_BYTES or time - (begun or 0.0) > MAX_SECONDS:
            return f"its keyframes are more than {MAX_SECONDS:g} s or {MAX_BYTES >> 20} MiB apart"
        first = time if first is None else first
        last = time
        octets += packet.size
        count += 1
        if count == _LOOKED_AT:
            break
    if last is None or first is None:
        return "there is nothing in its video stream"
    if count == 1:
        return "it is a single picture"
    if octets * 8 > _MAX_BITRATE * max(1.0, last - first):
        return f"it has more than {_MAX_BITRATE / 1e6:g} Mbit/s"
    return None


def access_units(container: av.container.InputContainer) -> Iterator[tuple[float | None, tuple[bytes, bool]]]:
    """Time in seconds, Annex B bytes and whether it is a keyframe, of each picture; each keyframe has its own SPS, PPS.

    Pictures before the first keyframe are left out.
    """
    stream = container.streams.video[0]
    to_annex_b = BitStreamFilterContext("h264_mp4toannexb", stream)
    parameter_sets = b""
    begun = False
    for packet in packets(container, stream):
        if packet.size == 0:
            continue
        try:
            whole = to_annex_b.filter(packet)
        except av.FFmpegError:
            continue  # A damaged spot costs its pictures, not the rest of the file.
        for filtered in whole:
            data = bytes(filtered)
            units = list(_nal_units(data))
            kinds = {unit[3] & 0x1F for unit in units}
            if _SPS in kinds and _PPS in kinds:
                parameter_sets = b"".join(b"\x00" + unit for unit in units if unit[3] & 0x1F in (_SPS, _PPS))
            keyframe = _IDR in kinds
            if keyframe and not {_SPS, _PPS} <= kinds:
                data = parameter_sets + data
            begun = begun or keyframe
            if begun:
                pts, base = filtered.pts, filtered.time_base
                yield None if pts is None or base is None else float(pts * base), (data, keyframe)


def profile_level_id(path: Path) -> str | None:
    """What the first SPS says (RFC 6184 §8.1), in six hexadecimal digits. Raises as ``why_not`` does."""
    with open_container(path) as container:
        for _, (data, _) in access_units(container):
            for unit in _nal_units(data):
                if unit[3] & 0x1F == _SPS:
                    return unit[4:7].hex()
    return None


def _nal_units(data: bytes) -> Iterator[bytes]:
    """With their start codes of three bytes."""
    start = data.find(_START_CODE)
    while 0 <= start < len(data) - 3:
        following = data.find(_START_CODE, start + 3)
        yield data[start : following if following >= 0 else None].rstrip(b"\x00")
        start = following

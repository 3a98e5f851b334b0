"""How large the pictures of a stream are, from its keyframes' own bytes: nothing is decoded for it."""

from __future__ import annotations

from collections.abc import Iterator

__all__ = ["nal_units", "parameter_sets", "picture_size"]

_START_CODE = b"\x00\x00\x01"
_SPS, _PPS = 7, 8
_CHROMA_PROFILES = frozenset({100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135})
"""Profiles whose SPS has a chroma format and scaling lists (H.264 §7.3.2.1.1)."""

_MOST_SCALING_LISTS = 12


def picture_size(codec: str, data: bytes) -> tuple[int, int] | None:
    """Width and height in pixels that a keyframe tells; None when it tells none, or is damaged."""
    if codec == "VP8":
        return _vp8_size(data)
    for unit in nal_units(data):
        if unit[0] & 0x1F == _SPS:
            try:
                return _sps_size(_without_emulation_prevention(unit))
            except IndexError:
                return None
    return None


def parameter_sets(data: bytes) -> bytes:
    """The SPS and PPS in an H.264 access unit, with start codes; empty when it has none."""
    return b"".join(b"\x00" + _START_CODE + unit for unit in nal_units(data) if unit[0] & 0x1F in (_SPS, _PPS))


def nal_units(data: bytes) -> Iterator[bytes]:
    """The NAL units of an access unit in Annex B form, without start codes; empty ones are left out."""
    start = data.find(_START_CODE)
    while start >= 0:
        following = data.find(_START_CODE, start + 3)
        unit = data[start + 3 : following if following >= 0 else None].rstrip(b"\x00")
        if unit:
            yield unit
        start = following


def _vp8_size(data: bytes) -> tuple[int, int] | None:
    """RFC 6386 §9.1: a keyframe has a start code and two sizes, each of 14 bits below two of scaling."""
    if len(data) < 10 or data[0] & 1 or data[3:6] != b"\x9d\x01\x2a":
        return None
    return int.from_bytes(data[6:8], "little") & 0x3FFF, int.from_bytes(data[8:10], "little") & 0x3FFF


def _without_emulation_prevention(unit: bytes) -> bytes:
    return unit.replace(b"\x00\x00\x03", b"\x00\x00")


class _Bits:
    """Reads bits from the left, and Exp-Golomb codes (H.264 §9.1). Raises IndexError past the end."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def flag(self) -> bool:
        byte = self._data[self._at >> 3]
        bit = byte >> (7 - (self._at & 7)) & 1
        self._at += 1
        return bool(bit)

    def number(self, bits: int) -> int:
        value = 0
        for _ in range(bits):
            value = value << 1 | self.flag()
        return value

    def unsigned(self) -> int:
        zeros = 0
        while not self.flag():
            zeros += 1
            if zeros > 31:
                raise IndexError("no Exp-Golomb code is that long")
        return (1 << zeros) - 1 + self.number(zeros)

    def signed(self) -> int:
        code = self.unsigned()
        return (code + 1) // 2 if code & 1 else -(code // 2)


def _sps_size(unit: bytes) -> tuple[int, int]:
    """H.264 §7.3.2.1.1, as far as the sizes."""
    bits = _Bits(unit[1:])
    profile = bits.number(8)
    bits.number(16)  # constraints and level
    bits.unsigned()  # seq_parameter_set_id
    chroma_format, separate_planes = 1, False
    if profile in _CHROMA_PROFILES:
        chroma_format = bits.unsigned()
        separate_planes = chroma_format == 3 and bits.flag()
        bits.unsigned()  # bit_depth_luma_minus8
        bits.unsigned()  # bit_depth_chroma_minus8
        bits.flag()  # qpprime_y_zero_transform_bypass_flag
        if bits.flag():
            _skip_scaling_lists(bits, 8 if chroma_format != 3 else _MOST_SCALING_LISTS)
    bits.unsigned()  # log2_max_frame_num_minus4
    order = bits.unsigned()
    if order == 0:
        bits.unsigned()  # log2_max_pic_order_cnt_lsb_minus4
    elif order == 1:
        bits.flag()
        bits.signed()
        bits.signed()
        for _ in range(min(bits.unsigned(), 255)):
            bits.signed()
    bits.unsigned()  # max_num_ref_frames
    bits.flag()  # gaps_in_frame_num_value_allowed_flag
    width = (bits.unsigned() + 1) * 16
    height_units = bits.unsigned() + 1
    only_frames = bits.flag()
    height = height_units * 16 * (1 if only_frames else 2)
    if not only_frames:
        bits.flag()  # mb_adaptive_frame_field_flag
    bits.flag()  # direct_8x8_inference_flag
    if bits.flag():
        left, right, top, bottom = (bits.unsigned() for _ in range(4))
        sub_width = 2 if chroma_format in (1, 2) and not separate_planes else 1
        sub_height = 2 if chroma_format == 1 and not separate_planes else 1
        width -= (left + right) * sub_width
        height -= (top + bottom) * sub_height * (1 if only_frames else 2)
    return width, height


def _skip_scaling_lists(bits: _Bits, count: int) -> None:
    for number in range(count):
        if not bits.flag():
            continue
        last = following = 8
        for _ in range(16 if number < 6 else 64):
            if following:
                following = (last + bits.signed()) % 256
            last = following or last

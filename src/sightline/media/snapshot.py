"""One picture as a file: JPEG or PNG, by FFmpeg's own encoders."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Final, cast

import av

from ..errors import MediaError, UnsupportedMedia

__all__ = ["check_snapshot_path", "encode_picture", "save_picture"]

_FORMATS: Final = {".jpg": ("mjpeg", "yuvj420p"), ".jpeg": ("mjpeg", "yuvj420p"), ".png": ("png", "rgb24")}
_JPEG_QUALITY: Final = "3"
"""Of FFmpeg's scale from 2 (best) to 31."""


def check_snapshot_path(path: Path) -> Path:
    """Give the path back; raises UnsupportedMedia for a name that is neither of a JPEG nor of a PNG."""
    if path.suffix.lower() not in _FORMATS:
        raise UnsupportedMedia(f"{path} cannot be a snapshot: name it .jpg, .jpeg or .png.")
    return path


def encode_picture(picture: av.VideoFrame, suffix: str) -> bytes:
    """The bytes of an image file: ``.jpg``, ``.jpeg`` or ``.png``. Blocks for 5 to 50 ms."""
    name, pixels = _FORMATS[suffix.lower()]
    encoder = cast("av.VideoCodecContext", av.CodecContext.create(name, "w"))
    encoder.width, encoder.height, encoder.pix_fmt = picture.width, picture.height, pixels
    encoder.time_base = Fraction(1, 25)
    if name == "mjpeg":
        encoder.options = {"qmin": _JPEG_QUALITY, "qmax": _JPEG_QUALITY, "color_range": "pc"}
    image = picture.reformat(format=pixels)
    image.pts = 0
    return b"".join(bytes(packet) for packet in [*encoder.encode(image), *encoder.encode(None)])


def save_picture(picture: av.VideoFrame, path: Path) -> None:
    """Write it. Who looks at the same time sees the whole new picture or the one before. Raises MediaError."""
    data = encode_picture(picture, check_snapshot_path(path).suffix)
    unfinished = path.with_name(f".{path.name}.part")
    try:
        unfinished.write_bytes(data)
        unfinished.replace(path)
    except OSError as error:
        unfinished.unlink(missing_ok=True)
        raise MediaError(f"The snapshot {path} cannot be written: {error.strerror}.") from error

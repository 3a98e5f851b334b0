"""Where live pictures come from, opened by FFmpeg: RTSP cameras, devices, the screen, any URL."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import NoReturn

import av
import msgspec

from ..errors import ConfigError, SourceBusy, SourceNotFound, SourceRefused, UnsupportedMedia

__all__ = ["LiveInput", "live_input", "without_password"]

OPEN_LIMIT = 10.0
"""Seconds in which a source must be open."""

READ_LIMIT = 4.0
"""Seconds without a packet after which a source is held to be lost."""

_URL = re.compile(r"(?P<scheme>[a-zA-Z][a-zA-Z0-9+.-]+)://")
_PASSWORD = re.compile(r"(?<=://)[^/@\s]*@")
_QUERY = re.compile(r"\?[^\s'\"]*")


class LiveInput(msgspec.Struct, frozen=True):
    """What is handed to FFmpeg."""

    address: str
    format: str | None = None
    options: Mapping[str, str] = MappingProxyType({})

    @property
    def name(self) -> str:
        """For people and logs: without user, password and query, in which secrets stand."""
        return without_password(self.address)

    def open(self) -> av.container.InputContainer:
        """Open it, which blocks up to 10 s. Raises SourceNotFound, SourceBusy, SourceRefused and UnsupportedMedia."""
        try:
            return av.open(
                self.address, format=self.format, options=dict(self.options), timeout=(OPEN_LIMIT, READ_LIMIT)
            )
        except (OSError, av.FFmpegError, ValueError) as error:
            _explain(self, error)


def live_input(text: str, *, transport: str = "tcp") -> LiveInput | None:
    """The input that ``--source`` names, or None where it names none that is live.

    ``rtsp://…`` (``transport``: ``tcp`` or ``udp``), ``/dev/video0`` or ``v4l2:/dev/video0``, ``screen`` or
    ``screen::0.0``, ``ffmpeg:FORMAT:ADDRESS`` for any of FFmpeg's input devices, and any other URL that FFmpeg reads.
    Raises ConfigError.
    """
    if text.startswith(("/dev/video", "v4l2:")):
        return LiveInput(text.removeprefix("v4l2:"), "video4linux2")
    if text == "screen" or text.startswith("screen:"):
        return LiveInput(
            text.removeprefix("screen").removeprefix(":") or os.environ.get("DISPLAY", ":0.0"),
            "x11grab",
            {"framerate": "30"},
        )
    if text.startswith("ffmpeg:"):
        format, colon, address = text.removeprefix("ffmpeg:").partition(":")
        if not (format and colon and address):
            raise ConfigError("Such a source is written ffmpeg:FORMAT:ADDRESS, for instance ffmpeg:alsa:default.")
        return LiveInput(address, format)
    match = _URL.match(text)
    if match is None:
        return None
    if match["scheme"].lower() in ("rtsp", "rtsps"):
        # Live at once: nothing is held back for reordering longer than a viewer would notice.
        options = {
            "rtsp_transport": transport,
            "fflags": "nobuffer",
            "max_delay": "100000",
            "analyzeduration": "1000000",
        }
        return LiveInput(text, "rtsp", options)
    return LiveInput(text, None, {"fflags": "nobuffer"})


def without_password(text: str) -> str:
    """The text with all users, passwords and queries of URLs in it taken out."""
    return _QUERY.sub("", _PASSWORD.sub("", text))


def _explain(source: LiveInput, error: Exception) -> NoReturn:
    name, number = source.name, getattr(error, "errno", None)
    if isinstance(error, av.error.HTTPUnauthorizedError | av.error.HTTPForbiddenError):
        status = 401 if isinstance(error, av.error.HTTPUnauthorizedError) else 403
        raise SourceRefused(
            f"{name} wants another user or password ({status}). Write them into the address: "
            "rtsp://USER:PASSWORD@HOST/PATH",
            status=status,
        ) from None
    if isinstance(error, av.error.HTTPNotFoundError):
        raise SourceRefused(
            f"{name} is reached, but has no such stream (404). Look up the path in the camera's manual.", status=404
        ) from None
    if number == errno.EBUSY:
        raise SourceBusy(f"{name} is in use by another program. Close that, or choose another device.") from None
    if number == errno.EACCES:
        raise SourceNotFound(
            f"{name} may not be opened by this user. Add it to the group video, and log in again."
        ) from None
    if isinstance(error, av.error.DemuxerNotFoundError | ValueError):
        raise UnsupportedMedia(f"This FFmpeg cannot read {source.format or name}. Choose another source.") from None
    if isinstance(error, av.InvalidDataError):
        raise UnsupportedMedia(f"{name} sends nothing that FFmpeg can read. Check the address and the codec.") from None
    if number == errno.ENOENT or number == errno.ENODEV:
        raise SourceNotFound(
            f"There is no {name}. Plug it in, or see what there is: sightline master --list-devices"
        ) from None
    if source.format == "x11grab":
        raise SourceNotFound(
            f"There is no screen {name}: no X server lets us in. Set DISPLAY, or give its name."
        ) from None
    said = without_password(getattr(error, "strerror", None) or type(error).__name__)
    raise SourceNotFound(f"{name} cannot be opened: {said}. Check the address, and that it is switched on.") from None

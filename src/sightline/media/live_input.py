"""Where live pictures come from, opened by FFmpeg: RTSP cameras, devices, the screen, any URL."""

from __future__ import annotations

import errno
import os
import re
import threading
from collections.abc import Mapping
from types import MappingProxyType
from typing import NoReturn

import av
import msgspec

from ..errors import ConfigError, SourceBusy, SourceNotFound, SourceRefused, UnsupportedMedia
from .alsa import use_system_alsa

__all__ = ["HANG_LIMIT", "READ_LIMIT", "LiveInput", "live_input", "without_password", "words_of"]

OPEN_LIMIT = 10.0
"""Seconds in which a source must be open."""

HANG_LIMIT = OPEN_LIMIT + 2.0
"""The same for a device that hangs in the kernel, where FFmpeg's own limit does not reach it."""

READ_LIMIT = 4.0
"""Seconds without a packet after which a source is held to be lost."""

_GROUPS = {"video4linux2": "video", "v4l2": "video", "alsa": "audio"}
"""Which group of Linux may open such devices."""

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

    def open(self, *, within: float | None = None) -> av.container.InputContainer:
        """Open it, which blocks up to 10 s. ``within`` so many seconds it is given up even where a device hangs.

        Raises SourceNotFound, SourceBusy, SourceRefused and UnsupportedMedia.
        """
        return self._open() if within is None else _Opening(self).result(within)

    def _open(self) -> av.container.InputContainer:
        if self.format == "alsa":
            use_system_alsa()
        try:
            return av.open(
                self.address, format=self.format, options=dict(self.options), timeout=(OPEN_LIMIT, READ_LIMIT)
            )
        except (OSError, av.FFmpegError, ValueError) as error:
            _explain(self, error)


class _Opening:
    """Opens an input in a thread of its own, which may be left behind in the kernel."""

    def __init__(self, source: LiveInput) -> None:
        self._source = source
        self._done = threading.Event()
        self._lock = threading.Lock()
        self._given_up = False
        self._container: av.container.InputContainer | None = None
        self._error: Exception | None = None
        threading.Thread(target=self._main, name="sightline-open", daemon=True).start()

    def result(self, within: float) -> av.container.InputContainer:
        """Wait for it. Raises what `LiveInput.open` does."""
        self._done.wait(within)
        with self._lock:
            self._given_up = True
        if self._error is not None:
            raise self._error
        if self._container is None:
            raise SourceNotFound(
                f"{self._source.name} does not open: it has hung for {within:g} s. Pull it out and plug it in again, "
                "or restart what it belongs to."
            )
        return self._container

    def _main(self) -> None:
        try:
            container = self._source._open()
        except Exception as error:
            self._error = error
        else:
            with self._lock:
                if self._given_up:
                    container.close()
                else:
                    self._container = container
        self._done.set()


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


def words_of(error: Exception) -> str:
    """What FFmpeg says of an error, without what may have a password in it."""
    if isinstance(error, av.error.ExitError):  # its limit of time is ours
        return "nothing came for some seconds"
    return without_password(getattr(error, "strerror", None) or type(error).__name__)


def _explain(source: LiveInput, error: Exception) -> NoReturn:
    name, number = source.name, getattr(error, "errno", None)
    if isinstance(error, av.error.HTTPUnauthorizedError | av.error.HTTPForbiddenError):
        status = 401 if isinstance(error, av.error.HTTPUnauthorizedError) else 403
        raise SourceRefused(
            f"{name} wants another user or password ({status}). Write them into the address: "
            f"{name.partition(':')[0]}://USER:PASSWORD@HOST/PATH",
            status=status,
        ) from None
    if isinstance(error, av.error.HTTPNotFoundError):
        raise SourceRefused(
            f"{name} is reached, but has no such stream (404). Look up the path in the camera's manual.", status=404
        ) from None
    if number == errno.EBUSY:
        raise SourceBusy(f"{name} is in use by another program. Close that, or choose another device.") from None
    if number in (errno.EACCES, errno.EPERM):
        group = _GROUPS.get(source.format or "")
        cure = (
            f"Add the user to the group {group}, and log in again." if group else "Give the user the right to read it."
        )
        raise SourceNotFound(f"{name} may not be opened by this user. {cure}") from None
    if isinstance(error, av.error.ProtocolNotFoundError):
        raise UnsupportedMedia(
            f"This FFmpeg does not speak {name.partition(':')[0]}. Let the camera send rtsp or http, or choose another "
            "source."
        ) from None
    if number == errno.EPROTONOSUPPORT and source.format == "rtsp":
        given = source.options.get("rtsp_transport", "tcp")
        other = "udp" if given == "tcp" else "tcp"
        raise UnsupportedMedia(f"{name} does not send over {given}. Try --rtsp-transport {other}.") from None
    if isinstance(error, av.InvalidDataError) and source.format == "rtsp":
        raise SourceNotFound(
            f"{name} is reached, but does not answer as an RTSP camera does: it hangs up, is silent, or speaks "
            "something else. Check the port, and restart the camera."
        ) from None
    if isinstance(error, av.InvalidDataError):
        raise UnsupportedMedia(f"{name} sends nothing that FFmpeg can read. Check the address and the codec.") from None
    # Of FFmpeg's own errors many are a ValueError too; a plain one is PyAV's word for a format that it does not know.
    if isinstance(error, av.error.DemuxerNotFoundError) or not isinstance(error, OSError | av.FFmpegError):
        raise UnsupportedMedia(f"This FFmpeg cannot read {source.format or name}. Choose another source.") from None
    if number == errno.ENOENT or number == errno.ENODEV:
        raise SourceNotFound(
            f"There is no {name}. Plug it in, or see what there is: sightline master --list-devices"
        ) from None
    if number == errno.ENOTTY:
        raise UnsupportedMedia(f"{name} is no camera. See what there is: sightline master --list-devices") from None
    if source.format == "x11grab":
        raise SourceNotFound(
            f"There is no screen {name}: no X server lets us in. Set DISPLAY, or give its name."
        ) from None
    if number == errno.EIO and _URL.match(name):
        raise SourceNotFound(
            f"{name} cannot be reached: its name is not known here, or it does not answer. Check the address, and that "
            "it is switched on."
        ) from None
    raise SourceNotFound(
        f"{name} cannot be opened: {words_of(error)}. Check the address, and that it is switched on."
    ) from None

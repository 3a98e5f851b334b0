"""Sightline: live cameras over WebRTC on your own machine, on the wire of Amazon Kinesis Video Streams.

``Master`` is the camera, ``Source`` gives it pictures of your own code, ``CommandCall`` is what a viewer wants of the
device, ``Viewer`` watches it, and ``Call`` calls the people in a room. They need the extra ``sightline[media]``; a
server installs without.
"""

from __future__ import annotations

TYPE_CHECKING = False
"""As that of `typing`, whose import takes longer than Python's own start: Ctrl-C at once would show it."""

if TYPE_CHECKING:
    from .call import Call, CallEnded
    from .errors import CommandFailed, CommandRefused
    from .master import CommandCall, Master
    from .media.own_source import OwnSource as Source
    from .viewer import Viewer, ViewerFailed

__all__ = [
    "Call",
    "CallEnded",
    "CommandCall",
    "CommandFailed",
    "CommandRefused",
    "Master",
    "Source",
    "Viewer",
    "ViewerFailed",
    "__version__",
]

__version__ = "0.1.0"


def __getattr__(name: str) -> object:
    if name in ("CommandCall", "Master"):
        from . import master

        return getattr(master, name)
    if name in ("CommandFailed", "CommandRefused"):
        from . import errors

        return getattr(errors, name)
    if name == "Source":
        from .media.own_source import OwnSource

        return OwnSource
    if name in ("Call", "CallEnded"):
        from . import call

        return getattr(call, name)
    if name in ("Viewer", "ViewerFailed"):
        from . import viewer

        return getattr(viewer, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

"""The call that a master makes most: one packet encrypted for one viewer.

``pylibsrtp.Session.protect`` makes a C integer for each packet and checks in three calls what is known here; without
that, protecting takes two thirds of the time. So libsrtp is called directly, through names that pylibsrtp does not
document; where they are missing, its own method is used.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pylibsrtp

__all__ = ["MAX_PACKET", "protector"]

MAX_PACKET = 1356
"""Bytes of the longest packet: what pylibsrtp takes, too."""

_ROOM = 1500
_library: Any = pylibsrtp
"""Untyped: what is used of it is not meant to be."""


def protector(session: pylibsrtp.Session) -> Callable[[bytes], bytes]:
    """A function that does what ``session.protect`` does, with the same errors. Not for two threads at once."""
    try:
        ffi, protect, errors = _library.ffi, _library.lib.srtp_protect, _library.ERRORS
        context = session._srtp[0]
    except (AttributeError, TypeError, IndexError):  # pragma: no cover - another pylibsrtp; a contract test tells
        return session.protect
    memory = ffi.new("char[]", _ROOM)
    room = ffi.buffer(memory)
    length = ffi.new("int *")

    def protect_directly(packet: bytes, *, _owner: pylibsrtp.Session = session) -> bytes:
        """``_owner`` keeps the context alive, which libsrtp frees with the session."""
        size = len(packet)
        if size > MAX_PACKET:
            raise ValueError("packet is too long")
        room[:size] = packet
        length[0] = size
        if status := protect(context, memory, length):
            raise pylibsrtp.Error(errors[status])
        protected: bytes = room[: length[0]]
        return protected

    return protect_directly

"""Which cameras and screens this machine has."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

__all__ = ["Device", "list_devices"]

_CAMERAS = Path("/sys/class/video4linux")


class Device(msgspec.Struct, frozen=True):
    """``source``: what to write after ``--source``."""

    source: str
    name: str


def list_devices(*, cameras: Path = _CAMERAS, display: str | None = None) -> list[Device]:
    """V4L2 devices that give pictures, and the screen of ``$DISPLAY`` (or ``display``). Reads a few small files."""
    found = []
    for entry in sorted(cameras.glob("video*"), key=lambda path: (len(path.name), path.name)):
        try:
            # A camera has further nodes, for figures and not for pictures: their index is not 0.
            if (entry / "index").read_text().strip() not in ("", "0"):
                continue
            name = (entry / "name").read_text().strip()
        except OSError:
            name = ""
        found.append(Device(f"/dev/{entry.name}", name or "camera"))
    display = display if display is not None else os.environ.get("DISPLAY", "")
    if display:
        found.append(Device("screen", f"the screen {display}"))
    return found

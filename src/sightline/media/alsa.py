"""ALSA in an FFmpeg that was built elsewhere."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

__all__ = ["use_system_alsa"]

_SETTINGS: Final = Path("/usr/share/alsa")
_PLUGINS: Final = ("usr/lib/*-linux-gnu*/alsa-lib", "usr/lib64/alsa-lib", "usr/lib/alsa-lib")


def use_system_alsa() -> None:
    """Have ALSA's library find this machine's settings and plugins, unless the environment says where they are.

    The one in PyAV's wheels looks for them where it was built, and then knows not even the device ``default``.
    """
    if (_SETTINGS / "alsa.conf").exists():
        os.environ.setdefault("ALSA_CONFIG_DIR", str(_SETTINGS))
    folders = (folder for pattern in _PLUGINS for folder in Path("/").glob(pattern))
    plugins = next((folder for folder in folders if folder.is_dir()), None)
    if plugins is not None:
        os.environ.setdefault("ALSA_PLUGIN_DIR", str(plugins))

"""Two-way talk: a source's sound on its way to the camera."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from ..errors import UnsupportedMedia
from ..media.opus_packets import opus_samples
from ..media.sound_source import open_sound
from ..media.source import Source, open_source
from ..media.units import EncodedUnit

__all__ = ["Talk", "open_voice"]


def open_voice(text: str) -> Source:
    """What is to be said: any source's sound, or a sound file or a microphone. Files are played once. Blocks.

    Raises ConfigError and MediaError.
    """
    try:
        return open_source(text, loop=False)
    except UnsupportedMedia:
        return open_sound(text)  # there is no picture in it, or nothing at all: this says which


class Talk:
    """One source at a time."""

    def __init__(self, send: Callable[[bytes, int], None]) -> None:
        """``send`` takes an Opus packet and its number of samples."""
        self._send = send
        self._stop: Callable[[], None] | None = None
        self._owned: Source | None = None

    async def use(self, source: Source | str | None) -> None:
        """Send this source's sound in place of the one before; what ``open_voice`` opens is closed in the end.

        Raises ConfigError and MediaError: UnsupportedMedia for a source without sound.
        """
        owned = await asyncio.to_thread(open_voice, source) if isinstance(source, str) else None
        await self.aclose()
        self._owned = owned
        voice = owned if isinstance(source, str) else source
        if voice is None:
            return
        if voice.audio is None:
            await self.aclose()
            raise UnsupportedMedia("There is no sound in this source, so there is nothing to say.")
        self._stop = voice.audio.listen(self._pass_on)

    async def aclose(self) -> None:
        """Fall silent. Idempotent."""
        stop, self._stop = self._stop, None
        if stop is not None:
            stop()
        owned, self._owned = self._owned, None
        if owned is not None:
            await owned.aclose()

    def _pass_on(self, unit: EncodedUnit) -> None:
        self._send(unit.data, opus_samples(unit.data))

"""The thread that mixes what viewers say, every 20 ms while somebody talks, and hands it on."""

from __future__ import annotations

import asyncio
import logging
import queue
import threading
import time
from collections.abc import Callable
from typing import Final, TypeAlias

from .mixer import Mixer, VoiceFrame, silence

__all__ = ["VoiceThread"]

log = logging.getLogger(__name__)

_STEP: Final = 0.02

_TAIL: Final = 10
"""Frames of silence after the last word, so that a sound card plays all that it was given."""

_LATE: Final = 0.2
"""Seconds that the thread may be late, on a machine that is busy, and make up for; more is left out."""

_Packet: TypeAlias = "tuple[str, bytes, int, float]"


class _Leave(str):
    """A talker who is gone."""

    __slots__ = ()


class _End:
    pass


class VoiceThread:
    """``put`` and ``leave`` in the event loop, ``told`` in the thread. It begins with the first word, and sleeps while
    nobody talks.
    """

    def __init__(self, told: Callable[[VoiceFrame], None], *, mixer: Mixer | None = None) -> None:
        """``told`` gets each frame; what it raises is logged."""
        self._told = told
        self._mixer = mixer or Mixer()
        self._items: queue.SimpleQueue[_Packet | _Leave | _End] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._closed = False

    def put(self, talker: str, packet: bytes, timestamp: int, received: float) -> None:
        """An Opus packet of a talker; ``timestamp`` in samples at 48 kHz, ``received`` by ``time.monotonic``."""
        if self._closed:
            return
        if self._thread is None:
            self._thread = threading.Thread(target=self._main, name="sightline-voices", daemon=True)
            self._thread.start()
        self._items.put((talker, packet, timestamp, received))

    def leave(self, talker: str) -> None:
        """The talker is gone."""
        if self._thread is not None:
            self._items.put(_Leave(talker))

    async def aclose(self) -> None:
        """End the thread. Idempotent."""
        self._closed = True
        if self._thread is not None:
            self._items.put(_End())
            await asyncio.to_thread(self._thread.join)

    def _main(self) -> None:
        due, tail = 0.0, 0
        while True:
            if self._mixer.is_idle and not tail:
                if not self._take(self._items.get()):
                    return
                due = time.monotonic()
            while (left := due - time.monotonic()) > 0:
                time.sleep(left)
            if not self._take_all():
                return
            now = time.monotonic()
            due = due + _STEP if now - due < _LATE else now + _STEP
            try:
                frame = self._mixer.mix(now)
                tail = _TAIL if frame is not None else max(0, tail - 1)
                if frame is not None or tail:
                    self._told(frame or VoiceFrame(silence(), {}))
            except Exception:
                log.exception("20 ms of what viewers say were lost")

    def _take_all(self) -> bool:
        try:
            while self._take(self._items.get_nowait()):
                pass
        except queue.Empty:
            return True
        return False

    def _take(self, item: _Packet | _Leave | _End) -> bool:
        match item:
            case _End():
                return False
            case _Leave():
                self._mixer.leave(str(item))
            case (talker, packet, timestamp, received):
                try:
                    self._mixer.push(talker, packet, timestamp, received)
                except Exception:
                    log.exception("a packet of %s was not taken", talker)
        return True

"""What viewers say to the camera: mixed, played by its speaker, and handed to the program that asks for it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from contextlib import suppress
from typing import Final, Self

from ..media.mixer import VoiceFrame
from ..media.received import ReceivedFrame
from ..media.speaker import speaker_named
from ..media.speaker_thread import SpeakerThread
from ..media.voice_thread import VoiceThread

__all__ = ["VoiceStream", "Voices"]

_QUEUE: Final = 25
"""Frames that wait for a reader: half a second. One that is slower misses some, and is never later."""


class VoiceStream:
    """``async for frame in stream``: what viewers say, 20 ms at a time, from now until the master or it is closed.

    While nobody talks there is nothing.
    """

    def __init__(self, closed: Callable[[VoiceStream], None]) -> None:
        self.missed = 0
        """Frames that were left out because they were not read in time."""
        self._closed = closed
        self._queue: asyncio.Queue[VoiceFrame | None] = asyncio.Queue(_QUEUE)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> VoiceFrame:
        frame = await self._queue.get()
        if frame is None:
            self._queue.put_nowait(None)  # for whoever asks once more
            raise StopAsyncIteration
        return frame

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """No more frames. Idempotent."""
        self._closed(self)
        self.put(None)

    def put(self, frame: VoiceFrame | None) -> None:
        """Called by ``Voices``."""
        if self._queue.full():
            self._queue.get_nowait()
            self.missed += 1
        self._queue.put_nowait(frame)


class Voices:
    """One master's. Belongs to the event loop's thread; mixing and playing happen in two others."""

    def __init__(self, speaker: str | None = None, *, roles: Collection[str] | None = None) -> None:
        """``speaker``: as ``media.speaker.speaker_named`` takes it; ``roles``: of viewers who may talk, None: all.

        Raises ConfigError and MediaError.
        """
        self._roles = None if roles is None else frozenset(roles)
        self._speaker = SpeakerThread(speaker_named(speaker)) if speaker is not None else None
        self._streams: set[VoiceStream] = set()
        self._thread: VoiceThread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._wanted = speaker is not None
        self._ended = False

    def may_talk(self, role: str | None) -> bool:
        """Whether a viewer of that role is heard, if it connects now; None where the service tells no roles."""
        return self._wanted and (self._roles is None or role in self._roles)

    async def open(self) -> None:
        """Open the speaker. Raises SpeakerError and UnsupportedMedia."""
        if self._speaker is not None:
            await self._speaker.open()

    def stream(self) -> VoiceStream:
        """A new reader. From the first one on viewers who connect are heard."""
        self._wanted = True
        stream = VoiceStream(self._streams.discard)
        if self._ended:
            stream.put(None)
        else:
            self._streams.add(stream)
        return stream

    def hear(self, client_id: str, frame: ReceivedFrame) -> None:
        """A viewer says this."""
        if self._ended:
            return
        if self._thread is None:
            self._loop = asyncio.get_running_loop()
            self._thread = VoiceThread(self._mixed)
        self._thread.put(client_id, frame.data, frame.timestamp, frame.received)

    def leave(self, client_id: str) -> None:
        """A viewer is gone, or begins anew."""
        if self._thread is not None:
            self._thread.leave(client_id)

    async def aclose(self) -> None:
        """End the threads and the streams. Idempotent."""
        self._ended = True
        for stream in list(self._streams):
            stream.close()
        if self._thread is not None:
            await self._thread.aclose()
        if self._speaker is not None:
            await self._speaker.aclose()

    # -- in the thread that mixes

    def _mixed(self, frame: VoiceFrame) -> None:
        if self._speaker is not None:
            self._speaker.put(frame.mixed)
        if self._streams and frame.voices and self._loop is not None:
            with suppress(RuntimeError):  # the loop is closed: a program that ends without aclose()
                self._loop.call_soon_threadsafe(self._deliver, frame)

    def _deliver(self, frame: VoiceFrame) -> None:
        for stream in list(self._streams):
            stream.put(frame)

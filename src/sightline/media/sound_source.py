"""Sound without a picture as a source: a sound file, played once, or a microphone."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Final

import av

from ..errors import MediaError, UnsupportedMedia
from .encoding_source import RawSound, sound_plan
from .feed import Feed
from .file_reading import open_container
from .live_input import LiveInput, live_input
from .run import PumpPlan, Threads
from .units import AUDIO_CLOCK, AudioFormat

__all__ = ["SoundSource", "open_sound"]

log = logging.getLogger(__name__)

_FIRST_PAUSE: Final = 0.5
_LONGEST_PAUSE: Final = 10.0
"""Seconds before a microphone that was lost is opened again; doubled each time."""

_HELD_UP: Final = 0.2
"""Seconds that a microphone's sound may come late; more was lost."""


def open_sound(text: str) -> SoundSource:
    """A sound file's path, or what ``live_input`` knows (``ffmpeg:alsa:default``). Blocks while it is opened.

    Raises ConfigError and MediaError.
    """
    input = live_input(text)
    container = open_container(Path(text)) if input is None else input.open()
    if not container.streams.audio:
        container.close()
        raise UnsupportedMedia(f"{text if input is None else input.name} has no sound, so there is nothing to say.")
    return SoundSource(container, input)


class SoundSource:
    """See ``Source``. It begins with the first listener, and a file ends at its end."""

    def __init__(self, container: av.container.InputContainer, input: LiveInput | None) -> None:
        """``container``: open, and closed by this; ``input``: for opening it again, None for a file."""
        self._container: av.container.InputContainer | None = container
        self._input = input
        self._ended = threading.Event()
        self._threads = Threads(self._plans, lambda: (self._audio,))
        self._audio = Feed(AudioFormat(), on_demand_change=self._threads.follow_demand)

    @property
    def video(self) -> None:
        """There is none."""
        return None

    @property
    def video_feeds(self) -> Mapping[str, Feed]:
        """There are none."""
        return {}

    @property
    def audio(self) -> Feed:
        """Opus."""
        return self._audio

    def renditions(self, codec: str) -> Sequence[Feed]:
        """There are none."""
        return ()

    def request_keyframe(self) -> None:
        """Sound has none."""

    async def aclose(self) -> None:
        """End it. Idempotent."""
        self._ended.set()
        await self._threads.aclose()
        if self._container is not None:
            self._container.close()
            self._container = None

    def _plans(self) -> Iterator[PumpPlan]:
        yield sound_plan(self._audio, self._file if self._input is None else self._live)

    def _file(self) -> Iterator[RawSound]:
        container, self._container = self._container, None
        if container is None:
            return  # it was played
        with container:
            start: float | None = None
            for frame in container.decode(audio=0):
                at = frame.time or 0.0
                start = at if start is None else start
                yield RawSound(at - start, partial(_given, frame))

    def _live(self) -> Iterator[RawSound]:
        assert self._input is not None
        begun, at, pause = time.monotonic(), 0.0, _FIRST_PAUSE
        while not self._ended.is_set():
            try:
                container, self._container = self._container or self._input.open(), None
                with container:
                    for frame in container.decode(audio=0):
                        if self._ended.is_set():
                            return
                        pause = _FIRST_PAUSE
                        # By the count of samples, which is even; after a hole by the clock.
                        at = max(at, time.monotonic() - begun - _HELD_UP)
                        yield RawSound(at, partial(_given, frame))
                        at += frame.samples / (frame.sample_rate or AUDIO_CLOCK)
                reason = "it has ended"
            except (MediaError, av.FFmpegError, OSError, ValueError) as error:
                reason = str(error) if isinstance(error, MediaError) else type(error).__name__
            log.warning("%s is lost (%s); it is opened again", self._input.name, reason)
            self._ended.wait(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)


def _given(frame: av.AudioFrame) -> av.AudioFrame:
    return frame

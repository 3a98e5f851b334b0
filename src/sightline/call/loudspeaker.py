"""Where the other one in a call is heard: a sound card, a file, any output of FFmpeg's."""

from __future__ import annotations

from ..media.speaker import speaker_named
from ..media.speaker_thread import SpeakerThread
from ..media.voice_thread import VoiceThread
from ..rtc.rtp.incoming import EncodedFrame

__all__ = ["Loudspeaker"]


class Loudspeaker:
    """One for all calls, one after the other. Evens out the network's jitter and conceals what is lost, as a camera
    does with its viewers' voices; playing is a thread's business, and one that hangs harms nobody."""

    def __init__(self, name: str) -> None:
        """``name``: as ``media.speaker.speaker_named`` takes it. Raises ConfigError and MediaError."""
        self._speaker = SpeakerThread(speaker_named(name))
        self._voice = VoiceThread(lambda frame: self._speaker.put(frame.mixed))

    async def open(self) -> None:
        """Raises SpeakerError and UnsupportedMedia."""
        await self._speaker.open()

    def play(self, peer: str, frame: EncodedFrame) -> None:
        """What came from the other one; pictures are nothing to it."""
        if frame.kind == "audio":
            self._voice.put(peer, frame.data, frame.timestamp, frame.received)

    def leave(self, peer: str) -> None:
        """That call has ended, or begins anew."""
        self._voice.leave(peer)

    async def aclose(self) -> None:
        """End the threads. Idempotent."""
        await self._voice.aclose()
        await self._speaker.aclose()

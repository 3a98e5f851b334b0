"""One call, as a program has it in its hands; and the ring before it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import msgspec

from ..errors import MediaError
from ..media.decoder import AudioFrame, VideoFrame
from ..media.recorder import Recorder
from ..rtc.rtp.incoming import EncodedFrame
from ..rtc.stats import PeerStatistics
from ..sessions.call import messages as machine
from ..sessions.call.messages import CallState
from ..viewer.media import IncomingMedia
from ..viewer.streams import Broadcast, Stream
from .failure import CallEnded, ending
from .loudspeaker import Loudspeaker
from .outgoing import ALL, Sending

__all__ = ["CallSession", "CallStatistics", "Ring", "SessionOwner"]

_TEXTS = 1024
"""Lines that may wait for a reader; then the oldest are left out."""


class CallStatistics(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Times in seconds, rates per second; None where nothing is known."""

    peer: str
    state: CallState
    width: int | None = None
    height: int | None = None
    codec: str | None = None
    """Of the pictures that come."""
    frame_rate: float = 0.0
    pictures: int = 0
    """All that came."""
    received_bitrate: float | None = None
    sent_bitrate: float | None = None
    """Bits per second of picture and sound."""
    loss: float | None = None
    """The fraction, 0 to 1, of our own video packets that the other side missed lately."""
    round_trip_time: float | None = None
    candidate_pair: str | None = None
    """The path in use, for people."""
    picture_delay: float | None = None
    """From their camera to the picture's arrival here; as right as both machines' clocks are."""


class SessionOwner(Protocol):
    """What a session asks of its ``Call``."""

    def take(self, message: machine.Input) -> None: ...

    def request_keyframe(self) -> None: ...

    def send_text(self, to: str, text: str) -> bool: ...

    def peer_statistics(self) -> PeerStatistics | None: ...


class CallSession:
    """A call with one person, from the first ring to its end. Made by ``Call``; ends by ``hang_up``, or as block::

    async with await call.place("Ann") as session:
        async for text in session.texts():
            session.send_text(f"You said: {text}")
    """

    def __init__(self, owner: SessionOwner, peer: str, *, speaker: Loudspeaker | None = None) -> None:
        self.peer = peer
        """The other one's name."""
        self.state = CallState.IDLE
        self.reason: str | None = None
        """Why it ended: a key of ``sightline.call.ENDINGS``."""
        self.sending: Sending = ALL
        """What the other side says that it sends."""
        self._owner = owner
        self._speaker = speaker
        self._is_current = True
        self._up = asyncio.Event()
        self._ended = asyncio.Event()
        self._texts = Broadcast[str](keep=_TEXTS)
        self._early: Stream[str] | None = self._texts.stream()
        self._media = IncomingMedia(request_keyframe=self._request_keyframe, shown=lambda: None)

    # -- how it is

    @property
    def message(self) -> str:
        """How it ended, as a sentence for people; empty while it goes on."""
        return ending(self.reason, self.peer) if self.reason is not None else ""

    def statistics(self) -> CallStatistics:
        """The figures of now."""
        peer = self._owner.peer_statistics() if self._is_current else None
        meter = self._media.meter
        width, height = meter.size or (None, None)
        received = peer.received if peer is not None else None
        sent = peer.sent if peer is not None else None
        return CallStatistics(
            peer=self.peer,
            state=self.state,
            width=width,
            height=height,
            codec=meter.codec,
            frame_rate=meter.frame_rate(time.monotonic()),
            pictures=meter.pictures,
            received_bitrate=received.bitrate if received is not None else None,
            sent_bitrate=sent.bitrate if sent is not None else None,
            loss=sent.fraction_lost if sent is not None else None,
            round_trip_time=peer.round_trip_time if peer is not None else None,
            candidate_pair=peer.candidate_pair if peer is not None else None,
            picture_delay=meter.delay if self.state is CallState.IN_CALL else None,
        )

    async def wait_ended(self) -> str:
        """Until it has ended and recordings are written; gives the reason."""
        await self._ended.wait()
        return self.reason or ""

    # -- pictures, sound and text: streams end with the call

    @property
    def video(self) -> Stream[VideoFrame]:
        """The pictures: always the newest, so a slow reader misses some and is never late. Each use is a reader."""
        return self._media.video.stream()

    @property
    def audio(self) -> Stream[AudioFrame]:
        """The sound, in frames of 20 ms; a reader that is more than a second late misses some. Each use is a reader."""
        return self._media.audio.stream()

    async def picture(self) -> VideoFrame:
        """The next picture. Raises CallEnded when none comes any more."""
        async for frame in self.video:
            return frame
        raise CallEnded(self.reason or "left", self.peer)

    def record(self, path: Path | str, *, on_error: Callable[[MediaError], None] | None = None) -> Recorder:
        """Record what comes, from the next keyframe on, without encoding anew, until the call ends.

        Raises MediaError for a path that cannot be; of an error later on ``on_error`` is told, in the event loop.
        """
        return self._media.record(path, on_error=on_error)

    def send_text(self, text: str) -> bool:
        """Write a line; whether it went out."""
        return self._is_current and self._owner.send_text(self.peer, text)

    def texts(self) -> Stream[str]:
        """The lines that the other one writes; the first reader gets those of the beginning too."""
        stream, self._early = self._early, None
        return stream or self._texts.stream()

    # -- its end

    async def hang_up(self) -> None:
        """End it, and wait until everything is let go of and written. Idempotent."""
        if self._is_current:
            self._owner.take(machine.HangUp())
        await self._ended.wait()

    async def __aenter__(self) -> CallSession:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.hang_up()

    # -- what ``Call`` tells

    async def wait_up(self) -> CallSession:
        """Until both see and hear each other. Raises CallEnded; hangs up when it is cancelled."""
        try:
            await self._up.wait()
        except asyncio.CancelledError:
            if self._is_current:
                self._owner.take(machine.HangUp())
            raise
        if self.reason is not None:
            raise CallEnded(self.reason, self.peer)
        return self

    def begin(self) -> None:
        """A connection is made: nothing that comes follows from what came before."""
        self._media.begin_run()
        self.sending = ALL
        if self._speaker is not None:
            self._speaker.leave(self.peer)

    def follow(self, state: CallState, reason: str | None) -> None:
        """Its state changed."""
        self.state = state
        if state is CallState.ENDED:
            self.reason = reason or ""
            self._is_current = False
            self._texts.end()
            self._media.end(None)
            if self._speaker is not None:
                self._speaker.leave(self.peer)
        if state in (CallState.IN_CALL, CallState.ENDED):
            self._up.set()

    def take_frame(self, frame: EncodedFrame) -> None:
        """It came."""
        self._media.take(frame)
        if self._speaker is not None and self._is_current:
            self._speaker.play(self.peer, frame)

    def take_text(self, text: str) -> None:
        """It came."""
        self._texts.put(text)

    async def aclose(self) -> None:
        """Recordings are written to their ends. Idempotent."""
        await self._media.aclose()
        self._ended.set()

    def _request_keyframe(self) -> None:
        if self._is_current:
            self._owner.request_keyframe()


class Ring:
    """Somebody calls. Unless it is taken within a minute it is missed."""

    def __init__(self, owner: SessionOwner, session: CallSession) -> None:
        self._owner = owner
        self._session = session

    @property
    def peer(self) -> str:
        """Who."""
        return self._session.peer

    @property
    def is_ringing(self) -> bool:
        """Whether it still does."""
        return self._session.state is CallState.RINGING

    async def accept(self) -> CallSession:
        """Take it, and wait until both see and hear each other. Raises CallEnded, also when they no longer call."""
        if self.is_ringing:
            self._owner.take(machine.Accept())
        return await self._session.wait_up()

    async def decline(self) -> None:
        """Refuse it; nothing happens when it rings no longer."""
        if self.is_ringing:
            self._owner.take(machine.Decline())

    async def wait_ended(self) -> str:
        """Until there is no call any more; gives the reason."""
        return await self._session.wait_ended()

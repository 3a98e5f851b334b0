"""The viewer's side: watches a channel's camera, recovers by itself, and says what is wrong while it cannot."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal, Self

import aiohttp

from ..client.driver import Driver
from ..client.network import NetworkWatcher
from ..client.socket import http_session
from ..errors import ConfigError, MediaError
from ..media.decoder import AudioFrame, VideoFrame
from ..media.recorder import Recorder
from ..media.source import Source
from ..observe.log import bind
from ..rtc.data_requests import Json
from ..rtc.datachannel import DataRequest
from ..rtc.ice.config import IceConfig
from ..rtc.peer import ConnectionState
from ..sessions.viewer import Persistent, RetryPolicy, ViewerOptions, ViewerSession
from ..sessions.viewer import messages as machine
from ..sessions.viewer.messages import ViewerState
from ..timers import DEFAULT_TIMERS, Timers
from ..wire.ids import check_client_id
from ..wire.sigv4 import Credentials
from .attempt import Attempt, LateTries
from .commands import why_over
from .connection import CameraPeer, PeerFactory
from .data import CameraData
from .entry import Entry, SessionProvider
from .events import Callback, Message, NoticeGiven, StateChanged, ViewerEvent
from .failure import ViewerFailed, sentence
from .media import IncomingMedia
from .names import client_id_of, new_client_id
from .peers import Peers, ice_wanted
from .statistics import ViewerStatistics
from .streams import Events, Stream
from .talk import Talk

__all__ = ["Viewer"]

log = logging.getLogger(__name__)


class Viewer:
    """Watches one camera until it is closed.

    ::

        async with Viewer("front-door") as viewer:
            async for frame in viewer.video:
                show(frame.to_ndarray())

    It connects when it is entered, reconnects by itself, and decodes only what somebody reads. Readers simply wait
    while there is no picture; when the viewer gives up they get ``ViewerFailed``, which says why.
    """

    def __init__(
        self,
        channel: str,
        *,
        endpoint: str | None = None,
        region: str | None = None,
        credentials: Credentials | None = None,
        client_id: str | None = None,
        video: bool = True,
        audio: bool = True,
        talk: bool = False,
        data_channels: Sequence[str] = (),
        commands: bool = False,
        ice_transport_policy: Literal["all", "relay"] = "all",
        ice: IceConfig | None = None,
        persistent: bool = False,
        policy: RetryPolicy | None = None,
        options: ViewerOptions | None = None,
        timers: Timers = DEFAULT_TIMERS,
        on_event: Callback | None = None,
        on_request: Callable[[DataRequest], None] | None = None,
        session_provider: SessionProvider | None = None,
        peer_factory: PeerFactory | None = None,
    ) -> None:
        """``channel``: name or ARN, or a whole link (``https://HOST/view/CHANNEL#TOKEN``), which needs no key.

        ``endpoint``, ``region`` and ``credentials`` default as ``client.target.find_target`` says.
        ``client_id``: by default a fresh one. ``video``, ``audio``: whether to receive them; ``talk``: whether
        ``speak`` may send sound. ``data_channels``: labels of channels to open at each connection;
        ``commands``: whether ``command`` may send any.
        ``ice_transport_policy``: ``relay`` tells nobody an address of this machine; ``ice`` names ports and interfaces.

        ``persistent`` never gives up; a ``policy`` decides for itself (seed 001.3 by default). ``options``: all
        durations of the session, ``timers``: those of connections and sockets. ``on_event`` is called in the event
        loop with what ``events()`` gives, ``on_request`` with the camera's questions on data channels.
        A ``session_provider`` and a ``peer_factory`` take the place of service and connection.

        Raises InvalidClientId and ConfigError, before anything is sent.
        """
        self._entry = Entry(channel, endpoint=endpoint, region=region, credentials=credentials)
        self.channel = self._entry.channel
        self._client_id = check_client_id(client_id) if client_id is not None else new_client_id()
        if not (video or audio or talk or data_channels or commands):
            raise ConfigError("This viewer asks for nothing: give it video, audio, talk, a data channel or commands.")
        self._video = video
        self._timers = timers
        self._log = bind(log, channel=self.channel, client_id=self._client_id)
        self._events = Events[ViewerEvent](on_event)
        self._data = CameraData(
            data_channels,
            commands=commands,
            on_message=lambda label, content: self._events.publish(Message(label, content)),
            on_request=on_request,
            log=self._log,
        )
        self._sessions = session_provider or self._entry
        peers = Peers(
            ice=ice_wanted(ice, ice_transport_policy),
            video=video,
            audio="sendrecv" if talk else "recvonly" if audio else None,
            data=self._data.is_wanted,
            timers=timers,
        )
        self._make_peer: PeerFactory = peer_factory or peers.make
        self._machine = ViewerSession(
            options, policy=policy or (Persistent(roll=random.random) if persistent else None)
        )
        self._driver = Driver(self._machine, perform=self._perform, before_tick=self._look)
        self._media = IncomingMedia(request_keyframe=self._request_keyframe, shown=self._shown)
        self._talk = Talk(self._send_sound) if talk else None
        self._notice: NoticeGiven | None = None
        self._failure: ViewerFailed | None = None
        self._ended = asyncio.Event()
        self._attempt: Attempt | None = None
        self._late_tries = LateTries()
        self._attempts = 0
        self._begun_at = 0.0
        self._first_picture: float | None = None
        self._http: aiohttp.ClientSession | None = None
        self._network: NetworkWatcher | None = None

    # -- how it is

    @property
    def state(self) -> ViewerState:
        """Where it is; ``watching``: the picture moves."""
        return self._machine.state

    @property
    def client_id(self) -> str:
        """Under which it is known to the camera now."""
        return self._attempt.client_id if self._attempt is not None else self._client_id

    @property
    def notice(self) -> NoticeGiven | None:
        """Why there is no picture, while there is none and that is known."""
        return self._notice

    @property
    def failure(self) -> ViewerFailed | None:
        """Why it gave up."""
        return self._failure

    def statistics(self) -> ViewerStatistics:
        """The figures of now."""
        peer = self._peer
        return self._media.meter.statistics(
            peer.statistics() if peer is not None else None,
            state=self.state,
            client_id=self.client_id,
            connections=self._attempts,
            first_picture=self._first_picture,
            now=time.monotonic(),
        )

    def events(self) -> Stream[ViewerEvent]:
        """What happens from now on: ``async for event in viewer.events()``. Raises ViewerFailed when it gives up."""
        return self._events.stream()

    async def wait_watching(self) -> None:
        """Until the picture moves; raises ViewerFailed when it gives up."""
        events = self.events()
        if self.state is ViewerState.WATCHING:
            return
        async for event in events:
            if isinstance(event, StateChanged) and event.after is ViewerState.WATCHING:
                return

    async def wait_closed(self) -> None:
        """Until it is closed; raises ViewerFailed when it gives up."""
        await self._ended.wait()
        if self._failure is not None:
            raise self._failure

    # -- pictures and sound

    @property
    def video(self) -> Stream[VideoFrame]:
        """The pictures: always the newest, so a slow reader misses some and is never late. Each use is a reader."""
        return self._media.video.stream()

    @property
    def audio(self) -> Stream[AudioFrame]:
        """The sound, in frames of 20 ms; a reader that is more than a second late misses some. Each use is a reader."""
        return self._media.audio.stream()

    async def picture(self) -> VideoFrame:
        """The next picture. Raises ViewerFailed."""
        async for frame in self.video:
            return frame
        raise ViewerFailed("connection-lost", "The viewer was closed before a picture came.")

    def record(self, path: Path | str, *, on_error: Callable[[MediaError], None] | None = None) -> Recorder:
        """Record from the next keyframe on, without encoding anew, until the viewer is closed.

        Raises MediaError for a path that cannot be; of an error later on ``on_error`` is told, in the event loop.
        """
        return self._media.record(path, on_error=on_error)

    @property
    def can_talk(self) -> bool:
        """Whether the camera of this connection plays what ``speak`` sends; False while there is none."""
        peer = self._peer
        return peer is not None and peer.can_talk

    async def speak(self, source: Source | str | None) -> None:
        """Send the sound of a source, or of what ``viewer.talk.open_voice`` opens (a sound file, a microphone as
        ``ffmpeg:alsa:default``, anything that a master streams), to the camera; None falls silent.

        Needs ``talk=True``. It goes on over reconnections. Raises ConfigError and MediaError.
        """
        if self._talk is None:
            raise ConfigError("This viewer cannot speak: make it with talk=True.")
        await self._talk.use(source)

    # -- data

    def send(self, message: str | bytes, *, label: str | None = None) -> bool:
        """Send on the data channels (or those of that label); whether it went out."""
        return self._data.send(message, label)

    async def request(self, value: Json, *, label: str, timeout: float = 5.0) -> object:
        """Ask the camera on the data channel of that label, and wait at most ``timeout`` seconds for its answer.

        Raises RequestFailed when there is none.
        """
        return await self._data.request(value, label=label, timeout=timeout)

    async def command(self, name: str, value: Json = None, *, timeout: float = 10.0) -> object:
        """Have the camera's device do something, and wait at most ``timeout`` seconds for what it says to it.

        Needs ``commands=True``. While there is no connection it waits for one, within the same time. A command is sent
        once: if the connection is lost before the answer, it fails with ``connection-lost`` and is not sent again.

        Raises CommandFailed, whose ``reason`` says why, and ConfigError.
        """
        return await self._data.commands.send(name, value, timeout=timeout)

    # -- life

    def reconnect(self) -> None:
        """Make everything anew, now."""
        self._driver.take(machine.Reconnect())

    async def __aenter__(self) -> Self:
        """Begins to connect; raises ConfigError when no service can be meant."""
        self._begun_at = time.monotonic()
        if self._sessions is self._entry:
            await self._entry.open()
        self._http = http_session()
        self._network = NetworkWatcher(self._network_changed, destinations=self._destinations)
        await self._network.__aenter__()
        self._driver.take(machine.Open())
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Let go of everything, in the order of seed 001.7. Idempotent, safe from any state."""
        self._driver.take(machine.Close())
        self._driver.stop()
        self._data.commands.end(why_over(self._failure))
        if self._network is not None:
            await self._network.aclose()
        await self._driver.aclose()
        if self._talk is not None:
            await self._talk.aclose()
        await self._media.aclose()
        self._events.end(None)
        if self._http is not None:
            await self._http.close()
        await self._entry.aclose()
        self._ended.set()

    # -- the machine

    def _perform(self, outputs: Sequence[machine.Output]) -> None:
        for output in outputs:
            match output:
                case machine.Begin(client_id_number=number):
                    self._begin(number)
                case machine.End():
                    self._end()
                case machine.State(before=before, after=after):
                    self._log.info("%s %s → %s", self.client_id, before, after)
                    self._events.publish(StateChanged(before, after))
                case machine.Tell(reason=reason, message=message):
                    self._tell(reason, message)
                case machine.Failed(reason=reason, message=message):
                    self._fail(ViewerFailed(reason, message))
                case _ if self._attempt is not None:
                    self._attempt.perform(output)

    def _look(self) -> None:
        if self._attempt is not None:
            self._attempt.look()  # before a silence is judged

    def _begin(self, number: int) -> None:
        assert self._http is not None
        self._attempts += 1
        self._media.begin_run()
        self._data.begin()
        attempt = self._attempt = Attempt(
            client_id_of(self._client_id, number),
            channel=self.channel,
            http=self._http,
            sessions=self._sessions,
            make_peer=self._make_peer,
            take=lambda message: self._take_of(attempt, message),
            on_frame=lambda frame: self._media.take(frame) if self._attempt is attempt else None,
            late_tries=self._late_tries,
            timers=self._timers,
        )
        attempt.begin()

    def _take_of(self, attempt: Attempt, message: machine.Input) -> None:
        if attempt is not self._attempt:
            return
        connected = isinstance(message, machine.Peer) and message.state == "connected"
        if connected and attempt.peer is not None:
            self._data.connected(attempt.peer.channels)
        self._driver.take(message)
        if not self._video and (connected or isinstance(message, machine.Heard)):
            self._driver.take(machine.Frame())  # who asks for no picture has all there is with the connection

    def _end(self) -> None:
        attempt, self._attempt = self._attempt, None
        self._data.lost()
        if attempt is not None:
            self._driver.spawn(attempt.aclose(), "end of an attempt")

    def _tell(self, reason: str | None, message: str) -> None:
        notice = NoticeGiven(reason, sentence(reason, message) if reason is not None else "")
        self._notice = notice if reason is not None else None
        if reason is not None:
            self._log.warning("%s: %s", reason, notice.message)
        self._events.publish(notice)

    def _fail(self, failure: ViewerFailed) -> None:
        self._failure = failure
        self._log.warning("given up: %s: %s", failure.reason, failure)
        self._media.end(failure)
        self._data.commands.end(why_over(failure))
        self._events.end(failure)
        self._ended.set()

    # -- what comes of it

    @property
    def _peer(self) -> CameraPeer | None:
        return self._attempt.peer if self._attempt is not None else None

    def _shown(self) -> None:
        if self._first_picture is None:
            self._first_picture = time.monotonic() - self._begun_at
        if self._attempt is not None:
            self._attempt.shown()

    def _request_keyframe(self) -> None:
        peer = self._peer
        if peer is not None and peer.connection_state is ConnectionState.CONNECTED:
            peer.request_keyframe()

    def _send_sound(self, opus: bytes, samples: int) -> None:
        peer = self._peer
        if peer is not None:
            peer.send_audio(opus, samples)

    def _network_changed(self, online: bool) -> None:
        self._driver.take(machine.Network(online=online))

    def _destinations(self) -> Sequence[str]:
        return tuple(self._attempt.addresses) if self._attempt is not None else ()

"""The state machine of a viewer's session: docs/topics/viewer-session.md has it as a table.

::

    idle ─► opening ─► offering ─► connecting ─► watching ◄─► recovering ─► (full reconnect) opening
               └───────────┴────────────┴───────────────────────► waiting ─► opening
                                                                     └─────► failed          closed, from anywhere

An attempt is one peer connection: from ``Begin`` to ``End``. It fails for a reason; then the policy says whether and
when there is another. A picture, and nothing less, is success and clears the count.
"""

from __future__ import annotations

from enum import StrEnum

from ...reasons import REASONS, Reason
from .messages import (
    Answer,
    Ask,
    Begin,
    Close,
    End,
    Failed,
    Failure,
    Frame,
    Heard,
    Input,
    Master,
    Network,
    Notice,
    OfferReady,
    Open,
    Output,
    Peer,
    Reconnect,
    Reopen,
    Restart,
    SendOffer,
    Session,
    SocketClosed,
    SocketOpen,
    State,
    Tell,
    ViewerState,
)
from .options import RetryOnce, RetryPolicy, ViewerOptions

__all__ = ["ViewerSession"]

_FINAL = frozenset(reason.value for reason, entry in REASONS.items() if entry.final)
_BEFORE_THE_PICTURE = (ViewerState.OPENING, ViewerState.OFFERING, ViewerState.CONNECTING)
_UP = (*_BEFORE_THE_PICTURE, ViewerState.WATCHING, ViewerState.RECOVERING)


class _Timer(StrEnum):
    OPEN = "open"
    ANSWER = "answer"
    ASK = "ask"
    PATH = "path"
    MEDIA = "media"
    SILENCE = "silence"
    STALL = "stall"
    SOCKET_REPLY = "socket-reply"
    REACH = "reach"
    RESTART_ANSWER = "restart-answer"
    RESTART_PATH = "restart-path"
    RECOVER = "recover"
    PAUSE = "pause"


class ViewerSession:
    """One viewer of one camera. Times are seconds of one steady clock; calls return what is to be done, in order."""

    def __init__(self, options: ViewerOptions | None = None, *, policy: RetryPolicy | None = None) -> None:
        self.state = ViewerState.IDLE
        self._options = options or ViewerOptions()
        self._policy: RetryPolicy = policy or RetryOnce()
        self._outputs: list[Output] = []
        self._now = 0.0
        self._due: dict[_Timer, float] = {}
        # Since the last picture.
        self._failures = 0
        self._begun_at = 0.0
        # Of the viewer and its surroundings.
        self._client_id_number = 1
        self._offline = False
        self._told: str | None = None
        self._extras = False
        self._camera_present: bool | None = None
        self._camera_is_ours = False
        # Of the attempt.
        self._cause: Notice | None = None
        self._session_here = False
        self._socket_open = False
        self._offer_ready = False
        self._restarting = False
        self._reopenings = 0

    # ---------------------------------------------------------------------------------------------------- the outside

    def take(self, message: Input, now: float) -> list[Output]:
        """Take one input. What means nothing in the present state (a late answer, a second ``Open``) is ignored."""
        self._now = now
        match message:
            case Open():
                if self.state not in (*_UP, ViewerState.WAITING):
                    self._start_over()
            case Reconnect():
                self._start_over()
            case Close():
                self._close()
            case _ if self.state in _UP:
                self._advance(message)
            case Network() if self.state is ViewerState.WAITING:
                self._network(message)
        return self._drain()

    def tick(self, now: float) -> list[Output]:
        """Do what is due."""
        self._now = now
        while self._due:
            timer = min(self._due, key=lambda each: self._due[each])
            if self._due[timer] > now:
                break
            del self._due[timer]
            self._expire(timer)
        return self._drain()

    def next_deadline(self) -> float | None:
        """When ``tick`` has something to do; None: never."""
        return min(self._due.values(), default=None)

    def _drain(self) -> list[Output]:
        outputs, self._outputs = self._outputs, []
        return outputs

    # ------------------------------------------------------------------------------------------------------- attempts

    def _start_over(self) -> None:
        if self.state in _UP:
            self._outputs.append(End())
        self._failures = 0
        self._begun_at = self._now
        self._client_id_number = 1
        self._begin()

    def _begin(self) -> None:
        """A new attempt: what was learnt of the one before is forgotten, except whose the camera is."""
        self._due.clear()
        self._camera_present = self._cause = None
        self._session_here = self._socket_open = self._offer_ready = self._restarting = False
        self._reopenings = 0
        self._enter(ViewerState.OPENING)
        self._outputs.append(Begin(self._client_id_number))
        self._set(_Timer.OPEN, self._options.open)

    def _begin_anew(self) -> None:
        """Another attempt at once, which is nobody's failure: the network or the camera is a new one."""
        if self.state in _UP:
            self._outputs.append(End())
        self._begin()

    def _attempt_failed(self, reason: str, message: str = "") -> None:
        self._outputs.append(End())
        self._due.clear()
        if reason in _FINAL:
            return self._fail(reason, message)
        if self._offline:
            reason, message = Reason.OFFLINE.value, ""  # which counts for nothing
        else:
            self._failures += 1
        delay = self._policy.delay(max(1, self._failures), elapsed=self._now - self._begun_at, reason=reason)
        if delay is None:
            return self._fail(reason, message)
        self._enter(ViewerState.WAITING)
        self._tell(reason, message)
        self._set(_Timer.PAUSE, delay)

    def _fail(self, reason: str, message: str) -> None:
        self._enter(ViewerState.FAILED)
        self._outputs.append(Failed(reason, message))
        self._told = None

    def _close(self) -> None:
        if self.state in _UP:
            self._outputs.append(End())
        self._due.clear()
        if self.state is not ViewerState.CLOSED:
            self._enter(ViewerState.CLOSED)

    def _reconnect(self) -> None:
        """Everything made anew, after a restart that brought nothing. A camera that is not ours may refuse an id that
        it knows, and says nothing about it (KVS.md §9.5)."""
        if not self._camera_is_ours:
            self._client_id_number += 1
        self._begin_anew()

    # --------------------------------------------------------------------------------------------------------- inputs

    def _advance(self, message: Input) -> None:
        match message:
            case Session(extras=extras):
                self._session_here, self._extras = True, extras
            case OfferReady():
                self._offer_ready = True
                self._send_offer()
            case SocketOpen():
                self._opened()
            case SocketClosed():
                self._lost_socket()
            case Failure(reason=reason, message=text):
                self._failure(reason, text)
            case Answer():
                self._answered()
            case Peer(state="connected"):
                if self.state is ViewerState.CONNECTING and _Timer.PATH in self._due:
                    del self._due[_Timer.PATH]
                    self._set(_Timer.MEDIA, self._options.media)
            case Peer():
                self._lost_path()
            case Heard():
                if self.state is ViewerState.WATCHING:
                    self._watch_silence()
            case Frame():
                self._picture()
            case Master():
                self._camera(message)
            case Notice():
                self._notice(message)
            case Network():
                self._network(message)

    def _opened(self) -> None:
        self._socket_open, self._reopenings = True, 0
        self._camera_present = None  # a Sightline says it anew on each socket
        self._due.pop(_Timer.REACH, None)
        match self.state:
            case ViewerState.OPENING:
                self._send_offer()
            case ViewerState.OFFERING:
                self._outputs.append(SendOffer(again=True))
            case ViewerState.RECOVERING:
                self._restart()  # the offer before it names addresses of a network that may be gone

    def _send_offer(self) -> None:
        if not (self._offer_ready and self._socket_open):
            return
        if self.state is ViewerState.OPENING:
            self._outputs.append(SendOffer())
            self._enter(ViewerState.OFFERING)
            del self._due[_Timer.OPEN]
            self._set(_Timer.ANSWER, self._options.answer)
            self._set(_Timer.ASK, self._options.ask)
        elif self._restarting and self._camera_present is not False:
            self._outputs.append(SendOffer())
            self._set(_Timer.RESTART_ANSWER, self._options.restart_answer)
            if self._extras:
                self._outputs.append(Ask())
                self._set(_Timer.SOCKET_REPLY, self._options.socket_reply)

    def _answered(self) -> None:
        if self.state is ViewerState.OFFERING:
            del self._due[_Timer.ANSWER]
            self._due.pop(_Timer.ASK, None)
            self._cause = None
            self._enter(ViewerState.CONNECTING)
            self._tell(None)
            self._set(_Timer.PATH, self._options.path)
        elif self._restarting:
            self._restarting = False
            self._due.pop(_Timer.SOCKET_REPLY, None)
            if self._due.pop(_Timer.RESTART_ANSWER, None) is not None and self.state is ViewerState.RECOVERING:
                self._set(_Timer.RESTART_PATH, self._options.restart_path)

    def _failure(self, reason: str, message: str) -> None:
        if _Timer.REACH in self._due and (reason not in _FINAL or self.state is ViewerState.WATCHING):
            return  # a reopening did not come about: the timer tries again, and a picture that flows needs no socket
        if self.state in _BEFORE_THE_PICTURE or reason in _FINAL:
            self._give_up(reason, message)
        elif self.state is ViewerState.RECOVERING:
            self._reconnect()

    def _lost_socket(self) -> None:
        was_open, self._socket_open = self._socket_open, False
        if self.state is ViewerState.OPENING and not was_open:
            return self._give_up(Reason.SIGNALING_REFUSED)
        if was_open:
            self._reopen()

    def _reopen(self) -> None:
        self._socket_open = False
        for timer in (_Timer.SOCKET_REPLY, _Timer.RESTART_ANSWER):
            self._due.pop(timer, None)
        self._outputs.append(Reopen())
        if self.state is ViewerState.RECOVERING:
            self._set(_Timer.REACH, self._options.reach)
            self._due.setdefault(_Timer.RECOVER, self._now + self._options.recover)
        else:
            self._set(_Timer.REACH, min(self._options.reach * 2.0**self._reopenings, self._options.reach_longest))
            self._reopenings = min(self._reopenings + 1, 32)

    def _lost_path(self) -> None:
        if self.state is ViewerState.WATCHING:
            self._recover(Reason.CONNECTION_LOST)
        elif self.state is ViewerState.CONNECTING:
            self._give_up(Reason.NO_PATH if _Timer.PATH in self._due else Reason.CONNECTION_LOST)

    def _picture(self) -> None:
        if self.state in (ViewerState.CONNECTING, ViewerState.RECOVERING):
            self._due.clear()
            self._failures = 0
            self._enter(ViewerState.WATCHING)
            self._watch_silence()
            if not self._socket_open:
                self._set(_Timer.REACH, self._options.reach)
        if self.state is ViewerState.WATCHING:
            self._cause = None
            self._tell(None)
            self._set(_Timer.STALL, self._options.stall)

    def _watch_silence(self) -> None:
        here = self._camera_present is not False
        self._set(_Timer.SILENCE, self._options.silence if here else self._options.silence_without_camera)

    def _camera(self, message: Master) -> None:
        before, self._camera_present = self._camera_present, message.present
        self._due.pop(_Timer.SOCKET_REPLY, None)
        if not message.present:
            if self.state is ViewerState.WATCHING:
                soon = self._now + self._options.silence_without_camera
                self._due[_Timer.SILENCE] = min(self._due.get(_Timer.SILENCE, soon), soon)
            elif before is not False:
                self._notice(Notice(Reason.CAMERA_OFFLINE.value))
            return
        self._camera_is_ours = message.ours
        if before is False:
            self._camera_came()

    def _camera_came(self) -> None:
        self._cause = None
        match self.state:
            case ViewerState.OFFERING:
                # It may have been sent to a camera that was just going: one that has it already answers it once more.
                self._tell(None)
                self._outputs.append(SendOffer(again=True))
                self._set(_Timer.ANSWER, self._options.answer)
                self._set(_Timer.ASK, self._options.ask)
            case ViewerState.CONNECTING if _Timer.PATH in self._due:
                self._begin_anew()
            case ViewerState.RECOVERING:
                self._restart()

    def _notice(self, message: Notice) -> None:
        if message.reason in _FINAL:
            return self._attempt_failed(message.reason, message.message)
        self._due.pop(_Timer.SOCKET_REPLY, None)
        if message.reason == Reason.SESSION_GONE:
            if self.state is ViewerState.RECOVERING:
                self._reconnect()
            return
        if message.reason in (Reason.CAMERA_OFFLINE, Reason.CAMERA_SILENT):
            self._camera_present = False
            self._due.pop(_Timer.RESTART_ANSWER, None)
        self._cause = message
        if self.state is not ViewerState.WATCHING or message.reason == Reason.SOURCE_LOST:
            self._tell(message.reason, message.message)

    def _network(self, message: Network) -> None:
        self._offline = not message.online
        if self._offline:
            if self.state in _BEFORE_THE_PICTURE:
                self._tell(Reason.OFFLINE)
            return  # a picture that goes on knows better; silence will tell
        match self.state:
            case ViewerState.WATCHING:
                self._recover(Reason.NETWORK_CHANGED)
            case ViewerState.RECOVERING:
                self._reopen()
            case _:
                self._tell(Reason.NETWORK_CHANGED.value)
                self._begin_anew()

    # ------------------------------------------------------------------------------------------------------- recovery

    def _recover(self, reason: Reason) -> None:
        for timer in (_Timer.SILENCE, _Timer.STALL):
            self._due.pop(timer, None)
        self._begun_at = self._now
        self._enter(ViewerState.RECOVERING)
        if self._offline:
            reason = Reason.OFFLINE
        elif self._camera_present is False and reason is not Reason.NETWORK_CHANGED:
            reason = Reason(self._cause.reason) if self._cause is not None else Reason.CAMERA_OFFLINE
        self._tell(reason.value)
        self._set(_Timer.RECOVER, self._options.recover)
        if not self._socket_open:
            self._reopen()
        elif self._camera_present is not False:
            self._restart()

    def _restart(self) -> None:
        self._restarting, self._offer_ready = True, False
        for timer in (_Timer.RESTART_ANSWER, _Timer.RESTART_PATH):
            self._due.pop(timer, None)
        self._outputs.append(Restart())

    # ----------------------------------------------------------------------------------------------------------- time

    def _expire(self, timer: _Timer) -> None:
        match timer:
            case _Timer.OPEN:
                self._give_up(Reason.SIGNALING_REFUSED if self._session_here else Reason.SERVICE_UNREACHABLE)
            case _Timer.ASK:
                if self._extras and self._socket_open and self._camera_present is not False:
                    self._outputs.append(Ask())
            case _Timer.ANSWER:
                if not self._camera_is_ours and self._camera_present is not False:
                    self._client_id_number += 1  # a camera that was not there has refused nothing
                self._give_up(Reason.NO_ANSWER)
            case _Timer.PATH:
                self._give_up(Reason.NO_PATH)
            case _Timer.MEDIA:
                self._give_up(Reason.NO_MEDIA)
            case _Timer.SILENCE:
                self._recover(Reason.CONNECTION_LOST)
            case _Timer.STALL:
                if self._cause is None or self._cause.reason != Reason.SOURCE_LOST:
                    self._tell(Reason.NO_MEDIA)
            case _Timer.SOCKET_REPLY | _Timer.REACH:
                self._reopen()
            case _Timer.RESTART_ANSWER | _Timer.RESTART_PATH:
                if self.state is ViewerState.RECOVERING:
                    self._reconnect()
            case _Timer.RECOVER:
                if self._camera_present is False and self._socket_open:
                    return  # nothing is wrong on this side: it waits for the camera, and the person knows
                self._give_up(Reason.CONNECTION_LOST)
            case _Timer.PAUSE:
                self._begin()

    def _give_up(self, reason: str, message: str = "") -> None:
        """The attempt failed, for that reason or for one that was told before, unless it is final."""
        if self._cause is not None and reason not in _FINAL:
            reason, message = self._cause.reason, self._cause.message
        self._attempt_failed(str(reason), message)

    def _tell(self, reason: str | None, message: str = "") -> None:
        if reason != self._told:
            self._told = reason
            self._outputs.append(Tell(reason, message))

    def _set(self, timer: _Timer, seconds: float) -> None:
        self._due[timer] = self._now + seconds

    def _enter(self, state: ViewerState) -> None:
        if state is not self.state:
            self._outputs.append(State(self.state, state))
            self.state = state

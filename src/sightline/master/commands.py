"""Commands that viewers send to the device: which there are, who may send them, and what comes of them."""

from __future__ import annotations

import asyncio
import inspect
import logging
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Collection
from functools import partial
from typing import Final, TypeVar, cast

import msgspec

from ..errors import CommandRefused, ConfigError
from ..observe.log import bind
from ..rtc.data_requests import Json, read_command
from ..rtc.datachannel import DataRequest
from .blocking_calls import BlockingCalls

__all__ = ["CommandCall", "CommandFunction", "Commands"]

log = logging.getLogger(__name__)

_MOST_AT_ONCE: Final = 8
"""Commands of one viewer under way. One more is refused: a page that sends faster than a motor turns must slow down."""

_RATE: Final = 20.0
_BURST: Final = 40.0
"""Commands of one viewer, a second and at once: a joystick needs no more, and each may cost a traceback in the log."""

_REMEMBERED: Final = 1000
"""Viewers of whom is known how fast they sent, before those who rest are forgotten."""

_LISTED: Final = 20
"""How many commands a refusal names."""


class CommandCall(msgspec.Struct, frozen=True):
    """One command as a viewer sent it."""

    client_id: str
    role: str | None
    """``viewer`` or ``operator``, as the service has it from the viewer's key or link; None where it does not say."""
    name: str
    value: object
    """JSON, as dicts, lists, strings, numbers, booleans and None. Not checked: it is whatever the viewer sent."""


CommandFunction = Callable[[CommandCall], object]
"""Returns what is JSON, or an awaitable of that; raises CommandRefused to tell the viewer why not."""

F = TypeVar("F", bound=CommandFunction)


class _Known(msgspec.Struct, frozen=True):
    name: str
    function: CommandFunction
    roles: frozenset[str] | None
    timeout: float
    blocks: bool
    """Whether it needs a thread, so that the event loop goes on."""

    def allows(self, role: str | None) -> bool:
        return self.roles is None or role in self.roles

    @property
    def for_whom(self) -> str:
        return " and ".join(sorted(f"{role}s" for role in self.roles or ()))


class Commands:
    """The commands of one device. They are known from `add` on; all else belongs to the event loop."""

    def __init__(self, channel: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._channel = channel
        self._clock = clock
        self._known: dict[str, _Known] = {}
        self._under_way: Counter[str] = Counter()
        self._credit: dict[str, tuple[float, float]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._threads: dict[str, BlockingCalls] = {}
        """One for each command whose function blocks: one call after the other."""

    def add(self, name: str, function: CommandFunction, *, roles: Collection[str] | None, timeout: float) -> None:
        """See ``Master.command``. Raises ConfigError."""
        if not name or len(name) > 64 or not name.isprintable():
            raise ConfigError(f"{name[:64]!r} is no name for a command: 1 to 64 printable characters.")
        if name in self._known:
            raise ConfigError(f"There is a command {name!r} already.")
        if timeout <= 0:
            raise ConfigError(f"The command {name!r} needs some time: timeout is {timeout:g} s.")
        wanted = None if roles is None else frozenset([roles] if isinstance(roles, str) else roles)
        is_async = inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(
            getattr(function, "__call__", None)  # noqa: B004
        )
        self._known[name] = _Known(name, function, wanted, timeout, not is_async)

    def receive(self, client_id: str, role: str | None, request: DataRequest, *, tasks: asyncio.TaskGroup) -> None:
        """A viewer's request came. It is answered, now or when the function has ended, which is a task of ``tasks``."""
        wanted = read_command(request.value)
        if not self._may_send(client_id):
            request.refuse(f"This viewer sends more than {_RATE:g} commands a second. Send fewer.", "too-many")
            return
        if wanted is None:
            request.refuse('This is no command: it reads {"command": "NAME", "value": …}.', "bad-request")
            return
        name = wanted.command
        known = self._known.get(name)
        if known is None:
            request.refuse(self._unknown(name, role), "unknown-command")
        elif not known.allows(role):
            log.debug("%s (%s) may not send %r", client_id, role, name)
            request.refuse(_not_allowed(known, role, self._channel), "not-allowed")
        elif self._under_way[client_id] >= _MOST_AT_ONCE:
            request.refuse(
                f"{_MOST_AT_ONCE} commands of this viewer are under way, and there may be no more. Wait for an answer.",
                "too-many",
            )
        else:
            self._under_way[client_id] += 1
            call = CommandCall(client_id, role, name, wanted.value)
            task = tasks.create_task(self._carry_out(known, call, request), name=f"command {name} of {client_id}")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def close(self) -> None:
        """What is under way is cancelled. Functions in threads run to their end, unheard. Idempotent."""
        for task in self._tasks:
            task.cancel()
        for thread in self._threads.values():
            thread.close()
        self._threads.clear()

    def _may_send(self, client_id: str) -> bool:
        now = self._clock()
        if len(self._credit) > _REMEMBERED:
            self._credit = {name: held for name, held in self._credit.items() if now - held[1] < _BURST / _RATE}
        credit, at = self._credit.get(client_id, (_BURST, now))
        credit = min(_BURST, credit + (now - at) * _RATE)
        may = credit >= 1
        self._credit[client_id] = credit - may, now
        return may

    async def _carry_out(self, known: _Known, call: CommandCall, request: DataRequest) -> None:
        """Never raises but when it is cancelled."""
        logger = bind(log, channel=self._channel, client_id=call.client_id)
        name = known.name
        try:
            async with asyncio.timeout(known.timeout) as limit:
                reply = await self._call(known, call)
            if not request.reply(reply):
                request.refuse(f"{name!r} was carried out, but the answer is too long to be sent.", "failed")
        except CommandRefused as refused:
            request.refuse(str(refused), "refused")
        except (Exception, SystemExit) as error:  # a parser of command lines exits where others raise
            if isinstance(error, TimeoutError) and limit.expired():
                logger.warning("%r was not done within %g s", name, known.timeout)
                text = f"The camera was not done with {name!r} in {known.timeout:g} s. Part of it may have happened."
                request.refuse(text, "too-slow")
            else:
                # The reason is the device's own affair: it may name what viewers need not know.
                logger.exception("%r failed", name)
                request.refuse(f"The camera could not carry out {name!r}. Its log says why.", "failed")
        finally:
            self._under_way[call.client_id] -= 1
            if not self._under_way[call.client_id]:
                del self._under_way[call.client_id]

    async def _call(self, known: _Known, call: CommandCall) -> Json:
        if not known.blocks:
            result = known.function(call)
        else:
            thread = self._threads.get(known.name)
            if thread is None:
                thread = self._threads[known.name] = BlockingCalls(f"command {known.name}")
            result = await thread.call(partial(known.function, call))
        if isinstance(result, Awaitable):
            result = await result
        return cast("Json", result)  # what it really is shows when it is encoded

    def _unknown(self, name: str, role: str | None) -> str:
        usable = sorted(known.name for known in self._known.values() if known.allows(role))
        names = ", ".join(usable[:_LISTED]) + (", …" if len(usable) > _LISTED else "")
        has = f"It has {names}." if names else "It has none for this viewer." if self._known else "It has none."
        return f"The camera has no command {name!r}. {has}"


def _not_allowed(known: _Known, role: str | None, channel: str) -> str:
    if role is None:
        return (
            f"{known.name!r} is for {known.for_whom}, and the service does not vouch for this viewer. A Sightline "
            "does, as long as its link or key is good; Amazon's service never does."
        )
    return (
        f"{known.name!r} is for {known.for_whom}, and this viewer is a {role}. Who runs the service makes a link that "
        f"may do more: sightline link {channel} --role operator"
    )

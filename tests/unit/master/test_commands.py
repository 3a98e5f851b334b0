"""Commands to the device: who may, what comes back, and what becomes of functions that go wrong."""

from __future__ import annotations

import asyncio
import logging
import subprocess
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest

from sightline.errors import CommandRefused, ConfigError
from sightline.master.commands import CommandCall, Commands
from sightline.rtc.data_requests import Ask
from sightline.rtc.datachannel import DataRequest
from tests.harness.service import CHECKOUT


class Channel:
    """The data channel of one viewer: what went out on it, by the id of the question."""

    label = "sightline/commands"

    def __init__(self, *, most: int = 65_536) -> None:
        self.sent: dict[str, Any] = {}
        self.changed = asyncio.Event()
        self._most = most

    def send(self, _: Any, message: str | bytes) -> bool:
        if len(message) > self._most:
            return False
        answer = msgspec.json.decode(message)
        assert answer["id"] not in self.sent, "answered twice"
        self.sent[answer["id"]] = answer
        self.changed.set()
        return True


class Device:
    """Commands, and viewers who send them."""

    def __init__(self, tasks: asyncio.TaskGroup) -> None:
        self.commands = Commands("porch")
        self.channel = Channel()
        self.tasks = tasks
        self._number = 0

    def add(self, name: str, function: Any, **more: Any) -> None:
        self.commands.add(name, function, **{"roles": ("operator",), "timeout": 30.0, **more})

    def send(self, request: object, *, role: str | None = "operator", by: str = "viewer-1") -> str:
        self._number += 1
        ask = Ask(str(self._number), request)
        self.commands.receive(
            by,
            role,
            DataRequest(self.channel, ask, self.channel.send),
            tasks=self.tasks,  # type: ignore[arg-type]
        )
        return ask.id

    async def answer(self, id_: str) -> dict[str, Any]:
        async with asyncio.timeout(30):
            while id_ not in self.channel.sent:
                self.channel.changed.clear()
                await self.channel.changed.wait()
        return {key: value for key, value in self.channel.sent[id_].items() if key != "id"}

    async def ask(self, name: str, value: object = None, **more: Any) -> dict[str, Any]:
        return await self.answer(self.send({"command": name, "value": value}, **more))


@asynccontextmanager
async def device() -> AsyncIterator[Device]:
    async with asyncio.TaskGroup() as tasks:
        device = Device(tasks)
        try:
            yield device
        finally:
            device.commands.close()


async def turn(call: CommandCall) -> object:
    return {"by": call.client_id, "role": call.role, "name": call.name, "value": call.value}


async def test_an_operators_command_is_carried_out() -> None:
    async with device() as porch:
        porch.add("ptz", turn)
        said = await porch.ask("ptz", {"pan": 10})
    assert said == {"reply": {"by": "viewer-1", "role": "operator", "name": "ptz", "value": {"pan": 10}}}


@pytest.mark.parametrize(
    ("role", "roles", "served"),
    [
        ("operator", ("operator",), True),
        ("operator", ["viewer", "operator"], True),
        ("viewer", {"viewer", "operator"}, True),
        ("viewer", "viewer", True),
        ("viewer", None, True),
        (None, None, True),
        ("viewer", ("operator",), False),
        (None, ("operator",), False),
        (None, ("viewer",), False),
        ("oper", ("operator",), False),
        ("operator", "viewer", False),
        ("operator", (), False),
    ],
)
async def test_who_may(role: str | None, roles: Any, served: bool) -> None:
    called: list[CommandCall] = []

    async def note(call: CommandCall) -> None:
        called.append(call)

    async with device() as porch:
        porch.add("ptz", note, roles=roles)
        said = await porch.ask("ptz", role=role)
    assert said.get("code") == (None if served else "not-allowed")
    assert len(called) == served


async def test_a_refusal_says_whom_to_ask() -> None:
    async with device() as porch:
        porch.add("ptz", turn)
        viewer, unknown = await porch.ask("ptz", role="viewer"), await porch.ask("ptz", role=None)
    assert "sightline link porch --role operator" in viewer["error"]
    assert "Amazon" in unknown["error"]


async def test_an_unknown_command_names_those_that_this_viewer_may_send() -> None:
    async with device() as porch:
        assert "It has none." in (await porch.ask("zoom"))["error"]
        porch.add("ptz", turn)
        porch.add("light", turn, roles=None)
        said = await porch.ask("zoom", role="viewer")
        assert said["code"] == "unknown-command"
        assert "It has light." in said["error"]
        assert "ptz" not in said["error"]
        assert "It has light, ptz." in (await porch.ask("zoom"))["error"]


@pytest.mark.parametrize("request_", ["ptz", None, 7, [], {}, {"command": ""}, {"command": 7}, {"command": "x" * 65}])
async def test_what_is_no_command(request_: object) -> None:
    async with device() as porch:
        porch.add("ptz", turn)
        assert (await porch.answer(porch.send(request_)))["code"] == "bad-request"


async def test_a_function_that_fails_tells_the_log_and_not_the_viewer(caplog: pytest.LogCaptureFixture) -> None:
    async def fail(_: CommandCall) -> None:
        raise RuntimeError("/dev/ttyUSB0 is gone")

    async with device() as porch:
        porch.add("ptz", fail)
        porch.add("light", turn)
        with caplog.at_level(logging.ERROR):
            said = await porch.ask("ptz")
        assert said == {"error": "The camera could not carry out 'ptz'. Its log says why.", "code": "failed"}
        assert "reply" in await porch.ask("light"), "nobody else is disturbed"
    assert "/dev/ttyUSB0 is gone" in caplog.text
    assert "Traceback" in caplog.text


async def test_a_function_may_refuse_in_its_own_words(caplog: pytest.LogCaptureFixture) -> None:
    async def refuse(_: CommandCall) -> None:
        raise CommandRefused("The camera is at its end stop.")

    async with device() as porch:
        porch.add("ptz", refuse)
        assert await porch.ask("ptz") == {"error": "The camera is at its end stop.", "code": "refused"}
    assert "Traceback" not in caplog.text


async def test_an_answer_that_is_no_json_is_the_functions_fault(caplog: pytest.LogCaptureFixture) -> None:
    async def answer(_: CommandCall) -> object:
        return object()

    async with device() as porch:
        porch.add("ptz", answer)
        assert (await porch.ask("ptz"))["code"] == "failed"
    assert "Traceback" in caplog.text


async def test_an_answer_that_is_too_long_is_told() -> None:
    async def answer(_: CommandCall) -> object:
        return "x" * 300

    async with device() as porch:
        porch.channel = Channel(most=200)
        porch.add("ptz", answer)
        said = await porch.ask("ptz")
    assert said["code"] == "failed"
    assert "too long" in said["error"]


async def test_a_function_that_takes_too_long_is_cancelled() -> None:
    cancelled = asyncio.Event()

    async def hang(_: CommandCall) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    async with device() as porch:
        porch.add("ptz", hang, timeout=0.01)
        said = await porch.ask("ptz")
        assert cancelled.is_set()
    assert said["code"] == "too-slow"


async def test_a_timeout_of_the_functions_own_is_a_failure() -> None:
    async def give_up(_: CommandCall) -> None:
        raise TimeoutError("the motor does not answer")

    async with device() as porch:
        porch.add("ptz", give_up)
        assert (await porch.ask("ptz"))["code"] == "failed"


async def test_one_viewer_may_have_eight_under_way_and_others_are_not_concerned() -> None:
    go = asyncio.Event()

    async def wait(_: CommandCall) -> str:
        await go.wait()
        return "done"

    async with device() as porch:
        porch.add("ptz", wait)
        first = [porch.send({"command": "ptz"}) for _ in range(8)]
        assert (await porch.ask("ptz"))["code"] == "too-many"
        other = porch.send({"command": "ptz"}, by="viewer-2")
        go.set()
        for id_ in (*first, other):
            assert await porch.answer(id_) == {"reply": "done"}
        assert await porch.ask("ptz") == {"reply": "done"}


async def test_who_sends_too_fast_is_held_back_and_others_are_not() -> None:
    async with device() as porch:
        now = 100.0
        porch.commands = Commands("porch", clock=lambda: now)
        porch.add("ptz", turn)
        assert [("reply" in await porch.ask("ptz")) for _ in range(42)] == [True] * 40 + [False] * 2
        assert "reply" in await porch.ask("ptz", by="viewer-2")
        now += 0.125
        assert [(await porch.ask("ptz")).get("code") for _ in range(3)] == [None, None, "too-many"]
        now += 60
        assert [(await porch.ask("nonsense"))["code"] for _ in range(41)] == ["unknown-command"] * 40 + ["too-many"]


async def test_of_viewers_that_rest_nothing_is_kept() -> None:
    async with device() as porch:
        now = 100.0
        porch.commands = Commands("porch", clock=lambda: now)
        for number in range(3000):
            now += 0.01
            await porch.ask("ptz", by=f"viewer-{number}")
        assert len(porch.commands._credit) <= 1001


async def test_the_end_of_the_master_ends_what_is_under_way() -> None:
    begun = asyncio.Event()

    async def hang(_: CommandCall) -> None:
        begun.set()
        await asyncio.Event().wait()

    async with device() as porch:
        porch.add("ptz", hang)
        porch.send({"command": "ptz"})
        await begun.wait()
    assert porch.channel.sent == {}


@pytest.mark.realtime
async def test_a_function_that_blocks_has_a_thread_and_one_call_at_a_time() -> None:
    inside, most = 0, 0
    threads: set[int] = set()
    go = threading.Event()

    def move(call: CommandCall) -> object:
        nonlocal inside, most
        inside += 1
        most = max(most, inside)
        threads.add(threading.get_ident())
        go.wait(30)
        inside -= 1
        return call.value

    async with device() as porch:
        porch.add("ptz", move)
        porch.add("light", turn)
        sent = [porch.send({"command": "ptz", "value": number}) for number in range(3)]
        assert "reply" in await porch.ask("light"), "the event loop goes on"
        go.set()
        assert [await porch.answer(id_) for id_ in sent] == [{"reply": number} for number in range(3)]
    assert most == 1
    assert threading.get_ident() not in threads


@pytest.mark.parametrize("error", [StopIteration, SystemExit, ZeroDivisionError])
@pytest.mark.parametrize("blocks", [True, False])
async def test_whatever_a_function_raises_is_its_failure_and_ends_nothing(
    error: type[BaseException], blocks: bool
) -> None:
    def fail(_: CommandCall) -> object:
        raise error

    async def fail_too(_: CommandCall) -> object:
        raise error

    async with device() as porch:
        porch.add("ptz", fail if blocks else fail_too)
        porch.add("light", turn)
        assert (await porch.ask("ptz"))["code"] == "failed"
        assert "reply" in await porch.ask("light")


PROGRAM = """
import asyncio, time
from tests.unit.master.test_commands import device

async def main():
    async with device() as porch:
        porch.add("ptz", lambda call: time.sleep(3600), timeout=0.05)
        print((await porch.ask("ptz"))["code"])

asyncio.run(main())
"""


@pytest.mark.realtime
def test_a_function_that_hangs_does_not_keep_the_program_from_its_end() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=CHECKOUT, capture_output=True, text=True, timeout=60, check=True
    )
    assert ended.stdout == "too-slow\n"


async def test_a_function_that_returns_a_coroutine() -> None:
    async with device() as porch:
        porch.add("ptz", lambda call: turn(call))
        assert (await porch.ask("ptz", 1))["reply"]["value"] == 1


@pytest.mark.parametrize("name", ["", "x" * 65, "a\nb"])
async def test_names_that_are_none(name: str) -> None:
    with pytest.raises(ConfigError):
        Commands("porch").add(name, turn, roles=None, timeout=1)


async def test_a_name_is_taken_once_and_a_timeout_is_some_time() -> None:
    commands = Commands("porch")
    commands.add("ptz", turn, roles=None, timeout=1)
    with pytest.raises(ConfigError, match="already"):
        commands.add("ptz", turn, roles=None, timeout=1)
    with pytest.raises(ConfigError, match="some time"):
        commands.add("light", turn, roles=None, timeout=0)

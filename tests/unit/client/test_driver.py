"""The driver of session machines: inputs in their order, the machine's deadlines, and what it began awaited."""

import asyncio
from collections.abc import Sequence

import pytest

from sightline.client.driver import Driver


class Echo:
    """Says what it heard; after one that ends in ``+`` time is due at once."""

    def __init__(self) -> None:
        self.due: float | None = None

    def take(self, message: str, now: float) -> Sequence[str]:
        self.due = now if message.endswith("+") else None
        return [f"{message} 1", f"{message} 2"]

    def tick(self, now: float) -> Sequence[str]:
        self.due = None
        return ["tick 1", "tick 2"]

    def next_deadline(self) -> float | None:
        return self.due


async def test_what_comes_of_an_input_is_handed_over_when_all_of_it_is_done() -> None:
    done: list[str] = []

    def perform(outputs: Sequence[str]) -> None:
        for output in outputs:
            done.append(output)
            if output == "a 1":
                driver.take("b")

    driver = Driver[str, str](Echo(), perform=perform)
    driver.take("a")
    assert done == ["a 1", "a 2", "b 1", "b 2"]
    await driver.aclose()


async def test_what_comes_of_a_tick_is_handed_over_when_all_of_it_is_done() -> None:
    done: list[str] = []
    over = asyncio.Event()

    def perform(outputs: Sequence[str]) -> None:
        for output in outputs:
            done.append(output)
            if output == "tick 1":
                driver.take("late")
            if output == "late 2":
                over.set()

    driver = Driver[str, str](Echo(), perform=perform, before_tick=lambda: driver.take("before+"))
    driver.take("a+")
    await asyncio.wait_for(over.wait(), 30)
    assert done == ["a+ 1", "a+ 2", "before+ 1", "before+ 2", "tick 1", "tick 2", "late 1", "late 2"]
    await driver.aclose()


async def test_an_error_of_what_is_done_leaves_the_machine_usable() -> None:
    done: list[str] = []

    def perform(outputs: Sequence[str]) -> None:
        if outputs[0] == "a 1":
            driver.take("b")
            raise RuntimeError
        done.extend(outputs)

    driver = Driver[str, str](Echo(), perform=perform)
    with pytest.raises(RuntimeError):
        driver.take("a")
    driver.take("c")
    assert done == ["b 1", "b 2", "c 1", "c 2"]
    await driver.aclose()


async def test_after_its_stop_nothing_is_heard_and_what_was_begun_is_awaited() -> None:
    done: list[str] = []
    gate = asyncio.Event()

    async def end() -> None:
        await gate.wait()
        done.append("ended")

    driver = Driver[str, str](Echo(), perform=done.extend)
    driver.take("a+")
    driver.spawn(end(), "end")
    driver.stop()
    driver.take("b")
    closing = asyncio.create_task(driver.aclose())
    await asyncio.sleep(0)
    assert not closing.done()
    gate.set()
    await closing
    await driver.aclose()
    assert done == ["a+ 1", "a+ 2", "ended"]

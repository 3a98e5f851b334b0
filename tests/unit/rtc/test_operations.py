"""Operations on a connection: one after the other, whatever the one before came to."""

import asyncio

from sightline.rtc.operations import OperationsChain


async def test_none_overtakes_another_and_a_failure_stops_nobody() -> None:
    done: list[str] = []
    gate, last = asyncio.Event(), asyncio.Event()

    async def slow() -> None:
        await gate.wait()
        done.append("slow")

    async def wrong() -> None:
        raise ValueError("wrong")

    async def quick() -> None:
        done.append("quick")
        last.set()

    chain = OperationsChain(failed=lambda error: done.append(str(error)), name="test")
    for operation in (slow(), wrong(), quick()):
        chain.add(operation)
    await asyncio.sleep(0)
    assert done == []
    gate.set()
    await asyncio.wait_for(last.wait(), 30)
    assert done == ["slow", "wrong", "quick"]
    await chain.aclose()


async def test_its_end_cancels_what_is_being_done_and_what_waits() -> None:
    done: list[str] = []
    begun = asyncio.Event()

    async def endless() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            done.append("cancelled")

    async def never() -> None:
        done.append("never")

    chain = OperationsChain(failed=lambda error: done.append(str(error)), name="test")
    chain.add(endless())
    chain.add(never())
    await begun.wait()
    await chain.aclose()
    chain.add(never())
    await chain.aclose()
    assert done == ["cancelled"]

"""Another source, mute and no picture in mid-call, between Python programs over a real lobby."""

from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np
import pytest

from sightline.call import CallError, CallSession, CallState, Sending, SendingChanged
from sightline.errors import ConfigError, MediaError
from tests.unit.call.rooms import (
    TEST,
    WAIT,
    assert_moves,
    assert_sounds,
    connected,
    member,
    next_ring,
    room,
    until,
)
from tests.unit.service.inside import Inside

pytestmark = pytest.mark.realtime


async def picture_of(session: CallSession, width: int) -> None:
    """Until pictures of that width come."""
    async with asyncio.timeout(WAIT):
        async for frame in session.video:
            if frame.to_ndarray().shape[1] == width:
                break


async def loudness(session: CallSession) -> float:
    """Of half a second of what is heard now."""
    samples = []
    async with asyncio.timeout(WAIT):
        async for frame in session.audio:
            samples.append(frame.to_ndarray())
            if len(samples) == 25:
                break
    return float(np.abs(np.concatenate(samples)[-4800:].astype(float)).max())


async def test_another_source_in_mid_call(service: Inside, tmp_path: Path) -> None:
    async with room(service, "Ann", "Bob", source=TEST) as (ann, bob):
        at_ann, at_bob = await connected(ann, bob)
        await assert_moves(at_bob)
        await ann.set_source("test:480x270@15")
        await picture_of(at_bob, 480)
        await assert_moves(at_bob)
        await assert_sounds(at_bob)
        await assert_moves(at_ann)
        for wrong, error in (("test:0x0", ConfigError), (str(tmp_path / "none.mp4"), MediaError)):
            with pytest.raises(error):
                await ann.set_source(wrong)
        await assert_moves(at_bob)
        assert at_bob.state is CallState.IN_CALL
        await at_ann.hang_up()
        _, at_bob = await connected(ann, bob)
        await picture_of(at_bob, 480)


async def test_who_only_looked_begins_to_send_and_stops_again(service: Inside) -> None:
    async with room(service, "Ann", "Bob") as (ann, bob):
        at_ann, at_bob = await connected(ann, bob)
        await until(lambda: at_bob.sending == Sending(sound=False, picture=None))
        for call, other in ((ann, at_bob), (bob, at_ann)):
            await call.set_source(TEST)
            await assert_moves(other)
            await assert_sounds(other)
            await until(lambda other=other: other.sending == Sending())
        await ann.set_source(None)
        await until(lambda: at_bob.sending == Sending(sound=False, picture=None))
        await assert_moves(at_ann)
        pictures = at_bob.statistics().pictures
        await ann.set_source(TEST)
        await until(lambda: at_bob.statistics().pictures > pictures + 5)
        await assert_moves(at_bob)
        assert (at_ann.state, at_bob.state) == (CallState.IN_CALL, CallState.IN_CALL)


async def test_muted_and_without_a_picture(service: Inside) -> None:
    async with room(service, "Ann", "Bob", source=TEST) as (ann, bob):
        _, at_bob = await connected(ann, bob)
        await assert_sounds(at_bob)
        events = bob.events()
        ann.set_muted(True)
        async with asyncio.timeout(WAIT):
            assert await anext(events) == SendingChanged("Ann", False, "camera")
        await until_quiet(at_bob)
        await assert_moves(at_bob)
        ann.set_picture_off(True)
        async with asyncio.timeout(WAIT):
            assert await anext(events) == SendingChanged("Ann", False, None)
        assert ann.sending == at_bob.sending == Sending(sound=False, picture=None)
        ann.set_muted(False)
        await assert_sounds(at_bob)
        ann.set_picture_off(False)
        await assert_moves(at_bob)
        await until(lambda: at_bob.sending == Sending())


async def until_quiet(session: CallSession) -> None:
    async with asyncio.timeout(WAIT):
        while await loudness(session) > 10:
            pass


async def test_what_changes_while_it_rings_is_sent_in_the_call(service: Inside) -> None:
    async with room(service, "Ann", "Bob", source=TEST) as (ann, bob):
        ann.set_picture_off(True)
        placing = asyncio.create_task(ann.place("Bob"))
        ring = await next_ring(bob)
        ann.set_picture_off(False)
        _, at_bob = await asyncio.gather(placing, ring.accept())
        await assert_moves(at_bob)


async def test_outside_the_room_there_is_nobody_to_send_to(service: Inside) -> None:
    call = member(service, "Ann")
    with pytest.raises(CallError, match="not entered"):
        await call.set_source(TEST)
    async with call:
        pass
    with pytest.raises(CallError, match="left again"):
        await call.set_source(TEST)

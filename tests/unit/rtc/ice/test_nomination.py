"""Which pair a controlling agent nominates: not the first at any price, and another one when it must."""

from __future__ import annotations

import msgspec

from sightline.rtc.ice.nomination import Nominator


class Pair(msgspec.Struct, eq=False):
    kind: str = "host"
    remote_kind: str = "host"
    priority: int = 1
    heard: float = 100.0
    answered: float = 100.0
    rtt: float | None = None
    closed: bool = False


def nominator() -> Nominator[Pair]:
    return Nominator()


def test_a_better_pair_that_answers_a_moment_later_is_taken() -> None:
    judge, slow, fast = nominator(), Pair(priority=1), Pair(priority=9)
    chosen, again = judge.update([slow], None, 100.0)
    assert chosen is None
    assert again is not None
    assert again < 100.1
    assert judge.update([slow, fast], None, again) == (fast, again + 0.1)


def test_a_relay_waits_longer_for_a_direct_pair_and_is_taken_then() -> None:
    judge, relayed = nominator(), Pair(kind="relay", priority=9)
    assert judge.update([relayed], None, 100.1)[0] is None
    assert judge.update([relayed], None, 100.2)[0] is None
    assert judge.update([relayed], None, 100.45)[0] is relayed
    direct = Pair(remote_kind="srflx", priority=1)
    judge = nominator()
    assert judge.update([relayed], None, 100.1)[0] is None
    assert judge.update([relayed, direct], None, 100.2)[0] is direct, "whatever the priorities say"


def test_a_nomination_is_repeated_until_it_is_answered() -> None:
    judge, pair = nominator(), Pair(rtt=0.125)
    times = [100.0 + step / 64 for step in range(64)]
    sent = [now for now in times if judge.update([pair], None, now)[0] is not None]
    assert [64 * (now - 100) for now in sent] == [4, 20, 36, 52]
    pair.heard = 101.0
    assert judge.update([pair], pair, 101.0) == (None, None)


def test_a_direct_pair_that_comes_late_replaces_a_relay_and_nothing_else_is_replaced() -> None:
    relayed, direct, better = Pair(kind="relay"), Pair(), Pair(priority=9)
    judge = nominator()
    assert judge.update([relayed, direct], relayed, 100.1)[0] is direct
    assert judge.update([direct, better], direct, 100.3) == (None, None)


def test_a_silent_pair_is_replaced_by_one_that_answers() -> None:
    judge, dead, alive, deaf = nominator(), Pair(priority=9), Pair(), Pair(priority=5)
    assert judge.update([dead, alive, deaf], dead, 100.9) == (None, None)
    alive.answered = 100.8
    assert judge.update([dead, alive, deaf], dead, 101.1)[0] is alive
    alive.answered = 99.0
    judge = nominator()
    chosen, again = judge.update([dead, alive, deaf], dead, 101.1)
    assert chosen is None
    assert again is not None


def test_a_closed_pair_is_replaced_at_once_and_none_is_nominated_without_any() -> None:
    judge, gone, other = nominator(), Pair(closed=True), Pair()
    judge.update([other], None, 100.0)
    assert judge.update([gone, other], gone, 100.01)[0] is other
    assert nominator().update([gone], gone, 100.0) == (None, None)

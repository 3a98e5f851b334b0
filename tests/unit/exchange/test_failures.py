"""Guessing secrets is slowed down, for the one who guesses."""

from __future__ import annotations

import pytest

from sightline.exchange import FailureLimiter


def guess(limiter: FailureLimiter, times: int, *, address: str = "10.0.0.9", key: str = "A", now: float = 0.0) -> None:
    for _ in range(times):
        limiter.failed(address, key, now)


def test_some_failures_are_free() -> None:
    limiter = FailureLimiter(burst=20, per_second=0.2)
    guess(limiter, 19)
    assert limiter.wait("10.0.0.9", "A", 0.0) == 0.0
    guess(limiter, 1)
    assert limiter.wait("10.0.0.9", "A", 0.0) == pytest.approx(5.0)


def test_one_who_waits_may_try_again() -> None:
    limiter = FailureLimiter(burst=20, per_second=0.2)
    guess(limiter, 30)
    wait = limiter.wait("10.0.0.9", "A", 0.0)
    assert wait == pytest.approx(55.0)
    assert limiter.wait("10.0.0.9", "A", wait - 10) > 0
    assert limiter.wait("10.0.0.9", "A", wait + 0.1) == 0.0
    guess(limiter, 2, now=wait + 0.1)
    assert limiter.wait("10.0.0.9", "A", wait + 0.1) > 0


def test_who_is_told_to_wait_has_to_wait_that_long() -> None:
    limiter = FailureLimiter(burst=20, per_second=0.2)
    guess(limiter, 20)
    assert limiter.wait("10.0.0.9", "A", 4.9) == pytest.approx(0.1)
    assert limiter.wait("10.0.0.9", "A", 5.0) == 0.0
    guess(limiter, 1, now=5.0)
    assert limiter.wait("10.0.0.9", "A", 5.0) == pytest.approx(5.0)


def test_a_day_later_all_is_forgiven() -> None:
    limiter = FailureLimiter()
    guess(limiter, 1000)
    assert limiter.wait("10.0.0.9", "A", 86_400.0) == 0.0
    guess(limiter, 1, now=86_400.0)
    assert limiter.wait("10.0.0.9", "A", 86_400.0) == 0.0


def test_other_addresses_and_other_keys_are_not_concerned() -> None:
    """Behind one NAT stand many cameras: one with a wrong secret must not lock out the others."""
    limiter = FailureLimiter()
    guess(limiter, 100)
    assert limiter.wait("10.0.0.9", "A", 0.0) > 0
    assert limiter.wait("10.0.0.9", "B", 0.0) == 0.0
    assert limiter.wait("10.0.0.8", "A", 0.0) == 0.0


def test_asking_costs_nothing() -> None:
    limiter = FailureLimiter(burst=1, remembered=3)
    for number in range(100):
        assert limiter.wait(f"10.0.0.{number}", "A", 0.0) == 0.0
    guess(limiter, 1)
    assert limiter.wait("10.0.0.9", "A", 0.0) > 0


def test_only_so_many_are_remembered_and_the_busiest_last_longest() -> None:
    limiter = FailureLimiter(burst=1, remembered=3)
    for address in ("a", "b", "c", "a", "d"):
        guess(limiter, 1, address=address)
    assert [limiter.wait(address, "A", 0.0) > 0 for address in "abcd"] == [True, False, True, True]

"""How many keyframes requests make."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sightline.media.keyframes import KeyframePolicy


def run(requests: list[float], *, until: float, frame: float = 1 / 30) -> list[float]:
    """Times of the keyframes that an encoder makes for requests at these times."""
    policy, made, pending, now = KeyframePolicy(), [], sorted(requests), 0.0
    while now < until:
        while pending and pending[0] <= now:
            policy.request()
            pending.pop(0)
        if policy.due(now):
            made.append(now)
            policy.made(now, on_request=True)
        now += frame
    return made


def test_nobody_asks_nothing_is_made() -> None:
    assert run([], until=5) == []


def test_one_request_makes_the_very_next_picture_a_keyframe() -> None:
    assert len(run([1.0], until=5)) == 1
    assert run([1.0], until=5)[0] - 1.0 < 1 / 30


def test_requests_at_the_same_time_share_one() -> None:
    assert len(run([1.0] * 50, until=5)) == 1


def test_a_second_viewer_shortly_after_the_first_waits_a_tenth_of_a_second_at_most() -> None:
    first, second = run([1.0, 1.05], until=5)
    assert second - 1.05 < 0.1
    assert second - first >= 0.1


def test_a_flood_costs_three_per_second_in_the_long_run() -> None:
    assert len(run([number / 100 for number in range(1000)], until=10)) <= 10 / 0.3 + 3 + 1


@given(st.lists(st.floats(0, 5), max_size=30))
def test_every_request_is_followed_by_a_keyframe(requests: list[float]) -> None:
    made = run(requests, until=7)
    assert all(any(key >= asked for key in made) for asked in requests)


def test_a_keyframe_that_nobody_asked_for_serves_those_who_did_and_costs_nothing() -> None:
    policy = KeyframePolicy()
    policy.request()
    policy.made(0.0, on_request=False)
    assert not policy.due(0.2)
    policy.request()
    assert policy.due(0.0)

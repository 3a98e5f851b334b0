"""How often one viewer may ask."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sightline.rtc.rtp.keyframes import KeyframeRequests


def test_the_first_request_goes_out_at_once_and_again_until_it_is_served() -> None:
    requests = KeyframeRequests()
    assert not requests.due(10.0)
    assert requests.next_time is None
    requests.ask()
    assert requests.due(10.0)
    assert requests.next_time == 10.5
    assert not requests.due(10.2)
    assert requests.due(10.5)
    requests.served()
    assert not requests.due(20.0)


def test_requests_in_a_row_are_half_a_second_apart() -> None:
    requests, asked = KeyframeRequests(), []
    for number in range(100):
        now = number / 50
        requests.ask()
        if requests.due(now):
            asked.append(now)
            requests.served()
    assert asked == [0.0, 0.5, 1.0, 1.5]


def test_a_new_path_does_not_wait() -> None:
    requests = KeyframeRequests()
    requests.ask()
    assert requests.due(10.0)
    requests.ask_at_once()
    assert requests.due(10.01)


def test_who_cannot_take_what_is_sent_asks_less_and_less_and_is_forgiven() -> None:
    requests, now, waits = KeyframeRequests(), 100.0, []
    for _ in range(5):
        requests.lost(now)
        waits.append((requests.next_time or 0.0) - now)
        now = requests.next_time or now
        assert requests.due(now)
        requests.served()
    assert waits == [0.5, 1.0, 2.0, 2.0, 2.0]
    requests.lost(now + 20)
    assert requests.next_time == now + 20.5


@given(st.lists(st.tuples(st.floats(0, 3), st.sampled_from(["ask", "lost", "served", "poll"])), max_size=40))
def test_no_request_is_lost_and_none_comes_too_early(steps: list[tuple[float, str]]) -> None:
    requests, now = KeyframeRequests(), 50.0
    wanted, last = False, float("-inf")
    for pause, action in steps:
        now += pause
        if action in ("ask", "lost"):
            wanted = True
            requests.ask() if action == "ask" else requests.lost(now)
        elif action == "served":
            wanted = False
            requests.served()
        elif requests.due(now):
            assert now - last >= 0.5
            last = now
        assert (requests.next_time is not None) == wanted
    if wanted:
        assert requests.due(now + 2.01)

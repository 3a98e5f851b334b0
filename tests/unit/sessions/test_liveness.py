"""When a quiet connection is pinged and when it is given up."""

from __future__ import annotations

from sightline.sessions.liveness import Liveness, Pulse


def test_a_quiet_connection_is_pinged_and_then_given_up() -> None:
    liveness, now, seen = Liveness(0, ping=20, dead=40), 0.0, []
    while (not seen or seen[-1][1] is not Pulse.DEAD) and now < 1000:
        now += liveness.wait(now)
        seen.append((now, liveness.check(now)))
    assert seen == [(20, Pulse.PING), (40, Pulse.DEAD)]


def test_pongs_keep_it() -> None:
    liveness, now = Liveness(0, ping=20, dead=40), 0.0
    for _ in range(100):
        now += liveness.wait(now)
        assert liveness.check(now) is Pulse.PING
        liveness.heard(now + 0.125)
    assert now > 1900


def test_traffic_makes_pings_needless() -> None:
    liveness = Liveness(0, ping=20, dead=40)
    for second in range(1, 200):
        liveness.heard(second)
        assert liveness.check(second + 0.5) is Pulse.REST
    assert liveness.wait(199.5) == 19.5

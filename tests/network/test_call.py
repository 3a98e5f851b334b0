"""A call between a phone and a house goes on when the phone changes networks: by an ICE restart, without a click."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.harness.access import make_link
from tests.harness.calls import connect, joined
from tests.harness.kvs import unique_name
from tests.harness.network import LabUnavailable
from tests.harness.network.uplinks import Failure, OtherUplinkLater, OtherUplinkThere, Uplinks
from tests.harness.polling import eventually

UFRAGS = r"() => connections.map(({ localDescription }) => /^a=ice-ufrag:(.*)$/m.exec(localDescription.sdp)[1])"
"""Of all connections that the page made: another one on the same connection is an ICE restart."""

NOTES = """() => {
  const page = document.documentElement;
  const seen = globalThis.states = [];
  new MutationObserver(() => seen.push(page.dataset.call)).observe(page, { attributeFilter: ['data-call'] });
}"""


@pytest.fixture(scope="module")
def uplinks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Uplinks]:
    try:
        made = Uplinks(tmp_path_factory.mktemp("uplinks"), "test", talks=True)
    except LabUnavailable as error:
        pytest.skip(str(error))
    with made:
        yield made


@pytest.mark.timeout(150)
@pytest.mark.parametrize("kind", [OtherUplinkThere, OtherUplinkLater], ids=["at once", "after a while without any"])
def test_a_call_outlives_another_network(uplinks: Uplinks, kind: type[Failure]) -> None:
    room = unique_name("family")
    token = make_link(uplinks.service, room, role="caller")["token"]
    address = f"https://{uplinks.home_line.address}:{uplinks.service.https_port}/call?room={room}#{token}"
    failure = kind(uplinks)
    uplinks.quiet(lte=failure.lte)
    with ExitStack() as stack:
        ann = stack.enter_context(joined(uplinks.chromium, address, "Ann"))
        bob = stack.enter_context(joined(uplinks.at_home, address, "Bob"))
        connect(ann, bob)
        for person in (ann, bob):
            person.sees_and_hears()
            person.page.evaluate(NOTES)
        ufrags = [person.page.evaluate(UFRAGS) for person in (ann, bob)]
        lost = failure.begin()
        if failure.pause:
            for person in (ann, bob):
                person.comes_to("reconnecting")
            time.sleep(max(0.0, lost + failure.pause - time.time()))
            lost = failure.mend() or lost
        eventually(lambda: goes_over_lte(uplinks), "pictures over LTE in both directions", within=40)
        for person in (ann, bob):
            person.comes_to("in-call")
            person.sees_and_hears()
            assert set(person.page.evaluate("() => states")) <= {"reconnecting", "in-call"}, "it is the same call"
        assert [len(person.page.evaluate(UFRAGS)) for person in (ann, bob)] == [1, 1], "it is the same connection"
        if failure.pause:
            assert all(
                person.page.evaluate(UFRAGS) != before for person, before in zip((ann, bob), ufrags, strict=True)
            )
        print(f"moving pictures on both sides at most {time.time() - lost:.1f} s later")
        ann.button("hang-up").click()
        bob.reads("Ann ended the call.")


def goes_over_lte(uplinks: Uplinks) -> bool:
    """Whether more than signaling comes and goes there."""
    before = uplinks.lte.count()
    time.sleep(0.5)
    now = uplinks.lte.count()
    return all(now[way]["bytes"] - before[way]["bytes"] > 4_000 for way in ("up", "down"))

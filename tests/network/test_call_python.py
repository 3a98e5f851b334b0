"""A call of a Python program goes on when its machine changes networks: by an ICE restart, in the same call."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness import bars
from tests.harness.access import make_link
from tests.harness.calls import Person, joined
from tests.harness.kvs import unique_name
from tests.harness.network import LabUnavailable
from tests.harness.network.uplinks import OtherUplinkLater, Uplinks
from tests.harness.polling import eventually
from tests.harness.service import Command, clean_environment, sightline_command


@pytest.fixture(scope="module")
def uplinks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Uplinks]:
    try:
        made = Uplinks(tmp_path_factory.mktemp("uplinks"), "test", talks=True)
    except LabUnavailable as error:
        pytest.skip(str(error))
    with made:
        yield made


@pytest.mark.timeout(150)
def test_a_call_outlives_another_network_after_a_while_without_any(
    uplinks: Uplinks, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = unique_name("family")
    token = make_link(uplinks.service, room, role="caller")["token"]
    address = f"https://{uplinks.home_line.address}:{uplinks.service.https_port}/call?room={room}#{token}"
    failure = OtherUplinkLater(uplinks)
    uplinks.quiet(lte=failure.lte)
    environment = clean_environment(tmp_path, {"SIGHTLINE_CA_BUNDLE": str(uplinks.service.ca_file)})
    with joined(uplinks.at_home, address, "Bob") as bob:
        monkeypatch.delenv("SIGHTLINE_BIN")
        program = uplinks.phone.executable(sightline_command())
        monkeypatch.setenv("SIGHTLINE_BIN", str(program))
        arguments = ("call", "Phone", "--link", address, "--source", "test:320x180@15", "--to", "Bob", "--json")
        with Command((*arguments, "--log-level", "info"), tmp_path, environment, name="call") as phone:
            bob.is_called_by("Phone")
            bob.button("accept").click()
            bob.comes_to("in-call")
            sees(bob)
            lost = failure.begin()
            phone.wait_for_output('"after":"reconnecting"')
            time.sleep(max(0.0, lost + failure.pause - time.time()))
            lost = failure.mend()
            eventually(lambda: goes_over_lte(uplinks), "pictures over LTE in both directions", within=40)
            bob.comes_to("in-call")
            sees(bob)
            assert '"after":"ended"' not in phone.output, "it is the same call"
            print(f"moving pictures on both sides at most {time.time() - lost:.1f} s later")
            phone.process.terminate()
            bob.reads("Phone ended the call.")
            assert phone.wait(within=30) == 0


def sees(person: Person) -> None:
    bars.install(person.page)
    eventually(lambda: sum(bars.watch(person.page, 1.0, "#remote").steps()) >= 5, "a live picture", within=30)


def goes_over_lte(uplinks: Uplinks) -> bool:
    """Whether more than signaling comes and goes there."""
    before = uplinks.lte.count()
    time.sleep(0.5)
    now = uplinks.lte.count()
    return all(now[way]["bytes"] - before[way]["bytes"] > 4_000 for way in ("up", "down"))

"""What counts as a change of the network, and that the kernel is heard."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterable

import pytest

from sightline.client import network
from sightline.client.network import NetworkWatcher, Sources, read_sources
from tests.unit.viewer.camera import eventually


class Machine:
    """A routing table that the test writes."""

    def __init__(self) -> None:
        self.routes: dict[str, str] = {"192.0.2.1": "10.0.0.5"}
        self.told: list[bool] = []
        self.destinations: list[str] = []
        self.looked = 0

    def read(self, destinations: Iterable[str]) -> Sources:
        self.looked += 1
        return {destination: self.routes.get(destination) for destination in destinations}

    def watcher(self, *, poll: float = 60) -> NetworkWatcher:
        return NetworkWatcher(self.told.append, destinations=lambda: self.destinations, read=self.read, poll=poll)


async def test_only_another_way_out_is_a_change() -> None:
    machine = Machine()
    async with machine.watcher() as watcher:
        watcher.check()
        assert machine.told == []
        machine.routes.clear()
        watcher.check()
        watcher.check()
        assert machine.told == [False]
        machine.routes["192.0.2.1"] = "172.16.0.9"
        watcher.check()
        assert machine.told == [False, True]


async def test_a_destination_that_is_new_is_no_change_and_one_that_was_there_counts() -> None:
    machine = Machine()
    async with machine.watcher() as watcher:
        machine.routes["203.0.113.7"] = "10.0.0.5"
        machine.destinations.append("203.0.113.7")
        watcher.check()
        assert machine.told == []
        machine.routes["203.0.113.7"] = "10.8.0.2"  # a VPN
        watcher.check()
        assert machine.told == [True]
        machine.destinations.clear()
        watcher.check()
        assert machine.told == [True]


async def test_it_is_looked_now_and_then_where_nothing_tells(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network, "_open_netlink", lambda: None)
    machine = Machine()
    async with machine.watcher(poll=0.01):
        machine.routes.clear()
        await eventually(lambda: machine.told == [False])


async def test_what_the_kernel_tells_is_looked_at_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, kernels = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    ours.setblocking(False)
    monkeypatch.setattr(network, "_open_netlink", lambda: ours)
    machine = Machine()
    with kernels:
        async with machine.watcher():
            machine.routes.clear()
            kernels.send(b"a link went down")
            kernels.send(b"and its routes")
            await eventually(lambda: machine.told == [False])
    assert ours.fileno() == -1


@pytest.mark.skipif(not hasattr(socket, "AF_NETLINK"), reason="only Linux has netlink")
async def test_netlink_opens_and_closes_here() -> None:
    machine = Machine()
    watcher = machine.watcher()
    async with watcher:
        assert watcher._netlink is not None
        await asyncio.sleep(0)
    await watcher.aclose()
    assert watcher._netlink is None


def test_the_real_table_knows_the_way_to_this_machine() -> None:
    assert read_sources(["127.0.0.1"]) == {"127.0.0.1": "127.0.0.1"}

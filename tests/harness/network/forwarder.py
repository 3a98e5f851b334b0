"""The process between a lab's hosts: owns their namespaces, moves their packets, relays a few TCP ports.

Started by `Lab` as `python -m tests.harness.network.forwarder FD`; FD is a control socket on which each request, a
JSON object, gets one reply. When the test goes away, so does the process, and with it the namespaces.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import socket
import sys
import time
from collections.abc import Callable
from typing import Any

from tests.harness.network import kernel
from tests.harness.network.line import Direction, Line
from tests.harness.network.nat import Nat
from tests.harness.network.relay import Relay

MAX_PACKET = 65536
BURST = 64
"""Packets read from one interface before the others have their turn."""


class Port:
    """An interface of a host: the forwarder's end of it, and its line in both directions."""

    def __init__(self, name: str, address: str, metric: int, network: int, seed: int) -> None:
        self.name, self.metric, self.network = name, metric, network
        self.address = socket.inet_aton(address)
        with kernel.inside(network):
            self.tun = kernel.open_tun(name, address)
        self.up = Direction(seed=2 * seed)
        self.down = Direction(seed=2 * seed + 1)
        self.nat: Nat | None = None
        self.has_carrier = True
        self._on = False
        self.switch(True)

    def switch(self, on: bool) -> None:
        """Plug it in or pull it: the host sees that at once."""
        if on is self._on:
            return
        self._on = on
        with kernel.inside(self.network):
            kernel.set_up_interface(self.name, up=on)
            if on:
                kernel.add_default_route(self.name, metric=self.metric)
        if not on:
            self.up.cut()
            self.down.cut()

    def carry(self, on: bool) -> None:
        """A carrier, or none: the host sees that at once, and keeps address and routes."""
        with kernel.inside(self.network):
            kernel.set_carrier(self.tun, on=on)
        self.has_carrier = on
        if not on:
            self.up.cut()
            self.down.cut()

    def deliver(self, now: float) -> None:
        """Hand the host what has arrived."""
        for packet in self.down.arrived(now=now):
            with contextlib.suppress(OSError):  # the interface is off, or the host does not read
                os.write(self.tun, packet)


class Forwarder:
    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._selector = selectors.EpollSelector()
        self._selector.register(control, selectors.EVENT_READ, self._serve)
        self._networks: dict[str, int] = {}
        self._ports: dict[str, Port] = {}
        self._by_address: dict[bytes, Port] = {}
        self._relays: dict[int, Relay] = {}
        self._ended = False

    def run(self) -> None:
        """Until the control socket is closed."""
        while not self._ended:
            for key, _ in self._selector.select(self._pause()):
                key.data()
            self._move()

    def _pause(self) -> float | None:
        times = [at for port in self._ports.values() for line in (port.up, port.down) if (at := line.next_arrival)]
        times += [at for relay in self._relays.values() if (at := relay.next_time)]
        return max(0.0, min(times) - time.monotonic()) if times else None

    def _move(self) -> None:
        now = time.monotonic()
        for port in self._ports.values():
            for sent in port.up.arrived(now=now):
                packet = sent if port.nat is None else port.nat.outward(sent)
                target = None if packet is None else self._by_address.get(packet[16:20])
                if packet is not None and target is not None and target.nat is not None:
                    packet = target.nat.inward(packet)
                if packet is None:
                    continue
                if target is not None and target.has_carrier:
                    target.down.send(packet, now=now)
        for port in self._ports.values():
            port.deliver(now)
        for relay in self._relays.values():
            relay.move(now)

    def _read(self, port: Port) -> None:
        now = time.monotonic()
        for _ in range(BURST):
            try:
                packet = os.read(port.tun, MAX_PACKET)
            except BlockingIOError:
                return
            except OSError:
                return  # switched off
            if packet[0] >> 4 != 4:
                continue
            # By the packet's own address, as if the host had a routing rule for each of its interfaces.
            owner = self._by_address.get(packet[12:16], port)
            if owner.has_carrier:
                owner.up.send(packet, now=now)

    def _serve(self) -> None:
        data, descriptors, _, _ = socket.recv_fds(self._control, 1 << 16, 4)
        if not data:
            self._ended = True
            return
        request = json.loads(data)
        handler: Callable[..., Any] = getattr(self, f"do_{request.pop('do')}")
        if descriptors:
            request["listener"] = socket.socket(fileno=descriptors[0])
        try:
            reply = {"result": handler(**request)}
        except OSError as error:
            reply = {"error": str(error)}
        self._control.send(json.dumps(reply).encode())

    def do_nothing(self) -> None:
        """An answer is all that is asked for."""

    def do_host(self, name: str) -> int:
        """A new host; the descriptor of its network namespace in this process."""
        own = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        with kernel.inside(own):
            self._networks[name] = kernel.new_network()
        os.close(own)
        return self._networks[name]

    def do_interface(self, host: str, name: str, address: str) -> None:
        """A new interface; a host prefers the one that it got first."""
        mine = [key for key in self._ports if key.startswith(f"{host}/")]
        port = Port(name, address, 100 + 100 * len(mine), self._networks[host], len(self._ports))
        self._ports[f"{host}/{name}"] = self._by_address[port.address] = port
        self._selector.register(port.tun, selectors.EVENT_READ, lambda: self._read(port))

    def do_line(self, interface: str, up: dict[str, Any] | None, down: dict[str, Any] | None) -> None:
        """Exchange an interface's line; None leaves a direction as it is."""
        port = self._ports[interface]
        if up is not None:
            port.up.line = Line(**up)
        if down is not None:
            port.down.line = Line(**down)

    def do_switch(self, interface: str, on: bool) -> None:
        """Pull an interface's plug, or put it in."""
        self._ports[interface].switch(on)

    def do_carry(self, interface: str, on: bool) -> None:
        """Take an interface's carrier, or give it one."""
        self._ports[interface].carry(on)

    def do_source(self, host: str, destination: str) -> str | None:
        """The address from which a host would send there now; None when it knows no way."""
        with kernel.inside(self._networks[host]), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            try:
                probe.connect((destination, 9))
            except OSError:
                return None
            return str(probe.getsockname()[0])

    def do_nat(self, interface: str, kind: str, private: str, public: str, ports: list[int]) -> None:
        """Put a router between an interface and all others, which know it by the public address from now on."""
        port = self._ports[interface]
        port.nat = Nat(kind, private, public, ports=tuple(ports), seed=len(self._by_address))
        self._by_address[socket.inet_aton(public)] = port

    def do_nat_count(self, interface: str) -> dict[str, dict[str, int]]:
        """What its router let through, and what not."""
        nat = self._ports[interface].nat
        assert nat is not None
        return {"passed": dict(nat.passed), "dropped": dict(nat.dropped)}

    def do_count(self, interface: str) -> dict[str, dict[str, int]]:
        """What went through an interface so far."""
        port = self._ports[interface]
        return {
            name: {key: getattr(line, key) for key in ("delivered", "lost", "overflowed", "bytes")}
            for name, line in (("up", port.up), ("down", port.down))
        }

    def do_relay(
        self, listen: str | None, target: str, port: int, delay: float, listener: socket.socket | None = None
    ) -> int:
        """Listen on a host's 127.0.0.1 (or on the socket given) and connect to the same port of the target's."""
        if listener is None:
            assert listen is not None
            with kernel.inside(self._networks[listen]):
                listener = socket.create_server(("127.0.0.1", port))

        def connect() -> socket.socket:
            with kernel.inside(self._networks[target]):
                return socket.create_connection(("127.0.0.1", port), timeout=2)

        relay = Relay(listener, connect, self._selector, delay=delay)
        self._relays[listener.fileno()] = relay
        return listener.fileno()

    def do_relay_set(self, relay: int, delay: float, cut: bool) -> None:
        """Change a relay's delay; `cut` ends its connections, and new ones are refused."""
        self._relays[relay].set(delay=delay, cut=cut)


def main() -> None:
    control = socket.socket(fileno=int(sys.argv[1]))
    with contextlib.suppress(OSError):
        os.nice(-10)  # as root: the lab's clock should not stand still because the tests' own work is heavy
    kernel.become_root_of_own_namespaces()
    Forwarder(control).run()


if __name__ == "__main__":
    main()

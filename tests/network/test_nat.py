"""A camera and its viewers behind every kind of NAT, on each side: the picture comes, and comes the way it should.

The service stands on a public address, with its default settings. The firewall that blocks UDP lets through one TCP
port, that of HTTPS, on which the relay answers as well.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.harness.access import make_link
from tests.harness.network import Host, Interface, Lab, LabUnavailable
from tests.harness.network.browser import chromium_on
from tests.harness.plain_viewer import PlainViewer
from tests.harness.polling import eventually
from tests.harness.service import Command, Service, sightline_command
from tests.network.conftest import evaluator

pytestmark = pytest.mark.timeout(300)  # four cameras and four viewers at once, on two cores

SERVER = "198.51.100.1"
KINDS = ["cone", "port-restricted", "symmetric", "no-udp"]
PATIENCE = 100.0
"""Seconds for four viewers that start at once on two cores."""


def is_direct(camera: str, viewer: str) -> bool:
    """Whether there is a way between two such routers: one lets everything in, or both keep their ports."""
    if "no-udp" in (camera, viewer):
        return False
    return "cone" in (camera, viewer) or (camera, viewer) == ("port-restricted", "port-restricted")


@dataclass
class Place:
    """A host behind a router."""

    kind: str
    host: Host
    line: Interface
    public: str

    def passed(self, what: str) -> int:
        """Packets that its router let through, of those whose names begin so."""
        return sum(count for name, count in self.line.translated()["passed"].items() if name.startswith(what))


class World:
    """The service, four cameras and four viewers' places. It ends with `close`."""

    def __init__(self, folder: Path, clip: Path) -> None:
        self._stack = ExitStack()
        with ExitStack() as until_made:
            until_made.push(self._stack)
            self.lab = self._stack.enter_context(Lab())
            server = self.lab.host("server")
            server.connect("eth0", address=SERVER)
            with pytest.MonkeyPatch.context() as environment:
                environment.setenv("SIGHTLINE_BIN", str(server.executable(sightline_command())))
                settings = {"SIGHTLINE_BIND": SERVER, "SIGHTLINE_PUBLIC_HOST": SERVER}
                self.service = Service(folder, wait=False, environment=settings)
            self._stack.enter_context(self.service)
            self.lab.relay(self.service.http_port, server)  # for the test itself
            self.service.wait_ready()
            self.https = f"https://{SERVER}:{self.service.https_port}"
            self.cameras = {kind: self._place("camera", kind, 10 + n) for n, kind in enumerate(KINDS)}
            self.viewers = {kind: self._place("viewer", kind, 20 + n) for n, kind in enumerate(KINDS)}
            self._masters: list[Command] = []
            for kind, place in self.cameras.items():
                self._masters.append(self.spawn(place, "master", kind, "--create", "--source", str(clip)))
            for master in self._masters:
                master.wait_for_output("waiting for viewers", within=PATIENCE)
            until_made.pop_all()

    def _place(self, role: str, kind: str, number: int) -> Place:
        host = self.lab.host(f"{role}-{kind}")
        line, public = host.connect("eth0"), f"203.0.113.{number}"
        line.translate(kind, public, ports=[self.service.https_port])
        return Place(kind, host, line, public)

    def spawn(self, place: Place, *arguments: str) -> Command:
        """A command of Sightline's, as a person has it who was given the service's address, a key and its CA."""
        environment = {
            **self.service.client_environment(),
            "SIGHTLINE_ENDPOINT": self.https,
            "SIGHTLINE_CA_BUNDLE": str(self.service.ca_file),
        }
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("SIGHTLINE_BIN", str(place.host.executable(sightline_command())))
            return Command(arguments, self.service.folder, environment, name=f"{arguments[0]}-{place.host.name}")

    def watchers(self, channel: str) -> dict[str, dict[str, Any]]:
        """What the channel's master says of its viewers, by client id."""
        answer = self.service.run("viewers", channel, "--json")
        assert answer.returncode == 0, answer.stderr
        return {viewer["clientId"]: viewer for viewer in json.loads(answer.stdout)["viewers"]}

    def close(self) -> None:
        """End all of it; every process has to end well."""
        with self._stack:
            for master in self._masters:
                assert master.stop() == 0, master.output
                master.assert_clean()


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, clip: Path) -> Iterator[World]:
    try:
        made = World(tmp_path_factory.mktemp("nat"), clip)
    except LabUnavailable as error:
        pytest.skip(str(error))
    try:
        yield made
    finally:
        made.close()


def said(viewer: Command, kind: str) -> list[dict[str, Any]]:
    """The lines of JSON of that type which it has printed."""
    lines = [line for line in viewer.output.splitlines() if line.startswith("{") and line.endswith("}")]
    return [line for line in map(json.loads, lines) if line["type"] == kind]


def last(viewer: Command) -> dict[str, Any]:
    """Its newest figures."""
    found = said(viewer, "statistics")
    return found[-1] if found else {}


def ends(pair: str) -> tuple[str, str]:
    """The kinds of both ends of a path as we print it, and how our own relay is reached: `relay over tls`, `srflx`."""
    ours, _, theirs = pair.partition(" -> ")
    return ours.rpartition(" ")[0], theirs.partition(" ")[0]


def check_way(world: World, camera: Place, viewer: Place, seen_by_camera: str, seen_by_viewer: str) -> None:
    """That the path in use is of the right kind, as both ends see it."""
    for own, other, pair in ((camera, viewer, seen_by_camera), (viewer, camera, seen_by_viewer)):
        ours, theirs = ends(pair)
        if is_direct(camera.kind, viewer.kind):
            assert "relay" not in (ours, theirs), pair
            assert ours in ("host", "srflx", "prflx"), pair
            assert theirs in ("srflx", "prflx"), pair
        elif own.kind == "no-udp":
            assert ours == "relay over tls", pair
        elif other.kind == "no-udp":
            assert theirs in ("relay", "prflx"), pair
            assert f" {SERVER}:" in pair.partition(" -> ")[2], pair
        else:
            assert ours.startswith("relay over") or f" {SERVER}:" in pair.partition(" -> ")[2], pair


def check_packets(world: World, camera: Place, viewer: Place, before: tuple[int, int]) -> None:
    """That the picture went that way, and nothing went the way that is blocked."""
    directly = viewer.passed(f"in udp {camera.public}"), camera.passed(f"in udp {viewer.public}")
    if is_direct(camera.kind, viewer.kind):
        assert directly[0] - before[0] > 50
    else:
        assert directly == (0, 0)
    for place in (camera, viewer):
        if place.kind == "no-udp":
            assert place.passed("in udp") == place.passed("out udp") == 0
            assert place.passed(f"in tcp {SERVER}") > 50


@pytest.mark.parametrize("kind", KINDS)
def test_four_viewers_of_a_camera_behind(world: World, kind: str) -> None:
    """One behind each kind of router, all at once."""
    camera = world.cameras[kind]
    before = {
        name: (place.passed(f"in udp {camera.public}"), camera.passed(f"in udp {place.public}"))
        for name, place in world.viewers.items()
    }
    with ExitStack() as stack:
        running = {
            name: stack.enter_context(
                world.spawn(place, "view", kind, "--json", "--stats", "--no-audio", "--client-id", name)
            )
            for name, place in world.viewers.items()
        }
        for name, viewer in running.items():
            eventually(
                lambda viewer=viewer: last(viewer).get("frameRate", 0) > 10,  # type: ignore[misc]
                f"pictures from a camera behind {kind} to a viewer behind {name}",
                within=PATIENCE,
                every=0.2,
            )

        def settled() -> bool:
            """The first path may be the relay, until a direct one has been found."""
            watchers = world.watchers(kind)
            try:
                for name, viewer in running.items():
                    pairs = watchers[name]["candidatePair"], last(viewer)["candidatePair"]
                    check_way(world, camera, world.viewers[name], *pairs)
            except (AssertionError, KeyError):
                return False
            return True

        try:
            eventually(settled, "the best paths", within=PATIENCE / 3, every=1.0)
        finally:
            for name, watcher in world.watchers(kind).items():
                print(f"{kind} to {name}: {watcher['candidatePair']} / {last(running[name]).get('candidatePair')}")
        for name, viewer in running.items():
            pictures = last(viewer)["pictures"]
            eventually(
                lambda viewer=viewer, was=pictures: last(viewer)["pictures"] - was > 40,
                "more pictures",
                within=PATIENCE / 3,
            )  # type: ignore[misc]
            check_packets(world, camera, world.viewers[name], before[name])


@pytest.mark.parametrize(("camera", "viewer"), [("symmetric", "symmetric"), ("no-udp", "no-udp"), ("cone", "no-udp")])
def test_chromium(world: World, camera: str, viewer: str) -> None:
    """Somebody else's ICE on the viewer's side, where it is hardest."""
    near, far = world.viewers[viewer], world.cameras[camera]
    before = near.passed(f"in udp {far.public}"), far.passed(f"in udp {near.public}")
    token = make_link(world.service, camera)["token"]
    with chromium_on(near.host) as (browser,), browser.page(f"{world.https}/healthz") as page:
        watching = PlainViewer(evaluator(page), camera, token=token)
        watching.wait_for_picture(within=PATIENCE)
        began = watching.now
        eventually(
            lambda: len({frame.number for frame in watching.frames(began)} - {None}) > 40,
            "pictures that move",
            within=PATIENCE / 3,
        )
        stats = watching.stats
        client_id = watching.client_id
        pair = eventually(lambda: world.watchers(camera).get(client_id, {}).get("candidatePair"), "the camera's report")
        print(f"{camera} to Chromium behind {viewer}: {pair}; {stats['local']} {stats['remote']}")
        assert "relay" in (stats["local"]["candidateType"], stats["remote"]["candidateType"], ends(pair)[1]) or ends(
            pair
        )[0].startswith("relay")
        if viewer == "no-udp":
            assert stats["local"]["candidateType"] == "relay"
            assert stats["local"]["relayProtocol"] == "tls"
        if camera == "no-udp":
            assert ends(pair)[0] == "relay over tls"
        check_packets(world, far, near, before)

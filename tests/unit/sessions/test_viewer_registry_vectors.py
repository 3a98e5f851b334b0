"""The vectors of a master's registry, which the browser's master runs too (tests/web/viewer_registry.test.mjs)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from sightline.sessions.connection_state import ConnectionMachine, ConnectionState, Held, Reason, Transition
from sightline.sessions.negotiation import Memory, OfferIdentity, meaning_of
from sightline.sessions.roster import Roster, Viewer
from sightline.timers import DEFAULT_TIMERS, Timers

FILE: dict[str, Any] = json.loads((Path(__file__).parents[2] / "vectors" / "viewer_registry.json").read_text("utf-8"))


class Registry:
    """A machine for each viewer, and the roster, as ``master.Registry`` joins them; time as a vector says."""

    def __init__(self, *, timers: Timers, max_viewers: int | None) -> None:
        self.timers = timers
        self.roster = Roster(max_viewers=max_viewers)
        self.machines: dict[str, ConnectionMachine] = {}
        self.happened: list[str] = []
        self.now = 0.0

    def do(self, client_id: str, what: str, argument: str) -> None:
        if what == "begin":
            self.do(client_id, "ended", Reason.REPLACED)
            self.machines[client_id] = ConnectionMachine(self.now, timers=self.timers)
            self._publish(Viewer(client_id=client_id))
            return
        machine = self.machines.get(client_id)
        if machine is None:
            return
        change: Transition | None = None
        match what:
            case "signaling":
                machine.signaling(is_open=argument == "open")
            case "ended":
                change = machine.ended(Reason(argument), self.now)
            case "answered" | "path-valid" | "keys-agreed" | "heard" | "restart" | "no-path" | "no-keys":
                change = getattr(machine, what.replace("-", "_"))(self.now)
            case _:
                raise AssertionError(f"no such input: {what}")
        self._follow(client_id, change)

    def pass_until(self, at: float) -> None:
        while True:
            deadlines = {name: due for name, it in self.machines.items() if (due := it.next_deadline()) is not None}
            soonest = min(deadlines, key=deadlines.__getitem__, default=None)
            if soonest is None or deadlines[soonest] > at:
                break
            self.now = max(self.now, deadlines[soonest])
            change = self.machines[soonest].tick(self.now)
            assert change is not None, "a deadline without anything to do"
            self._follow(soonest, change)
        self.now = at

    def held(self, client_id: str) -> Held:
        return self.machines[client_id].held if client_id in self.machines else Held.NOTHING

    def _follow(self, client_id: str, change: Transition | None) -> None:
        if change is None:
            return
        self.happened.append(f"{self.now:g} {client_id} {change.before} > {change.after} ({change.reason})")
        if change.after is ConnectionState.CLOSED:
            del self.machines[client_id]
        self._publish(Viewer(client_id=client_id, connection_state=change.after))

    def _publish(self, viewer: Viewer) -> None:
        self.happened += [f"{self.now:g} {event.kind} {event.viewer.client_id}" for event in self.roster.update(viewer)]


def run(vector: dict[str, Any], timers: Timers) -> list[str]:
    """What went otherwise than the vector says."""
    registry = Registry(timers=timers, max_viewers=vector.get("max_viewers"))
    wrong = []
    for number, step in enumerate(vector["steps"]):
        registry.pass_until(step["at"])
        for action in step["do"]:
            client_id, what, argument = (action + " ").split(" ", 2)
            registry.do(client_id, what, argument.strip())
        sessions = registry.roster.sessions
        seen = {
            "then": registry.happened,
            "sessions": list(sessions),
            "viewers": list(registry.roster.viewers),
            "connected": [client_id for client_id in sessions if registry.roster.is_connected(client_id)],
            "held": {client_id: registry.held(client_id) for client_id in step.get("held", {})},
            "room": {client_id: registry.roster.has_room(client_id) for client_id in step.get("room", {})},
        }
        registry.happened = []
        wrong += [f"step {number}: {key} {seen[key]}" for key in seen if key in step and seen[key] != step[key]]
    return wrong


def run_memory(timers: Timers) -> list[str]:
    memory = Memory(timers=timers)
    wrong = []
    for number, step in enumerate(FILE["memory"]):
        offer = identity(step["offer"])
        if "forget" in step:
            memory.forget_session(offer, step["forget"], now=step["at"])
            continue
        seen = (memory.is_gone(offer, now=step["at"]), memory.certificate_for(offer, now=step["at"]))
        if seen != (step["gone"], step["certificate"]):
            wrong.append(f"memory step {number}: {seen}")
    return wrong


def identity(fields: dict[str, Any]) -> OfferIdentity:
    return OfferIdentity(**{**fields, "fingerprints": frozenset(fields["fingerprints"])})


@pytest.mark.parametrize("vector", FILE["vectors"], ids=lambda vector: vector["name"])
def test_the_registry_does_what_the_vector_says(vector: dict[str, Any]) -> None:
    assert run(vector, DEFAULT_TIMERS) == []


@pytest.mark.parametrize("vector", FILE["offers"], ids=lambda vector: vector["name"])
def test_an_offer_means_what_the_vector_says(vector: dict[str, Any]) -> None:
    held = identity(vector["held"]) if vector["held"] is not None else None
    assert meaning_of(identity(vector["offer"]), held) == vector["meaning"]


def test_the_memory_of_sessions_does_what_the_vector_says() -> None:
    assert run_memory(DEFAULT_TIMERS) == []


def test_the_vectors_are_of_the_timers_in_use() -> None:
    assert FILE["timers"] == {name: getattr(DEFAULT_TIMERS, name) for name in FILE["timers"]}


@pytest.mark.parametrize("factor", [0.9, 1.1])
@pytest.mark.parametrize("name", FILE["timers"])
def test_another_value_of_any_one_timer_is_noticed(name: str, factor: float) -> None:
    changed = msgspec.structs.replace(DEFAULT_TIMERS, **{name: FILE["timers"][name] * factor})
    assert [*(wrong for vector in FILE["vectors"] for wrong in run(vector, changed)), *run_memory(changed)]

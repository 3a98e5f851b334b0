"""A call's machine, over the vectors that its twin in JavaScript runs too (tests/web runs the same file)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from sightline.sessions.call import CallMachine, CallOptions
from sightline.sessions.call.machine import fingerprint_of
from sightline.sessions.call.messages import CallState, Input

VECTORS: list[dict[str, Any]] = json.loads(
    (Path(__file__).parents[2] / "vectors" / "call_session.json").read_text(encoding="utf-8")
)["vectors"]
BY_NAME = {vector["name"]: vector for vector in VECTORS}
NEAR = 1e-6


def play(machine: CallMachine, vector: dict[str, Any], wrong: list[str], start: float = 0.0) -> float:
    """Run the vector; returns when it ended. What is not as it says stands in ``wrong`` afterwards."""
    if "after" in vector:
        start = play(machine, BY_NAME[vector["after"]], wrong, start)
    at = start
    for step in vector["steps"]:
        at = start + step["at"]
        while (due := machine.next_deadline()) is not None and due < at - NEAR:
            if silent := machine.tick(due):
                wrong.append(f"{due - start:.3f}: came too early: {silent}")
        if "in" in step:
            outputs = machine.take(msgspec.convert(step["in"], Input), at)
        else:
            outputs = machine.tick(due) if due is not None and due <= at + NEAR else []
        if (plain := msgspec.to_builtins(outputs)) != step["out"]:
            wrong.append(f"{step['at']}: {step.get('in', 'due')}: {plain} and not {step['out']}")
    return at


@pytest.mark.parametrize("name", BY_NAME)
def test_the_machine_does_what_the_vectors_say(name: str) -> None:
    wrong: list[str] = []
    play(CallMachine(name=BY_NAME[name]["me"]), BY_NAME[name], wrong)
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("field", msgspec.structs.fields(CallOptions), ids=lambda field: field.name)
@pytest.mark.parametrize("factor", [0.8, 1.25])
def test_no_timer_can_be_changed_unnoticed(field: msgspec.structs.FieldInfo, factor: float) -> None:
    options = msgspec.convert({field.encode_name: field.default * factor}, CallOptions)
    wrong: list[str] = []
    for vector in VECTORS:
        play(CallMachine(options, name=vector["me"]), vector, wrong)
    assert wrong


def test_the_vectors_reach_every_state() -> None:
    outputs = [out for vector in VECTORS for step in vector["steps"] for out in step["out"]]
    assert {out["state"] for out in outputs if out["type"] == "state"} == set(CallState) - {CallState.IDLE}


def test_the_fingerprint_names_the_certificate() -> None:
    assert fingerprint_of("a=fingerprint:sha-256 AB:cd\r\na=setup:actpass\r\n") == "sha-256 ab:cd"
    assert fingerprint_of("v=0") == ""


def test_candidates_that_wait_for_a_person_are_bounded() -> None:
    machine = CallMachine(name="Bob")
    offer = {"type": "offer", "from": "Ann", "description": {"type": "offer", "sdp": "v=0"}}
    machine.take(msgspec.convert(offer, Input), 0.0)
    for number in range(1000):
        candidate = {"type": "candidate", "from": "Ann", "candidate": {"candidate": f"candidate:{number}"}}
        machine.take(msgspec.convert(candidate, Input), 0.0)
    machine.take(msgspec.convert({"type": "accept"}, Input), 0.0)
    outputs = msgspec.to_builtins(machine.take(msgspec.convert({"type": "media"}, Input), 0.0))
    assert sum(output["type"] == "add-candidate" for output in outputs) == 200


@pytest.mark.parametrize("first", ["Ann", "Bob", "both"])
def test_both_call_each_other_at_once_and_one_call_comes_of_it(first: str) -> None:
    machines = {name: CallMachine(name=name) for name in ("Ann", "Bob")}
    other = {"Ann": "Bob", "Bob": "Ann"}
    wire: list[tuple[str, dict[str, Any]]] = []

    def do(name: str, message: dict[str, Any]) -> None:
        for output in msgspec.to_builtins(machines[name].take(msgspec.convert(message, Input), 0.0)):
            assert output["type"] != "send-hang-up"
            kind = {"make-offer": "offer", "accept-offer": "answer"}.get(output["type"])
            if kind is not None:
                description = {"type": kind, "sdp": f"a=fingerprint:sha-256 {name}\r\n"}
                wire.append((other[name], {"type": kind, "from": name, "description": description}))

    for name in machines:
        do(name, {"type": "call", "to": other[name]})
    for name in machines:
        if first in (name, "both"):
            do(name, {"type": "media"})
    while wire:
        do(*wire.pop(0))
    for name in machines:
        do(name, {"type": "media"})
    while wire:
        do(*wire.pop(0))
    for name, machine in machines.items():
        assert machine.state is CallState.CONNECTING, name
        do(name, {"type": "peer", "state": "connected"})
        assert machine.state is CallState.IN_CALL
        assert machine.peer == other[name]

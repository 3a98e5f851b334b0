"""A viewer's session, over the vectors that its twin in JavaScript runs too (tests/web runs the same file)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from sightline.sessions.viewer import Persistent, RetryOnce, RetryPolicy, ViewerOptions, ViewerSession
from sightline.sessions.viewer.messages import Input, ViewerState

VECTORS: list[dict[str, Any]] = json.loads(
    (Path(__file__).parents[2] / "vectors" / "viewer_session.json").read_text(encoding="utf-8")
)["vectors"]
BY_NAME = {vector["name"]: vector for vector in VECTORS}
NEAR = 1e-6


def steps_of(vector: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for step in vector["steps"]:
        for turn in range(step.get("repeat", 1)):
            yield {**step, "at": step["at"] + turn * step.get("every", 0)}


def play(
    session: ViewerSession, vector: dict[str, Any], start: float = 0.0, *, wrong: list[str] | None = None
) -> float:
    """Run the vector; returns when it ended. What is not as it says stands in ``wrong`` afterwards."""
    found = [] if wrong is None else wrong
    if "after" in vector:
        start = play(session, BY_NAME[vector["after"]], start, wrong=found)
    at = start
    for step in steps_of(vector):
        at = start + step["at"]
        while (due := session.next_deadline()) is not None and due < at - NEAR:
            if silent := session.tick(due):
                found.append(f"{due - start:.3f}: came too early: {silent}")
        if "in" in step:
            outputs = session.take(msgspec.convert(step["in"], Input), at)
        else:
            outputs = session.tick(due) if due is not None and due <= at + NEAR else []
        if (plain := msgspec.to_builtins(outputs)) != step["out"]:
            found.append(f"{step['at']}: {step.get('in', 'due')}: {plain} and not {step['out']}")
    if wrong is None and found:
        pytest.fail("\n".join(found))
    return at


def policy_of(vector: dict[str, Any]) -> RetryPolicy:
    persistent = vector.get("policy", {}).get("persistent")
    return Persistent(roll=lambda: float(persistent["roll"])) if persistent else RetryOnce()


def session_of(vector: dict[str, Any], policy: RetryPolicy | None = None, **changed: float) -> ViewerSession:
    options = msgspec.convert({**changed, **vector.get("options", {})}, ViewerOptions)
    return ViewerSession(options, policy=policy or policy_of(vector))


@pytest.mark.parametrize("name", BY_NAME)
def test_the_session_does_what_the_table_says(name: str) -> None:
    vector = BY_NAME[name]
    play(session_of(vector), vector)


def failing(policy: RetryPolicy | None = None, **changed: float) -> list[str]:
    """The vectors that notice the change."""
    names = []
    for name, vector in BY_NAME.items():
        wrong: list[str] = []
        play(session_of(vector, None if "policy" in vector else policy, **changed), vector, wrong=wrong)
        if wrong:
            names.append(name)
    return names


@pytest.mark.parametrize("field", msgspec.structs.fields(ViewerOptions), ids=lambda field: field.name)
@pytest.mark.parametrize("factor", [0.8, 1.25])
def test_no_timer_can_be_changed_unnoticed(field: msgspec.structs.FieldInfo, factor: float) -> None:
    assert failing(**{field.encode_name: field.default * factor})


@pytest.mark.parametrize(
    "policy", [RetryOnce(pause=3.9), RetryOnce(pause=4.1), RetryOnce(retries=0), RetryOnce(retries=2)]
)
def test_nor_can_the_seeds_retry(policy: RetryPolicy) -> None:
    assert failing(policy)


def test_the_vectors_reach_every_state() -> None:
    reached = {out["to"] for vector in VECTORS for step in vector["steps"] for out in step["out"] if "to" in out}
    assert reached == set(ViewerState) - {ViewerState.IDLE}

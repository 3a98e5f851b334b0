"""One check after the other; what is left out, and why; what the command prints of it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from sightline.cli import main
from sightline.doctor import CHECKS, Check, Mark, Stage, checks_for, dependents, examination, examine, waterfall
from sightline.doctor.findings import Finding, Verdict, fail, fine, skip, warn
from sightline.doctor.visit import Visit, parse_link
from sightline.errors import MalformedMessage
from tests.unit.doctor.world import target


def checks(**verdicts: Verdict | Exception) -> list[Check]:
    """A chain: each needs the one before it, except `apart`, which needs the first."""
    made: list[Check] = []
    for name, verdict in verdicts.items():

        async def run(_: Visit, verdict: Verdict | Exception = verdict) -> Verdict:
            if isinstance(verdict, Exception):
                raise verdict
            return verdict

        needs = () if not made else (made[0].id,) if name == "apart" else (made[-1].id,)
        made.append(Check(name, name.title(), run, needs))
    return made


async def examined(monkeypatch: pytest.MonkeyPatch, made: list[Check]) -> dict[str, Finding]:
    monkeypatch.setattr(examination, "checks_for", lambda _: made)
    visit = Visit(target())
    try:
        return {finding.check: finding async for finding in examine(visit)}
    finally:
        await visit.aclose()


async def test_what_needs_a_failed_check_is_not_made_and_says_for_which_one(monkeypatch: pytest.MonkeyPatch) -> None:
    made = checks(one=fine("1"), two=fail("2", reason="no-path"), three=fine("3"), four=fine("4"), apart=fine("5"))
    found = await examined(monkeypatch, made)
    assert [finding.mark.value for finding in found.values()] == ["ok", "failed", "skipped", "skipped", "ok"]
    assert [finding.because for finding in found.values()] == ["", "", "two", "two", ""]
    assert [check.id for check in dependents("two", made)] == ["three", "four"]


async def test_neither_a_warning_nor_a_check_without_an_object_stops_anything(monkeypatch: pytest.MonkeyPatch) -> None:
    made = checks(one=warn("1", meaning="m", advice="a"), two=skip("nothing there"), three=fine("3"))
    found = await examined(monkeypatch, made)
    assert [finding.mark for finding in found.values()] == [Mark.WARNING, Mark.SKIPPED, Mark.OK]


async def test_what_is_not_installed_and_what_breaks_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    made = checks(one=ModuleNotFoundError("no", name="aioice"), apart=MalformedMessage("It is no frame."))
    found = await examined(monkeypatch, made)
    assert found["one"].mark is Mark.SKIPPED
    assert "pip install 'sightline[all]'" in found["one"].measured
    assert (found["apart"].mark, found["apart"].reason) == (Mark.FAILED, "internal")
    assert found["apart"].measured == "It is no frame."


def test_a_failure_without_words_of_its_own_has_those_of_its_reason() -> None:
    assert "switched off" in fail("x", reason="camera-offline").meaning


def ids(visit: Visit) -> set[str]:
    return {check.id for check in checks_for(visit)}


def test_which_checks_are_made() -> None:
    everything = {check.id for check in CHECKS}
    assert ids(Visit(target(), channel="porch")) == everything - {"link-invalid"}
    link = parse_link("https://cam.example:8443/view/porch#x")
    keyed = {"wrong-key", "wrong-region", "unknown-channel", "not-allowed"}
    assert ids(Visit(target(), link=link)) == everything - keyed
    camera = {"camera-offline", "no-answer", "no-common-codec", "no-path", "no-media"}
    assert ids(Visit(target(), channel="porch", role="master")) == everything - camera - {"link-invalid"}
    assert ids(Visit(target())) == {
        *("service-unreachable", "tls-trust", "clock-skew", "wrong-key", "wrong-region", "unknown-channel")
    }


# ------------------------------------------------------------------------------------- the waterfall


def test_each_bar_begins_where_the_one_before_ended() -> None:
    lines = waterfall([Stage("name", 0.1), Stage("answer", 0.2), Stage("frame", 0.1)], width=20)
    assert lines == [
        "name       100 ms  █████",
        "answer     200 ms       ██████████",
        "frame      100 ms                 █████",
        "all        400 ms",
    ]


def test_short_stages_are_seen_and_nothing_is_no_waterfall() -> None:
    lines = waterfall([Stage("a", 0.0001), Stage("b", 1.0)], width=8)
    assert lines[0].endswith("ms  ▏")
    assert waterfall([]) == []
    assert waterfall([Stage("a", 0.5), Stage("b", 0.5)], width=4, plain=True)[1].endswith("ms    ##")


# --------------------------------------------------------------------------------------- the command


@pytest.fixture
def doctor(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Any:
    """`sightline doctor` with these checks instead of its own, and nobody's settings."""
    for name in [name for name in os.environ if name.startswith(("AWS_", "SIGHTLINE_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("SIGHTLINE_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))

    def run(made: list[Check], *arguments: str) -> tuple[int, str]:
        monkeypatch.setattr(examination, "checks_for", lambda _: made)
        monkeypatch.setattr("sightline.doctor.checks_for", lambda _: made)
        code = main(["doctor", "--endpoint", "http://localhost:1", *arguments])
        return code, capsys.readouterr().out

    return run


def test_the_command_when_all_is_in_order(doctor: Any) -> None:
    code, out = doctor(checks(one=fine("measured 1", "a detail")), "porch")
    assert code == 0
    assert "✓ One          measured 1\n" in out
    assert " a detail\n" in out
    assert out.endswith("All in order.\n")


def test_the_command_when_something_fails(doctor: Any) -> None:
    made = checks(one=fine("1"), two=fail("none", reason="no-answer", advice="Do it."), three=fine("3"))
    code, out = doctor(made, "porch")
    assert code == 1
    assert "✗ Two          none\n" in out
    assert "to do: Do it.\n" in out
    assert "so not checked: Three\n" in out
    assert "docs/why-no-video.md#no-answer\n" in out
    assert out.endswith("Not in order: Two.\n")


def test_the_command_for_scripts(doctor: Any) -> None:
    made = checks(one=fail("x", reason="no-answer"), two=fine("2"))
    code, out = doctor(made, "porch", "--json")
    report = json.loads(out)
    assert (code, report["ok"], report["channel"]) == (1, False, "porch")
    assert report["findings"][0]["reason"] == "no-answer"
    assert report["findings"][1]["because"] == "one"


def test_a_warning_is_no_failure(doctor: Any) -> None:
    code, out = doctor(checks(one=warn("w", meaning="m", advice="a")), "porch")
    assert code == 0
    assert "! One" in out
    assert "1 line marked !" in out


def test_wrong_usage(doctor: Any, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["doctor", "porch", "--link", "http://localhost/view/porch"])
    assert end.value.code == 2
    assert main(["doctor", "--link", "porch"]) == 1
    assert "not a link" in capsys.readouterr().err

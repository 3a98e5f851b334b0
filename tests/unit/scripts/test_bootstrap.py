"""What `make setup` does again, what it leaves alone, and what it says when it cannot go on.

The real thing, from nothing to `.venv/bin/sightline`, is what every `make test` has just done.
"""

import sys
from pathlib import Path

import bootstrap
import pytest


class Recorded:
    """Stands in for the parts of a set-up that run programs; `fail_at` makes one of them fail."""

    def __init__(self, venv: Path) -> None:
        self.venv = venv
        self.steps: list[str] = []
        self.fail_at: str | None = None

    def step(self, name: str) -> None:
        if name == self.fail_at:
            raise bootstrap.SetupFailed(f"{name} failed.")
        self.steps.append(name)

    def make_venv(self) -> None:
        self.step("venv")
        (self.venv / "bin").mkdir(parents=True, exist_ok=True)
        (self.venv / "bin" / "python").touch()
        (self.venv / "sightline-setup.json").unlink(missing_ok=True)


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Recorded:
    """Set-ups in a folder of their own, with copies of what they depend on; nothing is installed."""
    root = bootstrap.ROOT
    (tmp_path / "requirements").mkdir()
    for name in ("pyproject.toml", "requirements/run.lock", "requirements/test.lock"):
        (tmp_path / name).write_text((root / name).read_text())
    venv = tmp_path / ".venv"
    stand_in = Recorded(venv)
    monkeypatch.setattr(bootstrap, "ROOT", tmp_path)
    monkeypatch.setattr(bootstrap, "CACHE", tmp_path / ".cache")
    monkeypatch.setattr(bootstrap, "VENV", venv)
    monkeypatch.setattr(bootstrap, "PYTHON", venv / "bin" / "python")
    monkeypatch.setattr(bootstrap, "STAMP", venv / "sightline-setup.json")
    locks = {level: tmp_path / "requirements" / f"{level}.lock" for level in ("run", "test")}
    monkeypatch.setattr(bootstrap, "LOCKS", locks)
    monkeypatch.setattr(bootstrap, "make_venv", stand_in.make_venv)
    monkeypatch.setattr(bootstrap, "install_lock", stand_in.step)
    monkeypatch.setattr(bootstrap, "run_pip", lambda *_: stand_in.step("sightline"))
    return stand_in


def test_a_second_run_does_nothing(recorded: Recorded, capsys: pytest.CaptureFixture[str]) -> None:
    assert bootstrap.main([]) == 0
    assert recorded.steps == ["venv", "run", "sightline"]
    capsys.readouterr()
    assert bootstrap.main([]) == 0
    assert recorded.steps == ["venv", "run", "sightline"]
    assert capsys.readouterr() == ("", "")


def test_test_tools_are_added_to_what_is_there_and_serve_a_run(recorded: Recorded) -> None:
    bootstrap.main(["run"])
    bootstrap.main(["test"])
    assert recorded.steps == ["venv", "run", "sightline", "test"]
    bootstrap.main(["test"])
    bootstrap.main(["run"])
    assert recorded.steps == ["venv", "run", "sightline", "test"]


@pytest.mark.parametrize("fail_at", ["venv", "run", "sightline"])
def test_what_failed_is_made_anew_at_the_next_run(recorded: Recorded, fail_at: str) -> None:
    recorded.fail_at = fail_at
    assert bootstrap.main([]) == 1
    recorded.fail_at = None
    recorded.steps.clear()
    assert bootstrap.main([]) == 0
    assert recorded.steps == ["venv", "run", "sightline"]


def test_failed_test_tools_leave_a_working_sightline(recorded: Recorded) -> None:
    recorded.fail_at = "test"
    assert bootstrap.main(["test"]) == 1
    recorded.steps.clear()
    assert bootstrap.main(["run"]) == 0
    assert recorded.steps == []


def test_a_new_lock_or_new_metadata_makes_it_anew_and_a_linters_setting_does_not(recorded: Recorded) -> None:
    bootstrap.main([])
    project = bootstrap.ROOT / "pyproject.toml"
    for change, anew in (("[tool.ruff]\n", False), ("[project]\n", True)):
        recorded.steps.clear()
        project.write_text(project.read_text().replace(change, change + 'authors = [{ name = "x" }]\n'))
        bootstrap.main([])
        assert bool(recorded.steps) is anew
    recorded.steps.clear()
    bootstrap.LOCKS["run"].write_text("# nothing\n")
    bootstrap.main([])
    assert recorded.steps == ["venv", "run", "sightline"]


def test_a_venv_whose_python_is_gone_is_made_anew(recorded: Recorded) -> None:
    bootstrap.main([])
    recorded.steps.clear()
    (recorded.venv / "bin" / "python").unlink()
    (recorded.venv / "bin" / "python").symlink_to("/nowhere/python3")
    recorded.fail_at = "run"
    assert bootstrap.main([]) == 1
    assert recorded.steps == ["venv"]


def test_an_old_python_is_told_the_way_out(
    recorded: Recorded, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 9, 2, "final", 0))
    assert bootstrap.main([]) == 1
    said = capsys.readouterr().err
    assert "3.11 or newer" in said
    assert "make setup PYTHON=" in said
    assert said.count("\n") == 1


def test_a_failed_program_shows_the_end_of_what_it_said(capsys: pytest.CaptureFixture[str]) -> None:
    program = "print('WARNING: noise'); print('ERROR: the reason'); raise SystemExit(3)"
    with pytest.raises(bootstrap.SetupFailed, match="It failed"):
        bootstrap.run([sys.executable, "-c", program], "It failed.")
    assert capsys.readouterr().err == "  | ERROR: the reason\n"

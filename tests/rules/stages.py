"""A file whose tests all belong to another stage is not even read: `-m realtime` and `-m "not realtime"`.

To import a test file and to rewrite its assertions costs more than most tests. A file is told by its text: where
`realtime` does not occur no test has that mark, and with `pytestmark = pytest.mark.realtime` all have it. Files that
are named on the command line are read in any case.
"""

import re
from pathlib import Path

import pytest

WHOLLY = re.compile(r"^pytestmark = \[?pytest\.mark\.realtime\b", re.MULTILINE)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave out a file in which the stage has nothing."""
    wanted = config.option.markexpr
    if wanted not in ("realtime", "not realtime") or not re.fullmatch(r"test_.*\.py", collection_path.name):
        return None
    text = collection_path.read_text(encoding="utf-8")
    nothing_here = "realtime" not in text if wanted == "realtime" else WHOLLY.search(text) is not None
    return True if nothing_here else None

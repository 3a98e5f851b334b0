"""What `sightline command` refuses before anything happens."""

from __future__ import annotations

import pytest

from tests.unit.cli.conftest import Run


@pytest.mark.parametrize("value", ["{pan}", "on", "", "[1", '"\\x"'])
def test_what_is_no_json_is_wrong_usage(run: Run, value: str) -> None:
    code, out, err = run("command", "porch", "ptz", value)
    assert (code, out) == (2, "")
    assert "is no JSON" in err


def test_a_link_that_is_none_is_named(run: Run) -> None:
    code, _, err = run("command", "https://cam.example/somewhere", "ptz")
    assert code != 0
    assert "no link to watch by" in err

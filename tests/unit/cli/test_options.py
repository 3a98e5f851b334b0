"""Values that people write on command lines, and the settings' one table as flags."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from sightline.cli.options import add_settings_options, duration, settings_from, tag
from sightline.cli.output import print_table, when
from sightline.cli.serve import addresses
from sightline.config import SETTINGS, load_settings


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90), ("90s", 90), ("15m", 900), ("8h", 28800), ("7d", 604800), (" 1.5h ", 5400)]
)
def test_durations(text: str, seconds: float) -> None:
    assert duration(text) == seconds


@pytest.mark.parametrize("text", ["", "h", "0", "-1h", "1w", "1h30m", "never", "inf"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="is not a duration"):
        duration(text)


def test_tags() -> None:
    assert tag("a=b=c") == ("a", "b=c")
    assert tag("a=") == ("a", "")
    for bad in ("a", "=b", ""):
        with pytest.raises(argparse.ArgumentTypeError):
            tag(bad)


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser()
    add_settings_options(made)
    return made


def test_every_setting_is_a_flag_except_secrets() -> None:
    text = parser().format_help()
    for setting in SETTINGS:
        assert (setting.flag + " " in text) == (not setting.secret)
        assert (setting.environment in text) == (not setting.secret)


def test_flag_before_environment_before_file(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "sightline.toml"
    file.write_text('http_port = 1\nhttps_port = 1\nturn_port = 1\nregion = "eu-north-1"\n')
    environment.setenv("SIGHTLINE_HTTPS_PORT", "2")
    environment.setenv("SIGHTLINE_TURN_PORT", "2")
    args = parser().parse_args(["--config", str(file), "--turn-port", "3"])
    settings = settings_from(args, bind="127.0.0.1")
    assert (settings.http_port, settings.https_port, settings.turn_port) == (1, 2, 3)
    assert (settings.region, settings.bind) == ("eu-north-1", ("127.0.0.1",))


def test_a_table_has_aligned_columns(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(["A", "LONG"], [["wide cell", ""], ["x", "y"]], empty="none")
    assert capsys.readouterr().out == "A          LONG\nwide cell  -\nx          y\n"
    print_table(["A"], [], empty="none")
    assert capsys.readouterr().out == "none\n"


def test_no_time_is_nothing() -> None:
    assert when(None) == ""
    assert when(1790000000).startswith("2026-09-2")


@pytest.mark.parametrize(
    ("flags", "lines"),
    [
        ({"bind": "127.0.0.1,::1"}, ["http://localhost:8080", "https://127.0.0.1:8443", "https://[::1]:8443"]),
        ({"public_host": "cam.example", "https_port": "443"}, ["http://localhost:8080", "https://cam.example"]),
        ({"tls": "off"}, ["http://localhost:8080"]),
        ({"http_port": "off", "public_url": "https://proxy.example/cam"}, ["https://proxy.example/cam"]),
    ],
)
def test_the_addresses_of_a_service(tmp_path: Path, flags: dict[str, str], lines: list[str]) -> None:
    settings = load_settings(flags, environment={"SIGHTLINE_DATA_DIR": str(tmp_path)})
    assert [line.split()[0] for line in addresses(settings)] == lines

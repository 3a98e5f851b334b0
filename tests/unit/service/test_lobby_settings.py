"""The lobby's settings, and the links that `sightline link --room` makes."""

from __future__ import annotations

from pathlib import Path

import pytest

from sightline.cli.options import settings_from
from sightline.cli.parser import build_parser
from sightline.config import Settings, load_settings
from sightline.errors import ConfigError


def parsed(*arguments: str) -> Settings:
    return settings_from(build_parser().parse_args(["serve", "--data-dir", "/data", *arguments]))


def test_both_are_off_by_default() -> None:
    settings = Settings(data_dir=Path("/data"))
    assert (settings.open_lobby, settings.mdn_port) == ("off", 0)


@pytest.mark.parametrize(
    ("arguments", "where"), [(["--open-lobby"], "local"), (["--open-lobby", "lan"], "lan"), ([], "off")]
)
def test_the_flag_alone_means_this_machine(arguments: list[str], where: str) -> None:
    assert parsed(*arguments).open_lobby == where


def test_another_place_is_refused() -> None:
    with pytest.raises(ConfigError, match="off, local or lan"):
        load_settings({"open_lobby": "everywhere"}, environment={"SIGHTLINE_DATA_DIR": "/data"})


def test_lan_needs_an_open_lobby() -> None:
    arguments = build_parser().parse_args(["serve", "--data-dir", "/data", "--lan"])
    with pytest.raises(ConfigError, match="--open-lobby"):
        arguments.run(arguments)


@pytest.mark.parametrize("arguments", [["--room", "r", "porch"], ["--room", "r", "--list"], []])
def test_a_link_is_for_a_channel_or_a_room(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    parsed_arguments = build_parser().parse_args(["link", *arguments])
    with pytest.raises(SystemExit):
        parsed_arguments.run(parsed_arguments)
    assert "--room NAME" in capsys.readouterr().err

"""Whatever stands in flags, environment and the configuration file: settings, or one sentence."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from sightline.config import SETTINGS, load_settings
from sightline.errors import ConfigError

pytestmark = pytest.mark.realtime

NAMES = [setting.name for setting in SETTINGS]
likely = st.sampled_from(
    ("", "0", "8080", "off", "auto", "-1", "1e9", "nan", "inf", "1_0", "~", "~/x", "http://h", "https://[::1]:8443/b")
)
texts = likely | st.text(max_size=20, alphabet=st.characters(codec="utf-8", exclude_characters="\0"))
toml_scalars = st.one_of(
    texts.map(json.dumps),
    st.integers().map(str),
    st.sampled_from(("inf", "-inf", "nan", "1e400", "true", "1979-05-27", "[]", "{}", "[1, [2]]", "9" * 400)),
    st.lists(texts, max_size=3).map(json.dumps),
)
lines = st.tuples(st.sampled_from([*NAMES, "turn", "trun"]), toml_scalars).map(lambda pair: f"{pair[0]} = {pair[1]}")
turns = st.tuples(toml_scalars, toml_scalars).map(lambda pair: f"[[turn]]\nurls = {pair[0]}\nsecret = {pair[1]}")
FEW = settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "sightline.toml"


@FEW
@given(
    st.dictionaries(st.sampled_from(NAMES), texts, max_size=3),
    st.dictionaries(st.sampled_from(NAMES), texts, max_size=3),
    st.lists(lines, max_size=3, unique_by=lambda line: line.partition(" ")[0]),
    st.lists(turns, max_size=2),
)
@example({"data_dir": "~nobody-by-this-name"}, {}, [], [])
@example({}, {}, ["http_port = inf"], [])
@example({}, {}, ["socket_idle = " + "9" * 400], [])
@example({}, {"public_url": "https://[h"}, [], [])
def test_settings_or_one_sentence(
    file: Path, flags: dict[str, str], environment: dict[str, str], content: list[str], tables: list[str]
) -> None:
    file.write_text("\n".join([*content, *tables]), "utf-8")
    variables = {f"SIGHTLINE_{name.upper()}": value for name, value in environment.items()}
    check(file, flags, {"SIGHTLINE_DATA_DIR": "/data", **variables})


@FEW
@given(st.binary(max_size=60))
def test_any_bytes_as_a_file(file: Path, content: bytes) -> None:
    file.write_bytes(content)
    check(file, {}, {})


def check(file: Path, flags: dict[str, str], environment: dict[str, str]) -> None:
    try:
        settings = load_settings(flags, environment=environment, config_file=file)
    except ConfigError:
        return
    assert 0 <= settings.http_port <= 65535
    assert settings.max_viewers >= 1
    assert settings.socket_idle >= 0
    assert len(settings.account_id) == 12
    assert all(server.secret for server in settings.turn)

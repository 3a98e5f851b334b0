"""Options that say how media reaches the viewers."""

from __future__ import annotations

import argparse

import pytest

from sightline.cli.parser import build_parser
from sightline.cli.paths import ice_config_from


def parsed(*options: str) -> argparse.Namespace:
    return build_parser().parse_args(["master", "porch", *options])


def test_the_options_become_the_engines_settings() -> None:
    config = ice_config_from(
        parsed(
            *("--udp-ports", "50000-50100", "--advertise-ip", "203.0.113.7", "--advertise-ip", "2001:DB8::7"),
            *("--interface", "eth0", "--interface", "wlan0", "--relay-only"),
        )
    )
    assert config.udp_ports == (50000, 50100)
    assert config.advertise == ("203.0.113.7", "2001:db8::7")
    assert (config.interfaces, config.relay_only) == (("eth0", "wlan0"), True)


def test_without_them_everything_is_used() -> None:
    config = ice_config_from(parsed())
    assert (config.udp_ports, config.advertise, config.interfaces, config.relay_only) == (None, (), (), False)
    assert parsed().max_viewers is None
    assert parsed("--max-viewers", "3").max_viewers == 3
    assert ice_config_from(parsed("--udp-ports", "50000")).udp_ports == (50000, 50000)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        *(("--udp-ports", text) for text in ("", "5-", "50100-50000", "0-9", "1-65536", "a-b")),
        *(("--advertise-ip", text) for text in ("", "camera.example", "300.1.1.1")),
        *(("--max-viewers", text) for text in ("0", "-1", "many", "1.5")),
    ],
)
def test_what_cannot_be_is_refused(option: str, value: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parsed(f"{option}={value}")
    assert repr(value) in capsys.readouterr().err

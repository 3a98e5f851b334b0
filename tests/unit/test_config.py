"""Settings: where they come from, which one counts, and what is said of wrong ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from sightline.config import SETTINGS, Settings, TurnServer, data_dir_from, load_settings
from sightline.errors import ConfigError

TURN = 'urls = ["turn:turn.example:3478?transport=udp"]\nsecret = "north"\n'


def load(flags: dict[str, object] | None = None, *, file: Path | None = None, **environment: str) -> Settings:
    """From flags and environment variables only; nothing of the machine."""
    variables = {"SIGHTLINE_DATA_DIR": "/data", **{f"SIGHTLINE_{name}": value for name, value in environment.items()}}
    return load_settings(flags, environment=variables, config_file=file)


def refusal(flags: dict[str, object] | None = None, *, file: Path | None = None, **environment: str) -> str:
    with pytest.raises(ConfigError) as caught:
        load(flags, file=file, **environment)
    assert "\n" not in caught.value.message
    return caught.value.message


@pytest.fixture
def toml(tmp_path: Path) -> Path:
    return tmp_path / "sightline.toml"


def test_the_defaults_are_those_of_the_contract() -> None:
    settings = load()
    assert settings == Settings(data_dir=Path("/data"))
    assert (settings.http_port, settings.https_port, settings.turn_port) == (8080, 8443, 3478)
    assert (settings.region, settings.account_id, settings.tls) == ("us-west-2", "000000000000", "auto")
    assert (settings.max_viewers, settings.socket_idle, settings.socket_lifetime) == (100, 0.0, 0.0)


def test_a_setting_has_one_name_everywhere() -> None:
    assert {setting.name for setting in SETTINGS} | {"turn"} == set(Settings.__struct_fields__)
    port = next(setting for setting in SETTINGS if setting.name == "http_port")
    assert (port.environment, port.flag) == ("SIGHTLINE_HTTP_PORT", "--http-port")
    assert all(setting.help for setting in SETTINGS)
    assert [setting.name for setting in SETTINGS if setting.secret] == ["secret_access_key"]


def test_flag_then_environment_then_file_then_default(toml: Path) -> None:
    toml.write_text('http_port = 1\nhttps_port = 1\nmax_viewers = 1\nregion = "eu-north-1"\n')
    settings = load({"http_port": "3", "region": None}, file=toml, HTTP_PORT="2", HTTPS_PORT="2", REGION="")
    assert (settings.http_port, settings.https_port, settings.max_viewers) == (3, 2, 1)
    assert settings.region == "eu-north-1", "an empty variable is as good as none"
    assert settings.turn_port == 3478


def test_the_file_may_be_named_in_the_environment(toml: Path, tmp_path: Path) -> None:
    toml.write_text("http_port = 7\n")
    assert load(CONFIG=str(toml)).http_port == 7
    other = tmp_path / "other.toml"
    other.write_text("http_port = 8\n")
    assert load(file=other, CONFIG=str(toml)).http_port == 8


def test_the_environment_of_the_process_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIGHTLINE_HTTP_PORT", "12345")
    assert load_settings().http_port == 12345


def test_the_data_directory_is_where_the_state_of_a_user_belongs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ann")
    assert data_dir_from({}) == Path("/home/ann/.local/state/sightline")
    assert data_dir_from({"XDG_STATE_HOME": "/state"}) == Path("/state/sightline")
    assert data_dir_from({"XDG_STATE_HOME": "/state", "SIGHTLINE_DATA_DIR": "~/cam"}) == Path("/home/ann/cam")
    assert load_settings({"data_dir": "~/x"}, environment={}).data_dir == Path("/home/ann/x")


class TestValues:
    def test_lists(self, toml: Path) -> None:
        assert load(BIND="127.0.0.1, ::1 ,").bind == ("127.0.0.1", "::1")
        assert load(PUBLIC_HOST="cam.example").public_host == ("cam.example",)
        toml.write_text('bind = ["10.0.0.1", "::1"]\npublic_host = "a.example,b.example"\n')
        settings = load(file=toml)
        assert (settings.bind, settings.public_host) == (("10.0.0.1", "::1"), ("a.example", "b.example"))

    def test_ports_may_be_off(self, toml: Path) -> None:
        assert load(TURN_PORT="off", HTTPS_PORT="off").turn_port == 0
        toml.write_text('turn_port = "off"\n')
        assert load(file=toml).turn_port == 0

    def test_durations(self) -> None:
        settings = load(SOCKET_IDLE="600", SOCKET_LIFETIME="0.5")
        assert (settings.socket_idle, settings.socket_lifetime) == (600.0, 0.5)

    def test_paths(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HOME", "/home/ann")
        settings = load(TLS_CERT="~/cert.pem", TLS_KEY="key.pem")
        assert (settings.tls_cert, settings.tls_key) == (Path("/home/ann/cert.pem"), Path("key.pem"))

    @pytest.mark.parametrize(
        ("name", "value", "says"),
        [
            ("HTTP_PORT", "0", "port from 1 to 65535, or off"),
            ("HTTP_PORT", "65536", "port from 1 to 65535, or off"),
            ("HTTPS_PORT", "-1", "port from 1 to 65535, or off"),
            ("TURN_PORT", "http", "whole number"),
            ("HTTP_PORT", "80.5", "whole number"),
            ("HTTP_PORT", "9" * 5000, "whole number"),
            ("MAX_VIEWERS", "0", "1 or more"),
            ("MAX_CHANNELS", "many", "whole number"),
            ("MESSAGE_RATE", "-5", "1 or more"),
            ("SOCKET_IDLE", "-1", "0 or more"),
            ("SOCKET_IDLE", "nan", "0 or more"),
            ("SOCKET_LIFETIME", "inf", "0 or more"),
            ("SOCKET_LIFETIME", "1h", "number of seconds"),
            ("ACCOUNT_ID", "12345678901", "12 digits"),
            ("ACCOUNT_ID", "1234567890123", "12 digits"),
            ("ACCOUNT_ID", "12345678901a", "12 digits"),
            ("REGION", "US West", "like us-west-2"),
            ("REGION", "x" * 33, "like us-west-2"),
            ("TLS", "on", "auto or off"),
            ("PUBLIC_URL", "cam.example", "like https://cam.example"),
            ("PUBLIC_URL", "ws://cam.example", "like https://cam.example"),
            ("PUBLIC_URL", "https://cam.example/?x=1", "like https://cam.example"),
            ("PUBLIC_URL", "https://cam .example", "like https://cam.example"),
            ("TURN_TLS_PORT", "tls", "whole number"),
            ("STUN_PORT", "70000", "port from 1 to 65535, or off"),
            ("TURN_EXTERNAL_IP", "cam.example", "IP addresses"),
            ("TURN_ALLOW_PEER", "10.0.0.0/33", "networks like"),
            ("TURN_PORTS", "49152", "like 49152-65535"),
            ("TURN_PORTS", "2000-1999", "like 49152-65535"),
            ("TURN_PORTS", "80-90", "from 1024 up"),
            ("TURN_ALLOCATIONS", "0", "1 or more"),
            ("TURN_MBPS", "x", "whole number"),
            ("LOG_FORMAT", "xml", "text or json"),
            ("LOG_LEVEL", "loud", "debug, info, warning or error"),
        ],
    )
    def test_a_wrong_one_is_named_with_what_it_is(self, name: str, value: str, says: str) -> None:
        message = refusal(**{name: value})
        assert f"SIGHTLINE_{name}" in message
        assert says in message
        assert value[:100] in message

    def test_a_flag_is_called_by_its_flag_and_a_line_of_the_file_by_its_file(self, toml: Path) -> None:
        assert refusal({"http_port": "x"}, HTTP_PORT="5").startswith("--http-port must be")
        toml.write_text("http_port = true\nmax_viewers = -1\n")
        assert refusal(file=toml, HTTP_PORT="5").startswith(f"max_viewers in {toml} must be")

    @pytest.mark.parametrize(
        "url", ["https://cam.example", "http://10.0.0.1:8080/base/path", "https://[2001:db8::1]:8443/"]
    )
    def test_public_urls(self, url: str) -> None:
        assert load(PUBLIC_URL=url).public_url == url

    @pytest.mark.parametrize("one", ["ACCESS_KEY_ID", "SECRET_ACCESS_KEY"])
    def test_the_first_key_is_whole_or_not_there(self, one: str) -> None:
        assert "together" in refusal(**{one: "x"})

    def test_the_first_key_may_have_any_length(self) -> None:
        settings = load(ACCESS_KEY_ID="a", SECRET_ACCESS_KEY="b")
        assert (settings.access_key_id, settings.secret_access_key) == ("a", "b")

    @pytest.mark.parametrize("key_id", ["a b", "a/b", "ü", "x" * 129])
    def test_a_key_id_stands_in_headers_and_scopes(self, key_id: str) -> None:
        assert "SIGHTLINE_ACCESS_KEY_ID" in refusal(ACCESS_KEY_ID=key_id, SECRET_ACCESS_KEY="b")

    @pytest.mark.parametrize("one", ["TLS_CERT", "TLS_KEY"])
    def test_a_certificate_needs_its_key(self, one: str) -> None:
        assert "together" in refusal(**{one: "x.pem"})

    def test_no_secret_shows_in_a_repr(self, toml: Path) -> None:
        toml.write_text(f"[[turn]]\n{TURN}")
        settings = load(file=toml, ACCESS_KEY_ID="a", SECRET_ACCESS_KEY="geheim")
        assert "geheim" not in repr(settings)
        assert "north" not in repr(settings.turn)
        assert "/data" in repr(settings)


class TestFile:
    def test_turn_servers(self, toml: Path) -> None:
        toml.write_text(f'[[turn]]\n{TURN}[[turn]]\nurls = ["turns:t:443?transport=tcp"]\nsecret = "south"\n')
        assert load(file=toml).turn == (
            TurnServer(("turn:turn.example:3478?transport=udp",), "north"),
            TurnServer(("turns:t:443?transport=tcp",), "south"),
        )

    def test_one_turn_server_is_a_table(self, toml: Path) -> None:
        toml.write_text(f"[turn]\n{TURN}")
        assert load(file=toml).turn == (TurnServer(("turn:turn.example:3478?transport=udp",), "north"),)

    def test_the_relay(self, toml: Path) -> None:
        toml.write_text(
            'turn_allow_peer = ["10.0.0.0/8", "fd00::/8"]\nturn_tls_port = "off"\nturn_ports = "2000-2009"\n'
        )
        settings = load(file=toml, TURN_EXTERNAL_IP="198.51.100.7, 2001:db8::7", STUN_PORT="443")
        assert settings.turn_allow_peer == ("10.0.0.0/8", "fd00::/8")
        assert settings.turn_external_ip == ("198.51.100.7", "2001:db8::7")
        assert settings.turn_port_range == (2000, 2009)
        assert (settings.turn_tls_port, settings.stun_port) == (0, 443)

    @pytest.mark.parametrize(
        ("text", "says"),
        [
            ("[[turn]]\nurls = []\nsecret = 's'", "1 to 4 urls"),
            ("[[turn]]\nurls = ['turn:a:1?transport=udp']\nsecret = ''", "1 to 4 urls"),
            ("[[turn]]\nurls = ['turn:a:1?transport=udp']", "must have urls and secret"),
            ("[[turn]]\nurls = 'turn:a:1?transport=udp'\nsecret = 's'", "must have urls and secret"),
            ("turn = 5", "must have urls and secret"),
            ("[[turn]]\nurls = ['turn:a']\nsecret = 's'", "turn:HOST:PORT?transport=udp"),
            ("[[turn]]\nurls = ['turn:a?transport=udp']\nsecret = 's'", "turn:HOST:PORT?transport=udp"),
            ("[[turn]]\nurls = ['turn:a:1']\nsecret = 's'", "turn:HOST:PORT?transport=udp"),
            ("[[turn]]\nurls = ['stun:a:1?transport=udp']\nsecret = 's'", "turn:HOST:PORT?transport=udp"),
            ("htp_port = 1", "no setting 'htp_port'"),
            ("http_port = ", "is not TOML"),
            ("http_port = 1\nhttp_port = 2", "is not TOML"),
        ],
    )
    def test_a_wrong_one_is_one_sentence(self, toml: Path, text: str, says: str) -> None:
        toml.write_text(text)
        message = refusal(file=toml)
        assert says in message
        assert str(toml) in message

    def test_five_urls_are_too_many_for_the_c_sdk(self, toml: Path) -> None:
        urls = [f"turn:t{n}:1?transport=udp" for n in range(5)]
        toml.write_text(f"[[turn]]\nurls = {urls}\nsecret = 's'")
        assert "1 to 4 urls" in refusal(file=toml)

    def test_one_that_is_not_there_or_no_text(self, toml: Path) -> None:
        assert "cannot be read" in refusal(file=toml)
        assert "cannot be read" in refusal(file=toml.parent)
        toml.write_bytes(b"region = '\xff'")
        assert "is not TOML" in refusal(file=toml)


@pytest.mark.parametrize(
    "text",
    [
        "http_port = inf",
        "max_viewers = nan",
        "socket_idle = 1" + "0" * 400,
    ],
)
def test_values_that_only_a_file_can_hold(toml: Path, text: str) -> None:
    toml.write_text(text)
    assert text.partition(" ")[0] in refusal(file=toml)


def test_a_home_that_nobody_has() -> None:
    assert "~nobody-by-this-name" in refusal({"data_dir": "~nobody-by-this-name/x"})


@pytest.mark.parametrize("value", ["١٢٣٤٥٦٧٨٩٠١٢", "１２３４５６７８９０１２"])
def test_digits_are_those_of_ascii(value: str) -> None:
    assert "12 digits" in refusal(ACCOUNT_ID=value)


def test_a_public_url_that_is_none_in_spite_of_its_looks() -> None:
    assert "SIGHTLINE_PUBLIC_URL" in refusal(PUBLIC_URL="https://[cam")

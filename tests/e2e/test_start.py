"""How the service starts, what it says when it cannot, and what lies in its data directory."""

from __future__ import annotations

import configparser
import json
import re
import socket
import ssl
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.kvs import Kvs
from tests.harness.probe import ask
from tests.harness.service import Service
from tests.harness.signing import Key


@pytest.fixture(scope="module")
def configured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service with many settings, each of which is looked at by a test of its own."""
    settings = {
        "SIGHTLINE_REGION": "eu-west-3",
        "SIGHTLINE_ACCOUNT_ID": "123456789012",
        "SIGHTLINE_LOG_FORMAT": "json",
        "SIGHTLINE_BIND": "0.0.0.0",
        "SIGHTLINE_TURN_PORT": "off",
    }
    with Service(tmp_path_factory.mktemp("configured"), environment=settings) as service:
        yield service


@pytest.fixture(scope="module")
def far_kvs(configured: Service) -> Iterator[Kvs]:
    """Its administrator."""
    with Kvs(configured, region="eu-west-3") as user:
        yield user


def failed_start(folder: Path, **environment: str) -> tuple[int, list[str]]:
    """Start a service that cannot start: its exit code and the lines that it printed."""
    started = Service(folder, environment=environment, wait=False)
    code = started.command.wait(within=60)
    assert "Traceback" not in started.command.output, started.command.output
    return code, [line for line in started.command.output.splitlines() if line.strip()]


@pytest.mark.parametrize("setting", ["SIGHTLINE_HTTP_PORT", "SIGHTLINE_HTTPS_PORT"])
def test_a_busy_port_is_one_sentence(tmp_path: Path, setting: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        code, lines = failed_start(tmp_path, **{setting: port})
    assert code == 1
    assert len(lines) == 1, lines
    assert port in lines[0]


def test_a_second_start_on_one_data_directory_is_one_sentence(service: Service) -> None:
    code, lines = failed_start(service.folder)
    assert code == 1
    assert len(lines) == 1, lines
    assert str(service.data_dir) in lines[0]
    assert service.answers("/readyz") == 200


def test_a_data_directory_that_cannot_be_made_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    code, lines = failed_start(tmp_path, SIGHTLINE_DATA_DIR=str(tmp_path / "file" / "data"))
    assert code == 1
    assert len(lines) == 1, lines
    assert "file" in lines[0]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SIGHTLINE_HTTP_PORT", "eighty"),
        ("SIGHTLINE_HTTP_PORT", "70000"),
        ("SIGHTLINE_ACCOUNT_ID", "12"),
        ("SIGHTLINE_PUBLIC_URL", "not a url"),
        ("SIGHTLINE_TLS_CERT", "/nowhere/cert.pem"),
        ("SIGHTLINE_CONFIG", "/nowhere/sightline.toml"),
    ],
)
def test_a_wrong_setting_is_named(tmp_path: Path, name: str, value: str) -> None:
    code, lines = failed_start(tmp_path, **{name: value})
    assert code in (1, 2)
    assert len(lines) == 1, lines
    named = (name, name.removeprefix("SIGHTLINE_").lower(), value)
    assert any(each in lines[0].replace("--", "").replace("-", "_") for each in named)


def test_a_busy_stun_port_is_a_warning(tmp_path: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("0.0.0.0", 0))
        port = str(taken.getsockname()[1])
        with Service(tmp_path, environment={"SIGHTLINE_TURN_PORT": port}) as service, Kvs(service) as kvs:
            assert port in service.command.output
            kvs.master(kvs.create()).close()


def test_stun_can_be_switched_off(far_kvs: Kvs) -> None:
    far_kvs.viewer(far_kvs.create()).close()


def test_what_lies_in_the_data_directory_is_for_its_owner_only(tmp_path: Path) -> None:
    with Service(tmp_path, admin=None) as service:
        modes = {path: stat.S_IMODE(path.stat().st_mode) for path in service.data_dir.rglob("*")}
        modes[service.data_dir] = stat.S_IMODE(service.data_dir.stat().st_mode)
    public = {service.ca_file}
    wrong = {
        str(path.relative_to(service.folder)): oct(mode)
        for path, mode in modes.items()
        if path not in public and mode != (0o700 if path.is_dir() else 0o600)
    }
    assert {path.suffix for path in modes} >= {".pem"}
    assert wrong == {}


def test_the_first_key_is_made_and_its_place_is_printed_when_none_is_given(tmp_path: Path) -> None:
    with Service(tmp_path, admin=None) as service:
        path = service.data_dir / "credentials"
        service.command.wait_for_output(re.escape(str(path)))  # said when it has begun to answer
        profile = configparser.ConfigParser()
        profile.read(path)
        key = Key(profile["default"]["aws_access_key_id"], profile["default"]["aws_secret_access_key"])
        assert key.secret_access_key not in service.command.output
        with Kvs(service, key) as kvs:
            kvs.create()
        written = path.read_text(encoding="utf-8")
    with Service(tmp_path, admin=None) as again, Kvs(again, key) as kvs:
        assert path.read_text(encoding="utf-8") == written
        kvs.create()


def test_healthz_and_readyz_answer_on_both_listeners_and_metrics_on_loopback_only(service: Service, kvs: Kvs) -> None:
    with kvs.master(kvs.create()):
        for tls in (False, True):
            assert ask(service, "GET", "/healthz", tls=tls).status == 200
            assert ask(service, "GET", "/readyz", tls=tls).status == 200
        metrics = ask(service, "GET", "/metrics")
        assert metrics.status == 200
        assert b"sightline" in metrics.body
    assert ask(service, "GET", "/metrics", tls=True).status in (403, 404)


def test_region_and_account_are_configurable(far_kvs: Kvs) -> None:
    arn = far_kvs.create("elsewhere")
    assert arn.startswith("arn:aws:kinesisvideo:eu-west-3:123456789012:channel/elsewhere/")
    far_kvs.master(arn).close()


def test_a_real_certificate_takes_the_place_of_the_local_ca(tmp_path: Path) -> None:
    request = (
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 -subj /CN=cams.example "
        "-addext subjectAltName=DNS:cams.example,DNS:localhost -keyout key.pem -out cert.pem"
    )
    subprocess.run(request.split(), cwd=tmp_path, check=True, capture_output=True)
    settings = {"SIGHTLINE_TLS_CERT": str(tmp_path / "cert.pem"), "SIGHTLINE_TLS_KEY": str(tmp_path / "key.pem")}
    with Service(tmp_path, environment=settings) as service:
        context = ssl.create_default_context(cafile=str(tmp_path / "cert.pem"))
        with (
            socket.create_connection(("127.0.0.1", service.https_port), timeout=30) as plain,
            context.wrap_socket(plain, server_hostname="cams.example") as tls,
        ):
            assert tls.version() in {"TLSv1.2", "TLSv1.3"}
        assert not service.ca_file.exists()


def test_log_lines_say_whose_they_are(configured: Service, far_kvs: Kvs) -> None:
    arn = far_kvs.create("porch")
    with far_kvs.master(arn), far_kvs.viewer(arn, "neighbour-7"):
        pass
    lines = configured.command.json_lines
    about = [line for line in lines if "neighbour-7" in json.dumps(line)]
    assert about
    for line in about:
        text = json.dumps(line)
        assert "porch" in text
        assert {"channel", "client_id"} <= set(line) or {"channel", "clientId"} <= set(line), line
    assert configured.admin.secret_access_key not in configured.command.output


def test_the_plain_listener_is_on_loopback_only(configured: Service) -> None:
    for family, wildcard in (("tcp", "00000000"), ("tcp6", "0" * 32)):
        listening = [line.split() for line in Path(f"/proc/net/{family}").read_text().splitlines()[1:]]
        addresses = {fields[1] for fields in listening if fields[3] == "0A"}
        assert f"{wildcard}:{configured.http_port:04X}" not in addresses
    assert configured.answers("/healthz") == 200


def test_the_certificate_names_the_hosts_that_clients_use_and_is_renewed_when_they_change(tmp_path: Path) -> None:
    first = Service(tmp_path, environment={"SIGHTLINE_PUBLIC_HOST": "cams.example"})
    assert "cams.example" in names_of(first)
    authority = first.ca_file.read_bytes()
    assert first.stop() == 0
    with Service(tmp_path, environment={"SIGHTLINE_PUBLIC_HOST": "door.example,192.0.2.7"}) as second:
        names = names_of(second)
        assert {"door.example", "192.0.2.7", "localhost", "127.0.0.1"} <= names
        assert "cams.example" not in names
        assert second.ca_file.read_bytes() == authority


def names_of(service: Service) -> set[str]:
    """The names and addresses in the certificate that the service shows."""
    with (
        socket.create_connection(("127.0.0.1", service.https_port), timeout=30) as plain,
        service.tls_context().wrap_socket(plain, server_hostname="localhost") as tls,
    ):
        certificate = tls.getpeercert()
    assert certificate is not None
    return {str(value) for _kind, value in certificate["subjectAltName"]}  # type: ignore[misc]

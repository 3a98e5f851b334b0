"""Which service, which key, which certificates: by arguments, environment and the local service's files."""

from __future__ import annotations

from pathlib import Path

import pytest

from sightline.client.target import find_target, is_loopback, read_credentials_file
from sightline.errors import ConfigError
from sightline.wire.sigv4 import Credentials


def environment(tmp_path: Path, **more: str) -> dict[str, str]:
    return {"SIGHTLINE_DATA_DIR": str(tmp_path), **more}


def write_key(data_dir: Path, key: str = "AKFILE") -> None:
    (data_dir / "credentials").write_text(
        f"# made by sightline\n[default]\naws_access_key_id = {key}\naws_secret_access_key = se/cr%et=\n"
    )


def test_the_default_is_the_service_on_this_machine(tmp_path: Path) -> None:
    write_key(tmp_path)
    target = find_target(environment=environment(tmp_path))
    assert target.endpoint == "http://localhost:8080"
    assert target.region == "us-west-2"
    assert target.credentials == Credentials("AKFILE", "se/cr%et=")
    assert target.credentials_from == str(tmp_path / "credentials")
    with (tmp_path / "credentials").open("a") as file:
        file.write("region = eu-north-1\n")
    assert find_target(environment=environment(tmp_path)).region == "eu-north-1"
    assert target.is_loopback
    assert not target.is_aws


@pytest.mark.parametrize(
    ("argument", "variables", "endpoint"),
    [
        (None, {"SIGHTLINE_HTTP_PORT": "9000"}, "http://localhost:9000"),
        (None, {"AWS_ENDPOINT_URL_KINESIS_VIDEO": "https://a.example:8443/"}, "https://a.example:8443"),
        (
            None,
            {"SIGHTLINE_ENDPOINT": "https://b.example", "AWS_ENDPOINT_URL_KINESIS_VIDEO": "https://a.example"},
            "https://b.example",
        ),
        ("http://localhost:1", {"SIGHTLINE_ENDPOINT": "https://b.example"}, "http://localhost:1"),
        # Nothing but the word leads to AWS: not a key, not AWS's own variable for all services.
        (None, {"AWS_ENDPOINT_URL": "https://c.example", "AWS_ACCESS_KEY_ID": "AK"}, "http://localhost:8080"),
        ("aws", {"SIGHTLINE_ENDPOINT": "https://b.example"}, "aws"),
    ],
)
def test_which_endpoint(tmp_path: Path, argument: str | None, variables: dict[str, str], endpoint: str) -> None:
    assert find_target(argument, environment=environment(tmp_path, **variables)).endpoint == endpoint


@pytest.mark.parametrize("bad", ["localhost:8080", "ftp://x", "http://", "http://h:99999", "http://h/?q", "AWS"])
def test_what_is_no_endpoint_is_a_sentence(tmp_path: Path, bad: str) -> None:
    with pytest.raises(ConfigError, match="is not an endpoint"):
        find_target(bad, environment=environment(tmp_path))


def test_which_key(tmp_path: Path) -> None:
    ours = {"SIGHTLINE_ACCESS_KEY_ID": "AKENV", "SIGHTLINE_SECRET_ACCESS_KEY": "s"}
    aws = {"AWS_ACCESS_KEY_ID": "AKAWS", "AWS_SECRET_ACCESS_KEY": "s"}

    def key(endpoint: str | None, **variables: str) -> str | None:
        found = find_target(endpoint, environment=environment(tmp_path, **variables)).credentials
        return found.access_key_id if found else None

    assert key(None) is None
    assert key(None, **aws) is None  # botocore's chain finds it
    write_key(tmp_path)
    assert key(None, **aws) == "AKFILE"
    assert key(None, **aws, **ours) == "AKENV"
    assert key("https://far.example") == "AKFILE"
    assert key("https://far.example", **aws) is None
    # The local service's key is never shown to AWS.
    assert key("aws") is None
    assert key("aws", **ours) is None
    given = Credentials("AKARG", "s")
    assert find_target("aws", credentials=given, environment=environment(tmp_path)).credentials == given


def test_half_a_key_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="given together"):
        find_target(environment=environment(tmp_path, SIGHTLINE_ACCESS_KEY_ID="x"))


def test_which_region(tmp_path: Path) -> None:
    def region(endpoint: str | None, **variables: str) -> str | None:
        return find_target(endpoint, environment=environment(tmp_path, **variables)).region

    # A shell set up for AWS in Frankfurt says nothing about the service on this machine ...
    assert region(None, AWS_REGION="eu-central-1") == "us-west-2"
    # ... unless the shell names this service in AWS's own variables.
    assert region(None, AWS_REGION="eu-central-1", AWS_ENDPOINT_URL_KINESIS_VIDEO="http://localhost:8080") is None
    assert region("https://far.example", AWS_REGION="eu-central-1") is None  # botocore reads it
    assert region("https://far.example", SIGHTLINE_REGION="eu-north-1") == "eu-north-1"
    assert region("aws", SIGHTLINE_REGION="eu-north-1") == "eu-north-1"


def test_which_certificates(tmp_path: Path) -> None:
    (tmp_path / "tls").mkdir()
    ca = tmp_path / "tls" / "ca.pem"
    ca.write_text("x")
    plain = find_target("http://localhost:8080", environment=environment(tmp_path))
    secure = find_target("https://localhost:8443", environment=environment(tmp_path))
    given = find_target("https://h", environment=environment(tmp_path, AWS_CA_BUNDLE="/a", SIGHTLINE_CA_BUNDLE="/b"))
    amazon = find_target("aws", environment=environment(tmp_path))
    assert plain.local_ca is None
    assert plain.ca_files == (ca,), "for TURN over TLS"
    assert secure.local_ca == ca
    proxied = find_target("https://localhost:8443", environment=environment(tmp_path, AWS_CA_BUNDLE="/a"))
    assert (given.ca_bundle, given.ca_files) == (Path("/b"), (Path("/b"),))
    # A shell behind an inspecting proxy has AWS_CA_BUNDLE set for good; the own service must work all the same.
    assert (proxied.ca_bundle, proxied.local_ca, proxied.ca_files) == (None, ca, (Path("/a"), ca))
    assert amazon.local_ca is None


def test_a_credentials_file_that_cannot_be_used_is_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "credentials"
    assert read_credentials_file(path) is None
    for content in ("", "junk", "[other]\na = b\n", "[default]\naws_access_key_id = x\n"):
        path.write_text(content)
        with pytest.raises(ConfigError, match="holds no key"):
            read_credentials_file(path)
    path.unlink()
    path.mkdir()
    with pytest.raises(ConfigError, match="cannot be read"):
        read_credentials_file(path)


def test_what_is_loopback() -> None:
    for url in ("http://localhost:1", "http://127.0.0.9", "http://[::1]:8080", "https://x.localhost"):
        assert is_loopback(url)
    for url in ("http://localhost.example", "http://192.168.0.1", "http://[2001:db8::1]"):
        assert not is_loopback(url)

"""What `channel`, `credentials`, `link` and `env` do and print, against a fake service."""

from __future__ import annotations

import json
import shlex
import subprocess
from pathlib import Path

import pytest

from tests.unit.cli.conftest import Run
from tests.unit.client.fake_kvs import ARN, KEY, SECRET, FakeKvs

pytestmark = pytest.mark.realtime

# ------------------------------------------------------------------------------------------- channel


def test_channels_for_people(run: Run, kvs: FakeKvs) -> None:
    assert run("channel", "list") == (0, "No channels. Make one with `sightline channel create NAME`.\n", "")
    assert run("channel", "create", "porch", "--ttl", "30", "--tag", "room=outside", "--tag", "floor=0") == (
        0,
        ARN.format("porch") + "\n",
        "",
    )
    assert run("channel", "update", "porch", "--ttl", "90") == (0, "", "")
    assert run("channel", "tag", "porch", "floor=1", "a=b=c") == (0, "", "")
    assert run("channel", "untag", "porch", "room") == (0, "", "")
    code, out, _ = run("channel", "describe", "porch")
    assert code == 0
    assert "messages kept  90 s" in out
    assert "tags           a=b=c floor=1" in out
    code, out, _ = run("channel", "list")
    header, row = out.splitlines()
    assert header.split() == ["NAME", "STATUS", "CREATED", "TTL", "TAGS", "ARN"]
    assert row.startswith("porch  ACTIVE")
    assert row.index("a=b=c") == header.index("TAGS")
    assert run("channel", "delete", ARN.format("porch")) == (0, "", "")
    code, _, err = run("channel", "describe", "porch")
    assert (code, err.startswith("sightline: There is no channel 'porch'")) == (1, True)


def test_channels_for_scripts(run: Run, kvs: FakeKvs) -> None:
    code, out, _ = run("channel", "create", "a", "--json", "--tag", "k=1")
    assert code == 0
    assert json.loads(out)["arn"] == ARN.format("a")
    kvs.add("b", k="2")
    code, out, _ = run("channel", "list", "--tag", "k=2", "--json")
    (only,) = json.loads(out)
    assert (only["name"], only["tags"], only["messageTtl"]) == ("b", {"k": "2"}, 60)
    assert json.loads(run("channel", "list", "--prefix", "c", "--json")[1]) == []
    assert json.loads(run("channel", "describe", "a", "--json")[1])["tags"] == {"k": "1"}


# --------------------------------------------------------------------------------------- credentials


def test_a_new_key_is_shown_as_a_profile(run: Run, kvs: FakeKvs) -> None:
    code, out, _ = run("credentials", "create", "--role", "viewer", "--channel", "cam-*", "--expires", "1h")
    assert code == 0
    assert out.splitlines()[1:] == ["[aknew]", "aws_access_key_id = AKNEW", "aws_secret_access_key = S3CRET"]
    assert out.startswith("# viewer on cam-*, until 20")
    assert kvs.requests[-1][1] == {"role": "viewer", "channel": "cam-*", "expiresIn": 3600, "note": ""}
    code, out, _ = run("credentials", "create", "--role", "master", "--json")
    assert json.loads(out)["secretAccessKey"] == "S3CRET"
    assert kvs.requests[-1][1]["expiresIn"] is None


def test_keys_are_listed_without_secrets_and_revoked(run: Run, kvs: FakeKvs) -> None:
    code, out, _ = run("credentials", "list")
    assert code == 0
    assert [line.split()[:4] for line in out.splitlines()] == [
        ["KEY", "ROLE", "CHANNEL", "STATE"],
        ["AKONE", "admin", "*", "active"],
        ["AKTWO", "viewer", "*", "revoked"],
    ]
    assert [key["accessKeyId"] for key in json.loads(run("credentials", "list", "--json")[1])] == ["AKONE", "AKTWO"]
    assert run("credentials", "revoke", "AKTWO") == (0, "AKTWO is revoked; 2 of its sockets closed.\n", "")
    assert run("credentials", "revoke", "AKNONE")[0] == 1


# ---------------------------------------------------------------------------------------------- link


def test_a_link_for_people_has_a_qr_code(run: Run, kvs: FakeKvs) -> None:
    code, out, _ = run("link", "demo", "--expires", "30m")
    assert code == 0
    assert out.startswith("https://cam.example:8443/view/demo#T0KEN\n")
    assert "█" in out
    assert "can watch demo until" in out
    assert "sightline link --revoke=l1" in out
    assert kvs.requests[-1][1] == {"channel": "demo", "role": "viewer", "expiresIn": 1800}
    assert "█" not in run("link", "demo", "--no-qr")[1]


def test_a_link_for_scripts(run: Run, kvs: FakeKvs) -> None:
    code, out, _ = run("link", "demo", "--role", "master", "--json")
    assert code == 0
    link = json.loads(out)
    assert (link["role"], link["token"], link["urls"][0]) == (
        "master",
        "T0KEN",
        "https://cam.example:8443/view/demo#T0KEN",
    )
    assert kvs.requests[-1][1]["expiresIn"] == 8 * 3600


def test_links_are_listed_and_revoked(run: Run, kvs: FakeKvs) -> None:
    entry = {"linkId": "-l1", "channel": "demo", "role": "viewer", "expiresAt": 1790000000, "state": "active"}
    kvs.override["/sightline/v1/links/list"] = (200, {"links": [entry]})
    kvs.override["/sightline/v1/links/revoke"] = (200, {"closedSockets": 1})
    assert run("link", "--list")[1].splitlines()[1].split()[:4] == ["-l1", "demo", "viewer", "active"]
    assert json.loads(run("link", "--list", "--json")[1])[0]["linkId"] == "-l1"
    assert run("link", "--revoke=-l1") == (0, "The link -l1 is revoked; 1 of its sockets closed.\n", "")


# ----------------------------------------------------------------------------------------------- env


@pytest.fixture
def data_dir(environment: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A service's data directory on this machine, with its key."""
    directory = tmp_path / "data"
    directory.mkdir()
    (directory / "credentials").write_text(
        f"[default]\naws_access_key_id = {KEY}\naws_secret_access_key = {SECRET}\nregion = eu-north-1\n"
    )
    return directory


def exported(script: str) -> dict[str, str]:
    """The variables that a shell has after it has read the script."""
    done = subprocess.run(
        ["/bin/sh", "-c", f"{script}\nenv"], capture_output=True, text=True, check=True, env={"PATH": "/usr/bin:/bin"}
    )
    lines = (line.partition("=") for line in done.stdout.splitlines())
    return {name: value for name, _, value in lines if name not in ("PATH", "PWD", "SHLVL", "_", "OLDPWD")}


@pytest.mark.parametrize("client", ["boto3", "js", "c", "gst", "go2rtc", "python"])
def test_no_client_needs_the_secret_printed(run: Run, data_dir: Path, client: str) -> None:
    for more in ((), ("--json",)):
        code, out, err = run("env", "--for", client, *more)
        assert (code, err) == (0, "")
        assert SECRET not in out


def test_boto3(run: Run, data_dir: Path) -> None:
    variables = exported(run("env", "--for", "boto3")[1])
    assert variables == {
        "AWS_ENDPOINT_URL_KINESIS_VIDEO": "http://localhost:8080",
        "AWS_REGION": "eu-north-1",
        "AWS_DEFAULT_REGION": "eu-north-1",
        "AWS_SHARED_CREDENTIALS_FILE": str(data_dir / "credentials"),
        "AWS_PROFILE": "default",
    }
    far = exported(run("env", "--for", "boto3", "--endpoint", "https://localhost:8443", "--show-secret")[1])
    assert far["AWS_ENDPOINT_URL_KINESIS_VIDEO"] == "https://localhost:8443"
    assert far["AWS_CA_BUNDLE"] == str(data_dir / "tls" / "ca.pem")
    assert (far["AWS_ACCESS_KEY_ID"], far["AWS_SECRET_ACCESS_KEY"]) == (KEY, SECRET)


def test_the_c_sdk_gets_port_443_and_the_secret_through_the_shell(run: Run, data_dir: Path) -> None:
    out = run("env", "--for", "c", "--channel", "porch")[1]
    variables = exported(out)
    assert variables["CONTROL_PLANE_URI"] == "https://localhost"
    assert variables["AWS_KVS_CACERT_PATH"] == str(data_dir / "tls" / "ca.pem")
    assert variables["AWS_SECRET_ACCESS_KEY"] == SECRET
    assert "this service's TLS is on 8443: start it with --https-port 443" in out
    assert "kvsWebrtcClientMaster porch" in out


def test_the_c_sdk_on_443_needs_nothing_said(run: Run, data_dir: Path, environment: pytest.MonkeyPatch) -> None:
    environment.setenv("SIGHTLINE_HTTPS_PORT", "443")
    environment.setenv("SIGHTLINE_PUBLIC_HOST", "cam.example")
    out = run("env", "--for", "c")[1]
    assert exported(out)["CONTROL_PLANE_URI"] == "https://cam.example"
    assert "iptables" not in out


def test_javascript(run: Run, data_dir: Path) -> None:
    out = run("env", "--for", "js")[1]
    assert exported(out)["NODE_EXTRA_CA_CERTS"] == str(data_dir / "tls" / "ca.pem")
    assert 'endpoint: "https://localhost:8443"' in out
    assert "correctClockSkew: true" in out


def test_gstreamer(run: Run, data_dir: Path) -> None:
    out = run("env", "--for", "gst")[1]
    ca = data_dir / "tls" / "ca.pem"
    assert exported(out)["AWS_ENDPOINT_URL_KINESIS_VIDEO"] == "https://localhost:8443"
    assert f'signaller::channel-name="demo" signaller::cafile={ca}' in out


def test_python(run: Run, data_dir: Path) -> None:
    assert exported(run("env", "--for", "python")[1])["SIGHTLINE_ENDPOINT"] == "http://localhost:8080"


def test_a_key_of_the_environment_is_named_and_not_printed(run: Run, kvs: FakeKvs) -> None:
    out = run("env", "--for", "boto3")[1]
    assert 'export AWS_SECRET_ACCESS_KEY="$SIGHTLINE_SECRET_ACCESS_KEY"' in out
    assert SECRET not in out


def test_go2rtc_asks_for_a_fresh_url_each_time(run: Run, kvs: FakeKvs, data_dir: Path) -> None:
    kvs.add("porch")
    out = run("env", "--for", "go2rtc", "--channel", "porch")[1]
    comment, streams, line = out.splitlines()
    assert comment.startswith("# go2rtc.yaml")
    assert streams == "streams:"
    name, echo, command = line.strip().split(":", 2)
    assert (name, echo.strip()) == ("porch", "echo")
    arguments = shlex.split(command)
    code, source, _ = run(*arguments[arguments.index("env") :])
    assert code == 0
    url, *fragments = source.strip().split("#")
    assert url.startswith("webrtc:ws://localhost:")
    assert "X-Amz-Signature=" in url
    parts = dict(fragment.split("=", 1) for fragment in fragments)
    assert parts["format"] == "kinesis"
    assert f"X-Amz-ClientId={parts['client_id']}" in url
    assert json.loads(parts["ice_servers"]) == [
        {"urls": ["stun:h:3478"]},
        {"urls": ["turn:h:3478?transport=udp"], "username": "1:x", "credential": "p"},
    ]


def test_aws_needs_no_pointing(run: Run) -> None:
    code, _, err = run("env", "--for", "boto3", "--endpoint", "aws")
    assert code == 1
    assert "AWS" in err

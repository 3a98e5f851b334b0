"""The command line as people and scripts use it: against a running service, with what their shell has set."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from typing import Any

import pytest

from tests.harness.access import session
from tests.harness.kvs import Kvs, Refused, unique_name
from tests.harness.polling import SOON
from tests.harness.service import Service, free_port, sightline_command
from tests.harness.signing import Key
from tests.harness.web import NODE_MODULES


def said(service: Service, *arguments: str, key: Key | None = None) -> str:
    """The output of a command that has to succeed."""
    finished = service.run(*arguments, key=key)
    assert finished.returncode == 0, finished.stderr
    return finished.stdout


def refused(service: Service, *arguments: str, key: Key | None = None) -> str:
    """What a command that has to fail says on its error output: one sentence or two, and no traceback."""
    finished = service.run(*arguments, key=key)
    assert finished.returncode == 1, finished
    assert "Traceback" not in finished.stderr
    assert 0 < len(finished.stderr.strip().splitlines()) <= 3
    assert finished.stdout == ""
    return finished.stderr


def test_a_channel_from_its_creation_to_its_end(service: Service, kvs: Kvs) -> None:
    name = unique_name("porch")
    arn = said(service, "channel", "create", name, "--ttl", "30", "--tag", "room=outside", "--tag", "floor=0").strip()
    info = kvs.control.describe_signaling_channel(ChannelName=name)["ChannelInfo"]
    assert info["ChannelARN"] == arn
    assert info["SingleMasterConfiguration"] == {"MessageTtlSeconds": 30}
    assert kvs.control.list_tags_for_resource(ResourceARN=arn)["Tags"] == {"room": "outside", "floor": "0"}

    described = said(service, "channel", "describe", name)
    assert arn in described
    assert "room=outside" in described
    assert json.loads(said(service, "channel", "describe", arn, "--json"))["name"] == name

    said(service, "channel", "update", name, "--ttl", "45")
    said(service, "channel", "tag", name, "room=inside", "light=on")
    said(service, "channel", "untag", name, "floor")
    assert kvs.control.list_tags_for_resource(ResourceARN=arn)["Tags"] == {"room": "inside", "light": "on"}
    info = kvs.control.describe_signaling_channel(ChannelName=name)["ChannelInfo"]
    assert info["SingleMasterConfiguration"] == {"MessageTtlSeconds": 45}

    said(service, "channel", "delete", name)
    assert name in refused(service, "channel", "describe", name)
    assert name in refused(service, "channel", "delete", name)


def test_the_list_can_be_narrowed_by_name_and_tags(service: Service, kvs: Kvs) -> None:
    stem = unique_name("list")
    for number, tags in ((1, "ab"), (2, "a"), (3, "")):
        kvs.create(f"{stem}-{number}", Tags=[{"Key": tag, "Value": "1"} for tag in tags])

    def listed(*narrowed: str) -> list[str]:
        found = json.loads(said(service, "channel", "list", "--prefix", stem, "--json", *narrowed))
        return [channel["name"].removeprefix(f"{stem}-") for channel in found]

    assert listed() == ["1", "2", "3"]
    assert listed("--tag", "a=1") == ["1", "2"]
    assert listed("--tag", "a=1", "--tag", "b=1") == ["1"]
    assert listed("--tag", "a=2") == []
    table = said(service, "channel", "list", "--prefix", stem)
    assert all(f"{stem}-{number}" in table for number in (1, 2, 3))


def test_a_key_that_was_made_works_until_it_is_revoked(service: Service, kvs: Kvs) -> None:
    arn = kvs.create(unique_name("garden"))
    made = json.loads(
        said(service, "credentials", "create", "--role", "viewer", "--channel", "garden-*", "--expires", "1h", "--json")
    )
    key = Key(made["accessKeyId"], made["secretAccessKey"])
    assert made["role"] == "viewer"
    assert arn in said(service, "channel", "describe", arn, key=key)
    assert "not authorized" in refused(service, "channel", "create", "another", key=key)
    with kvs.viewer(arn, "guest", key=key) as guest:
        listed = said(service, "credentials", "list")
        assert key.access_key_id in listed
        assert key.secret_access_key not in listed
        assert "1" in said(service, "credentials", "revoke", key.access_key_id)
        assert guest.wait_closed(SOON) not in (None, 1006)
    with pytest.raises(Refused):
        kvs.viewer(arn, "guest", key=key)
    refused(service, "channel", "describe", arn, key=key)


def test_a_link_is_printed_with_a_qr_code_and_can_be_taken_back(service: Service, kvs: Kvs) -> None:
    channel = unique_name("gate")
    kvs.create(channel)
    printed = said(service, "link", channel)
    found = re.search(rf"^https://\S+/view/{channel}#(\S+)$", printed, re.MULTILINE)
    assert found is not None, printed
    token = found[1]
    assert "█" in printed or "▀" in printed
    assert session(service, channel, token=token, tls=True).status == 200

    made = json.loads(said(service, "link", channel, "--expires", "15m", "--json"))
    assert session(service, channel, token=made["token"], tls=True).status == 200
    assert made["linkId"] in said(service, "link", "--list")
    said(service, "link", "--revoke", made["linkId"])
    assert session(service, channel, token=made["token"], tls=True).json["error"]["id"] == "link-revoked"
    assert session(service, channel, token=token, tls=True).status == 200


@pytest.mark.parametrize(
    "arguments",
    [
        ("link", "no-such-channel"),
        ("link", "no-such-channel", "--expires", "25h"),
        ("channel", "create", "not a name"),
        ("channel", "update", "no-such-channel", "--ttl", "60"),
        ("channel", "tag", "no-such-channel", "a=b"),
        ("credentials", "revoke", "AKIANOBODY"),
        ("master", "no-such-channel", "--source", "test"),
    ],
)
def test_what_cannot_be_done_is_told_in_a_sentence(service: Service, arguments: tuple[str, ...]) -> None:
    finished = service.run(*arguments)
    assert finished.returncode in (1, 2), finished
    assert finished.stderr.strip()
    assert "Traceback" not in finished.stderr


def test_a_wrong_secret_is_told_with_the_place_it_came_from(service: Service) -> None:
    assert "AWS" in refused(service, "channel", "list", key=Key(service.admin.access_key_id, "wrong"))


def test_no_service_is_told_with_its_address(service: Service) -> None:
    endpoint = f"http://localhost:{free_port()}"
    assert endpoint in refused(service, "channel", "list", "--endpoint", endpoint)


COMMANDS = [
    "",
    "serve",
    "demo",
    "master",
    "view",
    "doctor",
    "link",
    "channel",
    "channel create",
    "channel list",
    "credentials",
    "env",
]


@pytest.mark.parametrize("command", COMMANDS)
def test_help_has_examples(service: Service, command: str) -> None:
    printed = said(service, *command.split(), "--help")
    assert "sightline " in printed
    assert "examples:" in printed


def shell(service: Service, script: str) -> str:
    """Run a bash script that knows `sightline`, in the environment of the service's user."""
    environment = service.client_environment()
    environment["SIGHTLINE_DATA_DIR"] = str(service.data_dir)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION"):
        del environment[name]
    environment["SIGHTLINE_ACCESS_KEY_ID"] = service.admin.access_key_id
    environment["SIGHTLINE_SECRET_ACCESS_KEY"] = service.admin.secret_access_key
    environment["SIGHTLINE_HTTPS_PORT"] = str(service.https_port)
    finished = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", f'sightline() {{ {shlex.quote(sightline_command())} "$@"; }}\n{script}'],
        env=environment,
        cwd=service.folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    return finished.stdout


PYTHON_CLIENT = """
import boto3
kvs = boto3.client("kinesisvideo")
print(kvs.create_signaling_channel(ChannelName="NAME")["ChannelARN"])
"""
NODE_CLIENT = """
const { KinesisVideoClient, CreateSignalingChannelCommand } = require("@aws-sdk/client-kinesis-video");
new KinesisVideoClient({}).send(new CreateSignalingChannelCommand({ ChannelName: "NAME" }))
  .then((made) => console.log(made.ChannelARN));
"""


def test_the_lines_for_boto3_point_boto3_here(service: Service, kvs: Kvs) -> None:
    name = unique_name("env-boto3")
    client = shlex.quote(PYTHON_CLIENT.replace("NAME", name))
    printed = shell(service, f'eval "$(sightline env --for boto3 --show-secret)"\n{sys.executable} -c {client}')
    assert printed.strip() == kvs.control.describe_signaling_channel(ChannelName=name)["ChannelInfo"]["ChannelARN"]


@pytest.mark.usefixtures("node_modules")
def test_the_lines_for_javascript_point_its_sdk_here(service: Service, kvs: Kvs) -> None:
    name = unique_name("env-js")
    client = shlex.quote(NODE_CLIENT.replace("NAME", name))
    script = f'eval "$(sightline env --for js --show-secret)"\nexport NODE_PATH={NODE_MODULES}\nnode -e {client}'
    assert shell(service, script).strip().endswith(f":channel/{name}/" + shell_arn_time(kvs, name))


def shell_arn_time(kvs: Kvs, name: str) -> str:
    """The time at the end of a channel's ARN."""
    arn: str = kvs.control.describe_signaling_channel(ChannelName=name)["ChannelInfo"]["ChannelARN"]
    return arn.rpartition("/")[2]


@pytest.mark.parametrize(
    ("client", "words"),
    [
        ("boto3", ["AWS_ENDPOINT_URL_KINESIS_VIDEO"]),
        ("js", ["NODE_EXTRA_CA_CERTS", "correctClockSkew"]),
        ("c", ["CONTROL_PLANE_URI", "AWS_KVS_CACERT_PATH"]),
        ("gst", ["awskvswebrtcsink"]),
        ("go2rtc", ["go2rtc.yaml", "--source-only"]),
        ("python", ["SIGHTLINE_ENDPOINT"]),
    ],
)
def test_every_client_has_its_lines_and_no_secret_unasked(service: Service, client: str, words: list[str]) -> None:
    printed = shell(service, f"sightline env --for {client}")
    for word in words:
        assert word in printed
    assert service.admin.secret_access_key not in printed


def test_a_master_ends_with_a_sentence_when_its_key_is_not_good_enough(service: Service, kvs: Kvs) -> None:
    channel = unique_name("locked")
    kvs.create(channel)
    made: dict[str, Any] = json.loads(
        said(service, "credentials", "create", "--role", "viewer", "--channel", channel, "--json")
    )
    key = Key(made["accessKeyId"], made["secretAccessKey"])
    master = service.spawn("master", channel, "--source", "test", key=key)
    assert master.wait(within=60) != 0
    assert "not authorized" in master.output
    assert "Traceback" not in master.output

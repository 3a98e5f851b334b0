"""`sightline doctor`: the installed command, each cause provoked by the real condition."""

from __future__ import annotations

import json
import re
import signal
from collections.abc import Iterator
from typing import Any

import pytest

from tests.harness.polling import eventually
from tests.harness.service import CHECKOUT, Command, Service, free_port
from tests.harness.signing import Key

TIMEOUT = 60
"""Seconds for one run: it takes one or two, but the machine may be busy."""


class Examined:
    """What a run with --json said."""

    def __init__(self, code: int, output: str) -> None:
        self.code = code
        self.report: dict[str, Any] = json.loads(output)
        self.findings: dict[str, dict[str, Any]] = {found["check"]: found for found in self.report["findings"]}

    @property
    def failed(self) -> dict[str, str]:
        """Check and reason of what failed."""
        return {id: found["reason"] for id, found in self.findings.items() if found["mark"] == "failed"}

    def skipped_because_of(self, check: str) -> set[str]:
        return {id for id, found in self.findings.items() if found["because"] == check}


def doctor(service: Service, *arguments: str, key: Key | None = None) -> Examined:
    result = service.run("doctor", *arguments, "--json", key=key, timeout=TIMEOUT)
    assert result.stderr == ""
    return Examined(result.returncode, result.stdout)


@pytest.fixture(scope="module")
def camera(service: Service) -> Iterator[Command]:
    with service.spawn("master", "porch", "--create", "--source", "test:320x240@15") as master:
        master.wait_for_output("waiting for viewers")
        yield master


def test_everything_is_in_order_and_the_first_frame_is_timed(service: Service, camera: Command) -> None:
    seen = doctor(service, "porch")
    assert seen.code == 0, seen.failed
    assert seen.report["ok"]
    assert {found["mark"] for found in seen.findings.values()} <= {"ok", "warning"}
    assert "H264" in seen.findings["no-common-codec"]["measured"]
    stages = [stage["name"] for stage in seen.report["stages"]]
    assert stages[0] == "name and port"
    assert stages[-4:] == ["ICE servers", "offer and answer", "path and keys", "first frame"]
    # It says goodbye: nobody is left behind at the camera.
    eventually(lambda: re.search(r"doctor-\w+ connected → closed \(bye\)", camera.output), "the farewell")


def test_what_a_person_sees(service: Service, camera: Command) -> None:
    result = service.run("doctor", "porch", timeout=TIMEOUT)
    assert result.returncode == 0, result.stdout
    for title in ("service", "certificate", "clock", "key", "region", "channel", "role", "signaling", "first frame"):
        assert re.search(rf"^[✓+] {title} ", result.stdout, re.MULTILINE), (title, result.stdout)
    assert re.search(r"^  first frame +\d+ ms +[ █▏▎▍▌▋▊▉#]+$", result.stdout, re.MULTILINE), result.stdout
    anchors = re.findall(r"docs/why-no-video\.md#(\S+)", result.stdout)
    page = (CHECKOUT / "docs" / "why-no-video.md").read_text()
    assert all(f'id="{anchor}"' in page for anchor in anchors)


def test_a_link_is_examined_without_any_key(service: Service, camera: Command) -> None:
    link = json.loads(service.run("link", "porch", "--json").stdout)
    stranger = Key("AKIAUNKNOWN", "none")
    seen = doctor(service, "--link", link["urls"][0], key=stranger)
    assert seen.code == 0, seen.failed
    assert seen.findings["link-invalid"]["mark"] == "ok"
    assert not {"wrong-key", "wrong-region"} & seen.findings.keys()
    service.run("link", "--revoke", link["linkId"])
    seen = doctor(service, "--link", link["urls"][0], key=stranger)
    assert (seen.code, seen.failed) == (1, {"link-invalid": "link-revoked"})


def test_the_real_camera_is_not_thrown_out(service: Service, camera: Command) -> None:
    before = camera.output
    seen = doctor(service, "porch", "--role", "master")
    assert seen.code == 0, seen.failed
    assert seen.findings["not-allowed"]["mark"] == "ok"
    assert seen.findings["signaling-refused"]["mark"] == "skipped"
    assert "throw it out" in seen.findings["signaling-refused"]["measured"]
    assert doctor(service, "porch").code == 0
    assert "lost" not in camera.output[len(before) :]


def test_a_camera_without_power(service: Service, camera: Command) -> None:
    camera.process.send_signal(signal.SIGSTOP)
    try:
        seen = doctor(service, "porch")
        assert (seen.code, seen.failed) == (1, {"no-answer": "camera-silent"})
        assert seen.skipped_because_of("no-answer") == {"no-common-codec", "no-path", "no-media"}
        # By now the service has closed its socket.
        assert doctor(service, "porch").failed == {"camera-offline": "camera-offline"}
    finally:
        camera.process.send_signal(signal.SIGCONT)
    eventually(lambda: camera.output.count("waiting for viewers") > 1, "the camera to come back")


def test_no_camera_and_the_socket_of_one_opens(service: Service) -> None:
    service.run("channel", "create", "empty")
    seen = doctor(service, "empty")
    assert (seen.code, seen.failed) == (1, {"camera-offline": "camera-offline"})
    seen = doctor(service, "empty", "--role", "master")
    assert seen.code == 0
    assert "open as master" in seen.findings["signaling-refused"]["measured"]


def test_a_key_of_the_wrong_role(service: Service) -> None:
    service.run("channel", "create", "empty")
    made = json.loads(service.run("credentials", "create", "--role", "viewer", "--json").stdout)
    seen = doctor(service, "empty", "--role", "master", key=Key(made["accessKeyId"], made["secretAccessKey"]))
    assert (seen.code, seen.failed) == (1, {"not-allowed": "not-allowed"})
    assert "ConnectAsMaster" in seen.findings["not-allowed"]["meaning"]


@pytest.mark.parametrize(
    ("arguments", "key", "failed"),
    [
        (("nowhere",), None, {"unknown-channel": "unknown-channel"}),
        (("porch", "--region", "eu-west-1"), None, {"wrong-region": "wrong-region"}),
        (("porch",), Key("AKIAUNKNOWN", "none"), {"wrong-key": "wrong-key"}),
        (("porch", "--endpoint", "https://localhost:{https}"), None, {"tls-trust": "tls-trust"}),
        (("porch", "--endpoint", "http://localhost:{closed}"), None, {"service-unreachable": "service-unreachable"}),
    ],
    ids=["channel", "region", "key", "certificate", "stopped"],
)
def test_what_stops_the_connection(
    service: Service, arguments: tuple[str, ...], key: Key | None, failed: dict[str, str]
) -> None:
    ports = {"https": service.https_port, "closed": free_port()}
    seen = doctor(service, *(argument.format(**ports) for argument in arguments), key=key)
    assert (seen.code, seen.failed) == (1, failed)
    (check,) = failed
    assert "no-media" in seen.skipped_because_of(check)
    assert seen.findings[check]["meaning"]
    assert seen.findings[check]["advice"]

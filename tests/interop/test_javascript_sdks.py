"""The AWS SDKs for JavaScript, v2 and v3, unmodified, in Node: one flow, typed errors, and their own clock cure."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.harness.kvs import unique_name
from tests.harness.service import REGION, Service, clean_environment

SCRIPTS = Path(__file__).parent / "node"
SDKS = ["v2.cjs", "v3.mjs"]
HOUR = 3_600_000


def run_flow(service: Service, script: str, endpoint: str, **environment: str) -> dict[str, Any]:
    """Run one of the scripts against the service: what it saw."""
    node = shutil.which("node")
    assert node is not None, "no node on PATH"
    preloaded = ["--require", str(SCRIPTS / "wrong_clock.cjs")] if "KVS_CLOCK_OFFSET" in environment else []
    finished = subprocess.run(
        [node, *preloaded, str(SCRIPTS / script)],
        env=clean_environment(
            service.folder / "home",
            {
                "KVS_ENDPOINT": endpoint,
                "KVS_REGION": REGION,
                "KVS_KEY": service.admin.access_key_id,
                "KVS_SECRET": service.admin.secret_access_key,
                "KVS_CHANNEL": unique_name("js"),
                "NODE_EXTRA_CA_CERTS": str(service.ca_file),
                "AWS_SDK_JS_SUPPRESS_MAINTENANCE_MODE_MESSAGE": "1",
                "AWS_EC2_METADATA_DISABLED": "true",
                **environment,
            },
        ),
        capture_output=True,
        text=True,
        timeout=45,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    read = json.loads(finished.stdout)
    assert isinstance(read, dict)
    return read


@pytest.mark.usefixtures("node_modules")
@pytest.mark.parametrize("listener", ["http", "https"])
@pytest.mark.parametrize("script", SDKS)
def test_the_whole_flow(service: Service, script: str, listener: str) -> None:
    endpoint: str = getattr(service, listener)
    seen = run_flow(service, script, endpoint, KVS_REFUSALS="1")

    name = seen["info"]["ChannelName"]
    assert seen["arn"] == seen["info"]["ChannelARN"]
    assert seen["created"] is True, "CreationTime is no date for the SDK"
    assert seen["info"]["ChannelStatus"] == "ACTIVE"
    assert seen["tags"] == {"StreamName": "DEVICE_1", "Environment": "Development"}
    assert seen["tagsLeft"] == {"Environment": "Development"}
    assert seen["updated"]["SingleMasterConfiguration"] == {"MessageTtlSeconds": 30}
    assert seen["updated"]["Version"] != seen["info"]["Version"]
    assert seen["listed"] == [name, f"{name}-2"]
    endpoints = {item["Protocol"]: item["ResourceEndpoint"] for item in seen["endpoints"]}
    assert endpoints["HTTPS"] == endpoint
    assert endpoints["WSS"].startswith(endpoint.replace("http", "ws", 1))
    assert seen["ice"][0]["Uris"]
    assert seen["storage"] == {"Status": "DISABLED"}

    expected = {
        "missing": ("ResourceNotFoundException", 404),
        "taken": ("ResourceInUseException", 400),
        "mesh": ("InvalidArgumentException", 400),
        "stale": ("VersionMismatchException", 400),
        "mapped": ("ResourceNotFoundException", 404),
        "gone": ("ResourceNotFoundException", 404),
    }
    for step, (code, status) in expected.items():
        failed = seen[step]
        assert (failed["code"], failed["status"]) == (code, status), step
        assert failed["message"], step
        assert failed["requestId"], step
        if script == "v3.mjs":
            assert failed["typed"], step
    assert seen["storageOn"]["status"] == 400
    assert seen["wrongSecret"]["status"] == seen["wrongRegion"]["status"] == 403
    assert REGION in seen["wrongRegion"]["message"]
    assert "eu-west-1" in seen["wrongRegion"]["message"]


@pytest.mark.usefixtures("node_modules")
@pytest.mark.parametrize("offset", [HOUR, -HOUR])
@pytest.mark.parametrize("script", SDKS)
def test_a_clock_that_is_an_hour_off_is_cured_by_the_sdk(service: Service, script: str, offset: int) -> None:
    """The SDK signs an hour off, is refused, learns the time from `Date`, and goes on by itself."""
    seen = run_flow(service, script, service.http, KVS_CLOCK_OFFSET=str(offset), KVS_RETRIES="2")
    assert seen["info"]["ChannelStatus"] == "ACTIVE"
    assert abs(seen["clockOffset"] + offset) < 10_000
    assert "Signature not yet current" in service.command.output or "Signature expired" in service.command.output


@pytest.mark.usefixtures("node_modules")
@pytest.mark.parametrize("script", SDKS)
def test_an_endpoint_that_ends_in_a_slash(service: Service, script: str) -> None:
    assert run_flow(service, script, service.http + "/")["info"]["ChannelStatus"] == "ACTIVE"

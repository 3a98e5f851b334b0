"""AWS's Python sample, by its parts: botocore's own query signer and the `websockets` library."""

from __future__ import annotations

import json
from urllib.parse import quote

import pytest
from botocore.auth import SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from websockets.sync.client import connect

from tests.harness.kvs import ANSWER, MASTER, OFFER, PATIENCE, VIEWER, Kvs
from tests.harness.service import REGION, Service
from tests.harness.signing import Key


def signed_by_botocore(endpoint: str, key: Key, **parameters: str) -> str:
    """A URL as the sample makes it: botocore leaves the query in the order in which it was given."""
    query = "&".join(f"{name}={quote(value, safe='')}" for name, value in parameters.items())
    request = AWSRequest(method="GET", url=f"{endpoint}?{query}")
    SigV4QueryAuth(Credentials(key.access_key_id, key.secret_access_key), "kinesisvideo", REGION, expires=299).add_auth(
        request
    )
    return str(request.url)


@pytest.mark.parametrize("listener", ["plain", "tls"])
def test_its_master_answers_a_viewer(service: Service, kvs: Kvs, tls_kvs: Kvs, listener: str) -> None:
    user = kvs if listener == "plain" else tls_kvs
    arn = user.create()
    urls = {
        role: signed_by_botocore(
            user.endpoints(arn, role)["WSS"],
            service.admin,
            **{"X-Amz-ChannelARN": arn, "X-Amz-ClientId": "MASTER" if role == MASTER else "viewer-1"},
        )
        for role in (MASTER, VIEWER)
    }
    context = service.tls_context() if listener == "tls" else None
    with connect(urls[MASTER], ssl=context) as master, connect(urls[VIEWER], ssl=context) as viewer:
        sample = {"action": "SDP_OFFER", "recipientClientId": "viewer-1", "messagePayload": OFFER}
        viewer.send(json.dumps(sample))
        offer = json.loads(master.recv(timeout=PATIENCE))
        assert offer["senderClientId"] == "viewer-1"
        # The sample subscripts messagePayload in every message: a message without one would end its loop.
        assert offer["messagePayload"] == OFFER
        answer = {"action": "SDP_ANSWER", "messagePayload": ANSWER, "recipientClientId": offer["senderClientId"]}
        master.send(json.dumps(answer))
        assert json.loads(viewer.recv(timeout=PATIENCE))["messagePayload"] == ANSWER

"""The C SDK's way through the service, emulated: it cannot be built here, so its bytes are written by hand.

What it does differently from all others (KVS.md §9): signs only host;user-agent;x-amz-date and the bare host name
without a port, sends the session token unsigned, writes PascalCase keys, asks for the sub-protocol `wss`, and pre-signs
for a week.
"""

from __future__ import annotations

import json
import socket

from tests.harness.kvs import (
    ANSWER,
    C_SDK_AGENT,
    MASTER,
    OFFER,
    PATIENCE,
    VIEWER,
    Kvs,
    KvsSocket,
    Refused,
    candidate,
    open_socket,
    unique_name,
)
from tests.harness.probe import Answer, Wire, signed_post
from tests.harness.service import Service
from tests.harness.signing import presign

BODY = '{{\n\t"ChannelName": "{name}"\n}}'


def call(service: Service, path: str, body: str, **more: object) -> Answer:
    """One HTTPS call of the C SDK: a connection of its own, body with newlines and tabs."""
    with Wire(service, tls=True) as wire:
        answer = signed_post(
            service,
            path,
            None,
            raw_body=body.encode(),
            wire=wire,
            tls=True,
            host="localhost",
            extra_headers={"user-agent": C_SDK_AGENT},
            signed=("host", "user-agent", "x-amz-date"),
            **more,  # type: ignore[arg-type]
        )
    assert answer.pieces == 1, "the C SDK keeps only the last piece of an answer"
    return answer


def open_as_c_sdk(service: Service, kvs: Kvs, role: str, arn: str, client_id: str | None = None) -> KvsSocket:
    """The C SDK's socket: bare host, a week's signature, the sub-protocol `wss`, its user agent."""
    parameters = {"X-Amz-ChannelARN": arn}
    if client_id is not None:
        parameters["X-Amz-ClientId"] = client_id
    endpoint = "wss://localhost" + kvs.endpoints(arn, role)["WSS"].partition(str(service.https_port))[2]
    url = presign(endpoint, parameters, key=service.admin, expires=604_800)
    through = socket.create_connection(("127.0.0.1", service.https_port), timeout=PATIENCE)
    try:
        return open_socket(service, url, user_agent=C_SDK_AGENT, subprotocols=["wss"], through=through)
    except Refused:
        through.close()
        raise


def test_describe_404_then_create_then_endpoints(service: Service) -> None:
    name = unique_name("c-sdk")
    assert call(service, "/describeSignalingChannel", BODY.format(name=name)).status == 404
    created = call(
        service,
        "/createSignalingChannel",
        json.dumps(
            {
                "ChannelName": name,
                "ChannelType": "SINGLE_MASTER",
                "SingleMasterConfiguration": {"MessageTtlSeconds": 60},
                "Tags": [{"Key": "x", "Value": "y"}],
            },
            indent="\t",
        ),
    )
    assert created.status == 200
    arn = created.json["ChannelARN"]
    described = call(service, "/describeSignalingChannel", BODY.format(name=name))
    assert described.json["ChannelInfo"]["ChannelARN"] == arn
    assert isinstance(described.json["ChannelInfo"]["CreationTime"], int | float)
    stored = call(service, "/describeMediaStorageConfiguration", json.dumps({"ChannelARN": arn}, indent="\t"))
    assert stored.json == {"MediaStorageConfiguration": {"Status": "DISABLED"}}
    endpoints = call(
        service,
        "/getSignalingChannelEndpoint",
        json.dumps(
            {
                "ChannelARN": arn,
                "SingleMasterChannelEndpointConfiguration": {"Protocols": ["WSS", "HTTPS"], "Role": "MASTER"},
            },
            indent="\t",
        ),
    )
    found = {item["Protocol"]: item["ResourceEndpoint"] for item in endpoints.json["ResourceEndpointList"]}
    # The client came to a bare host name, which means port 443: the SDK refuses endpoints that name a port.
    assert found["HTTPS"] == "https://localhost"
    assert found["WSS"].startswith("wss://localhost")
    assert ":" not in found["WSS"].removeprefix("wss:")
    ice = call(
        service,
        "/v1/get-ice-server-config",
        json.dumps({"ChannelARN": arn, "ClientId": "ProducerMaster", "Service": "TURN"}, indent="\t"),
    )
    assert ice.json["IceServerList"]
    version = described.json["ChannelInfo"]["Version"]
    body = json.dumps({"ChannelARN": arn, "CurrentVersion": version}, indent="\t")
    assert call(service, "/deleteSignalingChannel", body).status == 200
    assert call(service, "/deleteSignalingChannel", body).status == 404


def test_an_unsigned_session_token_is_seen_all_the_same(service: Service) -> None:
    with_token = service.admin.but(session_token="IQoJb3JpZ2luEXAMPLE")
    assert call(service, "/listSignalingChannels", "{}", key=with_token, sign_token=False).status == 403


def test_spaces_inside_the_user_agent_are_signed_as_they_are(service: Service) -> None:
    answer = signed_post(
        service,
        "/listSignalingChannels",
        {},
        extra_headers={"user-agent": "AWS-WEBRTC-KVS-AGENT/1.10.2  two  spaces"},
        signed=("host", "user-agent", "x-amz-date"),
    )
    assert answer.status == 200


def test_a_c_master_and_a_c_viewer_talk(service: Service, tls_kvs: Kvs) -> None:
    arn, viewer_id = tls_kvs.create(), unique_name("ConsumerViewer")
    with (
        open_as_c_sdk(service, tls_kvs, MASTER, arn) as master,
        open_as_c_sdk(service, tls_kvs, VIEWER, arn, viewer_id) as viewer,
    ):
        assert master.connection.subprotocol in (None, "wss")
        viewer.send_text(
            json.dumps(
                {
                    "action": "SDP_OFFER",
                    "RecipientClientId": "ConsumerViewer",
                    "MessagePayload": OFFER,
                    "CorrelationId": "17000000_1",
                    "IceServerList": [{"Password": "p", "Ttl": 300, "Uris": ["turn:a:1"], "Username": "u"}],
                },
                indent="\t",
            )
        )
        assert master.receive() == {"messagePayload": OFFER, "messageType": "SDP_OFFER", "senderClientId": viewer_id}
        for action, payload in (("SDP_ANSWER", ANSWER), ("ICE_CANDIDATE", candidate(1))):
            master.send_text(
                json.dumps({"action": action, "RecipientClientId": viewer_id, "MessagePayload": payload}, indent="\t")
            )
            # No senderClientId, no nulls, no blanks between tokens: the C parser is simple.
            text = viewer.receive_text()
            assert json.loads(text) == {"messagePayload": payload, "messageType": action}
            assert " " not in text
            assert "\\" not in text


def test_on_the_root_path_the_client_id_tells_the_role(service: Service, tls_kvs: Kvs) -> None:
    arn, viewer_id = tls_kvs.create(), unique_name("viewer")
    root = f"wss://localhost:{service.https_port}"
    urls = [
        presign(root, {"X-Amz-ChannelARN": arn, **more}, key=service.admin)
        for more in ({}, {"X-Amz-ClientId": viewer_id})
    ]
    with open_socket(service, urls[0]) as master, open_socket(service, urls[1]) as viewer:
        viewer.send("SDP_OFFER", OFFER)
        assert master.receive()["senderClientId"] == viewer_id
        master.send("SDP_ANSWER", ANSWER, recipient=viewer_id)
        assert viewer.receive() == {"messagePayload": ANSWER, "messageType": "SDP_ANSWER"}


def test_the_python_samples_master_has_a_client_id_and_is_a_master(service: Service, tls_kvs: Kvs) -> None:
    arn = tls_kvs.create()
    for endpoint in (f"wss://localhost:{service.https_port}", tls_kvs.endpoints(arn, MASTER)["WSS"]):
        url = presign(endpoint, {"X-Amz-ChannelARN": arn, "X-Amz-ClientId": "MASTER"}, key=service.admin)
        with open_socket(service, url) as master, tls_kvs.viewer(arn, "viewer-9") as viewer:
            viewer.send("SDP_OFFER", OFFER)
            assert master.receive()["senderClientId"] == "viewer-9"

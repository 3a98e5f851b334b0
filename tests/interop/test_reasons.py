"""Why a socket is refused or gets no answer, told to clients that asked for extras; all others see what KVS says.

Each reason is provoked by its real condition. The client is the `websockets` library, nobody's SDK.
"""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any
from urllib.parse import urlsplit

import pytest

from sightline.reasons import REASONS, Reason
from tests.harness.access import admin, make_key, make_link, session
from tests.harness.kvs import (
    ANSWER,
    EXTRAS,
    MASTER,
    OFFER,
    PATIENCE,
    VIEWER,
    Kvs,
    KvsSocket,
    Refused,
    decode,
    encode,
    open_socket,
)
from tests.harness.probe import ask
from tests.harness.service import Command, Service
from tests.harness.signing import presign

WITH = {EXTRAS: "1"}
SECOND = 1.0
LIFE = 4.0
"""Seconds of a link that shall expire after a page has used it, also one that a busy machine holds up."""
GONE = {"present": False, "ours": False}


def extra(message: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Name and content of a message beyond KVS."""
    kind, _, name = str(message["messageType"]).partition("/")
    assert kind == "sightline", message
    assert "senderClientId" not in message
    return name, decode(message["messagePayload"])


def next_extra(socket: KvsSocket, within: float = PATIENCE) -> tuple[str, dict[str, Any]]:
    """The next message, which has to be one beyond KVS."""
    return extra(socket.receive(within))


def reason_of(socket: KvsSocket, within: float = PATIENCE) -> str:
    """The next notice's reason; it has a sentence for people. What is said of the camera before is left out."""
    deadline = time.monotonic() + within
    while True:
        name, content = next_extra(socket, max(0.01, deadline - time.monotonic()))
        if name == "notice":
            assert len(content["message"].split()) > 5, content
            return str(content["reason"])


def refused(url: str, service: Service) -> tuple[str, str]:
    """How a socket with extras is refused: opened, told, closed with the code of that reason. Reason and sentence."""
    with open_socket(service, url) as opened:
        code = opened.wait_closed()
        ((name, content),) = map(extra, opened.last_words)
        assert name == "notice"
        assert code == REASONS[Reason(content["reason"])].close_code
        assert opened.connection.close_reason == content["reason"]
        return str(content["reason"]), str(content["message"])


def both(service: Service, make: Callable[[dict[str, str]], str], reason: str, status: int) -> tuple[str, str]:
    """The same refusal in both forms: the sentence with extras, and that of the HTTP error."""
    found, sentence = refused(make(WITH), service)
    assert found == reason
    with pytest.raises(Refused) as refusal:
        open_socket(service, make({}))
    assert refusal.value.status == status
    assert refusal.value.kind.endswith("Exception")
    return sentence, refusal.value.message


# ------------------------------------------------------------------------------------------------ refused at the door


def test_a_wrong_secret_and_an_unknown_key(service: Service, kvs: Kvs) -> None:
    arn = kvs.create()
    for key in (
        make_key(service, "viewer").but(secret_access_key="wrong"),
        kvs.key.but(access_key_id="AKIAI44QH8DHBEXAMPLE"),
    ):
        both(
            service, lambda more, key=key: kvs.socket_url(VIEWER, arn, "v", key=key, parameters=more), "wrong-key", 403
        )


def test_a_revoked_key(service: Service, kvs: Kvs) -> None:
    arn, key = kvs.create(), make_key(service, "viewer")
    assert admin(service, "credentials/revoke", {"accessKeyId": key.access_key_id}).status == 200
    sentence, _ = both(
        service, lambda more: kvs.socket_url(VIEWER, arn, "v", key=key, parameters=more), "wrong-key", 403
    )
    assert "revoked" in sentence


@pytest.mark.parametrize("hours", [-1, 1])
def test_a_clock_that_is_wrong(service: Service, kvs: Kvs, hours: int) -> None:
    arn, now = kvs.create(), time.time() + hours * 3600
    sentence, said = both(
        service, lambda more: kvs.socket_url(VIEWER, arn, "v", now=now, parameters=more), "clock-skew", 403
    )
    assert "clock" in sentence
    assert said.startswith(("Signature expired", "Signature not yet current")), "the C SDK looks for these words"


def test_another_region(service: Service, kvs: Kvs) -> None:
    arn = kvs.create()
    sentence, _ = both(
        service,
        lambda more: kvs.socket_url(VIEWER, arn, "v", region="eu-central-1", parameters=more),
        "wrong-region",
        403,
    )
    assert "eu-central-1" in sentence
    assert "us-west-2" in sentence


def test_a_channel_that_is_not_there(service: Service, kvs: Kvs) -> None:
    arn, gone = kvs.create(), kvs.create()
    endpoint = kvs.endpoints(arn)["WSS"]
    kvs.control.delete_signaling_channel(ChannelARN=gone)
    for wrong, status in ((gone, 404), ("arn:aws:nonsense", 400), ("", 400)):

        def url(more: dict[str, str], wrong: str = wrong) -> str:
            parameters = {"X-Amz-ChannelARN": wrong, "X-Amz-ClientId": "v", **more}
            return signed(kvs, endpoint, parameters)

        both(service, url, "unknown-channel", status)


def signed(kvs: Kvs, endpoint: str, parameters: dict[str, str]) -> str:
    """A presigned URL with any parameters."""
    return presign(endpoint, parameters, key=kvs.key)


@pytest.mark.parametrize("client_id", ["a b", "a/b", "", "AWS_me", "aws_me", "x" * 257, "뷰어"])
def test_a_client_id_outside_the_rules(service: Service, kvs: Kvs, client_id: str) -> None:
    arn = kvs.create()
    endpoint = f"{service.http.replace('http', 'ws', 1)}/viewer"
    both(
        service,
        lambda more: signed(kvs, endpoint, {"X-Amz-ChannelARN": arn, "X-Amz-ClientId": client_id, **more}),
        "bad-client-id",
        400,
    )


def test_a_key_for_something_else(service: Service, kvs: Kvs) -> None:
    arn, key = kvs.create(), make_key(service, "viewer", "another-*")
    sentence, _ = both(
        service, lambda more: kvs.socket_url(VIEWER, arn, "v", key=key, parameters=more), "not-allowed", 403
    )
    assert "another-*" in sentence
    both(service, lambda more: kvs.socket_url(MASTER, arn, key=key, parameters=more), "not-allowed", 403)


def test_a_full_channel(start_service: Callable[..., Service]) -> None:
    service = start_service(environment={"SIGHTLINE_MAX_VIEWERS": "1"})
    with Kvs(service) as kvs:
        arn = kvs.create()
        with kvs.viewer(arn, "first", parameters=WITH):
            both(service, lambda more: kvs.socket_url(VIEWER, arn, "v", parameters=more), "viewer-limit", 400)
            with kvs.viewer(arn, "first", parameters=WITH) as again:
                assert next_extra(again) == ("master", GONE), "who replaces itself always fits"


def test_too_many_wrong_signatures_count_in_both_forms(service: Service, kvs: Kvs) -> None:
    """And who asked for extras does not get round it."""
    arn, key = kvs.create(), make_key(service, "viewer")
    wrong = key.but(secret_access_key="wrong")
    reasons = []
    while len(reasons) < 40 and "too-many-requests" not in reasons:
        with pytest.raises(Refused):
            kvs.viewer(arn, "v", key=wrong)
        reasons.append(refused(kvs.socket_url(VIEWER, arn, "v", key=wrong, parameters=WITH), service)[0])
    assert reasons[:5] == ["wrong-key"] * 5
    assert reasons[-1] == "too-many-requests"
    with pytest.raises(Refused) as refusal:
        kvs.viewer(arn, "v", key=wrong)
    assert (refusal.value.status, refusal.value.kind) == (400, "ClientLimitExceededException")
    # Nor does the right secret, before it has waited.
    assert refused(kvs.socket_url(VIEWER, arn, "v", key=key, parameters=WITH), service)[0] == "too-many-requests"


@pytest.mark.parametrize("fate", ["revoked", "expired"])
def test_a_link_that_is_over(service: Service, kvs: Kvs, fate: str) -> None:
    """A page had its URL already. At the session request it hears the same, without a socket."""
    name = f"linked-{fate}"
    kvs.create(name)
    link = make_link(service, name, expires_in=600 if fate == "revoked" else LIFE)
    url = session(service, name, token=link["token"]).json["url"]
    if fate == "revoked":
        assert admin(service, "links/revoke", {"linkId": link["linkId"]}).status == 200
    else:
        time.sleep(LIFE + 0.1)
    assert refused(url, service)[0] == f"link-{fate}"
    assert session(service, name, token=link["token"]).json["error"]["id"] == f"link-{fate}"


def test_other_values_of_the_parameter_ask_for_nothing(service: Service, kvs: Kvs) -> None:
    arn = kvs.create()
    for value in ("0", "", "true"):
        with pytest.raises(Refused):
            kvs.viewer(arn, "v", region="eu-central-1", parameters={EXTRAS: value})
        with kvs.viewer(arn, "v", parameters={EXTRAS: value}) as viewer:
            assert viewer.drained() == []


def test_an_upgrade_that_is_none_stays_an_http_error(service: Service, kvs: Kvs) -> None:
    url = urlsplit(kvs.socket_url(VIEWER, kvs.create(), "v", region="eu-central-1", parameters=WITH))
    answer = ask(service, "GET", f"{url.path}?{url.query}", headers={"Connection": "Upgrade", "Upgrade": "websocket"})
    assert (answer.status, answer.kind) == (403, "InvalidSignatureException")


def test_the_reason_comes_within_a_second_and_the_connection_ends_by_itself(service: Service, kvs: Kvs) -> None:
    """Also for one that never closes its side, talks on and on, or reads nothing."""
    url = urlsplit(kvs.socket_url(VIEWER, kvs.create(), "v", region="eu-central-1", parameters=WITH))
    request = (
        f"GET {url.path}?{url.query} HTTP/1.1\r\nHost: {url.netloc}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    ).encode()
    times = []
    for _ in range(3):
        with closing(socket.create_connection(("127.0.0.1", service.http_port), timeout=10)) as connection:
            started = time.monotonic()
            connection.sendall(request + b"\x81\x81\0\0\0\0x")  # and a frame, before it was let in
            read = b""
            while b"wrong-region" not in read.partition(b"\r\n\r\n")[2]:
                read += connection.recv(65536)
            times.append(time.monotonic() - started)
            while piece := connection.recv(65536):
                read += piece
            assert time.monotonic() - started < 20, "it was open for long after its refusal"
            assert read.startswith(b"HTTP/1.1 101 ")
    assert min(times) < SECOND


# --------------------------------------------------------------------------------------------- on the way, at the desk


def test_who_loses_its_client_id(kvs: Kvs) -> None:
    arn = kvs.create()
    with kvs.viewer(arn, "same", parameters=WITH) as first, kvs.viewer(arn, "same") as second:
        assert next_extra(first) == ("master", GONE)
        assert reason_of(first) == "client-id-in-use"
        assert first.wait_closed() == 4409
        assert second.drained() == []


def test_two_that_fight_for_a_client_id_are_both_told(kvs: Kvs) -> None:
    """The third eviction within a minute leaves the loser open and unheard (KVS clients would come back for ever)."""
    arn = kvs.create()
    sockets = [kvs.viewer(arn, "same", parameters=WITH) for _ in range(4)]
    assert [reason_of(each) for each in sockets[:3]] == ["client-id-in-use"] * 3
    muted = sockets[2]
    assert muted.open
    muted.send("SDP_OFFER", OFFER)
    assert reason_of(muted) == "client-id-in-use"
    for each in reversed(sockets):
        each.close()


def test_a_deleted_channel_and_a_revoked_link(service: Service, kvs: Kvs) -> None:
    arn = kvs.create("short-lived")
    link = make_link(service, "short-lived")
    answer = session(service, "short-lived", token=link["token"]).json
    assert answer["camera"] == GONE
    with open_socket(service, answer["url"]) as page, kvs.viewer(arn, "v", parameters=WITH) as viewer:
        assert admin(service, "links/revoke", {"linkId": link["linkId"]}).json["closedSockets"] == 1
        assert reason_of(page) == "link-revoked"
        assert page.wait_closed() == 4403
        kvs.control.delete_signaling_channel(ChannelARN=arn)
        assert reason_of(viewer) == "unknown-channel"
        assert viewer.wait_closed() == 4404


def test_an_old_socket_is_asked_to_go_and_may_open_another_before(start_service: Callable[..., Service]) -> None:
    service = start_service(environment={"SIGHTLINE_SOCKET_LIFETIME": "1"})
    with Kvs(service) as kvs:
        arn = kvs.create()
        with kvs.viewer(arn, "v", parameters=WITH) as old, kvs.viewer(arn, "plain") as plain:
            assert plain.wait_closed() == 4410
            assert next_extra(old) == ("master", GONE)
            assert old.receive() == {"messageType": "GO_AWAY"}
            assert old.open
            with kvs.viewer(arn, "v", parameters=WITH) as new:
                assert next_extra(new) == ("master", GONE)
                assert reason_of(old) == "client-id-in-use"
                assert old.wait_closed() == 4409


# --------------------------------------------------------------------------------------------------------- the camera


def test_a_camera_of_any_make_comes_and_goes(service: Service, kvs: Kvs) -> None:
    kvs.create("coming")
    arn = kvs.control.describe_signaling_channel(ChannelName="coming")["ChannelInfo"]["ChannelARN"]
    with kvs.viewer(arn, "v", parameters=WITH) as viewer, kvs.viewer(arn, "plain") as plain:
        assert next_extra(viewer) == ("master", GONE)
        viewer.send("SDP_OFFER", OFFER)
        assert reason_of(viewer) == "camera-offline"
        for extras in (False, True):
            here = {"present": True, "ours": extras}
            with kvs.master(arn, parameters=WITH if extras else {}) as master:
                assert next_extra(viewer) == ("master", here)
                assert session(service, "coming", token=make_link(service, "coming")["token"]).json["camera"] == here
                viewer.send("SDP_OFFER", OFFER)
                while master.receive()["messageType"] != "SDP_OFFER":
                    assert extras
                master.send("SDP_ANSWER", ANSWER, recipient="v")
                assert viewer.receive()["messageType"] == "SDP_ANSWER"
                viewer.send("sightline/ask", encode({}))
                assert next_extra(viewer) == ("master", here)
            assert next_extra(viewer) == ("master", GONE)
        assert plain.drained() == []


HERE = {"present": True, "ours": True}


@pytest.fixture
def watched(kvs: Kvs, camera: Callable[..., Command]) -> Iterator[tuple[KvsSocket, Callable[[], Command]]]:
    """A viewer with extras, and a function that starts its camera and waits until the viewer has seen it coming."""
    name = f"watched-{time.monotonic_ns()}"
    arn = kvs.create(name)
    with kvs.viewer(arn, "v", parameters=WITH) as viewer:
        assert next_extra(viewer) == ("master", GONE)

        def start() -> Command:
            command = camera(name)
            assert next_extra(viewer, within=30) == ("master", HERE)
            return command

        yield viewer, start


def test_a_camera_that_is_killed_is_known_within_a_second(
    watched: tuple[KvsSocket, Callable[[], Command]],
) -> None:
    viewer, start = watched
    times: list[float] = []
    while len(times) < 3 and (not times or times[-1] > SECOND):  # the machine may be busy with something else
        command = start()
        killed = time.monotonic()
        command.kill()
        assert next_extra(viewer) == ("master", GONE)
        times.append(time.monotonic() - killed)
    assert min(times) < SECOND


def test_a_camera_without_power_is_silent_within_three_seconds(
    watched: tuple[KvsSocket, Callable[[], Command]],
) -> None:
    """Its connection stays as it was, since nobody closes it. A stopped process is just as silent."""
    viewer, start = watched
    command = start()
    times: list[float] = []
    while len(times) < 3 and (not times or times[-1] > 3 * SECOND):
        os.kill(command.process.pid, signal.SIGSTOP)
        try:
            asked = time.monotonic()
            viewer.send("sightline/ask", encode({}))
            assert next_extra(viewer) == ("master", HERE), "what the service knows, at once"
            name, content = next_extra(viewer)
            times.append(time.monotonic() - asked)
            assert (name, content["reason"]) == ("notice", "camera-silent")
            assert next_extra(viewer) == ("master", GONE)
        finally:
            os.kill(command.process.pid, signal.SIGCONT)
        assert next_extra(viewer, within=30) == ("master", HERE), "it has power again"
    assert 1.9 < min(times) < 3 * SECOND


VP9_ONLY = """\
v=0
o=- 1 1 IN IP4 127.0.0.1
s=-
t=0 0
a=group:BUNDLE 0
m=video 9 UDP/TLS/RTP/SAVPF 98
c=IN IP4 0.0.0.0
a=ice-ufrag:abcd
a=ice-pwd:abcdabcdabcdabcdabcdabcd
a=fingerprint:sha-256 {}
a=setup:actpass
a=mid:0
a=recvonly
a=rtcp-mux
a=rtpmap:98 VP9/90000
""".format(":".join(["AB"] * 32)).replace("\n", "\r\n")


def test_offers_that_the_camera_cannot_answer(watched: tuple[KvsSocket, Callable[[], Command]]) -> None:
    viewer, start = watched
    start()
    for sdp, reason in (
        (VP9_ONLY, "no-common-codec"),
        (VP9_ONLY.replace("m=video 9", "m=video 0"), "bad-offer"),
        (VP9_ONLY.replace("a=fingerprint", "a=x-fingerprint"), "bad-offer"),
        ("hello", "bad-offer"),
    ):
        viewer.send("SDP_OFFER", encode({"type": "offer", "sdp": sdp}))
        assert reason_of(viewer) == reason, sdp


def test_refusals_are_counted(service: Service, kvs: Kvs) -> None:
    arn = kvs.create()

    def count() -> float:
        lines = ask(service, "GET", "/metrics").body.decode().splitlines()
        wanted = 'sightline_refusals_total{reason="wrong-region",where="socket"} '
        return sum(float(line.removeprefix(wanted)) for line in lines if line.startswith(wanted))

    before = count()
    both(
        service,
        lambda more: kvs.socket_url(VIEWER, arn, "v", region="eu-central-1", parameters=more),
        "wrong-region",
        403,
    )
    assert count() == before + 2


def test_a_session_that_is_refused_names_the_same_ids(service: Service, kvs: Kvs) -> None:
    kvs.create("known")
    token = make_link(service, "known")["token"]
    found = {
        session(service, "unknown", headers={"Origin": "http://elsewhere.example"}).json["error"]["id"],
        session(service, "known", token="nonsense").json["error"]["id"],
        session(service, "other", token=token).json["error"]["id"],
        session(service, "known", token=token, clientId="a b").json["error"]["id"],
        session(service, "known", token=token, body=b"{").json["error"]["id"],
    }
    assert found == {"foreign-origin", "link-invalid", "link-scope", "bad-client-id", "bad-request"}
    assert found <= {reason.value for reason in Reason}

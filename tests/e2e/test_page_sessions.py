"""Who gets a session for a page: with a link token whom it names, without one only this machine's own pages."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.harness.access import admin, make_link, refusal, session
from tests.harness.kvs import OFFER, Kvs, open_socket
from tests.harness.polling import SOON, eventually
from tests.harness.probe import Answer, ask
from tests.harness.service import Service

CHANNEL = "front-door"


def closed_with(service: Service, url: str) -> int | None:
    """How a page's socket is refused: opened, and closed with the reason's code, which a browser can see."""
    with open_socket(service, url) as refused:
        return refused.wait_closed()


@pytest.fixture(scope="module", autouse=True)
def channels(kvs: Kvs) -> None:
    """Two channels to look at."""
    kvs.create(CHANNEL)
    kvs.create("back-door")


class TestWithoutALink:
    """Only the loopback listener, only under its own names, only for its own pages."""

    def test_a_page_of_this_machine_gets_all_that_a_viewer_needs(self, service: Service, kvs: Kvs) -> None:
        answer = session(service, CHANNEL)
        assert answer.status == 200
        given = answer.json
        assert given["channel"] == CHANNEL
        assert given["role"] == "viewer"
        assert (
            given["channelArn"]
            == kvs.control.describe_signaling_channel(ChannelName=CHANNEL)["ChannelInfo"]["ChannelARN"]
        )
        assert re.fullmatch(r"[a-zA-Z0-9_.-]{1,256}", given["clientId"])
        assert 290 < given["expiresAt"] - time.time() <= 300
        assert given["iceServers"]
        assert all({"urls"} <= set(server) <= {"urls", "username", "credential"} for server in given["iceServers"])
        url = urlsplit(given["url"])
        assert (url.scheme, url.hostname, url.port) == ("ws", "localhost", service.http_port)
        assert parse_qs(url.query)["X-Amz-Expires"] == ["299"]
        assert service.admin.secret_access_key not in answer.body.decode()
        assert answer.headers.get("cache-control") == "no-store"

    def test_the_session_is_a_viewers_and_works(self, service: Service, kvs: Kvs) -> None:
        given = session(service, CHANNEL, clientId="page-1").json
        assert given["clientId"] == "page-1"
        arn = given["channelArn"]
        with kvs.master(arn) as master, open_socket(service, given["url"]) as viewer:
            viewer.send("SDP_OFFER", OFFER)
            assert master.receive()["senderClientId"] == "page-1"
        for tampered in (given["url"].replace("/viewer", "/master"), given["url"].replace("page-1", "page-2")):
            assert tampered != given["url"]
            assert closed_with(service, tampered) == 4401

    def test_two_pages_get_two_client_ids(self, service: Service) -> None:
        assert session(service, CHANNEL).json["clientId"] != session(service, CHANNEL).json["clientId"]

    @pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]"])
    @pytest.mark.parametrize("site", [None, "same-origin"])
    def test_under_the_names_of_loopback(self, service: Service, host: str, site: str | None) -> None:
        port = service.http_port
        headers = {"Host": f"{host}:{port}", "Origin": f"http://{host}:{port}"}
        if site is not None:
            headers["Sec-Fetch-Site"] = site
        answer = session(service, CHANNEL, headers=headers)
        assert answer.status == 200
        assert urlsplit(answer.json["url"]).netloc == f"{host}:{port}"

    @pytest.mark.parametrize(
        "host",
        [
            "evil.example",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "evil.example:{port}",
            "localhost@evil.example",
            "127.0.0.2",
            "0.0.0.0:{port}",
            "[::2]",
            "localhost:{port}.evil.example",
            "",
        ],
    )
    def test_not_under_another_host_name(self, service: Service, host: str) -> None:
        """DNS rebinding: the attacker's name points to 127.0.0.1, and the browser says so in Host."""
        answer = session(service, CHANNEL, headers={"Host": host.format(port=service.http_port)})
        assert answer.status >= 400
        assert b"X-Amz-Signature" not in answer.body

    @pytest.mark.parametrize("site", ["cross-site", "same-site", "none", "Same-Origin, cross-site", "nonsense"])
    def test_not_for_pages_of_another_origin(self, service: Service, site: str) -> None:
        answer = session(service, CHANNEL, headers={"Sec-Fetch-Site": site})
        assert refusal(answer) in {"foreign-origin", "link-required"}
        assert "access-control-allow-origin" not in answer.headers

    @pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://localhost:1", "http://localhost"])
    def test_not_for_another_origin_in_a_browser_that_says_only_that(self, service: Service, origin: str) -> None:
        answer = session(service, CHANNEL, headers={"Origin": origin})
        assert refusal(answer) in {"foreign-origin", "link-required"}

    def test_not_from_the_https_listener(self, service: Service) -> None:
        for headers in ({}, {"Host": f"localhost:{service.http_port}"}, {"Sec-Fetch-Site": "same-origin"}):
            assert refusal(session(service, CHANNEL, tls=True, headers=headers)) == "link-required"

    def test_not_when_the_service_is_public(self, start_service: Callable[..., Service]) -> None:
        public = start_service(environment={"SIGHTLINE_PUBLIC_URL": "https://cams.example"})
        with Kvs(public) as user:
            user.create(CHANNEL)
        assert refusal(session(public, CHANNEL)) == "link-required"
        token = make_link(public, CHANNEL)["token"]
        answer = session(public, CHANNEL, token=token)
        assert answer.status == 200
        assert answer.json["url"].startswith("wss://cams.example/")

    def test_the_admin_api_needs_a_signature_everywhere(self, service: Service) -> None:
        for what in ("credentials/create", "credentials/list", "links/create", "links/list"):
            answer = ask(
                service, "POST", f"/sightline/v1/{what}", headers={"Content-Type": "application/json"}, body=b"{}"
            )
            assert answer.status == 403, what

    @pytest.mark.parametrize("client_id", ["a b", "AWS_x", "x" * 257, "a/b"])
    def test_a_client_id_outside_the_rules(self, service: Service, client_id: str) -> None:
        assert refusal(session(service, CHANNEL, clientId=client_id)) == "bad-client-id"

    def test_a_channel_that_does_not_exist(self, service: Service) -> None:
        answer = session(service, "no-such-channel")
        assert refusal(answer) == "unknown-channel"
        assert answer.status == 404

    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"{",
            b"[]",
            b"null",
            b'{"channel": 7}',
            b'{"role": "viewer"}',
            b'{"channel":"front-door","role":"admin"}',
        ],
    )
    def test_a_body_that_is_wrong(self, service: Service, body: bytes) -> None:
        answer = session(service, CHANNEL, body=body)
        assert answer.status == 400
        assert refusal(answer) == "bad-request"

    def test_a_get_is_no_session(self, service: Service) -> None:
        assert service.answers("/sightline/v1/session") in (404, 405)


class TestWithALink:
    """A token: one channel, one role, for some time, until it is taken back."""

    def test_it_opens_its_channel_from_anywhere(self, service: Service) -> None:
        token = make_link(service, CHANNEL)["token"]
        for headers in ({}, {"Host": f"cams.example:{service.https_port}"}, {"Sec-Fetch-Site": "same-origin"}):
            answer = session(service, CHANNEL, token=token, tls=True, headers=headers)
            assert answer.status == 200
            assert answer.json["url"].startswith("wss://")
            assert service.admin.secret_access_key not in answer.body.decode()

    def test_its_address_has_the_token_in_the_fragment(self, service: Service) -> None:
        link = make_link(service, CHANNEL)
        for url in link["urls"]:
            parts = urlsplit(url)
            assert (parts.scheme, parts.port) in {("https", service.https_port), ("http", service.http_port)}
            assert parts.path == f"/view/{CHANNEL}"
            assert parts.fragment == link["token"]
            assert parts.query == ""
        assert {urlsplit(url).scheme for url in link["urls"]} == {"https", "http"}

    def test_its_first_address_is_the_one_for_others(self, start_service: Callable[..., Service]) -> None:
        with_name = start_service(environment={"SIGHTLINE_PUBLIC_HOST": "cams.example,192.0.2.7"})
        with Kvs(with_name) as user:
            user.create(CHANNEL)
        first = make_link(with_name, CHANNEL)["urls"][0]
        assert first.startswith(f"https://cams.example:{with_name.https_port}/view/{CHANNEL}#")

    def test_it_opens_no_other_channel_and_no_other_role(self, service: Service) -> None:
        viewer, master = make_link(service, CHANNEL)["token"], make_link(service, CHANNEL, "master")["token"]
        for tls in (False, True):
            assert refusal(session(service, "back-door", token=viewer, tls=tls)) == "link-scope"
            assert refusal(session(service, CHANNEL, role="master", token=viewer, tls=tls)) == "link-scope"
            assert refusal(session(service, CHANNEL, role="viewer", token=master, tls=tls)) == "link-scope"
        assert refusal(session(service, "no-such-channel", token=viewer, tls=True)) == "link-scope"

    def test_a_masters_link_makes_a_master(self, service: Service) -> None:
        given = session(service, CHANNEL, role="master", token=make_link(service, CHANNEL, "master")["token"]).json
        assert given["role"] == "master"
        assert given["clientId"] is None
        viewing = session(service, CHANNEL, clientId="watcher").json
        with open_socket(service, given["url"]) as master, open_socket(service, viewing["url"]) as viewer:
            viewer.send("SDP_OFFER", OFFER)
            assert master.receive()["senderClientId"] == "watcher"

    def test_it_expires(self, service: Service) -> None:
        for lasts in (1, 10):  # a busy machine may need more than a second before the link is used
            token = make_link(service, CHANNEL, expires_in=lasts)["token"]
            if (answer := session(service, CHANNEL, token=token, tls=True)).status == 200:
                break
        assert answer.status == 200

        def refused() -> Answer | None:
            answer = session(service, CHANNEL, token=token, tls=True)
            return None if answer.status == 200 else answer

        assert refusal(eventually(refused, "the end of the link", every=0.2)) == "link-expired"

    @pytest.mark.parametrize("seconds", [0, -5, 86_401, "soon", None])
    def test_it_cannot_last_longer_than_a_day(self, service: Service, seconds: object) -> None:
        answer = admin(service, "links/create", {"channel": CHANNEL, "role": "viewer", "expiresIn": seconds})
        assert answer.status == 400
        assert answer.kind == "InvalidArgumentException"

    def test_it_is_for_a_channel_that_exists(self, service: Service) -> None:
        answer = admin(service, "links/create", {"channel": "no-such-channel", "role": "viewer", "expiresIn": 60})
        assert (answer.status, answer.kind) == (404, "ResourceNotFoundException")

    def test_a_changed_token_is_invalid(self, service: Service) -> None:
        token = make_link(service, CHANNEL)["token"]
        middle = len(token) // 2
        swapped = "A" if token[middle] != "A" else "B"
        for changed in (
            token[:-1],
            token + "A",
            token[:middle] + swapped + token[middle + 1 :],
            token.swapcase(),
            "x",
            "." * 20,
            "A" * 5000,
        ):
            for tls in (False, True):
                answer = session(service, CHANNEL, token=changed, tls=tls)
                assert refusal(answer) == "link-invalid", changed
                assert answer.status in (401, 403)

    def test_an_empty_token_is_no_token(self, service: Service) -> None:
        assert refusal(session(service, CHANNEL, token="", tls=True)) in {"link-required", "link-invalid"}

    def test_a_token_of_another_service_is_invalid(self, service: Service, start_service: Callable[..., Any]) -> None:
        other = start_service()
        with Kvs(other) as user:
            user.create(CHANNEL)
        foreign = make_link(other, CHANNEL)["token"]
        assert refusal(session(service, CHANNEL, token=foreign, tls=True)) == "link-invalid"

    def test_taking_it_back_closes_its_sockets_within_a_second(self, service: Service, kvs: Kvs) -> None:
        link, other = make_link(service, CHANNEL), make_link(service, CHANNEL)
        given = session(service, CHANNEL, token=link["token"], tls=True, clientId="guest").json
        kept = session(service, CHANNEL, token=other["token"], tls=True, clientId="friend").json
        listed = admin(service, "links/list").json["links"]
        assert {"linkId": link["linkId"], "channel": CHANNEL, "role": "viewer"}.items() <= next(
            entry for entry in listed if entry["linkId"] == link["linkId"]
        ).items()
        assert link["token"] not in str(listed)
        with open_socket(service, given["url"]) as guest, open_socket(service, kept["url"]) as friend:
            revoked = time.monotonic()
            assert admin(service, "links/revoke", {"linkId": link["linkId"]}).status == 200
            assert guest.wait_closed(SOON) not in (None, 1006)
            assert time.monotonic() - revoked < SOON
            assert friend.open
        assert refusal(session(service, CHANNEL, token=link["token"], tls=True)) == "link-revoked"
        assert closed_with(service, given["url"]) == 4441

    def test_it_is_worth_the_same_after_a_restart(self, start_service: Callable[..., Service]) -> None:
        first = start_service()
        with Kvs(first) as user:
            user.create(CHANNEL)
        good, revoked = make_link(first, CHANNEL), make_link(first, CHANNEL)
        admin(first, "links/revoke", {"linkId": revoked["linkId"]})
        assert first.stop() == 0
        second = start_service(folder=first.folder)
        assert session(second, CHANNEL, token=good["token"], tls=True).status == 200
        assert refusal(session(second, CHANNEL, token=revoked["token"], tls=True)) == "link-revoked"

"""Signaling sockets, seen by two people with the `websockets` library: what arrives, in which order, for whom."""

from __future__ import annotations

import base64
import json
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import pytest

from tests.harness.kvs import (
    ANSWER,
    MASTER,
    OFFER,
    VIEWER,
    Kvs,
    KvsSocket,
    Refused,
    candidate,
    encode,
    open_socket,
)
from tests.harness.probe import raw_upgrade


def test_an_offer_an_answer_and_candidates_cross(kvs: Kvs) -> None:
    with kvs.pair() as (master, viewer, viewer_id):
        viewer.send("SDP_OFFER", OFFER)
        assert master.receive() == {"messageType": "SDP_OFFER", "messagePayload": OFFER, "senderClientId": viewer_id}
        master.send("SDP_ANSWER", ANSWER, recipient=viewer_id)
        assert viewer.receive() == {"messageType": "SDP_ANSWER", "messagePayload": ANSWER}
        viewer.send("ICE_CANDIDATE", candidate(1))
        assert master.receive() == {
            "messageType": "ICE_CANDIDATE",
            "messagePayload": candidate(1),
            "senderClientId": viewer_id,
        }
        master.send("ICE_CANDIDATE", candidate(2), recipient=viewer_id)
        assert viewer.receive() == {"messageType": "ICE_CANDIDATE", "messagePayload": candidate(2)}
        master.send("SDP_OFFER", OFFER, recipient=viewer_id)
        assert viewer.receive() == {"messageType": "SDP_OFFER", "messagePayload": OFFER}


def test_frames_have_the_keys_and_the_form_of_kvs(kvs: Kvs) -> None:
    with kvs.pair() as (master, viewer, viewer_id):
        viewer.send("SDP_OFFER", OFFER)
        assert master.receive_text() == json.dumps(
            {"messagePayload": OFFER, "messageType": "SDP_OFFER", "senderClientId": viewer_id},
            separators=(",", ":"),
        )
        master.send("SDP_ANSWER", ANSWER, recipient=viewer_id)
        assert viewer.receive_text() == json.dumps(
            {"messagePayload": ANSWER, "messageType": "SDP_ANSWER"}, separators=(",", ":")
        )


def test_two_viewers_are_kept_apart(kvs: Kvs) -> None:
    arn = kvs.create()
    with kvs.master(arn) as master, kvs.viewer(arn, "ann") as ann, kvs.viewer(arn, "Ann") as other:
        ann.send("SDP_OFFER", OFFER, recipient="Ann")
        assert master.receive()["senderClientId"] == "ann"
        master.send("SDP_ANSWER", ANSWER, recipient="Ann")
        assert other.receive()["messageType"] == "SDP_ANSWER"
        assert ann.drained() == []
        assert other.drained() == []


def test_channels_are_kept_apart(kvs: Kvs) -> None:
    with kvs.pair() as (first, viewer, _), kvs.pair() as (second, _other, _id):
        viewer.send("SDP_OFFER", OFFER)
        assert first.receive()["messageType"] == "SDP_OFFER"
        assert second.drained() == []


def test_messages_keep_their_order(kvs: Kvs) -> None:
    with kvs.pair() as (master, viewer, viewer_id):
        for number in range(60):
            viewer.send("ICE_CANDIDATE", candidate(number))
            master.send("ICE_CANDIDATE", candidate(1000 + number), recipient=viewer_id)
        for number in range(60):
            assert master.receive()["messagePayload"] == candidate(number)
            assert viewer.receive()["messagePayload"] == candidate(1000 + number)


def test_a_viewer_may_come_before_the_master(kvs: Kvs) -> None:
    arn = kvs.create()
    with kvs.viewer(arn, "early") as viewer:
        viewer.send("SDP_OFFER", OFFER)
        for number in range(3):
            viewer.send("ICE_CANDIDATE", candidate(number))
        assert viewer.drained() == []
        with kvs.master(arn) as master:
            assert [master.receive() for _ in range(4)] == [
                {"messageType": "SDP_OFFER", "messagePayload": OFFER, "senderClientId": "early"},
                *(
                    {"messageType": "ICE_CANDIDATE", "messagePayload": candidate(number), "senderClientId": "early"}
                    for number in range(3)
                ),
            ]


def test_an_answer_waits_for_a_viewer_that_lost_its_socket(kvs: Kvs) -> None:
    arn = kvs.create()
    with kvs.master(arn) as master:
        with kvs.viewer(arn, "roaming") as viewer:
            viewer.send("SDP_OFFER", OFFER)
            master.receive()
        master.send("SDP_ANSWER", ANSWER, recipient="roaming")
        master.send("ICE_CANDIDATE", candidate(5), recipient="roaming")
        assert master.drained() == []
        with kvs.viewer(arn, "roaming") as viewer:
            assert viewer.receive()["messagePayload"] == ANSWER
            assert viewer.receive()["messagePayload"] == candidate(5)


def test_a_newer_description_replaces_a_pending_one_and_candidates_stay(kvs: Kvs) -> None:
    arn = kvs.create()
    newer = encode({"type": "offer", "sdp": "newer"})
    with kvs.viewer(arn, "twice") as viewer, kvs.viewer(arn, "bystander") as bystander:
        bystander.send("SDP_OFFER", OFFER)
        viewer.send("SDP_OFFER", OFFER)
        viewer.send("ICE_CANDIDATE", candidate(1))
        viewer.send("SDP_OFFER", newer)
        viewer.send("ICE_CANDIDATE", candidate(2))
        assert viewer.drained() == bystander.drained() == []
        with kvs.master(arn) as master:
            messages = master.drained()
    mine = [message["messagePayload"] for message in messages if message["senderClientId"] == "twice"]
    assert OFFER not in mine
    assert sorted(mine) == sorted([newer, candidate(1), candidate(2)])
    assert mine.index(newer) < mine.index(candidate(2)), "a candidate overtook its offer"
    assert [m["messagePayload"] for m in messages if m["senderClientId"] == "bystander"] == [OFFER]


def test_a_pending_message_is_dropped_when_its_time_is_over(kvs: Kvs) -> None:
    arn = kvs.create(SingleMasterConfiguration={"MessageTtlSeconds": 5})
    with kvs.viewer(arn, "patient") as viewer:
        viewer.send("SDP_OFFER", OFFER)
        assert viewer.drained() == []
        sent = time.monotonic()
        time.sleep(4.5)
        viewer.send("ICE_CANDIDATE", candidate(1))
        assert viewer.drained() == []
        time.sleep(max(0.0, sent + 5.5 - time.monotonic()))
        with kvs.master(arn) as master:
            assert [message["messagePayload"] for message in master.drained()] == [candidate(1)]


def test_what_was_delivered_is_not_delivered_again(kvs: Kvs) -> None:
    arn = kvs.create()
    with kvs.viewer(arn) as viewer:
        viewer.send("SDP_OFFER", OFFER)
        with kvs.master(arn) as master:
            assert master.receive()["messagePayload"] == OFFER
        with kvs.master(arn) as master:
            assert master.drained() == []


def test_a_message_for_nobody_yet_is_not_an_error(kvs: Kvs) -> None:
    arn = kvs.create()
    with kvs.master(arn) as master:
        master.send("SDP_ANSWER", ANSWER, recipient="not-here-yet", correlation_id="c1")
        assert master.drained() == []
        with kvs.viewer(arn, "not-here-yet") as viewer:
            assert viewer.receive()["messagePayload"] == ANSWER


@pytest.mark.parametrize(
    "keys",
    [
        ("action", "RecipientClientId", "MessagePayload"),
        ("Action", "recipientclientid", "messagepayload"),
        ("ACTION", "RECIPIENTCLIENTID", "MESSAGEPAYLOAD"),
    ],
)
def test_keys_may_be_written_in_any_case(kvs: Kvs, keys: tuple[str, str, str]) -> None:
    with kvs.pair() as (master, viewer, viewer_id):
        master.send_text(json.dumps(dict(zip(keys, ("SDP_ANSWER", viewer_id, ANSWER), strict=True))))
        assert viewer.receive() == {"messageType": "SDP_ANSWER", "messagePayload": ANSWER}


def test_junk_and_null_members_are_ignored(kvs: Kvs) -> None:
    with kvs.pair() as (master, viewer, viewer_id):
        viewer.send_text(
            json.dumps(
                {
                    "action": "SDP_OFFER",
                    "messagePayload": OFFER,
                    "recipientClientId": "",
                    "senderClientId": "somebody-else",
                    "correlationId": None,
                    "IceServerList": [{"Ttl": 300}],
                    "extra": {"deep": [1, 2, {"deeper": None}]},
                }
            )
        )
        assert master.receive() == {"messageType": "SDP_OFFER", "messagePayload": OFFER, "senderClientId": viewer_id}


@pytest.mark.parametrize("padded", [True, False])
def test_url_safe_base64_arrives_as_standard_base64(kvs: Kvs, padded: bool) -> None:
    content = b'{"type":"offer","sdp":"~~~>>>???\xc3\xbf\xc3\xbe"}'
    written = base64.urlsafe_b64encode(content).decode()
    assert "-" in written or "_" in written
    with kvs.pair() as (master, viewer, _):
        viewer.send("SDP_OFFER", written if padded else written.rstrip("="))
        assert master.receive()["messagePayload"] == base64.b64encode(content).decode()


def test_a_null_candidate_passes_as_it_is(kvs: Kvs) -> None:
    with kvs.pair() as (master, viewer, _):
        viewer.send("ICE_CANDIDATE", encode(None))
        assert master.receive()["messagePayload"] == encode(None)


def test_a_payload_of_ten_thousand_characters_passes(kvs: Kvs) -> None:
    payload = encode({"type": "offer", "sdp": "v" * 7_440})
    assert 9_900 < len(payload) <= 10_000
    with kvs.pair() as (master, viewer, viewer_id):
        viewer.send("SDP_OFFER", payload)
        assert master.receive()["messagePayload"] == payload
        master.send("SDP_ANSWER", payload, recipient=viewer_id)
        assert viewer.receive()["messagePayload"] == payload


def test_a_text_message_in_fragments_is_one_message(kvs: Kvs) -> None:
    with kvs.pair() as (master, viewer, _):
        text = json.dumps({"action": "SDP_OFFER", "messagePayload": OFFER})
        viewer.connection.send(iter([text[:10], text[10:11], text[11:]]))
        assert master.receive()["messagePayload"] == OFFER


def test_a_ping_is_answered(kvs: Kvs) -> None:
    with kvs.pair() as (master, viewer, _):
        assert master.open
        assert viewer.open


class TestTwoConnectionsOfOneId:
    """The newest connection wins; from the third eviction in a minute the loser is left alone, and muted."""

    @staticmethod
    def connect(kvs: Kvs, role: str, arn: str) -> KvsSocket:
        return kvs.connect(role, arn, "twin" if role == VIEWER else None)

    @pytest.mark.parametrize("role", [MASTER, VIEWER])
    def test_the_newest_wins_and_the_old_one_is_closed(self, kvs: Kvs, role: str) -> None:
        arn = kvs.create()
        peer_role = VIEWER if role == MASTER else MASTER
        with (
            kvs.connect(peer_role, arn, "peer" if peer_role == VIEWER else None) as peer,
            self.connect(kvs, role, arn) as old,
            self.connect(kvs, role, arn) as new,
        ):
            assert old.wait_closed() not in (None, 1006), "the old socket was cut, not closed"
            peer.send("ICE_CANDIDATE", candidate(1), recipient="twin")
            assert new.receive()["messagePayload"] == candidate(1)
            new.send("ICE_CANDIDATE", candidate(2), recipient="peer")
            assert peer.receive()["messagePayload"] == candidate(2)

    @pytest.mark.parametrize("role", [MASTER, VIEWER])
    def test_from_the_third_eviction_the_loser_stays_open_and_muted(self, kvs: Kvs, role: str) -> None:
        arn = kvs.create()
        peer_role = VIEWER if role == MASTER else MASTER
        with kvs.connect(peer_role, arn, "peer" if peer_role == VIEWER else None) as peer:
            sockets = [self.connect(kvs, role, arn) for _ in range(4)]
            first, second, third, fourth = sockets
            first.wait_closed()
            second.wait_closed()
            peer.send("ICE_CANDIDATE", candidate(1), recipient="twin")
            assert fourth.receive()["messagePayload"] == candidate(1)
            assert third.open, "the third loser was closed: two such clients would evict each other for ever"
            third.send("ICE_CANDIDATE", candidate(2), recipient="peer")
            fourth.send("ICE_CANDIDATE", candidate(3), recipient="peer")
            assert peer.receive()["messagePayload"] == candidate(3)
            assert peer.drained() == []
            for each in sockets:
                each.close()
        assert arn.split("/")[1] in kvs.service.command.output


class TestRefusedUpgrades:
    """An upgrade that is not allowed gets the HTTP answer that KVS documents."""

    def refusal(self, kvs: Kvs, role: str, arn: str, client_id: str | None = None, **more: Any) -> Refused:
        with pytest.raises(Refused) as refusal:
            kvs.connect(role, arn, client_id, **more)
        assert refusal.value.message
        headers = {name.lower(): value for name, value in refusal.value.headers.items()}
        assert headers["x-amzn-errortype"].startswith(refusal.value.kind)
        return refusal.value

    @pytest.mark.parametrize(
        "client_id", ["a b", "a/b", "a@b", "x" * 257, "AWS_me", "aws_me", "", "손님", 'quote"', "semi;", "hash#"]
    )
    def test_a_client_id_outside_the_rules(self, kvs: Kvs, client_id: str) -> None:
        refusal = self.refusal(kvs, VIEWER, kvs.create(), client_id)
        assert (refusal.status, refusal.kind) == (400, "InvalidArgumentException")

    @pytest.mark.parametrize("client_id", ["x" * 256, "A.b_c-9", "MASTER", "awsome"])
    def test_a_client_id_inside_the_rules(self, kvs: Kvs, client_id: str) -> None:
        kvs.viewer(kvs.create(), client_id).close()

    def test_a_viewer_without_a_client_id(self, kvs: Kvs) -> None:
        refusal = self.refusal(kvs, VIEWER, kvs.create())
        assert (refusal.status, refusal.kind) == (400, "InvalidArgumentException")

    @pytest.mark.parametrize("role", [MASTER, VIEWER])
    def test_a_channel_that_is_gone(self, kvs: Kvs, role: str) -> None:
        arn = kvs.create()
        url = kvs.socket_url(role, arn, "viewer-1")
        kvs.control.delete_signaling_channel(ChannelARN=arn)
        with pytest.raises(Refused) as refusal:
            open_socket(kvs.service, url)
        assert (refusal.value.status, refusal.value.kind) == (404, "ResourceNotFoundException")

    def test_no_arn_or_a_broken_one(self, kvs: Kvs) -> None:
        arn = kvs.create()
        for broken in ("", "nonsense", arn[:-3]):
            refusal = self.refusal(kvs, VIEWER, arn, "v", parameters={"X-Amz-ChannelARN": broken})
            assert refusal.status in (400, 404)

    def test_a_wrong_secret(self, kvs: Kvs) -> None:
        refusal = self.refusal(kvs, MASTER, kvs.create(), key=kvs.key.but(secret_access_key="wrong"))
        assert refusal.status == 403

    def test_another_region_is_told_both_regions(self, kvs: Kvs) -> None:
        refusal = self.refusal(kvs, MASTER, kvs.create(), region="ap-northeast-1")
        assert refusal.status == 403
        assert "ap-northeast-1" in refusal.message
        assert "us-west-2" in refusal.message

    def test_a_plain_get_is_told_what_is_missing(self, kvs: Kvs) -> None:
        assert kvs.service.answers("/viewer") in (400, 403, 404, 426)


def test_max_viewers_are_refused_as_kvs_does_and_a_place_is_free_when_one_leaves(start_service: Any) -> None:
    with Kvs(start_service(environment={"SIGHTLINE_MAX_VIEWERS": "2"})) as kvs:
        arn = kvs.create()
        with kvs.master(arn), kvs.viewer(arn, "one") as one, kvs.viewer(arn, "two"):
            with pytest.raises(Refused) as full:
                kvs.viewer(arn, "three")
            assert (full.value.status, full.value.kind) == (400, "ClientLimitExceededException")
            # The same id again is no third viewer, and another channel has its own limit.
            kvs.viewer(arn, "two").close()
            kvs.viewer(kvs.create(), "three").close()
            one.close()
            kvs.viewer(arn, "three").close()


def test_by_default_a_hundred_may_watch(kvs: Kvs) -> None:
    arn = kvs.create()
    with ExitStack() as stack:
        for number in range(100):
            stack.enter_context(raw_upgrade(kvs.service, kvs.socket_url(VIEWER, arn, f"viewer-{number}")))
        with pytest.raises(Refused) as full:
            kvs.viewer(arn, "one-too-many")
        assert full.value.kind == "ClientLimitExceededException"
        kvs.master(arn).close()


def test_limits_of_idle_time_and_lifetime_close_sockets_when_they_are_set(start_service: Any) -> None:
    idle = start_service(environment={"SIGHTLINE_SOCKET_IDLE": "3"})
    lifetime = start_service(environment={"SIGHTLINE_SOCKET_LIFETIME": "2"})
    with Kvs(idle) as first, Kvs(lifetime) as second:
        silent, pinging = first.master(first.create()), first.master(first.create())
        old = second.master(second.create())

        def wait() -> None:
            assert silent.wait_closed() not in (None, 1006)
            assert old.wait_closed() not in (None, 1006)

        with ThreadPoolExecutor(1) as beside:
            waiting = beside.submit(wait)
            while not waiting.done():
                assert pinging.open, "pings are activity"
                old.open  # noqa: B018 - activity does not make it younger
                time.sleep(0.1)
        waiting.result()
        assert pinging.open
        pinging.close()

"""Who signed a request, and how often somebody may get it wrong (KVS.md §2.4, §3)."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from sightline.service.store import KeyRole
from tests.harness import signing

from .inside import ADMIN, Inside, inside

DESCRIBE = "/describeSignalingChannel"


@pytest_asyncio.fixture
async def room() -> AsyncIterator[Inside]:
    async with inside() as started:
        await started.channel("demo")
        yield started


async def test_the_owner_of_a_key_is_let_in(room: Inside) -> None:
    assert (await room.call(DESCRIBE, {"ChannelName": "demo"})).status == 200


async def test_an_unknown_key_and_a_wrong_secret_are_403(room: Inside) -> None:
    unknown = await room.call(DESCRIBE, key=ADMIN.but(access_key_id="WHO"))
    assert (unknown.status, unknown.kind) == (403, "UnrecognizedClientException")
    wrong = await room.call(DESCRIBE, key=ADMIN.but(secret_access_key="x"))
    assert (wrong.status, wrong.kind) == (403, "InvalidSignatureException")


class TestWhatBecameOfAKey:
    async def test_an_expired_one(self, room: Inside) -> None:
        key = await room.key(KeyRole.VIEWER, expires_at=room.clock.wall + 10)
        assert (await room.call(DESCRIBE, {"ChannelName": "demo"}, key=key)).status == 200
        room.clock.later(10)
        answer = await room.call(DESCRIBE, {"ChannelName": "demo"}, key=key)
        assert (answer.status, answer.kind) == (403, "ExpiredTokenException")

    async def test_a_revoked_one(self, room: Inside) -> None:
        key = await room.key(KeyRole.VIEWER, revoked_at=room.clock.wall)
        answer = await room.call(DESCRIBE, {"ChannelName": "demo"}, key=key)
        assert (answer.status, answer.kind) == (403, "UnrecognizedClientException")
        assert "revoked" in answer.message

    @pytest.mark.parametrize("fate", ["expires_at", "revoked_at"])
    async def test_only_its_owner_learns_it(self, room: Inside, fate: str) -> None:
        key = await room.key(KeyRole.VIEWER, **{fate: room.clock.wall - 1})
        answer = await room.call(DESCRIBE, key=key.but(secret_access_key="x"))
        assert answer.kind == "InvalidSignatureException"
        assert "revoked" not in answer.message
        assert "expired" not in answer.message


async def test_a_session_token_on_a_key_that_has_none(room: Inside) -> None:
    """Signed or, as the C SDK sends it, unsigned: forgotten environment variables are the usual cause."""
    signed = await room.call(DESCRIBE, key=ADMIN.but(session_token="FwoGZX"))
    unsigned = await room.call(DESCRIBE, **{"x-amz-security-token": "FwoGZX"})
    for answer in (signed, unsigned):
        assert (answer.status, answer.kind) == (403, "UnrecognizedClientException")
        assert "AWS_SESSION_TOKEN" in answer.message
    # Who signs wrongly is not told what a right signature would lack.
    wrong = await room.call(DESCRIBE, key=ADMIN.but(session_token="FwoGZX", secret_access_key="x"))
    assert wrong.kind == "InvalidSignatureException"


class TestGuessing:
    async def guess(self, room: Inside, key: signing.Key, times: int) -> list[str]:
        return [(await room.call(DESCRIBE, {"ChannelName": "demo"}, key=key)).kind for _ in range(times)]

    async def test_after_some_failures_a_key_has_to_wait(self, room: Inside) -> None:
        wrong = ADMIN.but(secret_access_key="x")
        assert await self.guess(room, wrong, 20) == ["InvalidSignatureException"] * 20
        answer = await room.call(DESCRIBE, key=wrong)
        assert (answer.status, answer.kind) == (400, "ClientLimitExceededException")
        assert "Try again in 5 s" in answer.message
        # Also with the right secret: otherwise one could go on guessing and see when it fits.
        assert (await room.call(DESCRIBE, {"ChannelName": "demo"})).kind == "ClientLimitExceededException"
        room.clock.later(5.1)
        assert (await room.call(DESCRIBE, {"ChannelName": "demo"})).status == 200

    async def test_waiting_does_not_grow_by_asking(self, room: Inside) -> None:
        await self.guess(room, ADMIN.but(secret_access_key="x"), 60)
        room.clock.later(5.1)
        assert (await room.call(DESCRIBE, {"ChannelName": "demo"})).status == 200

    async def test_other_keys_of_that_address_are_not_concerned(self, room: Inside) -> None:
        camera = await room.key(KeyRole.MASTER)
        await self.guess(room, ADMIN.but(secret_access_key="x"), 30)
        assert (await room.call(DESCRIBE, {"ChannelName": "demo"}, key=camera)).status == 200

    async def test_all_unknown_ids_share_one_bucket(self, room: Inside) -> None:
        kinds = [(await room.call(DESCRIBE, key=signing.Key(f"WHO{n}", "x"))).kind for n in range(25)]
        assert kinds == ["UnrecognizedClientException"] * 20 + ["ClientLimitExceededException"] * 5
        assert (await room.call(DESCRIBE, {"ChannelName": "demo"})).status == 200

    async def test_a_wrong_clock_is_no_guess(self, room: Inside) -> None:
        """A camera without a battery must not lock itself out until it has the time."""
        for age in (1000.0, -1000.0):
            for _ in range(25):
                answer = await room.call(DESCRIBE, {"ChannelName": "demo"}, age=age)
                assert answer.message.startswith(("Signature expired", "Signature not yet current"))
        assert (await room.call(DESCRIBE, {"ChannelName": "demo"})).status == 200

    async def test_good_requests_do_not_count(self, room: Inside) -> None:
        for _ in range(30):
            assert (await room.call(DESCRIBE, {"ChannelName": "demo"})).status == 200


class TestWhatAKeyMayDo:
    @pytest.mark.parametrize(
        ("path", "members", "viewer", "master"),
        [
            ("/describeSignalingChannel", {"ChannelName": "demo"}, 200, 200),
            ("/getSignalingChannelEndpoint", {"ChannelARN": "ARN"}, 200, 200),
            ("/v1/get-ice-server-config", {"ChannelARN": "ARN"}, 200, 200),
            ("/describeMediaStorageConfiguration", {"ChannelARN": "ARN"}, 200, 200),
            ("/createSignalingChannel", {"ChannelName": "new"}, 401, 200),
            ("/listSignalingChannels", {}, 401, 401),
            ("/deleteSignalingChannel", {"ChannelARN": "ARN"}, 401, 401),
            ("/TagResource", {"ResourceARN": "ARN", "Tags": [{"Key": "a", "Value": "b"}]}, 401, 401),
            ("/ListTagsForResource", {"ResourceARN": "ARN"}, 200, 200),
            ("/UntagResource", {"ResourceARN": "ARN", "TagKeyList": ["a"]}, 401, 401),
            (
                "/v1/send-alexa-offer-to-master",
                {"ChannelARN": "ARN", "SenderClientId": "a", "MessagePayload": "e30="},
                400,
                401,
            ),
            ("/sightline/v1/credentials/list", {}, 401, 401),
            ("/sightline/v1/links/create", {"channel": "demo"}, 401, 401),
        ],
    )
    async def test_by_role(self, room: Inside, path: str, members: dict[str, object], viewer: int, master: int) -> None:
        channel = room.context.store.channel_named("demo")
        assert channel is not None
        members = {name: channel.arn if value == "ARN" else value for name, value in members.items()}
        for role, status in ((KeyRole.VIEWER, viewer), (KeyRole.MASTER, master)):
            answer = await room.call(path, members, key=await room.key(role))
            assert answer.status == status
            if status == 401:
                # The data plane has its own name for it (KVS.md §2.4).
                data = path.startswith("/v1/")
                assert answer.kind == ("NotAuthorizedException" if data else "AccessDeniedException")
                assert f"'{role.value}'" in answer.message

    async def test_other_channels_look_forbidden_and_not_absent(self, room: Inside) -> None:
        key = await room.key(KeyRole.VIEWER, "door-*")
        for name in ("demo", "nothing"):
            assert (await room.call(DESCRIBE, {"ChannelName": name}, key=key)).kind == "AccessDeniedException"
        assert (await room.call(DESCRIBE, {"ChannelName": "door-9"}, key=key)).kind == "ResourceNotFoundException"

    async def test_a_pages_own_key_may_not_sign_for_the_control_plane(self, room: Inside) -> None:
        """It never leaves the service but as a signature in a socket's URL."""
        key = room.context.local_key
        assert not key.grant.allows("kinesisvideo:CreateSignalingChannel", "demo")
        assert not key.grant.allows("kinesisvideo:ListSignalingChannels", None)
        assert not key.grant.allows("sightline:CreateLink", None)

"""The store's promises (service/store/base.py), on SQLite: what was acknowledged is there, also after a restart."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import sqlite3
import stat
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import msgspec
import pytest
import pytest_asyncio

from sightline.errors import (
    AccountChannelLimitExceeded,
    ConfigError,
    ResourceInUse,
    ResourceNotFound,
    TagsPerResourceExceeded,
    VersionMismatch,
)
from sightline.service.store import ROLE_ACTIONS, Channel, Grant, Key, KeyKind, KeyRole, KeyState, SqliteStore, Store


def channel(name: str = "demo", *, created_ms: int = 1_700_000_000_123, **more: object) -> Channel:
    values: dict[str, object] = {"message_ttl": 60, "version": "V1", "tags": {}, **more}
    return Channel.new(
        region="us-west-2",
        account="000000000000",
        name=name,
        created_ms=created_ms,
        **values,  # type: ignore[arg-type]
    )


def key(name: str = "AKIA1", **more: object) -> Key:
    values: dict[str, object] = {
        "secret_access_key": "s3cret/+=",
        "kind": KeyKind.KEY,
        "role": KeyRole.VIEWER,
        "grant": Grant(ROLE_ACTIONS[KeyRole.VIEWER], "door-*"),
        "created_at": 1_700_000_000.5,
        **more,
    }
    return Key(access_key_id=name, **values)  # type: ignore[arg-type]


@dataclasses.dataclass(frozen=True)
class Content:
    """All that a store holds."""

    secret: bytes
    channels: list[Channel]
    keys: list[Key]


def content(store: Store) -> Content:
    return Content(store.service_secret, list(store.channels()), list(store.all_keys()))


Open = Callable[..., SqliteStore]


@pytest_asyncio.fixture
async def open_store(tmp_path: Path) -> AsyncIterator[Open]:
    opened: list[SqliteStore] = []

    def make(directory: str = "data", **more: int) -> SqliteStore:
        opened.append(SqliteStore(tmp_path / directory, **more))
        return opened[-1]

    yield make
    for store in opened:
        await store.aclose()


async def reopened(open_store: Open, store: SqliteStore) -> SqliteStore:
    await store.aclose()
    return open_store()


class TestChannels:
    async def test_a_channel_is_found_by_arn_and_by_name(self, open_store: Open) -> None:
        store = open_store()
        made = channel(tags={"room": "문 3"})
        await store.create_channel(made)
        assert store.channel(made.arn) == store.channel_named("demo") == made
        assert store.channel(made.arn + "1") is None
        assert store.channel_named("Demo") is None
        assert made.arn == "arn:aws:kinesisvideo:us-west-2:000000000000:channel/demo/1700000000123"

    async def test_they_are_listed_by_name(self, open_store: Open) -> None:
        store = open_store()
        for name in ("b", "a", "C", "b-2", "a.1"):
            await store.create_channel(channel(name))
        assert [found.name for found in store.channels()] == ["C", "a", "a.1", "b", "b-2"]

    async def test_a_name_is_taken_until_its_channel_is_deleted(self, open_store: Open) -> None:
        store = open_store()
        first, second = channel(), channel(created_ms=1_700_000_000_124)
        await store.create_channel(first)
        with pytest.raises(ResourceInUse, match="'demo'"):
            await store.create_channel(second)
        assert store.channel_named("demo") == first
        assert store.channel(second.arn) is None
        await store.delete_channel(first.arn, current_version=None)
        await store.create_channel(second)
        assert list(store.channels()) == [second]

    async def test_there_is_room_for_so_many(self, open_store: Open) -> None:
        store = open_store(max_channels=2)
        await store.create_channel(channel("a"))
        await store.create_channel(channel("b"))
        with pytest.raises(AccountChannelLimitExceeded, match="2 channels"):
            await store.create_channel(channel("c"))
        await store.delete_channel(channel("a").arn, current_version=None)
        await store.create_channel(channel("c"))
        assert [found.name for found in store.channels()] == ["b", "c"]

    async def test_an_update_needs_the_version_and_changes_only_what_it_says(self, open_store: Open) -> None:
        store = open_store()
        made = channel(tags={"a": "1"})
        await store.create_channel(made)
        with pytest.raises(VersionMismatch, match="'V1'"):
            await store.update_channel(made.arn, message_ttl=5, current_version="V0", version="V2")
        assert store.channel(made.arn) == made
        await store.update_channel(made.arn, message_ttl=5, current_version="V1", version="V2")
        assert store.channel_named("demo") == msgspec.structs.replace(made, message_ttl=5, version="V2")
        with pytest.raises(ResourceNotFound):
            await store.update_channel(made.arn + "1", message_ttl=5, current_version="V2", version="V3")

    async def test_of_two_updates_with_one_version_one_wins(self, open_store: Open) -> None:
        store = open_store()
        made = channel()
        await store.create_channel(made)
        results = await asyncio.gather(
            *(
                store.update_channel(made.arn, message_ttl=n, current_version="V1", version=f"N{n}")
                for n in range(5, 15)
            ),
            return_exceptions=True,
        )
        assert results.count(None) == 1
        assert sum(isinstance(result, VersionMismatch) for result in results) == 9
        now = store.channel(made.arn)
        assert now is not None
        assert now.version == f"N{now.message_ttl}"

    async def test_deleting_by_version_or_without(self, open_store: Open) -> None:
        store = open_store()
        await store.create_channel(channel("a"))
        await store.create_channel(channel("b"))
        with pytest.raises(VersionMismatch):
            await store.delete_channel(channel("a").arn, current_version="V0")
        assert len(list(store.channels())) == 2
        await store.delete_channel(channel("a").arn, current_version="V1")
        await store.delete_channel(channel("b").arn, current_version=None)
        assert list(store.channels()) == []
        assert store.channel_named("a") is None
        assert store.channel(channel("a").arn) is None
        with pytest.raises(ResourceNotFound):
            await store.delete_channel(channel("a").arn, current_version=None)


class TestTags:
    async def test_they_are_put_and_removed_in_one_go(self, open_store: Open) -> None:
        store = open_store()
        made = channel(tags={"a": "1", "b": "2", "c": "3"})
        await store.create_channel(made)
        await store.tag_channel(made.arn, put={"b": "new", "d": ""}, remove=iter(["a", "unknown"]))
        now = store.channel(made.arn)
        assert now is not None
        assert now.tags == {"b": "new", "c": "3", "d": ""}
        assert now.version == "V1"
        with pytest.raises(ResourceNotFound):
            await store.tag_channel(made.arn + "1", put={}, remove=())

    async def test_a_call_that_is_refused_changes_nothing(self, open_store: Open) -> None:
        store = open_store()
        made = channel(tags={f"k{n}": "" for n in range(49)})
        await store.create_channel(made)
        with pytest.raises(TagsPerResourceExceeded, match="51 tags"):
            await store.tag_channel(made.arn, put={"x": "", "y": ""}, remove=())
        assert store.channel(made.arn) == made
        await store.tag_channel(made.arn, put={"x": "", "y": ""}, remove=["k0"])
        assert (await reopened(open_store, store)).channel(made.arn) == store.channel(made.arn) != made

    async def test_calls_at_the_same_time_do_not_lose_each_others_tags(self, open_store: Open) -> None:
        store = open_store()
        made = channel()
        await store.create_channel(made)
        await asyncio.gather(*(store.tag_channel(made.arn, put={f"k{n}": ""}, remove=()) for n in range(50)))
        now = store.channel(made.arn)
        assert now is not None
        assert len(now.tags) == 50


class TestKeys:
    async def test_a_key_is_added_and_replaced(self, open_store: Open) -> None:
        store = open_store()
        await store.put_key(key())
        assert store.key("AKIA1") == key()
        assert store.key("akia1") is None
        revoked = key(revoked_at=1_700_000_001.0)
        await store.put_key(revoked)
        assert list(store.all_keys()) == [revoked]

    async def test_they_are_listed_from_the_oldest(self, open_store: Open) -> None:
        store = open_store()
        for age, name in enumerate(("b", "a", "c")):
            await store.put_key(key(name, created_at=float(age)))
        await store.put_key(key("b", created_at=0.0, note="replaced"))
        assert [found.access_key_id for found in store.all_keys()] == ["b", "a", "c"]
        again = await reopened(open_store, store)
        assert [found.access_key_id for found in again.all_keys()] == ["b", "a", "c"]

    def test_a_key_is_active_until_it_expires_or_is_revoked(self) -> None:
        assert key().state(1e12) is KeyState.ACTIVE
        assert key(expires_at=100.0).state(99.9) is KeyState.ACTIVE
        assert key(expires_at=100.0).state(100.0) is KeyState.EXPIRED
        assert key(revoked_at=1.0).state(0.0) is KeyState.REVOKED
        assert key(expires_at=100.0, revoked_at=1.0).state(200.0) is KeyState.REVOKED

    def test_its_secret_does_not_show(self) -> None:
        assert "s3cret" not in repr(key())


@pytest.mark.parametrize(
    ("pattern", "good", "bad"),
    [
        ("*", ["a", "x" * 256, None], []),
        ("demo", ["demo"], ["demo2", "Demo", "", None]),
        ("door-*", ["door-", "door-1"], ["door", "adoor-1", None]),
        ("cam?", ["cam1"], ["cam", "cam12", None]),
        ("a.b", ["a.b"], ["axb"]),
        ("[ab]*", ["[ab]x"], ["a", "b"]),
    ],
)
def test_a_grant_covers_channels_by_a_pattern(pattern: str, good: list[str | None], bad: list[str | None]) -> None:
    grant = Grant(("kinesisvideo:DescribeSignalingChannel",), pattern)
    assert all(grant.allows("kinesisvideo:DescribeSignalingChannel", name) for name in good)
    assert not any(grant.allows("kinesisvideo:DescribeSignalingChannel", name) for name in bad)
    assert not any(grant.allows("kinesisvideo:DeleteSignalingChannel", name) for name in good)


ACTIONS = [
    "kinesisvideo:DescribeSignalingChannel",
    "kinesisvideo:DescribeMediaStorageConfiguration",
    "kinesisvideo:GetSignalingChannelEndpoint",
    "kinesisvideo:GetIceServerConfig",
    "kinesisvideo:ListTagsForResource",
    "kinesisvideo:CreateSignalingChannel",
    "kinesisvideo:ConnectAsMaster",
    "kinesisvideo:ConnectAsViewer",
    "kinesisvideo:SendAlexaOfferToMaster",
    "kinesisvideo:ListSignalingChannels",
    "kinesisvideo:UpdateSignalingChannel",
    "kinesisvideo:DeleteSignalingChannel",
    "kinesisvideo:TagResource",
    "kinesisvideo:UntagResource",
    "kinesisvideo:UpdateMediaStorageConfiguration",
    "sightline:CreateCredentials",
    "sightline:ListCredentials",
    "sightline:RevokeCredentials",
    "sightline:CreateLink",
    "sightline:ListLinks",
    "sightline:RevokeLink",
]


@pytest.mark.parametrize(
    ("role", "may"),
    [
        (KeyRole.ADMIN, set(ACTIONS)),
        (KeyRole.MASTER, {*ACTIONS[:5], "kinesisvideo:CreateSignalingChannel", "kinesisvideo:ConnectAsMaster"}),
        (KeyRole.VIEWER, {*ACTIONS[:5], "kinesisvideo:ConnectAsViewer", "kinesisvideo:SendAlexaOfferToMaster"}),
    ],
)
def test_what_each_role_may_do(role: KeyRole, may: set[str]) -> None:
    grant = Grant(ROLE_ACTIONS[role], "*")
    assert {action for action in ACTIONS if grant.allows(action, "demo")} == may
    assert not grant.allows("kinesisvideoX:ConnectAsMaster", "demo")
    assert not grant.allows("iam:CreateUser", "demo")


class TestGroups:
    """Writes that come while one is being synced are committed together."""

    async def test_a_refused_one_takes_nothing_of_the_others_with_it(self, open_store: Open) -> None:
        store = open_store()
        await store.create_channel(channel("taken"))
        calls = [
            store.create_channel(channel("a", tags={"n": "1"})),
            store.create_channel(channel("taken", created_ms=1)),
            store.put_key(key()),
            store.delete_channel(channel("nothing").arn, current_version=None),
            store.tag_channel(channel("a").arn, put={"m": "2"}, remove=()),
            store.tag_channel(channel("a").arn, put={f"k{n}": "" for n in range(51)}, remove=["n"]),
            store.update_channel(channel("a").arn, message_ttl=7, current_version="V1", version="V2"),
            store.create_channel(channel("b")),
            store.delete_channel(channel("b").arn, current_version="V1"),
            store.create_channel(channel("c")),
        ]
        results = await asyncio.gather(*calls, return_exceptions=True)
        assert [type(result) for result in results] == [
            type(None),
            ResourceInUse,
            type(None),
            ResourceNotFound,
            type(None),
            TagsPerResourceExceeded,
            *[type(None)] * 4,
        ]
        assert [found.name for found in store.channels()] == ["a", "c", "taken"]
        changed = store.channel_named("a")
        assert changed is not None
        assert (changed.tags, changed.message_ttl, changed.version) == ({"n": "1", "m": "2"}, 7, "V2")
        before = content(store)
        assert content(await reopened(open_store, store)) == before

    async def test_a_write_that_cannot_be_done_at_all_stops_nobody(self, open_store: Open) -> None:
        """A secret from the environment may hold bytes that are no text."""
        store = open_store()
        odd = key("odd", secret_access_key=b"\xff".decode("utf-8", "surrogateescape"))
        results = await asyncio.wait_for(
            asyncio.gather(
                store.put_key(key("a")), store.put_key(odd), store.put_key(key("b")), return_exceptions=True
            ),
            5,
        )
        assert isinstance(results[1], Exception)
        await asyncio.wait_for(store.put_key(key("c")), 5)
        assert [found.access_key_id for found in store.all_keys()] == ["a", "b", "c"]
        before = content(store)
        assert content(await reopened(open_store, store)) == before

    async def test_what_is_on_its_way_gets_there_though_nobody_waits(self, open_store: Open) -> None:
        store = open_store()
        task = asyncio.ensure_future(store.create_channel(channel()))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        again = await reopened(open_store, store)
        assert store.channel_named("demo") == again.channel_named("demo") == channel()

    async def test_a_full_disk_is_told_and_changes_nothing(self, open_store: Open) -> None:
        store = open_store()
        await store.create_channel(channel("a"))
        (pages,) = store._database.execute("PRAGMA page_count").fetchone()
        store._database.execute(f"PRAGMA max_page_count = {pages}")
        before = content(store)
        big = channel("big", tags={f"k{n}": "v" * 256 for n in range(50)})
        with pytest.raises(sqlite3.Error):
            await store.create_channel(big)
        assert content(store) == before
        store._database.execute("PRAGMA max_page_count = 100000")
        await store.create_channel(big)
        after = content(store)
        assert content(await reopened(open_store, store)) == after


class TestFiles:
    async def test_they_are_for_their_owner_only(self, open_store: Open, tmp_path: Path) -> None:
        old = os.umask(0)
        try:
            store = open_store("new/data")
            await store.put_key(key())
        finally:
            os.umask(old)
        directory = tmp_path / "new" / "data"
        assert stat.S_IMODE(directory.stat().st_mode) == 0o700
        names = {path.name: stat.S_IMODE(path.stat().st_mode) for path in directory.iterdir()}
        assert {"sightline.db", "sightline.db-wal", "lock"} <= set(names)
        assert set(names.values()) == {0o600}

    async def test_modes_that_were_too_wide_are_mended(self, open_store: Open, tmp_path: Path) -> None:
        store = open_store()
        await store.aclose()
        (tmp_path / "data").chmod(0o755)
        (tmp_path / "data" / "sightline.db").chmod(0o644)
        await open_store().put_key(key())
        assert stat.S_IMODE((tmp_path / "data").stat().st_mode) == 0o700
        modes = {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "data").glob("sightline.db*")}
        assert modes == {0o600}

    async def test_it_writes_ahead_and_waits_for_the_disk(self, open_store: Open) -> None:
        database = open_store()._database
        assert database.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert database.execute("PRAGMA synchronous").fetchone() == (2,)

    async def test_a_second_one_on_the_same_directory_is_one_sentence(self, open_store: Open, tmp_path: Path) -> None:
        store = open_store()
        with pytest.raises(ConfigError) as caught:
            SqliteStore(tmp_path / "data")
        assert caught.value.message == (
            f"Another service uses the data directory {tmp_path / 'data'}. Stop it, or give this one a directory of "
            "its own (--data-dir)."
        )
        await store.put_key(key())
        again = await reopened(open_store, store)
        assert again.key("AKIA1") == key()

    @pytest.mark.parametrize("what", ["file in the way", "junk in the database", "folder for the database"])
    def test_a_directory_that_cannot_be_used_is_one_sentence(self, tmp_path: Path, what: str) -> None:
        directory = tmp_path / "data"
        if what == "file in the way":
            directory.write_text("x")
        elif what == "junk in the database":
            directory.mkdir()
            (directory / "sightline.db").write_text("this is no database, it is a text of some length" * 100)
        else:
            (directory / "sightline.db").mkdir(parents=True)
        for _ in range(2):  # the second time not because of the first one's lock
            with pytest.raises(ConfigError, match="cannot be used") as caught:
                SqliteStore(directory)
            assert str(directory) in caught.value.message


class TestReopening:
    async def test_all_is_as_it_was(self, open_store: Open) -> None:
        store = open_store()
        await store.create_channel(channel("a", tags={"방": "문\u3000Tür", "": ""}))
        await store.create_channel(channel("b"))
        await store.update_channel(channel("b").arn, message_ttl=5, current_version="V1", version="V2")
        await store.create_channel(channel("gone"))
        await store.delete_channel(channel("gone").arn, current_version=None)
        await store.put_key(key("1"))
        await store.put_key(
            key(
                "2",
                kind=KeyKind.LINK,
                role=KeyRole.MASTER,
                grant=Grant(ROLE_ACTIONS[KeyRole.MASTER], "a"),
                created_at=1_700_000_001.25,
                expires_at=1_700_000_002.75,
                revoked_at=1_700_000_003.5,
                note="für 거실",
            )
        )
        before = content(store)
        assert len(before.secret) == 32
        assert len(before.channels) == len(before.keys) == 2
        assert content(await reopened(open_store, store)) == before

    async def test_two_services_have_two_secrets(self, open_store: Open) -> None:
        assert open_store("one").service_secret != open_store("two").service_secret

    async def test_closing_writes_what_is_pending_and_may_be_repeated(self, open_store: Open) -> None:
        store = open_store()
        calls = [asyncio.ensure_future(store.create_channel(channel(f"c{n}"))) for n in range(300)]
        await asyncio.sleep(0)
        await store.aclose()
        await store.aclose()
        await asyncio.wait_for(asyncio.gather(*calls), 5)
        with pytest.raises(ConfigError, match="closed"):
            await store.put_key(key())
        assert len(list(open_store().channels())) == 300

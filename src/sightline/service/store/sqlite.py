"""The store on SQLite: WAL, ``synchronous=FULL``, writes on one thread and grouped, reads from memory.

An fsync on an SD card takes long enough to stop every socket, so nothing of the database is touched on the event loop
after the start. Writes that queue up while one is being synced are committed together; each stands in a savepoint of
its own, so that one that is refused takes nothing of the others with it.
"""

from __future__ import annotations

import asyncio
import bisect
import fcntl
import os
import queue
import secrets
import sqlite3
import threading
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Final

import msgspec

from ...errors import (
    AccountChannelLimitExceeded,
    ConfigError,
    ResourceInUse,
    ResourceNotFound,
    TagsPerResourceExceeded,
    VersionMismatch,
)
from .records import Channel, Grant, Key, KeyKind, KeyRole

__all__ = ["MAX_TAGS", "SqliteStore"]

MAX_TAGS: Final = 50
_GROUP: Final = 256
"""Writes of one commit at the most."""

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS channels (
  arn TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, created_ms INTEGER NOT NULL,
  message_ttl INTEGER NOT NULL, version TEXT NOT NULL, tags TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS keys (
  access_key_id TEXT PRIMARY KEY, secret_access_key TEXT NOT NULL, kind TEXT NOT NULL, role TEXT NOT NULL,
  actions TEXT NOT NULL, channels TEXT NOT NULL, created_at REAL NOT NULL, expires_at REAL, revoked_at REAL,
  note TEXT NOT NULL
) STRICT;
"""


class _Write:
    """One write: done on the writer's thread, then shown to readers on the event loop."""

    __slots__ = ("apply", "future", "show")

    def __init__(
        self, apply: Callable[[sqlite3.Connection], None], show: Callable[[], None], future: asyncio.Future[None]
    ) -> None:
        self.apply = apply
        self.show = show
        self.future = future


class SqliteStore:
    """See ``store.base.Store`` for what the methods promise."""

    def __init__(self, directory: Path, *, max_channels: int = 10_000) -> None:
        """Open or make the database in the directory; raises ConfigError when that cannot be or is in use."""
        self._max_channels = max_channels
        self._closed = False
        self._lock = _lock_directory(directory)
        try:
            self._database = _open(directory / "sightline.db")
            self._load()
        except (sqlite3.Error, OSError) as error:
            os.close(self._lock)
            raise ConfigError(f"The database in {directory} cannot be used: {error}.") from error
        self._queue: queue.SimpleQueue[_Write | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._write_loop, name="sightline-store", daemon=True)
        self._thread.start()

    def _load(self) -> None:
        row = self._database.execute("SELECT value FROM meta WHERE name = 'service_secret'").fetchone()
        self._secret = row[0] if row else secrets.token_bytes(32)
        if not row:
            self._database.execute("INSERT INTO meta VALUES ('service_secret', ?)", (self._secret,))
            self._database.commit()
        self._by_arn: dict[str, Channel] = {}
        self._by_name: dict[str, Channel] = {}
        self._names: list[str] = []
        self._keys: dict[str, Key] = {}
        for arn, name, created_ms, ttl, version, tags in self._database.execute(
            "SELECT arn, name, created_ms, message_ttl, version, tags FROM channels"
        ):
            self._show_channel(
                Channel(
                    arn=arn,
                    name=name,
                    created_ms=created_ms,
                    message_ttl=ttl,
                    version=version,
                    tags=msgspec.json.decode(tags, type=dict[str, str]),
                )
            )
        for key_id, secret, kind, role, actions, channels, created, expires, revoked, note in self._database.execute(
            "SELECT access_key_id, secret_access_key, kind, role, actions, channels, created_at, expires_at, "
            "revoked_at, note FROM keys ORDER BY created_at"
        ):
            self._keys[key_id] = Key(
                access_key_id=key_id,
                secret_access_key=secret,
                kind=KeyKind(kind),
                role=KeyRole(role),
                grant=Grant(tuple(actions.split(" ")), channels),
                created_at=created,
                expires_at=expires,
                revoked_at=revoked,
                note=note,
            )

    # --------------------------------------------------------------------------------------------- reads

    @property
    def service_secret(self) -> bytes:
        return self._secret

    def channel(self, arn: str) -> Channel | None:
        return self._by_arn.get(arn)

    def channel_named(self, name: str) -> Channel | None:
        return self._by_name.get(name)

    def channels(self) -> Iterable[Channel]:
        return (self._by_name[name] for name in self._names)

    def key(self, access_key_id: str) -> Key | None:
        return self._keys.get(access_key_id)

    def all_keys(self) -> Iterable[Key]:
        return list(self._keys.values())

    # -------------------------------------------------------------------------------------------- writes

    async def create_channel(self, channel: Channel) -> None:
        def apply(database: sqlite3.Connection) -> None:
            (count,) = database.execute("SELECT count(*) FROM channels").fetchone()
            if count >= self._max_channels:
                raise AccountChannelLimitExceeded(
                    f"The service holds {count} channels, as many as it may. Delete some or raise max_channels."
                )
            try:
                database.execute(
                    "INSERT INTO channels VALUES (?, ?, ?, ?, ?, ?)",
                    (
                        channel.arn,
                        channel.name,
                        channel.created_ms,
                        channel.message_ttl,
                        channel.version,
                        msgspec.json.encode(channel.tags).decode(),
                    ),
                )
            except sqlite3.IntegrityError:
                raise ResourceInUse(f"A channel with the name {channel.name!r} exists already.") from None

        await self._write(apply, lambda: self._show_channel(channel))

    async def update_channel(self, arn: str, *, message_ttl: int, current_version: str, version: str) -> None:
        def apply(database: sqlite3.Connection) -> None:
            _check_version(database, arn, current_version)
            database.execute(
                "UPDATE channels SET message_ttl = ?, version = ? WHERE arn = ?", (message_ttl, version, arn)
            )

        def show() -> None:
            self._show_channel(msgspec.structs.replace(self._by_arn[arn], message_ttl=message_ttl, version=version))

        await self._write(apply, show)

    async def delete_channel(self, arn: str, *, current_version: str | None) -> None:
        def apply(database: sqlite3.Connection) -> None:
            _check_version(database, arn, current_version)
            database.execute("DELETE FROM channels WHERE arn = ?", (arn,))

        def show() -> None:
            channel = self._by_arn.pop(arn)
            del self._by_name[channel.name]
            del self._names[bisect.bisect_left(self._names, channel.name)]

        await self._write(apply, show)

    async def tag_channel(self, arn: str, *, put: Mapping[str, str], remove: Iterable[str]) -> None:
        removed = set(remove)
        result: dict[str, str] = {}

        def apply(database: sqlite3.Connection) -> None:
            row = database.execute("SELECT tags FROM channels WHERE arn = ?", (arn,)).fetchone()
            if row is None:
                raise _not_found(arn)
            result.update(msgspec.json.decode(row[0], type=dict[str, str]))
            result.update(put)
            for name in removed:
                result.pop(name, None)
            if len(result) > MAX_TAGS:
                raise TagsPerResourceExceeded(
                    f"The channel would have {len(result)} tags; a channel may have {MAX_TAGS}."
                )
            database.execute("UPDATE channels SET tags = ? WHERE arn = ?", (msgspec.json.encode(result).decode(), arn))

        await self._write(apply, lambda: self._show_channel(msgspec.structs.replace(self._by_arn[arn], tags=result)))

    async def put_key(self, key: Key) -> None:
        def apply(database: sqlite3.Connection) -> None:
            database.execute(
                "INSERT OR REPLACE INTO keys VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    key.access_key_id,
                    key.secret_access_key,
                    key.kind.value,
                    key.role.value,
                    " ".join(key.grant.actions),
                    key.grant.channels,
                    key.created_at,
                    key.expires_at,
                    key.revoked_at,
                    key.note,
                ),
            )

        await self._write(apply, lambda: self._keys.__setitem__(key.access_key_id, key))

    def _show_channel(self, channel: Channel) -> None:
        if channel.name not in self._by_name:
            bisect.insort(self._names, channel.name)
        self._by_arn[channel.arn] = channel
        self._by_name[channel.name] = channel

    # -------------------------------------------------------------------------------------- writer thread

    async def _write(self, apply: Callable[[sqlite3.Connection], None], show: Callable[[], None]) -> None:
        if self._closed:
            raise ConfigError("The store is closed.")
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queue.put(_Write(apply, show, future))
        # What is on its way to the disk gets there, whether or not the one who asked still waits.
        await asyncio.shield(future)

    def _write_loop(self) -> None:
        while (first := self._queue.get()) is not None:
            group, last = [first], False
            while len(group) < _GROUP:
                try:
                    write = self._queue.get_nowait()
                except queue.Empty:
                    break
                if write is None:
                    last = True
                    break
                group.append(write)
            self._commit(group)
            if last:
                break

    def _commit(self, group: list[_Write]) -> None:
        outcomes: list[tuple[_Write, Exception | None]] = []
        try:
            self._database.execute("BEGIN IMMEDIATE")
            for write in group:
                self._database.execute("SAVEPOINT one")
                try:
                    write.apply(self._database)
                    outcomes.append((write, None))
                except Exception as error:
                    # Whatever it is, this one write has failed: the thread has to go on, or nobody ever writes again.
                    self._database.execute("ROLLBACK TO one")
                    outcomes.append((write, error))
                self._database.execute("RELEASE one")
            self._database.execute("COMMIT")
        except sqlite3.Error as error:
            if self._database.in_transaction:
                self._database.execute("ROLLBACK")
            outcomes = [(write, error) for write in group]
        loop = group[0].future.get_loop()
        if not loop.is_closed():
            loop.call_soon_threadsafe(_settle, outcomes)

    async def aclose(self) -> None:
        """Write what is pending and close. Repeatable."""
        if self._closed:
            return
        self._closed = True
        self._queue.put(None)
        await asyncio.get_running_loop().run_in_executor(None, self._thread.join)
        # Outcomes that the thread handed over last come before the database is closed.
        await asyncio.sleep(0)
        self._database.close()
        os.close(self._lock)


def _settle(outcomes: list[tuple[_Write, Exception | None]]) -> None:
    for write, error in outcomes:
        if error is None:
            write.show()
        if not write.future.done():
            if error is None:
                write.future.set_result(None)
            else:
                write.future.set_exception(error)
                write.future.exception()


def _check_version(database: sqlite3.Connection, arn: str, current_version: str | None) -> None:
    row = database.execute("SELECT version FROM channels WHERE arn = ?", (arn,)).fetchone()
    if row is None:
        raise _not_found(arn)
    if current_version is not None and row[0] != current_version:
        raise VersionMismatch(
            f"CurrentVersion {current_version!r} is not the channel's version {row[0]!r}. Describe the channel again."
        )


def _not_found(arn: str) -> ResourceNotFound:
    return ResourceNotFound(f"The requested channel is not found or not active: {arn}")


def _lock_directory(directory: Path) -> int:
    """Make the directory and hold its lock; the file descriptor keeps it."""
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        directory.chmod(0o700)
        lock = os.open(directory / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise ConfigError(f"The data directory {directory} cannot be used: {error.strerror}.") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock)
        raise ConfigError(
            f"Another service uses the data directory {directory}. Stop it, or give this one a directory of its own "
            "(--data-dir)."
        ) from None
    return lock


def _open(path: Path) -> sqlite3.Connection:
    # Made by us, so that its mode is right before the first byte is in it; SQLite gives WAL files the same mode.
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    path.chmod(0o600)
    database = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
    try:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = FULL")
        database.executescript(_SCHEMA)
    except sqlite3.Error:
        database.close()
        raise
    return database

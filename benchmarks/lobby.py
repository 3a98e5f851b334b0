#!/usr/bin/env python3
"""What a crowd costs in the lobby: 1,000 users join one room and leave it, and everybody's list must be right.

The users are spread over the time that is asked for; each has a socket, claims a name and keeps the list that it is
told. Once all are the MDN sample's (whole lists), once all are pages of ours (changes). A lobby that told everybody of
every change by a whole list, as the sample's own server does, would send the square of the number of users in lists:
that is the line "one by one", computed.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp

from support.processes import be_nice, cpu_seconds, raise_file_limit, sightline
from support.report import finish, say, table

EXAMPLE = """\
example:
  python benchmarks/lobby.py                          1,000 users, about 2 minutes
  python benchmarks/lobby.py --users 200 --seconds 5"""
GOAL_BYTES = 3_000_000
"""A second, to the whole room."""
GOAL_MESSAGES_PER_SECOND = 4.0
"""Lists, to each of those who are there."""
GOAL_SETTLED = 15.0
"""Seconds until everybody knows, after the last has come or gone."""


@dataclass
class User:
    """One socket and the list that it shows."""

    number: int
    users: list[str] = field(default_factory=list)
    messages: int = 0
    bytes: int = 0
    lists: int = 0
    socket: aiohttp.ClientWebSocketResponse | None = None
    named: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def name(self) -> str:
        return f"user {self.number:04}"

    async def stay(self, session: aiohttp.ClientSession, url: str) -> None:
        """Join, and follow the list until the socket is closed."""
        async with session.ws_connect(url, protocols=("json",), max_msg_size=1 << 20, autoclose=True) as self.socket:
            await self.socket.send_json({"type": "username", "name": self.name, "id": 0, "date": 0})
            async for frame in self.socket:
                self.messages += 1
                self.bytes += len(frame.data)
                self._take(json.loads(frame.data))

    def _take(self, message: dict[str, object]) -> None:
        if message["type"] == "userlist":
            self.users = list(message["users"])  # type: ignore[call-overload]
            self.lists += 1
            self.named.set()
        elif message["type"] == "users":
            joined: list[str] = message["joined"]  # type: ignore[assignment]
            gone = {*message["left"], *joined}  # type: ignore[misc]
            self.users = [name for name in self.users if name not in gone] + joined
            self.lists += 1


def main() -> None:
    args = arguments()
    if raise_file_limit() < args.users + 200:
        raise SystemExit(f"{args.users} sockets need a limit of open files above {args.users + 200}.")
    if args.nice:
        be_nice(args.nice)
    results: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory(prefix="sightline-lobby-") as directory:
        for kind in ("sample", "ours"):
            folder = Path(directory) / kind
            folder.mkdir()
            with sightline(folder, settings={"SIGHTLINE_OPEN_LOBBY": "local"}) as service:
                url = f"ws://localhost:{service.port}/lobby" + ("?extras=1" if kind == "ours" else "")
                before = cpu_seconds(service.pid)
                results[kind] = asyncio.run(crowd(url, users=args.users, seconds=args.seconds))
                results[kind]["cpu_seconds"] = round(cpu_seconds(service.pid).running - before.running, 2)
    show(results, args.users)
    goals = {
        "everybody's list right after the joining and after the leaving": all(
            result["wrong_lists"] == 0 for result in results.values()
        ),
        f"at most {GOAL_MESSAGES_PER_SECOND:g} lists a second to each": all(
            result["lists_per_second_each"] <= GOAL_MESSAGES_PER_SECOND for result in results.values()
        ),
        f"at most {GOAL_BYTES / 1e6:g} MB a second to the whole room": all(
            result["bytes_per_second"] <= GOAL_BYTES for result in results.values()
        ),
        f"everybody knows within {GOAL_SETTLED:g} s": all(
            result["settled_seconds"] <= GOAL_SETTLED for result in results.values()
        ),
    }
    finish("lobby", {"users": args.users, "seconds": args.seconds, "results": results}, goals)


async def crowd(url: str, *, users: int, seconds: float) -> dict[str, float]:
    """Let them come, look, let half of them go, look again."""
    everybody = [User(number) for number in range(users)]
    pause = seconds / users
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session, asyncio.TaskGroup() as group:
        begun = time.monotonic()
        for user in everybody:
            group.create_task(user.stay(session, url))
            await asyncio.sleep(max(0.0, begun + user.number * pause - time.monotonic()))
        await asyncio.gather(*(user.named.wait() for user in everybody))
        came = time.monotonic()
        settled = await settle(everybody)
        took = came - begun + settled
        wrong = wrong_lists(everybody)
        messages, size, lists = (
            sum(getattr(user, what) for user in everybody) for what in ("messages", "bytes", "lists")
        )
        leaving, staying = everybody[::2], everybody[1::2]
        begun = time.monotonic()
        for user in leaving:
            assert user.socket is not None
            await user.socket.close()
            await asyncio.sleep(pause)
        left = await settle(staying)
        wrong += wrong_lists(staying)
        after = sum(user.bytes for user in staying)
        for user in staying:
            assert user.socket is not None
            await user.socket.close()
    return {
        "messages_per_join": round(messages / users, 1),
        "bytes_per_join": round(size / users),
        "bytes_per_second": round(size / took),
        "lists_per_second_each": round(lists / users / took, 2),
        "settled_seconds": round(max(settled, left), 2),
        "bytes_in_all": size,
        "bytes_with_the_leaving": after,
        "wrong_lists": wrong,
    }


async def settle(users: list[User]) -> float:
    """Seconds until all lists are right; a minute at the most."""
    begun = time.monotonic()
    while wrong_lists(users) and time.monotonic() < begun + 60:  # noqa: ASYNC110 - it looks
        await asyncio.sleep(0.1)
    return time.monotonic() - begun


def wrong_lists(users: list[User]) -> int:
    """How many show something else than who is there, or in another order than the first of them does."""
    shown = users[0].users
    if sorted(shown) != sorted(user.name for user in users):
        return len(users)
    return sum(user.users != shown for user in users)


def show(results: dict[str, dict[str, float]], users: int) -> None:
    """For people."""
    say()
    one_by_one = sum(number * number * 12 for number in range(1, users + 1))
    table(
        ["to each who joins", *results],
        [
            ["messages that the room got", *(f"{result['messages_per_join']:,}" for result in results.values())],
            ["kB that the room got", *(f"{result['bytes_per_join'] / 1e3:,.0f}" for result in results.values())],
            ["kB, were they told one by one", *(f"{one_by_one / users / 1e3:,.0f}" for _ in results)],
            ["lists a second and user", *(f"{result['lists_per_second_each']:.2f}" for result in results.values())],
            ["MB a second, the room", *(f"{result['bytes_per_second'] / 1e6:.2f}" for result in results.values())],
            ["seconds until everybody knows", *(f"{result['settled_seconds']:.1f}" for result in results.values())],
            ["the service's CPU seconds", *(f"{result['cpu_seconds']:.1f}" for result in results.values())],
        ],
    )


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLE, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--users", type=int, default=1000, metavar="N")
    parser.add_argument("--seconds", type=float, default=20.0, metavar="S", help="in which they come, and go")
    parser.add_argument("--nice", type=int, default=0, metavar="N")
    return parser.parse_args()


if __name__ == "__main__":
    main()

"""The load generator of relay.py, a process of its own: ``python -m support.load < plan.json``.

Closed loop: each viewer has one message on its way, to its master or back from it, all the time. Frames are made
before the start, and of what comes back only lengths are looked at, so that the server is what takes the time. In
the first round everything is decoded and checked.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import socket
import ssl
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from support.processes import cores_taken, cpu_seconds
from support.websocket import any_certificate, frame_length, frame_text, open_socket, text_frame


@dataclass(slots=True)
class Member:
    """One socket of a channel."""

    sock: socket.socket
    receive: Callable[[int], bytes]
    send: Callable[[bytes], int]
    replies: dict[int, bytes] | None = None
    """For a master: the answer to each viewer, by the last character of the viewer's id."""
    frame: bytes = b""
    """For a viewer: what it sends."""
    expected: int = 0
    """Bytes of every frame that comes in."""
    sender_at: int = 0
    """Where in such a frame the last character of the sender's id stands."""
    rest: bytes = b""
    have: int = 0


@dataclass(slots=True)
class Connected:
    """Everybody, by file descriptor."""

    members: dict[int, Member] = field(default_factory=dict)
    viewers: list[Member] = field(default_factory=list)


def main() -> None:
    plan = json.load(sys.stdin)
    os.sched_setaffinity(0, set(plan["cores"]))
    connected = connect(plan)
    run(connected, plan["warm_up"])
    pid = plan["server_pid"]
    with cores_taken((pid, os.getpid())) if plan["alone"] else contextlib.nullcontext():
        before, own = cpu_seconds(pid), time.process_time()
        messages = run(connected, plan["seconds"])
        after = cpu_seconds(pid)
    result = {
        "messages": messages,
        "seconds": plan["seconds"],
        "server_cpu_seconds": after.running - before.running,
        "server_waiting_seconds": after.waiting - before.waiting,
        "generator_cpu_seconds": time.process_time() - own,
    }
    for member in connected.members.values():
        member.sock.close()
    json.dump(result, sys.stdout)


def connect(plan: dict) -> Connected:
    """Open all sockets, and send one checked message along every path."""
    tls = any_certificate() if plan["tls"] else None
    connected = Connected()

    def join(path: str) -> Member:
        sock, rest = open_socket(plan["port"], path, tls=tls)
        if plan["greeting"]:
            rest = read_frame(sock, rest)[1]
        assert not rest, rest
        # SSLSocket's own recv() and send() do more than is needed here.
        member = Member(sock, sock.read if isinstance(sock, ssl.SSLSocket) else sock.recv, sock.send)
        connected.members[sock.fileno()] = member
        return member

    for channel in plan["channels"]:
        master = join(channel["master"]["path"])
        master.replies = {}
        for plan_of_viewer in channel["viewers"]:
            viewer = join(plan_of_viewer["path"])
            viewer.frame = text_frame(plan_of_viewer["sends"].encode())
            reply = text_frame(plan_of_viewer["is_sent"].encode())
            name = plan_of_viewer["id"].encode()
            viewer.sock.sendall(viewer.frame)
            got, _ = read_frame(master.sock, b"")
            check(got, plan_of_viewer["payload"])
            master.expected, master.sender_at = len(got), got.rindex(name) + len(name) - 1
            master.replies[name[-1]] = reply
            master.sock.sendall(reply)
            got, _ = read_frame(viewer.sock, b"")
            check(got, plan_of_viewer["payload"])
            viewer.expected = len(got)
            connected.viewers.append(viewer)
    for member in connected.members.values():
        member.sock.setblocking(False)
    return connected


def read_frame(sock: socket.socket, data: bytes) -> tuple[bytes, bytes]:
    """The next whole frame, and what came behind it."""
    while (length := frame_length(data)) is None or len(data) < length:
        more = sock.recv(65536)
        if not more:
            raise RuntimeError("the server closed a connection")
        data += more
    return data[:length], data[length:]


def check(frame: bytes, payload: str) -> None:
    message = json.loads(frame_text(frame))
    if payload not in (message.get("messagePayload"), message.get("payload")):
        raise RuntimeError(f"that is not what was sent: {frame[:300]!r}")


def run(connected: Connected, seconds: float) -> int:
    """Relay for that time, then let what is on its way arrive; the number of messages relayed in the time."""
    members = connected.members
    with select.epoll(len(members)) as epoll:
        for number in members:
            epoll.register(number, select.EPOLLIN)
        end = time.perf_counter() + seconds
        for viewer in connected.viewers:
            viewer.send(viewer.frame)
        count = pump(members, epoll.poll, end)
        # A few messages more, and then nothing: too little to count.
        drain(members, epoll.poll)
    return count


def pump(members: dict[int, Member], poll: Callable[..., list[tuple[int, int]]], end: float) -> int:
    count, clock = 0, time.perf_counter
    while clock() < end:
        # Never asleep: to wake a sleeping core is dear, and the server's write() would pay for it.
        for number, _ in poll(0):
            member = members[number]
            try:
                data = member.receive(65536)
            except (ssl.SSLWantReadError, BlockingIOError):
                continue
            if not data:
                raise RuntimeError("the server closed a connection")
            expected, replies = member.expected, member.replies
            if replies is None:
                member.have += len(data)
                if member.have >= expected:
                    member.have -= expected
                    count += 1
                    frame = member.frame
                    if member.send(frame) != len(frame):
                        raise RuntimeError("a socket's buffer is full")
                continue
            if member.rest:
                data = member.rest + data
            at, last, sender_at = 0, len(data) - expected, member.sender_at
            while at <= last:
                frame = replies[data[at + sender_at]]
                if member.send(frame) != len(frame):
                    raise RuntimeError("a socket's buffer is full")
                at += expected
                count += 1
            member.rest = data[at:]
    return count


def drain(members: dict[int, Member], poll: Callable[..., list[tuple[int, int]]]) -> None:
    """Read until nothing comes any more, so that the next run starts from rest."""
    while events := poll(0.1):
        for number, _ in events:
            member = members[number]
            member.rest, member.have = b"", 0
            try:
                if not member.receive(65536):
                    raise RuntimeError("the server closed a connection")
            except (ssl.SSLWantReadError, BlockingIOError):
                continue
    for member in members.values():
        member.rest, member.have = b"", 0


if __name__ == "__main__":
    main()

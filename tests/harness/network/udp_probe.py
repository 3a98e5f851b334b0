"""Measures a way through the lab, without anything of Sightline's: numbered datagrams to an echo, and back.

On one host `python -m tests.harness.network.udp_probe echo ADDRESS PORT`, which prints a line when it listens; on the
other `… ask ADDRESS PORT COUNT INTERVAL [SIZE]`, which prints the numbers in the order of their return and their round
trips in seconds, as JSON.
"""

from __future__ import annotations

import json
import select
import socket
import struct
import sys
import time

NUMBER = struct.Struct("!Id")
SILENCE = 2.0
"""Seconds after the last datagram until the rest counts as lost."""


def echo(address: str, port: int) -> None:
    """For ever."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind((address, port))
        print("listening", flush=True)
        while True:
            data, sender = sock.recvfrom(65536)
            sock.sendto(data, sender)


def ask(address: str, port: int, count: int, interval: float, size: int = 200) -> None:
    """Send `count` datagrams, `interval` seconds after each other; later where this process had to wait, and never
    more at a time, which no buffer would hold."""
    numbers, trips = [], []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.connect((address, port))
        sent, last = 0, 0.0
        while sent < count or (len(numbers) < count and time.monotonic() - last < SILENCE):
            pause = max(0.0, last + interval - time.monotonic()) if sent < count else 0.05
            if select.select([sock], [], [], pause)[0]:
                number, at = NUMBER.unpack_from(sock.recv(65536))
                numbers.append(number)
                trips.append(time.monotonic() - at)
            elif sent < count:
                last = time.monotonic()
                sock.send(NUMBER.pack(sent, last).ljust(size, b"\0"))
                sent += 1
    print(json.dumps({"numbers": numbers, "trips": trips}))


if __name__ == "__main__":
    what, address, port, *rest = sys.argv[1:]
    if what == "echo":
        echo(address, int(port))
    else:
        ask(address, int(port), int(rest[0]), float(rest[1]), *map(int, rest[2:]))

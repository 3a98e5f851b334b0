"""How the service ends: in order, in time, with the right word to each client; and what remains when it is killed."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from tests.harness.kvs import C_SDK_AGENT, EXTRAS, VIEWER, Kvs
from tests.harness.probe import raw_upgrade
from tests.harness.service import Service

KILLS = 3
END = 15.0
"""Seconds: three times what the issue permits, since machines have other work."""


def test_sigterm_says_go_away_to_those_who_understand_it_and_closes_all_with_1001(tmp_path: Path) -> None:
    service = Service(tmp_path)
    with Kvs(service) as kvs:
        arn = kvs.create()
        plain = kvs.viewer(arn, "browser")
        python = kvs.viewer(arn, "python", user_agent="Python/3.11 websockets/17.4")
        extras = kvs.viewer(arn, "extras", parameters={EXTRAS: "1"})
        c_sdk = kvs.master(arn, user_agent=C_SDK_AGENT)
        for _ in range(2):
            assert extras.receive()["messageType"] == "sightline/master"
        began = time.monotonic()
        service.command.process.send_signal(signal.SIGTERM)
        for socket in (extras, c_sdk):
            assert socket.receive_text() == '{"messageType":"GO_AWAY"}'
        for socket in (plain, python):
            assert socket.wait_closed() == 1001
            assert socket.last_words == [], "a word that these clients do not understand"
        for socket in (extras, c_sdk):
            socket.wait_closed()
            socket.close()
        assert service.stop() == 0
        assert time.monotonic() - began < END
    service.command.assert_clean()


def test_many_open_sockets_are_closed_over_some_time_and_the_end_comes_in_time(tmp_path: Path) -> None:
    service = Service(tmp_path)
    with Kvs(service) as kvs:
        arn = kvs.create()
        sockets = [kvs.viewer(arn, f"viewer-{number}") for number in range(30)]
        closed_at: list[float] = []
        threads = []
        began = time.monotonic()
        for socket in sockets:

            def wait(socket: Any = socket) -> None:
                socket.wait_closed()
                closed_at.append(time.monotonic() - began)

            threads.append(threading.Thread(target=wait))
            threads[-1].start()
        assert service.stop() == 0
        for thread in threads:
            thread.join()
        assert time.monotonic() - began < END
        for socket in sockets:
            assert socket.connection.close_code == 1001
            socket.close()
    assert len(closed_at) == 30
    assert max(closed_at) - min(closed_at) > 0.5, "all at once: they would all come back at once"
    service.command.assert_clean()


def test_a_client_that_does_not_answer_the_close_does_not_delay_the_end(tmp_path: Path) -> None:
    service = Service(tmp_path)
    with Kvs(service) as kvs:
        arn = kvs.create()
        with raw_upgrade(service, kvs.socket_url(VIEWER, arn, "deaf")):
            began = time.monotonic()
            assert service.stop() == 0
            assert time.monotonic() - began < END


def test_sigint_ends_it_as_well(tmp_path: Path) -> None:
    service = Service(tmp_path)
    service.command.process.send_signal(signal.SIGINT)
    assert service.stop() == 0
    service.command.assert_clean()


def test_the_service_is_the_same_after_a_restart(tmp_path: Path) -> None:
    first = Service(tmp_path)
    with Kvs(first) as kvs:
        arn = kvs.create("kept", Tags=[{"Key": "room", "Value": "door"}])
        before = kvs.control.describe_signaling_channel(ChannelARN=arn)["ChannelInfo"]
        created = first.run("credentials", "create", "--role", "viewer", "--channel", "kept", "--json")
        assert created.returncode == 0, created.stderr
    authority = first.ca_file.read_bytes()
    assert first.stop() == 0
    with Service(tmp_path, reuse_ports_of=first) as second, Kvs(second) as kvs:
        assert second.ca_file.read_bytes() == authority, "clients would have to trust a new CA after every restart"
        assert kvs.control.describe_signaling_channel(ChannelARN=arn)["ChannelInfo"] == before
        assert kvs.control.list_tags_for_resource(ResourceARN=arn)["Tags"] == {"room": "door"}
        listed = json.loads(second.run("credentials", "list", "--json").stdout)
        assert json.loads(created.stdout)["accessKeyId"] in json.dumps(listed)


def test_nothing_that_was_acknowledged_is_lost_when_it_is_killed(tmp_path: Path) -> None:
    """kill -9 in a loop under writes: what a client was told is there afterwards."""
    channels: dict[str, str] = {}
    deleted: set[str] = set()
    tags: dict[str, dict[str, str]] = {}
    for round_number in range(KILLS):
        service = Service(tmp_path)
        with Kvs(service) as kvs:
            check_everything(kvs, channels, deleted, tags)
            stop = threading.Event()
            threads = [
                threading.Thread(target=write, args=(service, stop, f"r{round_number}t{n}", channels, deleted, tags))
                for n in range(3)
            ]
            for thread in threads:
                thread.start()
            wanted = len(channels) + 40
            deadline = time.monotonic() + 20
            while len(channels) < wanted and time.monotonic() < deadline:
                time.sleep(0.01)
            os.kill(service.command.process.pid, signal.SIGKILL)
            service.command.kill()
            stop.set()
            for thread in threads:
                thread.join()
    assert len(channels) >= KILLS * 10, "too few writes to prove anything"
    with Service(tmp_path) as service, Kvs(service) as kvs:
        check_everything(kvs, channels, deleted, tags)


def write(
    service: Service,
    stop: threading.Event,
    stem: str,
    channels: dict[str, str],
    deleted: set[str],
    tags: dict[str, dict[str, str]],
) -> None:
    """Create, tag and delete channels until the service is gone; note what was acknowledged."""
    with Kvs(service) as kvs:
        number = 0
        while not stop.is_set():
            name, number = f"{stem}-{number}", number + 1
            try:
                arn = kvs.create(name)
                channels[name] = arn
                kvs.control.tag_resource(ResourceARN=arn, Tags=[{"Key": "n", "Value": str(number)}])
                tags[arn] = {"n": str(number)}
                if number % 4 == 0:
                    deleted.add(name)  # from now on both may be true: the answer may be lost
                    kvs.control.delete_signaling_channel(ChannelARN=arn)
                    channels.pop(name)
            except (ClientError, BotoCoreError):
                return


def check_everything(kvs: Kvs, channels: dict[str, str], deleted: set[str], tags: dict[str, dict[str, str]]) -> None:
    """What clients were told stands in the listing, and nothing that was deleted does."""
    pages = kvs.control.get_paginator("list_signaling_channels").paginate().build_full_result()
    found = {info["ChannelName"]: info["ChannelARN"] for info in pages["ChannelInfoList"]}
    missing = {name for name, arn in channels.items() if found.get(name) != arn} - deleted
    assert not missing, f"acknowledged and lost: {sorted(missing)}"
    back = {name for name in deleted - channels.keys() if name in found}
    assert not back, f"deleted and back again: {sorted(back)}"
    for name in sorted(channels.keys() - deleted)[-20:]:
        if channels[name] in tags:
            assert kvs.control.list_tags_for_resource(ResourceARN=found[name])["Tags"] == tags[channels[name]]

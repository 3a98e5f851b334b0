"""`sightline view`: what it shows, what it records, and what it says when there is nothing to be seen."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import pytest

from tests.harness.bar_code import read_bar_code
from tests.harness.commands import PATIENCE, events
from tests.harness.kvs import Kvs, unique_name
from tests.harness.polling import eventually
from tests.harness.service import Command, Service

CLIP_FRAMES = 600


def luma(frame: av.VideoFrame) -> Any:
    return frame.to_ndarray(format="gray")


def recorded(path: Path) -> list[tuple[float, int | None]]:
    """Time and bar code of each picture that plays."""
    with av.open(str(path)) as container:
        return [(float(frame.time or 0), read_bar_code(luma(frame))) for frame in container.decode(video=0)]


def steps(numbers: list[int]) -> list[int]:
    """From one picture's number to the next one's; the clip begins again after its last."""
    return [(after - before) % CLIP_FRAMES for before, after in pairwise(numbers)]


def states(command: Command) -> list[str]:
    return [event["after"] for event in events(command) if event["type"] == "state"]


def pictures(command: Command) -> int:
    figures = [event["pictures"] for event in events(command) if event["type"] == "statistics"]
    return int(figures[-1]) if figures else 0


@pytest.fixture(scope="module")
def watched(service: Service, clip: Path) -> Iterator[str]:
    """A channel whose camera is on."""
    channel = unique_name()
    with service.spawn("master", channel, "--create", "--source", str(clip)) as master:
        master.wait_for_output("waiting for viewers")
        yield channel


def test_a_snapshot_shows_the_picture(service: Service, watched: str) -> None:
    done = service.run("view", watched, "--snapshot", "photo.jpg")
    assert done.returncode == 0, done.stderr
    assert "photo.jpg" in done.stdout
    with av.open(str(service.folder / "photo.jpg")) as image:
        picture = next(image.decode(video=0))
    assert (picture.width, picture.height) == (640, 360)
    assert read_bar_code(luma(picture)) is not None


def test_a_recording_by_a_link_has_every_picture_and_the_sound(service: Service, watched: str) -> None:
    link = json.loads(service.run("link", watched, "--json").stdout)["urls"][0]
    done = service.run("view", "--link", link, "--record", "by-link.mp4", "--seconds", "3", "--stats")
    assert done.returncode == 0, done.stderr
    assert "640x360" in done.stdout
    assert "Mbit/s" in done.stdout
    seen = recorded(service.folder / "by-link.mp4")
    numbers = [number for _, number in seen if number is not None]
    assert len(numbers) == len(seen) >= 45
    taken = steps(numbers)
    assert all(0 < step < 300 for step in taken), f"not in order: {numbers}"
    assert taken.count(1) >= len(taken) * 0.8, f"pictures are missing, and more than a busy machine drops: {numbers}"
    with av.open(str(service.folder / "by-link.mp4")) as container:
        assert container.streams.video[0].codec_context.name == "h264"
        heard = [frame.time for frame in container.decode(audio=0)]
    assert heard[-1] == pytest.approx(seen[-1][0], abs=0.5)


def test_a_recording_goes_on_when_the_camera_comes_back_and_survives_kill_9(
    service: Service, camera: Callable[..., Command]
) -> None:
    channel = unique_name()
    first = camera(channel)
    first.wait_for_output("waiting for viewers")
    viewer = service.spawn("view", channel, "--record", "killed.mp4", "--json", "--stats", "--persistent")

    try:
        eventually(lambda: pictures(viewer) > 60, "two seconds of pictures", within=PATIENCE)
        first.kill()
        eventually(
            lambda: any(event.get("reason") == "camera-offline" for event in events(viewer)),
            "the reason",
            within=PATIENCE,
        )
        camera(channel).wait_for_output("waiting for viewers")
        eventually(
            lambda: states(viewer)[-1] == "watching" and states(viewer).count("watching") > 1, "the picture", within=30
        )
        before = pictures(viewer)
        eventually(lambda: pictures(viewer) >= before + 90, "more pictures", within=PATIENCE)
        known = pictures(viewer)
        eventually(lambda: pictures(viewer) >= known + 30, "one second more", within=PATIENCE)
    finally:
        viewer.kill()
    seen = recorded(service.folder / "killed.mp4")
    assert len(seen) >= known, "more than the last second is lost"
    assert all(number is not None for _, number in seen)
    times = [time for time, _ in seen]
    assert all(before < after for before, after in pairwise(times))
    pauses = [after - before for before, after in pairwise(times) if after - before > 0.5]
    assert pauses, "the time without a camera is a pause in the recording"
    assert not (service.folder / "killed-2.mp4").exists()


def test_no_camera_is_told_at_once_and_waited_for(service: Service, kvs: Kvs, camera: Callable[..., Command]) -> None:
    channel = unique_name()
    kvs.create(channel)
    viewer = service.spawn("view", channel, "--seconds", "1", "--persistent")
    try:
        viewer.wait_for_output("camera-offline: The camera is not connected", within=PATIENCE)
        camera(channel)
        viewer.wait_for_output(" watching", within=PATIENCE)
        assert viewer.wait(within=PATIENCE) == 0
    finally:
        if viewer.process.poll() is None:
            viewer.kill()
    viewer.assert_clean()


def test_a_revoked_link_is_told_and_ends_it(service: Service, watched: str) -> None:
    made = json.loads(service.run("link", watched, "--json").stdout)
    service.run("link", "--revoke", made["linkId"])
    refused = service.run("view", "--link", made["urls"][0])
    assert refused.returncode == 1
    assert "revoked" in refused.stderr or "withdrawn" in refused.stderr
    assert made["token"] not in refused.stdout + refused.stderr


def test_ctrl_c_ends_it_with_everything_written(service: Service, watched: str) -> None:
    viewer = service.spawn("view", watched, "--record", "stopped.mkv", "--json", "--stats")
    eventually(
        lambda: [event for event in events(viewer) if event["type"] == "statistics" and event["pictures"] > 20],
        "pictures",
    )
    assert viewer.stop() == 0
    viewer.assert_clean()
    (told,) = [event for event in events(viewer) if event["type"] == "recording"]
    assert len(recorded(service.folder / "stopped.mkv")) == told["pictures"] > 20
    nobody = "Nobody watches"  # it said goodbye; the camera's report of it may be on the way
    eventually(lambda: service.run("viewers", watched).stdout.startswith(nobody), nobody)

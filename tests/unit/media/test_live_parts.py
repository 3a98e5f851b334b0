"""Times, names and devices of live sources."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from sightline.media.devices import Device, list_devices
from sightline.media.h264_packets import profile_of
from sightline.media.live_clock import LiveClock
from sightline.media.live_input import live_input, without_password


def test_sound_and_pictures_keep_their_distance() -> None:
    clock = LiveClock()
    assert clock.at(0, 100.0, 5.0) == 5.0
    assert abs(clock.at(1, 100.04, 5.3) - 5.04) < 1e-6
    assert abs(clock.at(0, 100.1, 5.1) - 5.1) < 1e-6


def test_a_jump_of_the_cameras_clock_is_none_of_ours() -> None:
    clock = LiveClock()
    clock.at(0, 100.0, 5.0)
    assert abs(clock.at(0, 5000.0, 5.04) - 5.04) < 1e-6
    clock.reconnected()
    assert clock.at(0, 3.0, 9.0) == 9.0
    assert clock.at(0, None, 9.5) == 9.5


@settings(max_examples=40)
@given(st.lists(st.tuples(st.one_of(st.none(), st.floats(-1e6, 1e6)), st.floats(0, 1)), max_size=40))
def test_time_never_runs_backwards(packets: list[tuple[float | None, float]]) -> None:
    clock, now, seen = LiveClock(), 0.0, []
    for time, step in packets:
        now += step
        seen.append(clock.at(0, time, now))
    assert all(earlier < later for earlier, later in pairwise(seen))


def test_what_is_live() -> None:
    assert live_input("clip.mp4") is None
    camera = live_input("rtsp://admin:geheim@cam/1?token=x", transport="udp")
    assert camera is not None
    assert camera.options["rtsp_transport"] == "udp"
    assert camera.name == "rtsp://cam/1"
    device, screen, other = live_input("/dev/video2"), live_input("screen::1"), live_input("ffmpeg:alsa:default")
    assert device is not None
    assert (device.address, device.format) == ("/dev/video2", "video4linux2")
    assert screen is not None
    assert (screen.address, screen.format) == (":1", "x11grab")
    assert other is not None
    assert (other.address, other.format) == ("default", "alsa")


def test_passwords_are_taken_out() -> None:
    said = without_password("no answer of rtsp://a:b@c/d?password=e at all")
    assert said == "no answer of rtsp://c/d at all"


def test_devices_are_listed_and_their_other_nodes_are_not(tmp_path: Path) -> None:
    for node, index, name in (("video0", "0", "Webcam"), ("video1", "1", "Webcam"), ("video10", "0", "Grabber")):
        (tmp_path / node).mkdir()
        (tmp_path / node / "index").write_text(f"{index}\n")
        (tmp_path / node / "name").write_text(f"{name}\n")
    assert list_devices(cameras=tmp_path, display=":5") == [
        Device("/dev/video0", "Webcam"),
        Device("/dev/video10", "Grabber"),
        Device("screen", "the screen :5"),
    ]
    assert list_devices(cameras=tmp_path / "none", display="") == []


def test_the_profile_of_out_of_band_parameter_sets() -> None:
    assert profile_of(bytes.fromhex("014d401fff")) == "4d401f"
    assert profile_of(bytes.fromhex("00000001674d401f99")) == "4d401f"
    assert profile_of(b"") is None

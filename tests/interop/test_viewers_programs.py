"""Programs on other people's WebRTC watch our master: libwebrtc from Python, and aiortc."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from tests.harness.kvs import Kvs, unique_name
from tests.harness.native_viewer import AiortcViewer, LibwebrtcViewer, Viewer
from tests.harness.service import Service


@pytest.fixture(scope="module")
def channel(service: Service, clip: Path) -> Iterator[str]:
    """A channel whose camera is on."""
    name = unique_name("watched")
    with service.spawn("master", name, "--create", "--source", str(clip)) as master:
        master.wait_for_output("waiting for viewers")
        yield name


NATIVE: dict[str, tuple[type[Viewer], str]] = {
    # This libwebrtc decodes H.264 only with an OpenH264 that it would have to download.
    "libwebrtc, VP8": (LibwebrtcViewer, "video/VP8"),
    "aiortc, H.264": (AiortcViewer, "video/H264"),
    "aiortc, VP8": (AiortcViewer, "video/VP8"),
}


@pytest.mark.parametrize(("kind", "codec"), NATIVE.values(), ids=NATIVE.keys())
async def test_programs_watch(service: Service, kvs: Kvs, channel: str, kind: type[Viewer], codec: str) -> None:
    arn = kvs.control.describe_signaling_channel(ChannelName=channel)["ChannelInfo"]["ChannelARN"]
    async with kind(kvs.socket_url("VIEWER", arn, unique_name("program")), codec=codec) as viewer:
        for _ in range(4):  # a program may leave pictures out while its machine has other work
            numbers = await viewer.numbers(60)
            read = [number for number in numbers if number is not None]
            steps = [(after - before) % 600 for before, after in pairwise(read)]
            if len(read) >= 55 and all(0 < step < 15 for step in steps):
                break
    assert len(read) >= 55, f"bar codes unreadable: {numbers}"
    assert all(0 < step < 15 for step in steps), f"frames jump: {numbers}"

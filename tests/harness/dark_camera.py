"""A program: `python -m tests.harness.dark_camera CHANNEL` connects to every viewer and shows none anything.

Its encoder never gives anything. (A lens cap would still give black pictures.) SIGTERM ends it.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Mapping, Sequence

from sightline import Master
from sightline.media.feed import Feed
from sightline.media.source import open_source


class Dark:
    """A source that offers the test picture's formats, and never a picture."""

    def __init__(self) -> None:
        offered = open_source("test:320x180@15").video_feeds
        self.video_feeds: Mapping[str, Feed] = {codec: Feed(feed.format) for codec, feed in offered.items()}
        self.video: Feed | None = self.video_feeds["H264"]
        self.audio: Feed | None = None

    def renditions(self, codec: str) -> Sequence[Feed]:
        """One of each."""
        return [self.video_feeds[codec]]

    def request_keyframe(self) -> None:
        """In vain."""

    async def aclose(self) -> None:
        """Nothing runs."""


async def main() -> None:
    async with Master(sys.argv[1], source=Dark(), create_channel=True) as master:
        running = asyncio.ensure_future(master.run())
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, running.cancel)
        await asyncio.wait([running])


if __name__ == "__main__":
    asyncio.run(main())

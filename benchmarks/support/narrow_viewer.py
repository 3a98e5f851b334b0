"""``sightline.Viewer`` on a host of its own: ``python -m support.narrow_viewer ENDPOINT REGION CHANNEL NAME``.

Keys are in the environment. A line of JSON each second: pictures so far, and the size of the last one.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys

import sightline
from sightline.wire.sigv4 import Credentials


async def main(endpoint: str, region: str, channel: str, name: str) -> None:
    keys = Credentials(os.environ["SIGHTLINE_ACCESS_KEY_ID"], os.environ["SIGHTLINE_SECRET_ACCESS_KEY"])
    viewer = sightline.Viewer(channel, endpoint=endpoint, region=region, credentials=keys, client_id=name)
    async with viewer:
        while True:
            seen = viewer.statistics()
            print(json.dumps({"pictures": seen.pictures, "height": seen.height}), flush=True)
            await asyncio.sleep(1)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))

"""Channels of a running service, made through botocore as any KVS client does."""

from __future__ import annotations

import botocore.session

from support.processes import ACCESS_KEY_ID, REGION, SECRET_ACCESS_KEY, Server


def create_channels(service: Server, count: int) -> list[str]:
    """New channels; their ARNs."""
    client = botocore.session.Session().create_client(
        "kinesisvideo",
        endpoint_url=f"http://127.0.0.1:{service.port}",
        region_name=REGION,
        aws_access_key_id=ACCESS_KEY_ID,
        aws_secret_access_key=SECRET_ACCESS_KEY,
    )
    return [client.create_signaling_channel(ChannelName=f"bench-{number}")["ChannelARN"] for number in range(count)]

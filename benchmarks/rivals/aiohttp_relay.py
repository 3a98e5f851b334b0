"""The bare relay on what Sightline is built of: python aiohttp_relay.py PORT TLS_PORT CERTIFICATE_AND_KEY.pem

aiohttp, uvloop and msgspec, and the same checks as rivals/ws_relay.mjs. What Sightline costs beyond this is what it
does beyond this: limits, signatures, pending messages, base64 checks, counters.
"""

from __future__ import annotations

import asyncio
import ssl
import sys
from collections import defaultdict

import msgspec
import uvloop
from aiohttp import WSMsgType, web

ACTIONS = frozenset(("SDP_OFFER", "SDP_ANSWER", "ICE_CANDIDATE"))
MASTER = ""


class Message(msgspec.Struct, gc=False):
    action: str
    messagePayload: str
    recipientClientId: str = ""


class Relayed(msgspec.Struct, gc=False, omit_defaults=True):
    messagePayload: str
    messageType: str
    senderClientId: str = ""


decode = msgspec.json.Decoder(Message).decode
encode = msgspec.json.Encoder().encode
channels: defaultdict[str, dict[str, web.WebSocketResponse]] = defaultdict(dict)


async def handle(request: web.BaseRequest) -> web.StreamResponse:
    """One socket. Paths: /CHANNEL/VIEWER for a viewer, /CHANNEL for its master."""
    _, channel, *rest = request.path.split("/")
    sender = rest[0] if rest else MASTER
    members = channels[channel]
    socket = web.WebSocketResponse(compress=False, decode_text=False, max_msg_size=64 * 1024)
    await socket.prepare(request)
    members[sender] = socket
    async for frame in socket:
        if frame.type is not WSMsgType.TEXT:
            continue
        try:
            message = decode(frame.data)
        except msgspec.DecodeError:
            continue
        if message.action not in ACTIONS:
            continue
        peer = members.get(message.recipientClientId if sender == MASTER else MASTER)
        if peer is not None:
            await peer.send_frame(encode(Relayed(message.messagePayload, message.action, sender)), WSMsgType.TEXT)
    if members.get(sender) is socket:
        del members[sender]
    return socket


async def main(port: int, tls_port: int, pem: str) -> None:
    """Serve for ever."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(pem)
    runner = web.ServerRunner(web.Server(handle, access_log=None))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    await web.TCPSite(runner, "127.0.0.1", tls_port, ssl_context=tls).start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]))

"""aiortc as a camera of many viewers: ``python aiortc_master.py PORT STREAM.ts``.

After its own example `webcam` (one player, a relay for all viewers, H.264 passed through without decoding), with the
same routes; unmodified aiortc.
"""

import asyncio
import sys

from aiohttp import web
from aiortc import RTCConfiguration, RTCPeerConnection, RTCRtpSender, RTCSessionDescription
from aiortc.contrib.media import MediaPlayer, MediaRelay

connections: set[RTCPeerConnection] = set()
relay = MediaRelay()


async def offer(request: web.Request) -> web.Response:
    asked = await request.json()
    connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    connections.add(connection)

    @connection.on("connectionstatechange")
    async def on_state() -> None:
        if connection.connectionState in ("failed", "closed"):
            await connection.close()
            connections.discard(connection)

    sender = connection.addTrack(relay.subscribe(request.app["player"].video))
    codecs = RTCRtpSender.getCapabilities("video").codecs
    transceiver = next(each for each in connection.getTransceivers() if each.sender is sender)
    transceiver.setCodecPreferences([codec for codec in codecs if codec.mimeType == "video/H264"])
    await connection.setRemoteDescription(RTCSessionDescription(asked["sdp"], asked["type"]))
    await connection.setLocalDescription(await connection.createAnswer())
    return web.json_response({"sdp": connection.localDescription.sdp, "type": "answer"})


async def on_startup(app: web.Application) -> None:
    app["player"] = MediaPlayer(sys.argv[2], decode=False)


async def on_shutdown(app: web.Application) -> None:
    await asyncio.gather(*(connection.close() for connection in connections))


app = web.Application()
app.on_startup.append(on_startup)
app.on_shutdown.append(on_shutdown)
app.router.add_post("/offer", offer)
web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), print=None, access_log=None)

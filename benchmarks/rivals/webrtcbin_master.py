"""GStreamer's webrtcbin as a camera of many viewers: ``/usr/bin/python3 webrtcbin_master.py PORT STREAM.units``.

One source, parser and payloader for all, a tee, and for each viewer a queue and a webrtcbin, as its own example
`webrtc-unidirectional-h264` and the answers of its developers have it. Runs on Debian's Python and GStreamer.
"""

import json
import struct
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstWebRTC", "1.0")
gi.require_version("GstSdp", "1.0")
from gi.repository import GLib, Gst, GstSdp, GstWebRTC  # noqa: E402

RATE = 30
HEAD = struct.Struct("!I?")
PAYLOAD = "application/x-rtp,media=video,encoding-name=H264,payload=102,clock-rate=90000"

Gst.init(None)
pipeline = Gst.parse_launch(
    "appsrc name=source is-live=true format=time do-timestamp=true "
    "caps=video/x-h264,stream-format=byte-stream,alignment=au,framerate=30/1 "
    "! h264parse ! rtph264pay config-interval=-1 pt=102 aggregate-mode=zero-latency "
    f"! {PAYLOAD} ! tee name=tee allow-not-linked=true"
)
tee = pipeline.get_by_name("tee")


def play(path: str) -> None:
    """Push the stream in a loop, in real time."""
    source = pipeline.get_by_name("source")
    data, at, units = Path(path).read_bytes(), 0, []
    while at < len(data):
        size, _ = HEAD.unpack_from(data, at)
        at += HEAD.size
        units.append(Gst.Buffer.new_wrapped(data[at : at + size]))
        at += size
    begun, number = time.monotonic(), 0
    while True:
        time.sleep(max(0.0, begun + number / RATE - time.monotonic()))
        source.emit("push-buffer", units[number % len(units)].copy())
        number += 1


class Viewer:
    """A queue and a webrtcbin on the tee."""

    def __init__(self, sdp: str) -> None:
        self.gathered = threading.Event()
        self.queue = Gst.ElementFactory.make("queue")
        self.queue.set_property("leaky", 2)
        self.webrtc = Gst.ElementFactory.make("webrtcbin")
        self.webrtc.set_property("bundle-policy", 3)
        self.webrtc.connect("notify::ice-gathering-state", self.follow_gathering)
        for element in (self.queue, self.webrtc):
            pipeline.add(element)
        self.queue.link(self.webrtc)
        transceiver = self.webrtc.emit("get-transceiver", 0)
        transceiver.set_property("direction", GstWebRTC.WebRTCRTPTransceiverDirection.SENDONLY)
        transceiver.set_property("codec-preferences", Gst.Caps.from_string(PAYLOAD))
        for element in (self.webrtc, self.queue):
            element.sync_state_with_parent()
        _, message = GstSdp.SDPMessage.new_from_text(sdp)
        self.offer = GstWebRTC.WebRTCSessionDescription.new(GstWebRTC.WebRTCSDPType.OFFER, message)

    def answer(self) -> str:
        """Negotiate; the answer with all candidates in it."""
        self.do("set-remote-description", self.offer)
        reply = self.do("create-answer", None)
        self.do("set-local-description", reply.get_value("answer"))
        # The stream flows only now: without a negotiated transport webrtcbin would hold it up.
        tee.request_pad_simple("src_%u").link(self.queue.get_static_pad("sink"))
        self.gathered.wait(3)
        return self.webrtc.get_property("local-description").sdp.as_text()

    def do(self, signal: str, argument):
        promise = Gst.Promise.new()
        self.webrtc.emit(signal, argument, promise)
        promise.wait()
        self.promise = promise  # owns its reply, which owns what is in it
        return promise.get_reply()

    def follow_gathering(self, *_: object) -> None:
        if self.webrtc.get_property("ice-gathering-state") == GstWebRTC.WebRTCICEGatheringState.COMPLETE:
            self.gathered.set()


viewers: list[Viewer] = []


class Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        viewer = Viewer(asked["sdp"])
        viewers.append(viewer)
        body = json.dumps({"sdp": viewer.answer(), "type": "answer"}).encode() + b"\n"
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


pipeline.set_state(Gst.State.PLAYING)
threading.Thread(target=play, args=(sys.argv[2],), daemon=True).start()
threading.Thread(target=GLib.MainLoop().run, daemon=True).start()
ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()

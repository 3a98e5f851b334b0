"""Scripts that make a page's browser another one: without a codec, without direct paths, with a hand in its offers.

Each is for `page.add_init_script`, before the page is opened.
"""

from __future__ import annotations

import json

RELAY_ONLY = """(() => {
  const Real = RTCPeerConnection;
  const only = (configuration) => ({ ...configuration, iceTransportPolicy: "relay" });
  globalThis.RTCPeerConnection = class extends Real {
    constructor(configuration) { super(only(configuration)); }
    setConfiguration(configuration) { super.setConfiguration(only(configuration)); }
  };
})()"""
"""A browser whose administrator permits relays only."""
PEERS = """(() => {
  globalThis.peers = [];
  const Real = RTCPeerConnection;
  globalThis.RTCPeerConnection = class extends Real {
    constructor(...more) { super(...more); peers.push(this); }
  };
})()"""
"""Keeps every connection that the page makes, in `peers`."""


def video_codecs(*taken: str) -> str:
    """A browser that has no other video codecs than these: "VP8", "AV1", …, and "rtx"."""
    return """(() => {
      const taken = TAKEN;
      const { addTransceiver } = RTCPeerConnection.prototype;
      RTCPeerConnection.prototype.addTransceiver = function (kind, init) {
        const transceiver = addTransceiver.call(this, kind, init);
        if (kind === "video") {
          const { codecs } = RTCRtpReceiver.getCapabilities("video");
          transceiver.setCodecPreferences(codecs.filter(({ mimeType }) => taken.includes(mimeType)));
        }
        return transceiver;
      };
    })()""".replace("TAKEN", json.dumps([f"video/{codec}" for codec in taken]))


def rewrites_its_offer(change: str) -> str:
    """A page whose offers are changed before they are sent: `change` is an expression of the offer's `sdp`."""
    return """(() => {
      const { send } = WebSocket.prototype;
      WebSocket.prototype.send = function (text) {
        const message = JSON.parse(text);
        if (message.action === "SDP_OFFER") {
          const { sdp, ...more } = JSON.parse(atob(message.messagePayload));
          message.messagePayload = btoa(JSON.stringify({ ...more, sdp: CHANGE }));
        }
        send.call(this, JSON.stringify(message));
      };
    })()""".replace("CHANGE", change)

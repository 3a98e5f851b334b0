// The viewer of seeds 001 and 003, as their text describes it, in a page: every 5 seconds it looks whether the network is
// another one; then it asks the person to reconnect, and "Reconnect" tears all down and connects anew. The person of the
// benchmark clicks at once. No answer within 15 s: torn down, 4 s later once more, and no further.
//
// What the operating system says of its network stands in `seedViewer.network`, as an app asks for it; null is none.
"use strict";

globalThis.seedViewer = (() => {
  const state = { network: null, frames: [], told: [] };
  const seconds = () => (performance.timeOrigin + performance.now()) / 1000;
  const video = Object.assign(document.createElement("video"), { autoplay: true, muted: true, playsInline: true });
  const clientId = `seed-${Math.random().toString(36).slice(2, 10)}`;
  let known = null, timer = null, socket = null, connection = null, retries = 0, watch = null;

  async function connect({ channel, token }) {
    const answer = await fetch("/sightline/v1/session", {
      method: "POST",
      headers: { "Content-Type": "application/json", "X-Sightline-Link": token },
      body: JSON.stringify({ channel, role: "viewer", clientId }),
    });
    const session = await answer.json();
    connection = new RTCPeerConnection({ iceServers: session.iceServers });
    socket = new WebSocket(session.url);
    const mine = connection, ours = socket, waiting = [];
    let answered = false;
    const send = (action, value) => ours.readyState === 1 && ours.send(JSON.stringify({
      action, messagePayload: btoa(JSON.stringify(value)), recipientClientId: "",
    }));
    mine.addTransceiver("video", { direction: "recvonly" });
    mine.ontrack = ({ streams: [stream], track }) => { video.srcObject = stream ?? new MediaStream([track]); };
    mine.onicecandidate = ({ candidate }) => candidate && send("ICE_CANDIDATE", candidate.toJSON());
    ours.onmessage = async ({ data }) => {
      if (!data) return;
      const { messageType, messagePayload } = JSON.parse(data);
      const value = messagePayload ? JSON.parse(atob(messagePayload)) : null;
      if (messageType === "SDP_ANSWER") {
        clearTimeout(timer);
        retries = 0;
        await mine.setRemoteDescription(value);
        answered = true;
        for (const each of waiting.splice(0)) mine.addIceCandidate(each).catch(() => {});
      } else if (messageType === "ICE_CANDIDATE") {
        answered ? mine.addIceCandidate(value).catch(() => {}) : waiting.push(value);
      }
    };
    ours.onopen = async () => {
      await mine.setLocalDescription(await mine.createOffer());
      send("SDP_OFFER", mine.localDescription.toJSON());
    };
  }

  function closeConnection() {
    clearTimeout(timer);
    socket?.close();
    for (const transceiver of connection?.getTransceivers() ?? []) transceiver.stop?.();
    connection?.close();
    socket = connection = null;
  }

  function reconnect(wanted) {
    closeConnection();
    timer = setTimeout(() => {
      closeConnection();
      if (retries++ === 0) setTimeout(() => reconnect(wanted), 4000);
    }, 15000);
    connect(wanted).catch(() => {});
  }

  return Object.assign(state, {
    open(wanted) {
      document.body.replaceChildren(video);
      const look = (now) => {
        state.frames.push((performance.timeOrigin + now) / 1000);
        video.requestVideoFrameCallback(look);
      };
      video.requestVideoFrameCallback(look);
      known = state.network;
      reconnect(wanted);
      watch = setInterval(() => {
        if (state.network === known || state.network === null) return; // who has no network cannot reconnect
        known = state.network;
        state.told.push([seconds(), "Your network changed. Reconnect to keep watching."]);
        reconnect(wanted);
      }, 5000);
    },
    close() {
      clearInterval(watch);
      closeConnection();
    },
  });
})();

// The flow of seed 000 in our own words: a camera that keeps a registry of its viewers by their connection state.
"use strict";

const viewers = new Map(); // client id -> connection, from `connected` until it is gone
const states = {}; // client id -> every state its connection went through

/** Whether a viewer watches now (seed 000.4). */
function isConnected(id) {
  const connection = viewers.get(id);
  return Boolean(
    connection && (connection.connectionState === "connected" || connection.iceConnectionState === "connected"),
  );
}

async function start() {
  const camera = await navigator.mediaDevices.getUserMedia({ video: { width: 640, height: 360 }, audio: true });
  document.querySelector("#local").srcObject = camera;
  const { configuration, options } = await prepare(KVSWebRTC.Role.MASTER);
  const signaling = new KVSWebRTC.SignalingClient(options);

  signaling.on("sdpOffer", async (offer, remoteClientId) => {
    const connection = new RTCPeerConnection(configuration);
    states[remoteClientId] = [connection.connectionState];
    for (const track of camera.getTracks()) connection.addTrack(track, camera);
    connection.onicecandidate = ({ candidate }) => {
      if (candidate) signaling.sendIceCandidate(candidate, remoteClientId);
    };
    connection.onconnectionstatechange = () => {
      const state = connection.connectionState;
      states[remoteClientId].push(state);
      if (state === "connected") viewers.set(remoteClientId, connection);
      if (["disconnected", "failed", "closed"].includes(state)) {
        viewers.delete(remoteClientId);
        connection.close();
      }
    };
    pending.set(remoteClientId, connection);
    await connection.setRemoteDescription(offer);
    await connection.setLocalDescription(await connection.createAnswer());
    signaling.sendSdpAnswer(connection.localDescription, remoteClientId);
  });
  signaling.on("iceCandidate", (candidate, remoteClientId) => pending.get(remoteClientId)?.addIceCandidate(candidate));

  await new Promise((resolve, reject) => {
    signaling.on("open", resolve);
    signaling.on("error", reject);
    signaling.open();
  });
}

const pending = new Map(); // client id -> its newest connection, for candidates that come before `connected`

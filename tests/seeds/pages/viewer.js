// The flow of seed 001 in our own words: a viewer that waits 15 s for an answer, tears everything down, waits 4 s and
// tries once more; then it tells the person.
"use strict";

const ANSWER_MS = 15_000;
const PAUSE_MS = 4_000;

let signaling = null;
let connection = null;
let answerTimer = null;
let retries = 0;
const seen = []; // what happened, in order

async function start() {
  const { configuration, options } = await prepare(KVSWebRTC.Role.VIEWER);
  const thisConnection = (connection = new RTCPeerConnection(configuration));
  const thisSignaling = (signaling = new KVSWebRTC.SignalingClient({ ...options, clientId: keys.clientId }));

  thisConnection.addEventListener("track", ({ streams }) => { document.querySelector("#remote").srcObject = streams[0]; });
  thisConnection.addEventListener("connectionstatechange", () => {
    seen.push(thisConnection.connectionState);
    if (thisConnection.connectionState === "connected") retries = 0;
  });
  thisConnection.addEventListener("icecandidate", ({ candidate }) => {
    if (candidate) thisSignaling.sendIceCandidate(candidate);
  });

  thisSignaling.on("open", async () => {
    seen.push("open");
    const offer = await thisConnection.createOffer({ offerToReceiveAudio: false, offerToReceiveVideo: true });
    await thisConnection.setLocalDescription(offer);
    thisSignaling.sendSdpOffer(thisConnection.localDescription);
    seen.push("offer");
    answerTimer = setTimeout(noAnswer, ANSWER_MS);
  });
  thisSignaling.on("sdpAnswer", async (answer) => {
    seen.push("answer");
    clearTimeout(answerTimer);
    answerTimer = null;
    await thisConnection.setRemoteDescription(answer);
  });
  thisSignaling.on("iceCandidate", (candidate) => thisConnection.addIceCandidate(candidate));
  thisSignaling.on("close", () => seen.push("close"));
  thisSignaling.on("error", () => seen.push("error"));
  thisSignaling.open();
}

function noAnswer() {
  seen.push("no answer");
  closeConnection();
  if (retries > 0) {
    document.querySelector("#alert").textContent =
      "SDP Answer 응답이 없습니다. 접속 정보와 기기 구동 상태를 확인해주세요.";
    return;
  }
  retries += 1;
  setTimeout(() => {
    seen.push("retry");
    start();
  }, PAUSE_MS);
}

/** Everything down, in order; each step is safe on its own and may be repeated (seed 001.7). */
function closeConnection() {
  clearTimeout(answerTimer);
  answerTimer = null;
  signaling?.close();
  for (const transceiver of connection?.getTransceivers() ?? []) transceiver.stop();
  for (const sender of connection?.getSenders() ?? []) connection.removeTrack(sender);
  connection?.close();
  signaling = null;
  connection = null;
}

// A viewer as anybody writes one: a plain RTCPeerConnection and the SDK's SignalingClient, in any page of the service's
// origin. It keeps notes of everything that a test may ask about. Times are milliseconds of performance.now().
"use strict";

globalThis.plainViewer = (() => {
  /**
   * @param {object} wanted  channel, or url (of a signaling socket, presigned for any KVS client); clientId, token,
   *   audio, data (label of a data channel), codec ("video/VP8": offer nothing else), and RTCPeerConnection's options
   */
  async function open({ channel, url, clientId, token, audio = false, data, codec, ...configuration }) {
    const { SignalingClient, sessionFromService } = await import("/sdk/index.js");
    const session = url ? { url, iceServers: [], clientId } : await sessionFromService({ channel, token, clientId })();
    const notes = { frames: [], states: [], iceStates: [], candidates: [], localCandidates: [], answers: [], offers: [], messages: [] };
    const video = Object.assign(document.createElement("video"), { autoplay: true, muted: true, playsInline: true });
    document.body.replaceChildren(video);
    const connection = new RTCPeerConnection({ iceServers: session.iceServers, ...configuration });
    const client = new SignalingClient({ url: session.url });
    const early = [];
    let answered = false;

    const transceiver = connection.addTransceiver("video", { direction: "recvonly" });
    if (codec) {
      const { codecs } = RTCRtpReceiver.getCapabilities("video");
      const helpers = ["video/rtx"]; // and not red, ulpfec, flexfec: nobody needs them here
      transceiver.setCodecPreferences(codecs.filter(({ mimeType }) => mimeType === codec || helpers.includes(mimeType)));
    }
    if (audio) connection.addTransceiver("audio", { direction: "recvonly" });
    const dataChannel = data ? connection.createDataChannel(data) : null;
    dataChannel?.addEventListener("message", (event) => notes.messages.push(event.data));
    const stream = new MediaStream();
    connection.ontrack = ({ track }) => { stream.addTrack(track); if (track.kind === "video") video.srcObject = stream; };
    connection.onconnectionstatechange = () => notes.states.push([performance.now(), connection.connectionState]);
    connection.oniceconnectionstatechange = () => notes.iceStates.push([performance.now(), connection.iceConnectionState]);
    connection.onicecandidate = ({ candidate }) => {
      if (!candidate?.candidate) return;
      notes.localCandidates.push([performance.now(), candidate.candidate]);
      client.sendIceCandidate(candidate.toJSON());
    };

    const add = (candidate) => connection.addIceCandidate(candidate).catch(() => {});
    client.on("iceCandidate", ({ candidate }) => {
      notes.candidates.push([performance.now(), candidate.candidate]);
      answered ? add(candidate) : early.push(candidate);
    });
    client.on("sdpAnswer", async ({ description }) => {
      notes.answers.push([performance.now(), description.sdp]);
      await connection.setRemoteDescription(description);
      answered = true;
      early.splice(0).forEach(add);
    });

    // A master may ask too: for a new path (an ICE restart), for more or fewer streams.
    client.on("sdpOffer", async ({ description }) => {
      notes.offers.push([performance.now(), description.sdp]);
      answered = false;
      await connection.setRemoteDescription(description);
      await connection.setLocalDescription(await connection.createAnswer());
      client.sendSdpAnswer(connection.localDescription);
      answered = true;
      early.splice(0).forEach(add);
    });

    async function offer() {
      const made = await connection.createOffer();
      answered = false; // candidates of the new generation wait for its answer
      await connection.setLocalDescription(made);
      notes.offered = performance.now();
      client.sendSdpOffer(connection.localDescription);
    }

    const opened = new Promise((resolve, reject) => {
      client.on("open", resolve);
      client.on("close", ({ code }) => reject(new Error(`the signaling socket was closed (${code})`)));
    });
    client.open();
    await opened;
    await offer();

    const look = (now, { presentedFrames }) => {
      notes.frames.push([now, barCode.read(video), presentedFrames]);
      video.requestVideoFrameCallback(look);
    };
    video.requestVideoFrameCallback(look);

    async function stats() {
      const report = [...(await connection.getStats()).values()];
      const inbound = (kind) => report.find((each) => each.type === "inbound-rtp" && each.kind === kind) ?? null;
      const transport = report.find((each) => each.type === "transport") ?? null;
      const codecOf = (stream) => report.find((each) => each.id === stream?.codecId)?.mimeType ?? null;
      const pair = report.find((each) => each.id === transport?.selectedCandidatePairId) ?? null;
      const end = (id) => { const found = report.find((each) => each.id === id); return found ? { ...found } : null; };
      return {
        video: inbound("video"), audio: inbound("audio"), transport,
        videoCodec: codecOf(inbound("video")), audioCodec: codecOf(inbound("audio")),
        pair, local: end(pair?.localCandidateId), remote: end(pair?.remoteCandidateId),
      };
    }

    return {
      connection, client, video, stream, dataChannel, notes, stats, offer, clientId: session.clientId,
      /** Starts an ICE restart; the time at which it began. */
      async restart() {
        const began = performance.now();
        connection.restartIce();
        await offer();
        return began;
      },
      close() { connection.close(); client.close(); },
    };
  }

  /** The loudest frequency of a stream's sound, in Hz, once there is any; null after `seconds` of silence. */
  async function listen(stream, seconds = 5) {
    const context = new AudioContext();
    await context.resume();
    const analyser = new AnalyserNode(context, { fftSize: 8192, smoothingTimeConstant: 0 });
    context.createMediaStreamSource(stream).connect(analyser);
    const levels = new Float32Array(analyser.frequencyBinCount), deadline = performance.now() + seconds * 1000;
    let loudest = null;
    while (performance.now() < deadline && loudest === null) {
      await new Promise((resolve) => setTimeout(resolve, 200));
      analyser.getFloatFrequencyData(levels);
      const bin = levels.indexOf(Math.max(...levels));
      if (levels[bin] > -60) loudest = (bin * context.sampleRate) / analyser.fftSize;
    }
    await context.close();
    return loudest;
  }

  return { open, listen };
})();

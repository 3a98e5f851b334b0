// A master and a viewer as a camera maker writes them with the published JavaScript SDK: KVSWebRTC.SignalingClient and the
// AWS SDK v2, both unmodified. Only endpoint and keys are Sightline's.
"use strict";

/** Everything between a channel's name and an open signaling client, as the SDK's own guide goes about it. */
async function prepare(config, role) {
  const { endpoint, region, accessKeyId, secretAccessKey, channel } = config;
  const common = { region, accessKeyId, secretAccessKey, correctClockSkew: true };
  const control = new AWS.KinesisVideo({ ...common, endpoint });
  const described = await control.describeSignalingChannel({ ChannelName: channel }).promise();
  const channelARN = described.ChannelInfo.ChannelARN;
  const { ResourceEndpointList } = await control
    .getSignalingChannelEndpoint({
      ChannelARN: channelARN,
      SingleMasterChannelEndpointConfiguration: { Protocols: ["WSS", "HTTPS"], Role: role },
    })
    .promise();
  const endpoints = Object.fromEntries(ResourceEndpointList.map((each) => [each.Protocol, each.ResourceEndpoint]));
  const data = new AWS.KinesisVideoSignalingChannels({ ...common, endpoint: endpoints.HTTPS });
  const { IceServerList } = await data.getIceServerConfig({ ChannelARN: channelARN }).promise();
  const client = new KVSWebRTC.SignalingClient({
    channelARN,
    channelEndpoint: endpoints.WSS,
    role,
    region,
    clientId: role === KVSWebRTC.Role.VIEWER ? config.clientId : undefined,
    credentials: { accessKeyId, secretAccessKey },
    systemClockOffset: control.config.systemClockOffset,
  });
  const iceServers = IceServerList.map(({ Uris, Username, Password }) => ({
    urls: Uris,
    username: Username,
    credential: Password,
  }));
  const seen = [];
  for (const name of ["open", "close", "error", "sdpOffer", "sdpAnswer", "iceCandidate", "statusResponse"]) {
    client.on(name, (first, sender) => seen.push([name, sender ?? null, String(first?.message ?? first?.type ?? "")]));
  }
  return { client, iceServers, seen };
}

/** A camera: answers every viewer with the stream's tracks. */
async function startMaster(config, stream) {
  const { client, iceServers, seen } = await prepare(config, KVSWebRTC.Role.MASTER);
  const connections = new Map();
  client.on("sdpOffer", async (offer, viewer) => {
    connections.get(viewer)?.close();
    const connection = new RTCPeerConnection({ iceServers });
    connections.set(viewer, connection);
    for (const track of stream.getTracks()) connection.addTrack(track, stream);
    connection.addEventListener("icecandidate", ({ candidate }) => candidate && client.sendIceCandidate(candidate, viewer));
    await connection.setRemoteDescription(offer);
    await connection.setLocalDescription(await connection.createAnswer());
    client.sendSdpAnswer(connection.localDescription, viewer, `answer-${viewer}`);
  });
  client.on("iceCandidate", (candidate, viewer) => connections.get(viewer)?.addIceCandidate(candidate));
  const opened = new Promise((resolve, reject) => {
    client.on("open", resolve);
    client.on("error", reject);
  });
  client.open();
  await opened;
  return { client, connections, seen };
}

/** Somebody who watches: offers to receive video, shows it in `video`. */
async function startViewer(config, video) {
  const { client, iceServers, seen } = await prepare(config, KVSWebRTC.Role.VIEWER);
  const connection = new RTCPeerConnection({ iceServers });
  connection.addTransceiver("video", { direction: "recvonly" });
  connection.addTransceiver("audio", { direction: "recvonly" });
  connection.addEventListener("track", ({ streams }) => { video.srcObject = streams[0]; });
  connection.addEventListener("icecandidate", ({ candidate }) => candidate && client.sendIceCandidate(candidate));
  client.on("open", async () => {
    await connection.setLocalDescription(await connection.createOffer());
    client.sendSdpOffer(connection.localDescription, undefined, `offer-${config.clientId}`);
  });
  client.on("sdpAnswer", (answer) => connection.setRemoteDescription(answer));
  client.on("iceCandidate", (candidate) => connection.addIceCandidate(candidate));
  client.open();
  return { client, connection, seen };
}

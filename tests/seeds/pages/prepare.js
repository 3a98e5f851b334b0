// What the seeds do before they have a signaling client (seed 001.1): endpoints of the channel for a role, ICE servers.
// `keys` comes from the test; it stands where the seeds have their region, keys and channel ARN, plus an endpoint.
"use strict";

async function prepare(role) {
  const { endpoint, region, accessKeyId, secretAccessKey, channelARN } = globalThis.keys;
  const common = { region, accessKeyId, secretAccessKey, correctClockSkew: true };
  const kinesisVideo = new AWS.KinesisVideo({ ...common, endpoint });
  const answer = await kinesisVideo
    .getSignalingChannelEndpoint({
      ChannelARN: channelARN,
      SingleMasterChannelEndpointConfiguration: { Protocols: ["WSS", "HTTPS"], Role: role },
    })
    .promise();
  const byProtocol = {};
  for (const { Protocol, ResourceEndpoint } of answer.ResourceEndpointList) byProtocol[Protocol] = ResourceEndpoint;
  const signalingChannels = new AWS.KinesisVideoSignalingChannels({ ...common, endpoint: byProtocol.HTTPS });
  const { IceServerList } = await signalingChannels.getIceServerConfig({ ChannelARN: channelARN }).promise();
  const iceServers = IceServerList.map((server) => ({
    urls: server.Uris,
    username: server.Username,
    credential: server.Password,
  }));
  return {
    configuration: { iceServers, iceTransportPolicy: "all" },
    options: {
      channelARN,
      channelEndpoint: byProtocol.WSS,
      role,
      region,
      credentials: { accessKeyId, secretAccessKey },
      systemClockOffset: kinesisVideo.config.systemClockOffset,
    },
  };
}

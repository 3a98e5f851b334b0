// The flow of a camera maker's back end with the AWS SDK for JavaScript v3, unmodified; only endpoint and keys differ.
// Reads its settings from the environment, prints one JSON document: what the SDK gave back at each step.
import * as control from "@aws-sdk/client-kinesis-video";
import * as data from "@aws-sdk/client-kinesis-video-signaling";

const settings = {
  endpoint: process.env.KVS_ENDPOINT,
  region: process.env.KVS_REGION,
  credentials: { accessKeyId: process.env.KVS_KEY, secretAccessKey: process.env.KVS_SECRET },
  maxAttempts: Number(process.env.KVS_RETRIES ?? 0) + 1,
};
const kvs = new control.KinesisVideoClient(settings);
const send = (name, input = {}, client = kvs) => client.send(new control[`${name}Command`](input));

/** What a caller sees of a failed call. */
async function failure(call) {
  try {
    await call;
    return { code: "nothing failed" };
  } catch (error) {
    return {
      code: error.name,
      typed: Boolean(control[error.name] && error instanceof control[error.name]),
      status: error.$metadata?.httpStatusCode,
      message: error.message,
      requestId: Boolean(error.$metadata?.requestId),
    };
  }
}

const ChannelName = process.env.KVS_CHANNEL;
const seen = {};
seen.missing = await failure(send("DescribeSignalingChannel", { ChannelName }));
const { ChannelARN } = await send("CreateSignalingChannel", {
  ChannelName,
  ChannelType: "SINGLE_MASTER",
  Tags: [{ Key: "StreamName", Value: "DEVICE_1" }],
});
seen.arn = ChannelARN;
seen.taken = await failure(send("CreateSignalingChannel", { ChannelName }));
seen.mesh = await failure(send("CreateSignalingChannel", { ChannelName: `${ChannelName}-mesh`, ChannelType: "FULL_MESH" }));
seen.info = (await send("DescribeSignalingChannel", { ChannelARN })).ChannelInfo;
seen.created = seen.info.CreationTime instanceof Date;
await send("TagResource", { ResourceARN: ChannelARN, Tags: [{ Key: "Environment", Value: "Development" }] });
seen.tags = (await send("ListTagsForResource", { ResourceARN: ChannelARN })).Tags;
await send("UntagResource", { ResourceARN: ChannelARN, TagKeyList: ["StreamName"] });
seen.tagsLeft = (await send("ListTagsForResource", { ResourceARN: ChannelARN })).Tags;
const SingleMasterConfiguration = { MessageTtlSeconds: 30 };
seen.stale = await failure(
  send("UpdateSignalingChannel", { ChannelARN, CurrentVersion: "somethingElse", SingleMasterConfiguration }),
);
await send("UpdateSignalingChannel", { ChannelARN, CurrentVersion: seen.info.Version, SingleMasterConfiguration });
seen.updated = (await send("DescribeSignalingChannel", { ChannelName })).ChannelInfo;
await send("CreateSignalingChannel", { ChannelName: `${ChannelName}-2` });
seen.listed = [];
const pages = control.paginateListSignalingChannels(
  { client: kvs, pageSize: 1 },
  { ChannelNameCondition: { ComparisonOperator: "BEGINS_WITH", ComparisonValue: ChannelName } },
);
for await (const page of pages) seen.listed.push(...page.ChannelInfoList.map((info) => info.ChannelName));
seen.endpoints = (
  await send("GetSignalingChannelEndpoint", {
    ChannelARN,
    SingleMasterChannelEndpointConfiguration: { Protocols: ["WSS", "HTTPS"], Role: "VIEWER" },
  })
).ResourceEndpointList;
const https = seen.endpoints.find((each) => each.Protocol === "HTTPS").ResourceEndpoint;
const signaling = new data.KinesisVideoSignalingClient({ ...settings, endpoint: https });
seen.ice = (await signaling.send(new data.GetIceServerConfigCommand({ ChannelARN }))).IceServerList;
seen.storage = (await send("DescribeMediaStorageConfiguration", { ChannelName })).MediaStorageConfiguration;
seen.mapped = await failure(send("DescribeMappedResourceConfiguration", { StreamName: "nobody" }));
seen.storageOn = await failure(
  send("UpdateMediaStorageConfiguration", { ChannelARN, MediaStorageConfiguration: { Status: "ENABLED" } }),
);
if (process.env.KVS_REFUSALS) {
  const stranger = { ...settings, credentials: { ...settings.credentials, secretAccessKey: "wrong" } };
  seen.wrongSecret = await failure(send("ListSignalingChannels", {}, new control.KinesisVideoClient(stranger)));
  const abroad = new control.KinesisVideoClient({ ...settings, region: "eu-west-1" });
  seen.wrongRegion = await failure(send("ListSignalingChannels", {}, abroad));
}
await send("DeleteSignalingChannel", { ChannelARN, CurrentVersion: seen.updated.Version });
seen.gone = await failure(send("DescribeSignalingChannel", { ChannelARN }));
seen.clockOffset = kvs.config.systemClockOffset;
console.log(JSON.stringify(seen));

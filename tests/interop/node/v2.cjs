// The flow of a camera maker's back end with the AWS SDK for JavaScript v2, unmodified; only endpoint and keys differ.
// Reads its settings from the environment, prints one JSON document: what the SDK gave back at each step.
"use strict";

const AWS = require("aws-sdk");

const settings = {
  endpoint: process.env.KVS_ENDPOINT,
  region: process.env.KVS_REGION,
  accessKeyId: process.env.KVS_KEY,
  secretAccessKey: process.env.KVS_SECRET,
  correctClockSkew: true,
  maxRetries: Number(process.env.KVS_RETRIES ?? 0),
};

/** What a caller sees of a failed call. */
async function failure(call) {
  try {
    await call.promise();
    return { code: "nothing failed" };
  } catch (error) {
    return { code: error.code, status: error.statusCode, message: error.message, requestId: Boolean(error.requestId) };
  }
}

async function main() {
  const kvs = new AWS.KinesisVideo(settings);
  const ChannelName = process.env.KVS_CHANNEL;
  const seen = {};
  seen.missing = await failure(kvs.describeSignalingChannel({ ChannelName }));
  const { ChannelARN } = await kvs
    .createSignalingChannel({ ChannelName, ChannelType: "SINGLE_MASTER", Tags: [{ Key: "StreamName", Value: "DEVICE_1" }] })
    .promise();
  seen.arn = ChannelARN;
  seen.taken = await failure(kvs.createSignalingChannel({ ChannelName }));
  seen.mesh = await failure(kvs.createSignalingChannel({ ChannelName: `${ChannelName}-mesh`, ChannelType: "FULL_MESH" }));
  seen.info = (await kvs.describeSignalingChannel({ ChannelARN }).promise()).ChannelInfo;
  seen.created = seen.info.CreationTime instanceof Date;
  await kvs.tagResource({ ResourceARN: ChannelARN, Tags: [{ Key: "Environment", Value: "Development" }] }).promise();
  seen.tags = (await kvs.listTagsForResource({ ResourceARN: ChannelARN }).promise()).Tags;
  await kvs.untagResource({ ResourceARN: ChannelARN, TagKeyList: ["StreamName"] }).promise();
  seen.tagsLeft = (await kvs.listTagsForResource({ ResourceARN: ChannelARN }).promise()).Tags;
  seen.stale = await failure(
    kvs.updateSignalingChannel({
      ChannelARN,
      CurrentVersion: "somethingElse",
      SingleMasterConfiguration: { MessageTtlSeconds: 30 },
    }),
  );
  await kvs
    .updateSignalingChannel({
      ChannelARN,
      CurrentVersion: seen.info.Version,
      SingleMasterConfiguration: { MessageTtlSeconds: 30 },
    })
    .promise();
  seen.updated = (await kvs.describeSignalingChannel({ ChannelName }).promise()).ChannelInfo;
  const condition = { ComparisonOperator: "BEGINS_WITH", ComparisonValue: ChannelName };
  await kvs.createSignalingChannel({ ChannelName: `${ChannelName}-2` }).promise();
  seen.listed = [];
  let NextToken;
  do {
    const page = await kvs.listSignalingChannels({ ChannelNameCondition: condition, MaxResults: 1, NextToken }).promise();
    seen.listed.push(...page.ChannelInfoList.map((info) => info.ChannelName));
    NextToken = page.NextToken;
  } while (NextToken);
  seen.endpoints = (
    await kvs
      .getSignalingChannelEndpoint({
        ChannelARN,
        SingleMasterChannelEndpointConfiguration: { Protocols: ["WSS", "HTTPS"], Role: "VIEWER" },
      })
      .promise()
  ).ResourceEndpointList;
  const https = seen.endpoints.find((each) => each.Protocol === "HTTPS").ResourceEndpoint;
  const signaling = new AWS.KinesisVideoSignalingChannels({ ...settings, endpoint: https });
  seen.ice = (await signaling.getIceServerConfig({ ChannelARN }).promise()).IceServerList;
  seen.storage = (await kvs.describeMediaStorageConfiguration({ ChannelName }).promise()).MediaStorageConfiguration;
  seen.mapped = await failure(kvs.describeMappedResourceConfiguration({ StreamName: "nobody" }));
  seen.storageOn = await failure(
    kvs.updateMediaStorageConfiguration({ ChannelARN, MediaStorageConfiguration: { Status: "ENABLED" } }),
  );
  if (process.env.KVS_REFUSALS) {
    const stranger = new AWS.KinesisVideo({ ...settings, secretAccessKey: "wrong" });
    seen.wrongSecret = await failure(stranger.listSignalingChannels({}));
    const abroad = new AWS.KinesisVideo({ ...settings, region: "eu-west-1" });
    seen.wrongRegion = await failure(abroad.listSignalingChannels({}));
  }
  await kvs.deleteSignalingChannel({ ChannelARN, CurrentVersion: seen.updated.Version }).promise();
  seen.gone = await failure(kvs.describeSignalingChannel({ ChannelARN }));
  seen.clockOffset = kvs.config.systemClockOffset;
  console.log(JSON.stringify(seen));
}

main().catch((error) => {
  console.error(error);
  process.exitCode = 1;
});

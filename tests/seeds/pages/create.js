// The flow of seed 002 in our own words: one call of the AWS SDK v2 with a callback, which reports success or failure.
// `keys` comes from the test in front of the page; it stands where the seed has its region and keys, plus an endpoint.
"use strict";

addEventListener("load", () => {
  const { endpoint, region, accessKeyId, secretAccessKey, channelType } = globalThis.keys;
  AWS.config.update({ region, accessKeyId, secretAccessKey, kinesisvideo: { endpoint } });
  const kinesisVideo = new AWS.KinesisVideo();
  const wanted = {
    ChannelName: "DEVICE_1",
    ChannelType: channelType ?? "SINGLE_MASTER",
    Tags: [
      { Key: "StreamName", Value: "DEVICE_1" },
      { Key: "Environment", Value: "Development" },
    ],
  };
  kinesisVideo.createSignalingChannel(wanted, (error, data) => {
    document.querySelector("#result").textContent = error ? `${error.code}: ${error.message}` : data.ChannelARN;
  });
});

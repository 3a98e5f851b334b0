import assert from 'node:assert/strict';
import { test } from 'node:test';
import { StatsReader } from '../../src/sightline/web/sdk/stats.js';

function report({ at, frames, bytes, audioBytes = 0, more = [] }) {
  const entries = [
    { id: 'v', type: 'inbound-rtp', kind: 'video', timestamp: at, framesDecoded: frames, bytesReceived: bytes, frameWidth: 1280, frameHeight: 720, packetsLost: 3, codecId: 'c' },
    { id: 'a', type: 'inbound-rtp', kind: 'audio', timestamp: at, bytesReceived: audioBytes },
    { id: 'c', type: 'codec', mimeType: 'video/H264' },
    { id: 'l', type: 'local-candidate', candidateType: 'relay', protocol: 'udp' },
    ...more,
  ];
  return new Map(entries.map((entry) => [entry.id, entry]));
}
const pair = { id: 'p', type: 'candidate-pair', localCandidateId: 'l', currentRoundTripTime: 0.02, state: 'succeeded' };

test('figures per second come from two readings', () => {
  const reader = new StatsReader();
  reader.read(report({ at: 1000, frames: 10, bytes: 1000, audioBytes: 100 }), 'connected');
  const stats = reader.read(report({ at: 3000, frames: 70, bytes: 501_000, audioBytes: 2100 }), 'connected');
  assert.equal(stats.frameRate, 30);
  assert.equal(stats.bitrate, (500_000 + 2_000) * 8 / 2);
  assert.deepEqual([stats.width, stats.height, stats.codec, stats.packetsLost], [1280, 720, 'H264', 3]);
  assert.equal(stats.connectionState, 'connected');
});

test('the first reading, and one before any media, have no rates', () => {
  const first = new StatsReader().read(report({ at: 1000, frames: 10, bytes: 1000 }), 'connected');
  assert.deepEqual([first.frameRate, first.bitrate], [0, 0]);
  const empty = new StatsReader().read(new Map(), 'connecting');
  assert.deepEqual([empty.width, empty.codec, empty.path, empty.roundTrip, empty.framesDecoded], [null, null, null, null, 0]);
});

for (const [browser, more] of [
  ['Chrome and Safari', [{ ...pair, id: 'other', localCandidateId: 'x', nominated: true }, pair, { id: 't', type: 'transport', selectedCandidatePairId: 'p' }]],
  ['Firefox', [{ ...pair, selected: true }]],
  ['others', [{ ...pair, nominated: true }]],
]) {
  test(`finds the path in use as ${browser} tell it`, () => {
    const stats = new StatsReader().read(report({ at: 0, frames: 0, bytes: 0, more }), 'connected');
    assert.deepEqual([stats.path, stats.protocol, stats.roundTrip], ['relay', 'udp', 0.02]);
  });
}

test('the delay of the picture: half a round trip, and what each frame took from its first packet to being decoded', () => {
  const reader = new StatsReader();
  const more = [{ ...pair, selected: true }];
  const read = (frames, video) => {
    const given = report({ at: frames, frames, bytes: 0, more });
    Object.assign(given.get('v'), video);
    return reader.read(given, 'connected').delay;
  };
  assert.equal(read(0, { totalProcessingDelay: 0 }), null);
  assert.ok(Math.abs(read(10, { totalProcessingDelay: 0.5 }) - 0.06) < 1e-9);
  assert.equal(read(10, { totalProcessingDelay: 0.5 }), null, 'no picture, no delay');
  const older = new StatsReader();
  const parts = (frames, jitterBufferDelay, totalDecodeTime) => {
    const given = report({ at: frames, frames, bytes: 0, more });
    Object.assign(given.get('v'), { jitterBufferDelay, totalDecodeTime });
    return older.read(given, 'connected').delay;
  };
  parts(0, 0, 0);
  assert.ok(Math.abs(parts(10, 0.3, 0.1) - 0.05) < 1e-9);
});

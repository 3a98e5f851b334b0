import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Pulse, readCounters } from '../../src/sightline/web/sdk/pulse.js';
import { FakeClock, FakeVideo } from './fakes.mjs';

/** A pulse; `got` is what the counters say, `readings` how often they were asked. */
function stage(video = new FakeVideo()) {
  const clock = new FakeClock();
  const s = { clock, video, told: [], readings: 0, got: { packets: 0, frames: 0 } };
  s.pulse = new Pulse({
    video,
    platform: clock,
    read: async () => { s.readings += 1; return { ...s.got }; },
    tell: (sign) => s.told.push(sign),
  });
  s.pulse.start();
  return s;
}

test('a picture that is shown is both signs, and nothing is read', async () => {
  const s = stage();
  for (let shown = 0; shown < 30; shown++) {
    s.video.show();
    await s.clock.pass(100);
  }
  assert.equal(s.told.filter((sign) => sign === 'frame').length, 30);
  assert.equal(s.told.filter((sign) => sign === 'heard').length, 30);
  assert.equal(s.readings, 0);
});

test('after the last picture nothing is heard, however much had come before it', async () => {
  const s = stage();
  await s.clock.pass(100);
  s.video.show();
  s.got = { packets: 5000, frames: 900 };
  s.told.length = 0;
  await s.clock.pass(2_000);
  assert.deepEqual(s.told, []);
});

test('in a hidden tab, and without frame callbacks, the counters tell, four times a second', async () => {
  const s = stage(null);
  for (let second = 0; second < 2; second++) {
    s.got = { packets: s.got.packets + 100, frames: s.got.frames + 30 };
    await s.clock.pass(500);
  }
  assert.deepEqual(s.told, ['heard', 'frame', 'heard', 'frame']);
  assert.equal(s.readings, 4);
});

test('packets without pictures are heard', async () => {
  const s = stage(null);
  await s.clock.pass(250);
  s.got = { packets: 1, frames: 0 };
  await s.clock.pass(250);
  assert.deepEqual(s.told, ['heard']);
});

test('who judges a silence looks first: timers may have been held back', async () => {
  const s = stage();
  s.video.show();
  s.told.length = 0;
  s.got = { packets: 7, frames: 3 };
  await s.pulse.look();
  assert.deepEqual(s.told, ['heard', 'frame']);
  await s.pulse.look();
  assert.deepEqual(s.told, ['heard', 'frame']);
});

test('after stop nothing is said and nothing is left', async () => {
  const s = stage();
  s.video.show();
  s.pulse.stop();
  s.told.length = 0;
  s.got = { packets: 9, frames: 9 };
  await s.pulse.look();
  await s.clock.pass(10_000);
  s.pulse.start();
  assert.deepEqual(s.told, []);
  assert.equal(s.clock.pending, 0);
  assert.equal(s.video.isWatched, false);
});

test('counts what comes from the camera, not the checks of other paths', () => {
  const report = new Map([
    ['t', { type: 'transport', packetsReceived: 10 }],
    ['p', { type: 'candidate-pair', responsesReceived: 99, requestsReceived: 99 }],
    ['v', { type: 'inbound-rtp', kind: 'video', packetsReceived: 5, framesDecoded: 2 }],
    ['a', { type: 'inbound-rtp', kind: 'audio', packetsReceived: 3 }],
  ]);
  assert.deepEqual(readCounters(report), { packets: 18, frames: 2 });
});

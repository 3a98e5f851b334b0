import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PictureWatch } from '../../src/sightline/web/sdk/picture.js';
import { FakeClock, FakeVideo } from './fakes.mjs';

function watch(video = new FakeVideo()) {
  const clock = new FakeClock();
  const seen = [];
  const on = { first: () => seen.push('first'), stalled: () => seen.push('stalled'), resumed: () => seen.push('resumed') };
  return { watch: new PictureWatch({ video, limit: 2_000, platform: clock, on }), clock, video, seen };
}

test('nothing is said about a picture that has not begun', async () => {
  const { clock, seen } = watch();
  await clock.pass(60_000);
  assert.deepEqual(seen, []);
});

test('the standstill is measured from the frame last shown, whatever the count read later says', async () => {
  const { watch: picture, clock, video, seen } = watch();
  video.show();
  await clock.pass(500);
  video.show();
  await clock.pass(500);
  picture.noteDecoded(15);
  await clock.pass(1_499);
  assert.deepEqual(seen, ['first']);
  await clock.pass(1);
  assert.deepEqual(seen, ['first', 'stalled']);
});

test('in a hidden tab, and without frame callbacks, the decoder’s count decides alone', async () => {
  const { watch: picture, clock, seen } = watch(null);
  for (const total of [0, 30, 60, 90]) {
    picture.noteDecoded(total);
    await clock.pass(1_000);
  }
  assert.deepEqual(seen, ['first']);
  picture.noteDecoded(90);
  await clock.pass(1_000);
  assert.deepEqual(seen, ['first', 'stalled']);
  picture.noteDecoded(91);
  assert.deepEqual(seen, ['first', 'stalled', 'resumed']);
});

test('after stop nothing is said and nothing is left', async () => {
  const { watch: picture, clock, video, seen } = watch();
  video.show();
  picture.stop();
  picture.noteDecoded(100);
  await clock.pass(10_000);
  assert.deepEqual(seen, ['first']);
  assert.equal(clock.pending, 0);
  assert.equal(video.isWatched, false);
});

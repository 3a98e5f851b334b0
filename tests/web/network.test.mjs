import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NetworkWatch } from '../../src/sightline/web/sdk/network.js';
import { FakeClock, FakeNetwork } from './fakes.mjs';

function stage() {
  const clock = new FakeClock();
  const network = new FakeNetwork();
  const told = [];
  const platform = { ...clock, now: clock.now, window: network.window, navigator: network.navigator };
  return { clock, network, told, watch: new NetworkWatch({ platform, tell: (online) => told.push(online) }) };
}

test('offline and online are told at once', () => {
  const { network, told } = stage();
  network.go(false);
  network.go(true);
  assert.deepEqual(told, [false, true]);
});

test('another kind of network is told; another speed of the same is not', () => {
  const { network, told } = stage();
  network.become('cellular');
  network.become('cellular');
  assert.deepEqual(told, [true]);
});

test('seed 003.3: what changes without an event is found within 5 s', async () => {
  const { clock, network, told } = stage();
  network.become('cellular', { silently: true });
  await clock.pass(4_999);
  assert.deepEqual(told, []);
  await clock.pass(1);
  assert.deepEqual(told, [true]);
  await clock.pass(60_000);
  assert.deepEqual(told, [true]);
});

test('after stop nothing is told and nothing is left', () => {
  const { clock, network, told, watch } = stage();
  watch.stop();
  network.go(false);
  network.become('cellular');
  assert.deepEqual(told, []);
  assert.equal(clock.pending, 0);
});

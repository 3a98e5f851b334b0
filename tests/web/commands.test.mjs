import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CommandError, Commands, refuseCommands } from '../../src/sightline/web/sdk/commands.js';
import { Viewer } from '../../src/sightline/web/sdk/viewer.js';
import { FakeClock, FakeNetwork, fakePeerConnection, fakeWebSocket, settle } from './fakes.mjs';

class FakeChannel {
  readyState = 'connecting';
  sent = [];
  open() {
    this.readyState = 'open';
    this.onopen?.();
  }
  send(text) {
    if (this.isFull) throw new DOMException('full', 'OperationError');
    this.sent.push(JSON.parse(text));
  }
  say(message) {
    this.onmessage?.({ data: typeof message === 'string' ? message : JSON.stringify(message) });
  }
  close() {
    this.readyState = 'closed';
    this.onclose?.();
  }
}

function stage() {
  const clock = new FakeClock();
  const commands = new Commands({ ...clock, now: clock.now });
  const channel = new FakeChannel();
  commands.attach(channel);
  return { clock, commands, channel };
}

/** The reason for which a promise is rejected. */
async function reasonOf(promise) {
  const error = await promise.then(() => assert.fail('it was carried out'), (error) => error);
  assert.ok(error instanceof CommandError, String(error));
  assert.ok(error.message);
  assert.equal(error.id, `command/${error.reason}`);
  return error.reason;
}

test('a command waits for the channel, is sent once and answered', async () => {
  const { commands, channel } = stage();
  const answer = commands.send('ptz', { pan: 10 });
  assert.deepEqual(channel.sent, []);
  channel.open();
  assert.deepEqual(channel.sent, [{ id: '1', request: { command: 'ptz', value: { pan: 10 } } }]);
  channel.say({ id: '1', reply: { pan: 9.5 } });
  assert.deepEqual(await answer, { pan: 9.5 });
});

test('answers belong to their commands, in any order', async () => {
  const { commands, channel } = stage();
  channel.open();
  const [first, second] = [commands.send('a', 1), commands.send('b')];
  assert.equal(channel.sent[1].request.value, null);
  channel.say({ id: '2', reply: 'second' });
  channel.say({ id: '1', reply: null });
  assert.deepEqual([await first, await second], [null, 'second']);
});

test('what the camera says against it', async () => {
  const { commands, channel } = stage();
  channel.open();
  const refused = commands.send('ptz', null);
  channel.say({ id: '1', error: 'Ask for a link.', code: 'not-allowed' });
  await assert.rejects(refused, { reason: 'not-allowed', message: 'Ask for a link.', id: 'command/not-allowed' });
  const old = commands.send('ptz', null);
  channel.say({ id: '2', error: 'no' });
  assert.equal(await reasonOf(old), 'refused');
});

test('without an answer it fails in time, and a late answer harms nobody', async () => {
  const { clock, commands, channel } = stage();
  channel.open();
  const reason = reasonOf(commands.send('ptz', null, 5));
  await clock.pass(5000);
  assert.equal(await reason, 'no-answer');
  channel.say({ id: '1', reply: 1 });
});

test('without a connection it is not sent', async () => {
  const { clock, commands, channel } = stage();
  const reason = reasonOf(commands.send('ptz', null, 5));
  await clock.pass(5000);
  assert.equal(await reason, 'not-connected');
  channel.open();
  assert.deepEqual(channel.sent, []);
});

test('a connection that is lost takes along what was sent, and nothing is sent again', async () => {
  const { commands, channel } = stage();
  channel.open();
  const sent = reasonOf(commands.send('ptz', null));
  commands.lost();
  assert.equal(await sent, 'connection-lost');
  const waiting = commands.send('light', null);
  const next = new FakeChannel();
  commands.attach(next);
  next.open();
  assert.deepEqual(next.sent.map(({ request }) => request.command), ['light']);
  channel.say({ id: '2', reply: 'from the old one' });
  next.say({ id: '2', reply: 'from the new one' });
  assert.equal(await waiting, 'from the new one');
});

test('a channel that closes is a lost connection', async () => {
  const { commands, channel } = stage();
  channel.open();
  const sent = reasonOf(commands.send('ptz', null));
  channel.close();
  assert.equal(await sent, 'connection-lost');
});

test('the end of the viewer ends what waits', async () => {
  const { commands } = stage();
  const waiting = reasonOf(commands.send('ptz', null));
  commands.end();
  assert.equal(await waiting, 'not-connected');
});

test('what is no JSON, or too long, or does not fit is not sent', async () => {
  const { commands, channel } = stage();
  channel.open();
  const round = {};
  round.itself = round;
  for (const value of [1n, round]) assert.equal(await reasonOf(commands.send('ptz', value)), 'bad-request');
  assert.equal(await reasonOf(commands.send('', null)), 'bad-request');
  assert.equal(await reasonOf(commands.send('ptz', 'é'.repeat(40_000))), 'not-sent');
  channel.isFull = true;
  assert.equal(await reasonOf(commands.send('ptz', null)), 'not-sent');
  assert.deepEqual(channel.sent, []);
});

test('junk on the channel is nothing', async () => {
  const { commands, channel } = stage();
  channel.open();
  const answer = commands.send('ptz', null);
  for (const junk of ['no JSON', '[]', 'null', '{"id":1}', { id: '1', error: 'x', code: 7 }, { id: '7', reply: 1 }]) channel.say(junk);
  channel.onmessage({ data: new ArrayBuffer(2) });
  channel.say({ id: '1', reply: true });
  assert.equal(await answer, true);
});

test('a camera that takes no commands says so', () => {
  const channel = Object.assign(new FakeChannel(), { label: 'sightline/commands' });
  refuseCommands(channel);
  channel.open();
  for (const junk of ['no JSON', '{"id":7}', new ArrayBuffer(2)]) channel.onmessage({ data: junk });
  channel.say({ id: '1', request: { command: 'ptz', value: null } });
  assert.deepEqual(channel.sent, [{ id: '1', error: 'This camera takes no commands.', code: 'unknown-command' }]);
  channel.close();
  channel.say({ id: '2', request: {} });
  assert.equal(channel.sent.length, 1);
  const other = Object.assign(new FakeChannel(), { label: 'chat' });
  refuseCommands(other);
  assert.equal(other.onmessage, undefined);
});

test('a viewer opens a channel for commands in each attempt, if it is asked to', async () => {
  for (const wanted of [true, undefined]) {
    const clock = new FakeClock();
    const network = new FakeNetwork();
    const labels = [];
    class Peer extends fakePeerConnection() {
      createDataChannel(label) {
        labels.push(label);
        return new FakeChannel();
      }
    }
    const viewer = new Viewer({
      session: async () => ({ url: 'wss://host/', iceServers: [], operator: true }),
      commands: wanted,
      platform: {
        ...clock, now: clock.now, WebSocket: fakeWebSocket(), RTCPeerConnection: Peer,
        window: network.window, navigator: network.navigator,
      },
    });
    assert.equal(await reasonOf(viewer.command('ptz')), 'not-connected');
    assert.equal(viewer.isOperator, false);
    viewer.open();
    await settle();
    assert.equal(viewer.isOperator, true);
    viewer.reconnect();
    await settle();
    const waiting = wanted && reasonOf(viewer.command('ptz'));
    viewer.close();
    assert.deepEqual(labels, wanted ? ['sightline/commands', 'sightline/commands'] : []);
    if (wanted) assert.equal(await waiting, 'not-connected');
    assert.equal(await reasonOf(viewer.command('ptz')), 'not-connected');
  }
});

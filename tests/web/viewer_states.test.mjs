import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DEADLINES } from '../../src/sightline/web/sdk/timers.js';
import { ViewerStates } from '../../src/sightline/web/sdk/viewer_states.js';

const PATH = {
  opening: ['open'],
  offering: ['open', 'session-ready', 'socket-open', 'offer-ready'],
  connecting: ['open', 'session-ready', 'socket-open', 'offer-ready', 'answer'],
  connected: ['open', 'session-ready', 'socket-open', 'offer-ready', 'answer', 'connected'],
  watching: ['open', 'session-ready', 'socket-open', 'offer-ready', 'answer', 'connected', 'frame'],
};

function at(place, deadlines) {
  const machine = new ViewerStates(deadlines);
  for (const type of PATH[place]) machine.take({ type });
  return machine;
}
const expire = (machine, name) => machine.take({ type: 'deadline', name });
const failureIn = (outputs) => outputs.find(({ type }) => type === 'failed')?.failure.id;
const timers = (outputs) => outputs.filter(({ type }) => type.endsWith('-timer'));

test('the way to the picture', () => {
  const machine = new ViewerStates();
  const states = PATH.watching.map((type) => (machine.take({ type }), machine.state));
  assert.deepEqual(states, ['opening', 'opening', 'opening', 'offering', 'connecting', 'connecting', 'watching']);
});

test('the offer goes out once, as soon as both socket and offer are there, in either order', () => {
  for (const order of [['offer-ready', 'socket-open'], ['socket-open', 'offer-ready']]) {
    const machine = at('opening');
    const outputs = ['session-ready', ...order, ...order].flatMap((type) => machine.take({ type }));
    assert.equal(outputs.filter(({ type }) => type === 'send-offer').length, 1);
    assert.equal(machine.state, 'offering');
  }
});

test('each stage has its deadline, and ends the one before', () => {
  const machine = new ViewerStates();
  const seen = PATH.watching.flatMap((type) => timers(machine.take({ type })));
  assert.deepEqual(seen, [
    { type: 'set-timer', name: 'open', ms: DEADLINES.open },
    { type: 'clear-timer', name: 'open' }, { type: 'set-timer', name: 'answer', ms: 15_000 },
    { type: 'clear-timer', name: 'answer' }, { type: 'set-timer', name: 'path', ms: 15_000 },
    { type: 'clear-timer', name: 'path' }, { type: 'set-timer', name: 'media', ms: 5_000 },
    { type: 'clear-timer', name: 'media' },
  ]);
});

test('deadlines can be replaced one by one', () => {
  const [, , set] = new ViewerStates({ open: 7 }).take({ type: 'open' });
  assert.deepEqual(set, { type: 'set-timer', name: 'open', ms: 7 });
});

for (const [place, name, id] of [
  ['opening', 'open', 'service-unreachable'], ['offering', 'answer', 'no-answer'],
  ['connecting', 'path', 'no-path'], ['connected', 'media', 'no-media'],
]) {
  test(`${name} deadline: ${id}`, () => {
    const machine = at(place);
    const outputs = expire(machine, name);
    assert.equal(failureIn(outputs), id);
    assert.equal(machine.state, 'failed');
    assert.ok(outputs.some(({ type }) => type === 'end'));
  });
}

test('open deadline with the session at hand: the socket is what is missing', () => {
  const machine = at('opening');
  machine.take({ type: 'session-ready' });
  assert.equal(failureIn(expire(machine, 'open')), 'signaling-refused');
});

test('a deadline that no longer runs changes nothing', () => {
  const machine = at('connecting');
  assert.deepEqual(expire(machine, 'answer'), []);
  assert.equal(machine.state, 'connecting');
});

for (const [place, id] of [['opening', 'signaling-refused'], ['offering', 'signaling-lost']]) {
  test(`socket closed while ${place}: ${id}`, () => assert.equal(failureIn(at(place).take({ type: 'socket-closed' })), id));
}

test('socket closed after it was open, before the offer: signaling-lost', () => {
  const machine = at('opening');
  machine.take({ type: 'socket-open' });
  assert.equal(failureIn(machine.take({ type: 'socket-closed' })), 'signaling-lost');
});

for (const place of ['connecting', 'connected', 'watching']) {
  test(`socket closed when ${place}: media needs it no more`, () => {
    assert.deepEqual(at(place).take({ type: 'socket-closed' }), []);
  });
}

for (const [place, id] of [['connecting', 'no-path'], ['connected', 'connection-lost'], ['watching', 'connection-lost']]) {
  test(`connection failed when ${place}: ${id}`, () => assert.equal(failureIn(at(place).take({ type: 'disrupted' })), id));
}

test('a named failure keeps its id and its sentence', () => {
  const outputs = at('opening').take({ type: 'failure', failure: { id: 'link-expired', message: 'It is over.' } });
  assert.deepEqual(outputs.at(-1), { type: 'failed', failure: { id: 'link-expired', message: 'It is over.' } });
});

test('close ends whatever is under way, once', () => {
  for (const place of Object.keys(PATH)) {
    const machine = at(place);
    const types = machine.take({ type: 'close' }).map(({ type }) => type);
    assert.deepEqual(types.filter((type) => !type.endsWith('timer')), ['end', 'state']);
    assert.equal(machine.state, 'closed');
    assert.deepEqual(machine.take({ type: 'close' }), []);
  }
});

test('what has ended hears nothing but open and close', () => {
  for (const type of ['session-ready', 'offer-ready', 'socket-open', 'socket-closed', 'answer', 'connected', 'frame', 'disrupted']) {
    const machine = at('watching');
    machine.take({ type: 'close' });
    assert.deepEqual(machine.take({ type }), [], type);
  }
});

test('opening again after failure or close starts from nothing; while under way it is ignored', () => {
  const machine = at('offering');
  assert.deepEqual(machine.take({ type: 'open' }), []);
  expire(machine, 'answer');
  machine.take({ type: 'open' });
  assert.equal(machine.state, 'opening');
  machine.take({ type: 'offer-ready' });
  assert.equal(machine.state, 'opening', 'the socket of the attempt before does not count');
});

test('no input in any place throws or leaves a deadline behind', () => {
  const inputs = ['open', 'session-ready', 'offer-ready', 'socket-open', 'socket-closed', 'answer', 'connected', 'frame', 'disrupted', 'close']
    .map((type) => ({ type }));
  for (const place of Object.keys(PATH)) {
    for (const input of inputs) {
      const machine = at(place);
      machine.take(input);
      const outputs = machine.take({ type: 'close' });
      const cleared = timers(outputs).filter(({ type }) => type === 'clear-timer').length;
      assert.ok(cleared <= 1);
      for (const name of Object.keys(DEADLINES)) assert.deepEqual(expire(machine, name), []);
    }
  }
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CALL_TIMERS, CallSession, fingerprintOf } from '../../src/sightline/web/sdk/call_session.js';

const sdp = (type, certificate = 'AA') => ({ type, sdp: `v=0\r\na=fingerprint:sha-256 ${certificate}\r\n` });
const offer = (from, certificate) => ({ type: 'offer', from, description: sdp('offer', certificate) });
const answer = (from, certificate) => ({ type: 'answer', from, description: sdp('answer', certificate) });
const candidate = (from, foundation = '1') => ({ type: 'candidate', from, candidate: { candidate: `candidate:${foundation}` } });
const types = (outputs) => outputs.map(({ type }) => type);
const told = (outputs) => outputs.filter(({ type }) => type === 'send-hang-up').map(({ to, reason }) => `${to}: ${reason}`);

/** @param {string} name */
function person(name) {
  const session = new CallSession({ name });
  let now = 0;
  return {
    session,
    do: (input, after = 0) => session.take(input, now += after),
    wait: (seconds) => session.tick(now += seconds),
    get how() { return session.reason ? `${session.state} ${session.reason}` : session.state; },
  };
}

/** Ann calls Bob, and they talk. */
function talking(name = 'Ann', peer = 'Bob') {
  const one = person(name);
  one.do({ type: 'call', to: peer });
  one.do({ type: 'media' });
  one.do(answer(peer));
  one.do({ type: 'peer', state: 'connected' });
  assert.equal(one.how, 'in-call');
  return one;
}

function calling(name = 'Ann', peer = 'Bob') {
  const one = person(name);
  one.do({ type: 'call', to: peer });
  one.do({ type: 'media' });
  return one;
}

test('a call that is placed: camera first, then the offer, then it rings there', () => {
  const ann = person('Ann');
  assert.deepEqual(types(ann.do({ type: 'call', to: 'Bob' })), ['state', 'open-media']);
  assert.deepEqual(ann.do({ type: 'media' }), [{ type: 'begin' }, { type: 'make-offer', restart: false }]);
  assert.equal(ann.how, 'calling');
  assert.deepEqual(types(ann.do(answer('Bob'))), ['accept-answer', 'state']);
  assert.deepEqual(types(ann.do(candidate('Bob'))), ['add-candidate']);
  ann.do({ type: 'peer', state: 'connected' });
  assert.equal(ann.how, 'in-call');
  assert.deepEqual(told(ann.do({ type: 'hang-up' })), ['Bob: hung-up']);
  assert.equal(ann.how, 'ended hung-up');
});

test('a call that comes in rings; camera and microphone wait for a person, and candidates wait with the offer', () => {
  const bob = person('Bob');
  assert.deepEqual(types(bob.do(offer('Ann'))), ['state']);
  assert.deepEqual(types(bob.do(candidate('Ann'))), []);
  assert.deepEqual(types(bob.do(candidate(null, '2'))), [], 'the reference server does not say whose it is');
  assert.deepEqual(types(bob.do({ type: 'accept' })), ['state', 'open-media']);
  assert.deepEqual(types(bob.do({ type: 'media' })), ['begin', 'accept-offer', 'add-candidate', 'add-candidate']);
  bob.do({ type: 'peer', state: 'connected' });
  assert.equal(bob.how, 'in-call');
  bob.do({ type: 'remote-hang-up', from: 'Ann', reason: null });
  assert.equal(bob.how, 'ended left');
});

test('nobody calls himself, and nobody has two calls', () => {
  const ann = person('Ann');
  assert.deepEqual(ann.do({ type: 'call', to: 'Ann' }), []);
  assert.deepEqual(ann.do({ type: 'call', to: '' }), []);
  assert.deepEqual(ann.do(offer('Ann')), []);
  const busy = talking();
  assert.deepEqual(busy.do({ type: 'call', to: 'Cem' }), []);
  assert.deepEqual(told(busy.do(offer('Cem'))), ['Cem: busy']);
  assert.equal(busy.how, 'in-call');
  busy.do({ type: 'remote-hang-up', from: 'Cem', reason: null });
  assert.deepEqual(busy.do(candidate('Cem')), []);
  assert.equal(busy.how, 'in-call', 'what a third one says changes nothing');
});

for (const [reason, how] of [[null, 'declined'], ['declined', 'declined'], ['busy', 'busy'], ['no-answer', 'no-answer'], ['no-media', 'peer-no-media']]) {
  test(`the one who is called says ${reason}: ${how}`, () => {
    const ann = calling();
    const outputs = ann.do({ type: 'remote-hang-up', from: 'Bob', reason });
    assert.equal(ann.how, `ended ${how}`);
    assert.deepEqual(types(outputs), ['end', 'state']);
  });
}

test('declined, missed, given up', () => {
  const bob = person('Bob');
  bob.do(offer('Ann'));
  assert.deepEqual(told(bob.do({ type: 'decline' })), ['Ann: declined']);
  bob.do(offer('Ann'));
  assert.deepEqual(told(bob.wait(CALL_TIMERS.ringIn)), ['Ann: no-answer']);
  assert.equal(bob.how, 'ended missed');
  bob.do(offer('Ann'));
  bob.do({ type: 'remote-hang-up', from: 'Ann', reason: 'cancelled' });
  assert.equal(bob.how, 'ended cancelled');
  const ann = calling();
  assert.equal(ann.session.nextDeadline(), CALL_TIMERS.ringOut);
  assert.deepEqual(told(ann.wait(CALL_TIMERS.ringOut)), ['Bob: cancelled']);
  assert.equal(ann.how, 'ended no-answer');
});

test('whoever goes while it rings is not waited for', () => {
  const ann = calling();
  ann.do({ type: 'users', users: ['Ann'] });
  assert.equal(ann.how, 'ended gone');
  const bob = person('Bob');
  bob.do(offer('Ann'));
  bob.do({ type: 'users', users: ['Bob'] });
  assert.equal(bob.how, 'ended cancelled');
  const other = calling();
  other.do({ type: 'undeliverable', to: 'Bob' });
  assert.equal(other.how, 'ended gone');
  const up = talking();
  up.do({ type: 'users', users: ['Ann'] });
  assert.equal(up.how, 'in-call', 'a call needs no lobby');
});

test('no camera: the other side hears of it only when it knew of the call', () => {
  const ann = person('Ann');
  ann.do({ type: 'call', to: 'Bob' });
  assert.deepEqual(told(ann.do({ type: 'media-failed', reason: 'media-refused' })), []);
  assert.equal(ann.how, 'ended media-refused');
  const bob = person('Bob');
  bob.do(offer('Ann'));
  bob.do({ type: 'accept' });
  assert.deepEqual(told(bob.do({ type: 'media-failed', reason: 'media-missing' })), ['Ann: no-media']);
});

test('hung up while the browser still asks: what comes later is of no call', () => {
  const ann = person('Ann');
  ann.do({ type: 'call', to: 'Bob' });
  assert.deepEqual(told(ann.do({ type: 'hang-up' })), []);
  assert.deepEqual(ann.do({ type: 'media' }), []);
});

test('both call each other at once: one call, whoever is first', () => {
  const run = (early) => {
    const all = { Ann: person('Ann'), Bob: person('Bob') };
    const wire = [];
    const perform = (name, outputs) => {
      const to = name === 'Ann' ? 'Bob' : 'Ann';
      for (const { type } of outputs) {
        assert.notEqual(type, 'send-hang-up');
        if (type === 'make-offer') wire.push([to, offer(name, name)]);
        if (type === 'accept-offer') wire.push([to, answer(name, name)]);
      }
    };
    for (const name of ['Ann', 'Bob']) perform(name, all[name].do({ type: 'call', to: name === 'Ann' ? 'Bob' : 'Ann' }));
    for (const name of early) perform(name, all[name].do({ type: 'media' }));
    const late = ['Ann', 'Bob'].filter((name) => !early.includes(name));
    while (wire.length || late.length) {
      const next = wire.shift();
      if (next) perform(next[0], all[next[0]].do(next[1]));
      else for (const name of late.splice(0)) perform(name, all[name].do({ type: 'media' }));
    }
    for (const name of ['Ann', 'Bob']) {
      assert.equal(all[name].how, 'connecting', `${name}, ${early}`);
      all[name].do({ type: 'peer', state: 'connected' });
      assert.equal(all[name].how, 'in-call');
    }
  };
  for (const early of [['Ann', 'Bob'], ['Bob', 'Ann'], ['Ann'], ['Bob'], []]) run(early);
});

test('the one who takes back his first offer does so with a fresh connection', () => {
  const bob = calling('Bob', 'Ann');
  assert.deepEqual(types(bob.do(offer('Ann'))), ['begin', 'accept-offer', 'state']);
});

test('an MDN client answers, and offers at once in the other direction', () => {
  const ann = calling();
  ann.do(answer('Bob'));
  assert.deepEqual(types(ann.do(offer('Bob'))), ['accept-offer']);
  ann.do({ type: 'peer', state: 'connected' });
  assert.equal(ann.how, 'in-call');
});

test('offers that cross in a call: the polite one takes its own back and says it again later', () => {
  const [ann, bob] = [talking('Ann', 'Bob'), talking('Bob', 'Ann')];
  assert.deepEqual(types(ann.do({ type: 'negotiation-needed' })), ['make-offer']);
  assert.deepEqual(types(bob.do({ type: 'negotiation-needed' })), ['make-offer']);
  assert.deepEqual(types(ann.do(offer('Bob'))), [], 'the impolite one ignores it');
  assert.deepEqual(types(bob.do(offer('Ann'))), ['accept-offer', 'make-offer']);
  assert.deepEqual(types(ann.do({ type: 'negotiation-needed' })), [], 'one offer at a time');
  assert.deepEqual(types(ann.do(answer('Bob'))), ['accept-answer', 'make-offer']);
});

test('disconnected: reconnecting, an ICE restart, and the call goes on', () => {
  const ann = talking();
  assert.deepEqual(types(ann.do({ type: 'peer', state: 'disconnected' })), ['state']);
  assert.equal(ann.how, 'reconnecting');
  assert.deepEqual(ann.wait(CALL_TIMERS.restartCaller), [{ type: 'make-offer', restart: true }]);
  assert.deepEqual(types(ann.wait(CALL_TIMERS.restartAgain)), ['make-offer'], 'it may have been lost');
  ann.do(answer('Bob'));
  ann.do({ type: 'peer', state: 'connected' });
  assert.equal(ann.how, 'in-call');
  assert.equal(ann.session.nextDeadline(), null);
});

test('another network: a restart at once, or as soon as there is a socket again', () => {
  const ann = talking();
  assert.deepEqual(ann.do({ type: 'network' }), [{ type: 'make-offer', restart: true }]);
  const bob = talking('Bob', 'Ann');
  bob.do({ type: 'socket', open: false });
  assert.deepEqual(bob.do({ type: 'network' }), []);
  bob.do({ type: 'peer', state: 'disconnected' });
  bob.do({ type: 'peer', state: 'failed' });
  assert.equal(bob.how, 'reconnecting', 'the restart is still to come');
  assert.deepEqual(bob.do({ type: 'socket', open: true }), [{ type: 'make-offer', restart: true }]);
});

test('failed ends the call, and says why', () => {
  const ann = talking();
  assert.deepEqual(told(ann.do({ type: 'peer', state: 'failed' })), ['Bob: failed']);
  assert.equal(ann.how, 'ended lost');
  const bob = talking('Bob', 'Ann');
  bob.do({ type: 'peer', state: 'disconnected' });
  bob.wait(CALL_TIMERS.reconnect);
  assert.equal(bob.how, 'ended lost');
  const eve = calling('Eve');
  eve.do(answer('Bob'));
  eve.do({ type: 'peer', state: 'failed' });
  assert.equal(eve.how, 'ended no-path');
  const slow = calling('Eve');
  slow.do(answer('Bob'));
  slow.wait(CALL_TIMERS.connect);
  assert.equal(slow.how, 'ended no-path');
  const junk = calling();
  junk.do({ type: 'broken' });
  assert.equal(junk.how, 'ended internal');
});

test('a page that was loaded anew without a farewell calls again: the old call ends, the new one rings', () => {
  const ann = talking();
  assert.deepEqual(types(ann.do(offer('Bob', 'BB'))), ['end', 'state', 'state']);
  assert.equal(ann.how, 'ringing');
  assert.deepEqual(types(ann.do({ type: 'peer', state: 'closed' })), ['send-hang-up', 'end', 'state']);
});

test('after the end everything is as at the beginning', () => {
  const ann = talking();
  ann.do({ type: 'negotiation-needed' });
  ann.do({ type: 'hang-up' });
  for (const input of [answer('Bob'), candidate('Bob'), { type: 'peer', state: 'failed' }, { type: 'network' }, { type: 'accept' }, { type: 'broken' }]) {
    assert.deepEqual(ann.do(input), [], input.type);
  }
  assert.equal(ann.session.nextDeadline(), null);
  assert.deepEqual(types(ann.do(offer('Cem'))), ['state']);
});

test('the fingerprint names the certificate', () => {
  assert.equal(fingerprintOf('a=fingerprint:sha-256 AB:cd\r\na=setup:actpass\r\n'), 'sha-256 ab:cd');
  assert.equal(fingerprintOf('v=0'), '');
});

// The vectors of a master's registry, which Python's runs too (tests/unit/sessions/test_viewer_registry_vectors.py).

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { SessionMemory, meaningOf } from '../../src/sightline/web/sdk/master_offer.js';
import { MASTER_TIMERS } from '../../src/sightline/web/sdk/registry_timers.js';
import { ViewerRegistry } from '../../src/sightline/web/sdk/viewer_registry.js';

const FILE = JSON.parse(readFileSync(new URL('../vectors/viewer_registry.json', import.meta.url), 'utf8'));
const camel = (name) => name.replace(/_(\w)/g, (_, letter) => letter.toUpperCase());
const TIMERS = Object.fromEntries(Object.entries(FILE.timers).map(([name, value]) => [camel(name), value]));

/** What went otherwise than the vector says. */
function run(vector, timers) {
  const registry = new ViewerRegistry({ timers, maxViewers: vector.max_viewers ?? null });
  const held = new Map();
  let happened = [];
  let now = 0;
  const tell = (outputs) => {
    for (const output of outputs) {
      if (output.kind === 'state') held.set(output.clientId, output.held);
      happened.push(output.kind === 'state'
        ? `${now} ${output.clientId} ${output.from} > ${output.to} (${output.reason})` : `${now} ${output.kind} ${output.viewer.clientId}`);
    }
  };
  const wrong = [];
  for (const [number, step] of vector.steps.entries()) {
    for (let due; (due = registry.nextDeadline()) !== null && due <= step.at;) {
      now = Math.max(now, due);
      const outputs = registry.tick(now);
      assert.ok(outputs.length, 'a deadline without anything to do');
      tell(outputs);
    }
    now = step.at;
    for (const action of step.do) {
      const [id, type, argument] = action.split(' ');
      if (type === 'begin') tell(registry.begin(id, now));
      else tell(registry.take(id, { type, open: argument === 'open', reason: argument }, now));
    }
    const sessions = registry.sessions.map(({ clientId }) => clientId);
    for (const id of sessions) if (!held.has(id)) held.set(id, 'everything');
    const seen = {
      then: happened,
      sessions,
      viewers: registry.viewers.map(({ clientId }) => clientId),
      connected: sessions.filter((id) => registry.isConnected(id)),
      held: Object.fromEntries(Object.keys(step.held ?? {}).map((id) => [id, registry.holds(id) ? held.get(id) : 'nothing'])),
      room: Object.fromEntries(Object.keys(step.room ?? {}).map((id) => [id, registry.hasRoom(id)])),
    };
    happened = [];
    for (const [key, value] of Object.entries(seen)) {
      if (key in step && JSON.stringify(value) !== JSON.stringify(step[key])) wrong.push(`step ${number}: ${key} ${JSON.stringify(value)}`);
    }
  }
  return wrong;
}

const identity = ({ session_id, fingerprints, ufrag, password }) => ({ sessionId: session_id, fingerprints, ufrag, password });

function runMemory(timers) {
  const memory = new SessionMemory({ lifetime: timers.sessionMemory });
  const wrong = [];
  for (const [number, step] of FILE.memory.entries()) {
    const offer = identity(step.offer);
    if ('forget' in step) memory.forget(offer, step.forget, step.at);
    else if (memory.isGone(offer, step.at) !== step.gone || memory.certificateFor(offer, step.at) !== step.certificate) wrong.push(`memory step ${number}`);
  }
  return wrong;
}

for (const vector of FILE.vectors) test(vector.name, () => assert.deepEqual(run(vector, {}), []));

for (const { name, held, offer, meaning } of FILE.offers) {
  test(`an offer: ${name}`, () => assert.equal(meaningOf(identity(offer), held && identity(held)), meaning));
}

test('the memory of sessions', () => assert.deepEqual(runMemory(MASTER_TIMERS), []));

test('the vectors are of the timers in use', () => {
  for (const [name, value] of Object.entries(TIMERS)) assert.equal(MASTER_TIMERS[name], value, name);
});

test('all timers have the values of timers.py', () => {
  const source = readFileSync(new URL('../../src/sightline/timers.py', import.meta.url), 'utf8');
  const python = Object.fromEntries([...source.matchAll(/^ {4}(\w+): (?:float|int) = ([\d._]+)/gm)].map(([, name, value]) => [camel(name), Number(value.replaceAll('_', ''))]));
  for (const [name, value] of Object.entries(MASTER_TIMERS)) assert.equal(python[name], value, name);
});

for (const [name, value] of Object.entries(TIMERS)) {
  test(`another value of ${name} is noticed`, () => {
    for (const factor of [0.9, 1.1]) {
      const timers = { ...MASTER_TIMERS, [name]: value * factor };
      assert.ok([...FILE.vectors.flatMap((vector) => run(vector, timers)), ...runMemory(timers)].length, String(factor));
    }
  });
}

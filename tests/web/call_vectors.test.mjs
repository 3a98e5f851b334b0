import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { CALL_TIMERS, CallSession } from '../../src/sightline/web/sdk/call_session.js';

// The same vectors as tests/unit/sessions/test_call_vectors.py.
const { vectors } = JSON.parse(readFileSync(new URL('../vectors/call_session.json', import.meta.url), 'utf8'));
const byName = new Map(vectors.map((vector) => [vector.name, vector]));
const NEAR = 1e-6;

/** Runs a vector: when it ended, and what was not as it says. */
function play(session, vector, start = 0) {
  const wrong = [];
  if (vector.after) {
    const before = play(session, byName.get(vector.after), start);
    wrong.push(...before.wrong);
    start = before.at;
  }
  let at = start;
  for (const step of vector.steps) {
    at = start + step.at;
    let due;
    while ((due = session.nextDeadline()) !== null && due < at - NEAR) {
      const outputs = session.tick(due);
      if (outputs.length > 0) wrong.push(`${due - start}: came too early: ${JSON.stringify(outputs)}`);
    }
    const isDue = due !== null && due <= at + NEAR;
    const outputs = step.in ? session.take(step.in, at) : isDue ? session.tick(due) : [];
    try {
      assert.deepEqual(outputs, step.out);
    } catch {
      wrong.push(`${step.at}: ${JSON.stringify(step.in ?? 'due')}: ${JSON.stringify(outputs)} and not ${JSON.stringify(step.out)}`);
    }
  }
  return { at, wrong };
}

for (const vector of vectors) {
  test(vector.name, () => assert.deepEqual(play(new CallSession({ name: vector.me }), vector).wrong, []));
}

for (const name of Object.keys(CALL_TIMERS)) {
  test(`no timer can be changed unnoticed: ${name}`, () => {
    for (const factor of [0.8, 1.25]) {
      const timers = { [name]: CALL_TIMERS[name] * factor };
      const noticed = vectors.some((vector) => play(new CallSession({ name: vector.me, timers }), vector).wrong.length > 0);
      assert.ok(noticed, `${name} × ${factor}`);
    }
  });
}

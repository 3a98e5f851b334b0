import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { VIEWER_OPTIONS, ViewerSession, persistent, retryOnce } from '../../src/sightline/web/sdk/viewer_session.js';

// The same vectors as tests/unit/sessions/test_viewer_vectors.py.
const { vectors } = JSON.parse(readFileSync(new URL('../vectors/viewer_session.json', import.meta.url), 'utf8'));
const byName = new Map(vectors.map((vector) => [vector.name, vector]));
const NEAR = 1e-6;

function* stepsOf(vector) {
  for (const step of vector.steps) {
    for (let turn = 0; turn < (step.repeat ?? 1); turn++) yield { ...step, at: step.at + turn * (step.every ?? 0) };
  }
}

/** Runs a vector: when it ended, and what was not as it says. */
function play(session, vector, start = 0) {
  const wrong = [];
  if (vector.after) {
    const before = play(session, byName.get(vector.after), start);
    wrong.push(...before.wrong);
    start = before.at;
  }
  let at = start;
  for (const step of stepsOf(vector)) {
    at = start + step.at;
    let due;
    while ((due = session.nextDeadline()) !== null && due < at - NEAR) {
      const outputs = session.tick(due);
      if (outputs.length > 0) wrong.push(`${due - start}: came too early: ${JSON.stringify(outputs)}`);
    }
    const isDue = due !== null && due <= at + NEAR;
    const outputs = step.in ? session.take(step.in, at) : isDue ? session.tick(due) : [];
    if (!same(outputs, step.out)) {
      wrong.push(`${step.at}: ${JSON.stringify(step.in ?? 'due')}: ${JSON.stringify(outputs)} and not ${JSON.stringify(step.out)}`);
    }
  }
  return { at, wrong };
}

function same(outputs, wanted) {
  try {
    assert.deepEqual(outputs, wanted);
    return true;
  } catch {
    return false;
  }
}

function sessionOf(vector, { options = {}, policy } = {}) {
  const { roll } = vector.policy?.persistent ?? {};
  const own = roll === undefined ? policy : persistent({ roll: () => roll });
  return new ViewerSession({ ...options, ...camelCased(vector.options ?? {}) }, own);
}

const camelCased = (options) => Object.fromEntries(
  Object.entries(options).map(([name, value]) => [name.replace(/_(\w)/g, (_, letter) => letter.toUpperCase()), value]),
);

const failing = (changed) => vectors.filter((vector) => play(sessionOf(vector, changed), vector).wrong.length > 0);

for (const vector of vectors) {
  test(vector.name, () => assert.deepEqual(play(sessionOf(vector), vector).wrong, []));
}

for (const name of Object.keys(VIEWER_OPTIONS)) {
  test(`no timer can be changed unnoticed: ${name}`, () => {
    for (const factor of [0.8, 1.25]) {
      assert.notEqual(failing({ options: { [name]: VIEWER_OPTIONS[name] * factor } }).length, 0, `${name} × ${factor}`);
    }
  });
}

test('nor can the seed’s retry', () => {
  for (const options of [{ pause: 3.9 }, { pause: 4.1 }, { retries: 0 }, { retries: 2 }]) {
    assert.notEqual(failing({ policy: retryOnce(options) }).length, 0, JSON.stringify(options));
  }
});

test('a wait that doubles, with jitter', () => {
  const about = { elapsed: 0, reason: 'no-answer' };
  const waits = (roll) => [1, 2, 3, 6, 7, 99].map((attempt) => persistent({ roll: () => roll })(attempt, about));
  assert.deepEqual(waits(1), [1, 2, 4, 30, 30, 30]);
  assert.deepEqual(waits(0), [0.5, 1, 2, 15, 15, 15]);
});

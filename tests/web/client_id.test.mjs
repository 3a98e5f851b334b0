import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkClientId, freshClientId, numberedClientId } from '../../src/sightline/web/sdk/client_id.js';

test('a fresh id keeps to the rules, can be read out, and is another one each time', () => {
  const ids = new Set(Array.from({ length: 100 }, freshClientId));
  assert.equal(ids.size, 100);
  for (const id of ids) assert.match(checkClientId(id), /^viewer-[a-hjkmnp-z2-9]{6}$/);
});

for (const id of ['', 'a b', 'a/b', 'a\\b', 'a:b', 'a;b', 'a"b', 'a@b', 'a#b', 'ä', 'a\n', 'AWS_me', 'aws_me', 'x'.repeat(257)]) {
  test(`refused, with the rule: ${JSON.stringify(id.slice(0, 20))}`, () => {
    assert.throws(() => checkClientId(id), { id: 'bad-client-id', message: /A-Z a-z 0-9 \. - _.*AWS_/ });
  });
}

for (const id of ['a', 'Viewer_1.two-3', 'my-AWS_', 'x'.repeat(256)]) {
  test(`taken: ${id.slice(0, 20)}`, () => assert.equal(checkClientId(id), id));
}

test('the next attempts at a camera that refuses an id that it knows', () => {
  assert.deepEqual([1, 2, 12].map((number) => numberedClientId('me', number)), ['me', 'me-2', 'me-12']);
  assert.equal(checkClientId(numberedClientId('x'.repeat(256), 2)).length, 256);
});

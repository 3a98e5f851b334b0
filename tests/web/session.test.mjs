import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sessionFromService } from '../../src/sightline/web/sdk/session.js';

const SESSION = { url: 'wss://host/viewer', iceServers: [], clientId: 'viewer-1' };

function service(status, body) {
  const requests = [];
  const fetch = async (url, init) => {
    requests.push({ url, ...init, body: JSON.parse(init.body) });
    return { ok: status < 400, status, json: async () => { if (body === undefined) throw new SyntaxError(); return body; } };
  };
  return { fetch, requests };
}

test('asks for one channel and role; the token goes into the header', async () => {
  const { fetch, requests } = service(200, SESSION);
  assert.deepEqual(await sessionFromService({ channel: 'demo', token: 'T', fetch })(), SESSION);
  const [{ url, method, headers, body }] = requests;
  assert.deepEqual([url, method, headers['X-Sightline-Link']], ['/sightline/v1/session', 'POST', 'T']);
  assert.deepEqual(body, { channel: 'demo', role: 'viewer' });
});

test('without a token there is no header', async () => {
  const { fetch, requests } = service(200, SESSION);
  await sessionFromService({ channel: 'demo', role: 'master', clientId: 'me', service: 'https://cam.example', token: '', fetch })();
  const [{ url, headers, body }] = requests;
  assert.equal(url, 'https://cam.example/sightline/v1/session');
  assert.equal('X-Sightline-Link' in headers, false);
  assert.deepEqual(body, { channel: 'demo', role: 'master', clientId: 'me' });
});

test('a refusal carries the service’s id and sentence', async () => {
  const { fetch } = service(403, { error: { id: 'link-expired', message: 'It is over.' } });
  await assert.rejects(sessionFromService({ channel: 'demo', fetch })(), { id: 'link-expired', message: 'It is over.' });
});

for (const [what, status, body] of [
  ['an error without a reason', 502, undefined], ['an error of another form', 500, { Message: 'x' }],
  ['an answer that is no session', 200, { ok: true }], ['an answer that is no JSON', 200, undefined],
]) {
  test(`${what}: service-unreachable`, async () => {
    await assert.rejects(sessionFromService({ channel: 'demo', fetch: service(status, body).fetch })(), { id: 'service-unreachable' });
  });
}

test('no connection: service-unreachable', async () => {
  const fetch = async () => { throw new TypeError('Failed to fetch'); };
  await assert.rejects(sessionFromService({ channel: 'demo', fetch })(), { id: 'service-unreachable' });
});

/** Never answers, as on a connection of a network that is gone; notices that it is given up. */
function hangs(signal) {
  return new Promise((_, reject) => signal.addEventListener('abort', () => reject(new DOMException('', 'AbortError'))));
}

test('a request that hangs is made anew: it went out on a dead connection', async (context) => {
  context.mock.timers.enable({ apis: ['setTimeout'] });
  const { fetch, requests } = service(200, SESSION);
  let asked = 0;
  const dead = (url, init) => (++asked <= 2 ? hangs(init.signal) : fetch(url, init));
  const session = sessionFromService({ channel: 'demo', fetch: dead })();
  for (let each = 0; each < 2; each += 1) {
    context.mock.timers.tick(999);
    assert.equal(asked, each + 1);
    context.mock.timers.tick(1);
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.deepEqual(await session, SESSION);
  assert.equal(requests.length, 1);
});

test('a service that is only slow gets its time in the end', async (context) => {
  context.mock.timers.enable({ apis: ['setTimeout'] });
  let asked = 0;
  const slow = (_, init) => { asked += 1; return hangs(init.signal); };
  const aborter = new AbortController();
  const session = sessionFromService({ channel: 'demo', fetch: slow })(aborter.signal);
  for (let each = 0; each < 20; each += 1) {
    context.mock.timers.tick(1000);
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.equal(asked, 7);
  aborter.abort();
  await assert.rejects(session, { id: 'service-unreachable' });
  assert.equal(asked, 7);
});

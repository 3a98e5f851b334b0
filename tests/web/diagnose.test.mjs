import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CHECKS, Visit, examine } from '../../src/sightline/web/pages/diagnose.js';
import { relayAllocates, stunAnswers } from '../../src/sightline/web/pages/diagnose_ice.js';
import { SightlineError } from '../../src/sightline/web/sdk/errors.js';
import { FakeClock, fakePeerConnection, fakeWebSocket, settle } from './fakes.mjs';

const NOW = Math.floor(Date.now() / 1000);
const SESSION = {
  url: 'wss://host/viewer?X-Sightline-Extras=1',
  iceServers: [{ urls: ['stun:host'] }, { urls: ['turn:host', 'turns:host'], username: `${NOW + 300}:a`, credential: 'b' }],
};

/** A visit in a fake browser; `watching` is how the page's own viewer stands. */
function stage({ session = async () => SESSION, date = new Date(), ok = true, watching = true } = {}) {
  const clock = new FakeClock();
  const WebSocket = fakeWebSocket();
  const RTCPeerConnection = fakePeerConnection();
  const viewer = watching
    ? { state: 'watching', clientId: 'me', codec: 'H264', timings: { answer: 10.4, connected: 20, firstFrame: 30 } }
    : { state: 'offering', clientId: 'me', codec: null, timings: {} };
  const visit = new Visit({
    viewer,
    channel: 'porch',
    requestSession: session,
    surroundings: {
      ...clock, now: clock.now, WebSocket, RTCPeerConnection,
      location: { protocol: 'https:', hash: '#T' },
      fetch: async () => ({ ok, headers: new Headers({ date: date.toUTCString() }) }),
    },
  });
  return { clock, WebSocket, RTCPeerConnection, visit };
}

test('what depends on something that failed is not made, and everything is told in order', async () => {
  const told = [];
  const checks = [
    { id: 'a', needs: [], run: async () => ({ mark: 'ok', said: 'x' }) },
    { id: 'b', needs: ['a'], run: async () => ({ mark: 'failed', said: 'x', reason: 'b' }) },
    { id: 'c', needs: ['b'], run: async () => assert.fail('not to be made') },
    { id: 'd', needs: ['c'], run: async () => assert.fail('not to be made') },
    { id: 'e', needs: ['a'], run: async () => { throw new Error('broken'); } },
    { id: 'f', needs: ['a'], run: async () => ({ mark: 'warning', said: 'x' }) },
  ];
  let ended = 0;
  const isFine = await examine({ end: () => { ended += 1; } }, (id, verdict) => told.push(`${id} ${verdict?.mark ?? '…'}`), checks);
  assert.deepEqual(told, ['a …', 'a ok', 'b …', 'b failed', 'c skipped', 'd skipped', 'e …', 'e failed', 'f …', 'f warning']);
  assert.deepEqual([isFine, ended], [false, 1]);
});

test('each check needs only what comes before it', () => {
  CHECKS.forEach(({ id, needs }, place) => {
    for (const need of needs) assert.ok(CHECKS.findIndex((check) => check.id === need) < place, `${id} needs ${need}`);
  });
});

test('service, certificate, clock, link, channel', async () => {
  const { visit } = stage();
  const said = [];
  for (const check of ['reach', 'trust', 'clock', 'link', 'channelExists']) said.push((await visit[check]()).said);
  assert.deepEqual(said, ['diagnose.service-ok', 'diagnose.tls-ok', 'diagnose.clock-ok', 'diagnose.link-ok', 'diagnose.channel-ok']);
});

test('a service that is not there; a clock that is a little off, or a lot', async () => {
  assert.equal((await stage({ ok: false }).visit.reach()).reason, 'service-unreachable');
  for (const [minutes, mark] of [[0, 'ok'], [2, 'warning'], [-2, 'warning'], [10, 'failed'], [-10, 'failed']]) {
    const { visit } = stage({ date: new Date(Date.now() + minutes * 60_000) });
    await visit.reach();
    assert.equal((await visit.clock()).mark, mark, `${minutes} min`);
  }
});

test('a link that has expired is the link’s fault, a channel that is not there is not', async () => {
  const refuse = (id) => stage({ session: async () => { throw new SightlineError(id); } }).visit;
  assert.deepEqual(await refuse('link-expired').link(), { mark: 'failed', said: 'diagnose.link-no', values: undefined, reason: 'link-expired' });
  const visit = refuse('unknown-channel');
  assert.equal((await visit.link()).mark, 'ok');
  assert.equal((await visit.channelExists()).reason, 'unknown-channel');
});

test('the socket opens, or says why not', async () => {
  const open = stage();
  await open.visit.link();
  const opening = open.visit.socketOpens();
  await settle();
  open.WebSocket.all[0].accept();
  assert.equal((await opening).said, 'diagnose.signaling-ok');
  assert.match(open.WebSocket.all[0].url, /Extras/);
  const asking = open.visit.cameraIsThere();
  assert.deepEqual(open.WebSocket.all[0].sent.map(({ action }) => action), ['sightline/ask']);
  open.WebSocket.all[0].deliver('sightline/master', { present: false, ours: false });
  assert.equal((await asking).reason, 'camera-offline');
  open.visit.end();
  assert.equal(open.WebSocket.all[0].closedWith, 1000);
  assert.equal(open.clock.pending, 0);

  const refused = stage();
  await refused.visit.link();
  const refusing = refused.visit.socketOpens();
  await settle();
  refused.WebSocket.all[0].open();
  refused.WebSocket.all[0].deliver('sightline/notice', { reason: 'viewer-limit', message: '' });
  refused.WebSocket.all[0].drop(4429);
  assert.equal((await refusing).reason, 'viewer-limit');
});

test('ICE credentials that are fresh, have expired, or are not needed', async () => {
  const verdict = async (iceServers) => {
    const { visit } = stage({ session: async () => ({ ...SESSION, iceServers }) });
    await visit.reach();
    await visit.link();
    return visit.iceServersAreFresh();
  };
  assert.deepEqual((await verdict(SESSION.iceServers)).values, { count: 3, minutes: 5 });
  assert.equal((await verdict([{ urls: 'turn:host', username: `${NOW - 5}:a`, credential: 'b' }])).reason, 'ice-expired');
  assert.equal((await verdict([{ urls: 'stun:host' }])).said, 'diagnose.ice-no-credentials');
});

test('STUN: a public address, no NAT between, or no reply', async () => {
  const ask = async (act) => {
    const clock = new FakeClock();
    const RTCPeerConnection = fakePeerConnection();
    const asked = stunAnswers({ ...clock, RTCPeerConnection }, ['stun:host'], 5_000);
    await settle();
    const [peer] = RTCPeerConnection.all;
    act(peer);
    await clock.pass(5_000);
    assert.equal(peer.isClosed, true);
    return asked;
  };
  assert.equal(await ask((peer) => peer.onicecandidate({ candidate: { type: 'srflx' } })), 'reflexive');
  assert.equal(await ask((peer) => peer.onicecandidate({ candidate: null })), 'direct');
  assert.equal(await ask((peer) => { peer.refuseCandidate(701); peer.onicecandidate({ candidate: null }); }), 'silent');
  assert.equal(await ask(() => {}), 'silent');
});

test('TURN: each address by itself, relays only', async () => {
  const { visit, RTCPeerConnection } = stage();
  await visit.link();
  const asked = visit.turn();
  await settle();
  const [udp, tls] = RTCPeerConnection.all;
  assert.deepEqual([udp, tls].map(({ configuration }) => [configuration.iceServers[0].urls, configuration.iceTransportPolicy]),
    [['turn:host', 'relay'], ['turns:host', 'relay']]);
  udp.onicecandidate({ candidate: { type: 'relay' } });
  tls.refuseCandidate(401);
  tls.onicecandidate({ candidate: null });
  const { mark, reason, values, details } = await asked;
  assert.deepEqual([mark, reason, values], ['warning', 'ice-expired', { working: 1, count: 2 }]);
  assert.deepEqual(details.map(({ said }) => said), ['diagnose.turn-line-ok', 'diagnose.turn-line-refused']);
});

test('a relay that is not there in time', async () => {
  const clock = new FakeClock();
  const asked = relayAllocates({ ...clock, RTCPeerConnection: fakePeerConnection() }, { urls: 'turn:host' }, 5_000);
  await clock.pass(5_000);
  assert.deepEqual(await asked, { url: 'turn:host', allocated: false, code: 0 });
});

test('who watches has an answer, a format, a path and a picture', async () => {
  const { visit } = stage();
  const made = [await visit.cameraAnswers(), await visit.codecInCommon(), await visit.pathIsFound(), await visit.firstFrame()];
  assert.deepEqual(made.map(({ mark, values }) => [mark, values]),
    [['ok', undefined], ['ok', { codec: 'H264' }], ['ok', { ms: 20 }], ['ok', { ms: 30 }]]);
});

test('who does not watch tries, under an id of its own, and hears why it fails', async () => {
  const s = stage({ watching: false });
  const asked = s.visit.cameraAnswers();
  await settle();
  assert.equal(s.WebSocket.all.length, 1);
  s.WebSocket.all[0].open();
  s.WebSocket.all[0].deliver('sightline/notice', { reason: 'no-common-codec', message: '' });
  assert.deepEqual(await asked, { mark: 'failed', said: 'diagnose.no-answer-no', values: undefined, reason: 'no-common-codec' });
  s.visit.end();
  assert.equal(s.clock.pending, 0);
});

test('servers on the device itself, which Firefox does not ask, are nothing to complain of', async () => {
  const iceServers = [{ urls: 'stun:127.0.0.1:3478' }, { urls: 'turn:127.0.0.1:3478', username: `${NOW + 300}:a`, credential: 'b' }];
  const s = stage({ session: async () => ({ ...SESSION, iceServers }) });
  await s.visit.link();
  for (const check of ['stun', 'turn']) {
    const asked = s.visit[check]();
    await s.clock.pass(5_000);
    assert.deepEqual(await asked, { mark: 'skipped', said: 'diagnose.here' });
  }
});

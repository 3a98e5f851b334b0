import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SightlineError } from '../../src/sightline/web/sdk/errors.js';
import { Master } from '../../src/sightline/web/sdk/master.js';
import { settle } from './fakes.mjs';
import { SESSION, fakeStream, offerSdp, studio } from './master_fakes.mjs';

const notices = (socket) => socket.payloads('sightline/notice').map(({ reason }) => reason);
const reports = (socket) => socket.sent.filter(({ action }) => action === 'sightline/presence');

test('goes online, answers an offer and counts the viewer once it is connected', async () => {
  const s = await studio(Master);
  await s.online();
  assert.deepEqual(s.states(), ['opening', 'online']);
  await s.offer('viewer-123');
  const [answer] = s.socket.payloads('SDP_ANSWER');
  assert.equal(answer.type, 'answer');
  assert.deepEqual(s.peer.tracks.map(({ kind }) => kind), ['video', 'audio']);
  assert.deepEqual(s.peer.transceivers.map(({ direction }) => direction), ['sendonly', 'sendrecv']);
  assert.deepEqual(s.peer.configuration.iceServers, SESSION.iceServers);
  assert.deepEqual(s.master.viewers, []);
  assert.deepEqual(s.master.sessions.map(({ clientId, connectionState }) => [clientId, connectionState]), [['viewer-123', 'connecting']]);
  s.peer.ice('connected');
  assert.equal(s.master.isConnected('viewer-123'), false, 'a path alone is no connection');
  s.peer.keys();
  assert.equal(s.master.isConnected('viewer-123'), true);
  assert.deepEqual(s.of('joined').map(({ clientId }) => clientId), ['viewer-123']);
  s.master.close();
});

test('every message of the master names its viewer; candidates follow the answer', async () => {
  const s = await studio(Master);
  await s.online();
  await s.offer('viewer-123');
  const sent = s.socket.sent.filter(({ recipientClientId }) => recipientClientId === 'viewer-123').map(({ action }) => action);
  assert.deepEqual(sent, ['SDP_ANSWER', 'ICE_CANDIDATE']);
  assert.ok(s.socket.sent.find(({ action }) => action === 'SDP_ANSWER').correlationId, 'so that the service reports a failure');
  s.master.close();
});

test('candidates that came before their offer are kept; those of another generation wait', async () => {
  const s = await studio(Master);
  await s.online();
  const from = { senderClientId: 'a' };
  s.socket.deliver('ICE_CANDIDATE', { candidate: 'candidate:early', usernameFragment: 'u1' }, from);
  await s.offer('a');
  assert.deepEqual(s.peer.remoteCandidates, ['candidate:early']);
  s.socket.deliver('ICE_CANDIDATE', { candidate: 'candidate:next ufrag u2' }, from);
  s.socket.deliver('ICE_CANDIDATE', { candidate: 'candidate:now' }, from);
  await settle();
  assert.deepEqual(s.peer.remoteCandidates, ['candidate:early', 'candidate:now']);
  await s.offer('a', { ufrag: 'u2', password: 'p2' });
  assert.deepEqual(s.peer.remoteCandidates, ['candidate:early', 'candidate:now', 'candidate:next ufrag u2']);
  s.master.close();
});

test('what an offer means: renegotiation and restart keep the connection, another session replaces it', async () => {
  const s = await studio(Master);
  await s.online();
  const peer = await s.watch('a');
  await s.offer('a');
  assert.equal(s.RTCPeerConnection.all.length, 1, 'the same once more is a renegotiation');
  await s.offer('a', { ufrag: 'u2', password: 'p2' });
  assert.equal(s.RTCPeerConnection.all.length, 1, 'other ICE credentials are a restart');
  assert.equal(s.socket.payloads('SDP_ANSWER').length, 3);
  assert.equal(s.master.isConnected('a'), true);
  for (const [number, other] of [{ id: '2' }, { id: '2', fingerprint: 'BB:02' }, { id: '2', fingerprint: 'BB:02', ufrag: 'half' }].entries()) {
    await s.offer('a', other, { extras: false });
    assert.equal(s.RTCPeerConnection.all.length, number + 2, JSON.stringify(other));
  }
  assert.ok(peer.isClosed);
  assert.equal(s.RTCPeerConnection.open.size, 1);
  assert.deepEqual(s.of('left').map(({ reason }) => reason), ['replaced']);
  s.master.close();
});

test('during a restart the path counts as checked until something comes over the new one', async () => {
  const s = await studio(Master);
  await s.online();
  const peer = await s.watch('a');
  const ice = () => s.master.sessions[0].iceConnectionState;
  assert.equal(ice(), 'connected');
  await s.offer('a', { ufrag: 'u2', password: 'p2' });
  assert.equal(ice(), 'checking');
  peer.packet(1);
  await s.clock.pass(300);
  assert.equal(ice(), 'checking', 'the old path still carries');
  peer.packet(2);
  await s.clock.pass(300);
  assert.equal(ice(), 'connected');
  assert.equal(s.master.isConnected('a'), true);
  s.master.close();
});

test('silence: disconnected after 3 s, gone after 10, asleep without sending, closed after 60 more', async () => {
  const s = await studio(Master);
  await s.online();
  const peer = await s.watch('a');
  await s.pass(20, peer);
  assert.equal(s.master.isConnected('a'), true);
  await s.pass(2.5);
  assert.equal(s.master.isConnected('a'), true);
  await s.pass(1);
  assert.deepEqual(s.master.viewers.map(({ connectionState }) => connectionState), ['disconnected']);
  assert.equal(s.master.isConnected('a'), false);
  await s.pass(7);
  assert.deepEqual([s.master.viewers, s.master.sessions], [[], []]);
  assert.deepEqual(s.of('left').map(({ clientId, reason }) => [clientId, reason]), [['a', 'silent']]);
  assert.deepEqual(peer.tracks, [null, null], 'nothing is sent to a sleeper');
  assert.ok(!peer.isClosed, 'its keys are kept');
  await s.pass(61);
  assert.ok(peer.isClosed);
  assert.equal(s.clock.pending, 1, 'only the report to the service is left');
  s.master.close();
});

test('a late restart revives a sleeper on the connection that it had', async () => {
  const s = await studio(Master);
  await s.online();
  const peer = await s.watch('a');
  await s.pass(40);
  assert.deepEqual(s.master.sessions, []);
  peer.ice('failed');
  await s.offer('a', { ufrag: 'u2', password: 'p2' });
  assert.equal(s.RTCPeerConnection.all.length, 1);
  assert.deepEqual(s.master.sessions.map(({ connectionState }) => connectionState), ['connecting']);
  assert.deepEqual(peer.tracks.map(({ kind }) => kind), ['video', 'audio'], 'it is sent to again');
  peer.ice('connected');
  peer.packet();
  await s.clock.pass(300);
  assert.equal(s.master.isConnected('a'), true);
  assert.equal(s.of('joined').length, 2);
  s.master.close();
});

test('a browser that says its states again is no sign of life', async () => {
  const s = await studio(Master);
  await s.online();
  const peer = await s.watch('a');
  for (let second = 0; second < 12; second++) {
    peer.onconnectionstatechange();
    peer.keys();
    peer.ice(second < 6 ? 'connected' : 'disconnected');
    await s.pass(1);
  }
  assert.deepEqual(s.master.sessions, []);
  s.master.close();
});

test('a sleeper whose place was taken does not come back on top', async () => {
  const s = await studio(Master, { maxViewers: 1 });
  await s.online();
  await s.watch('a');
  await s.pass(40);
  assert.deepEqual(s.master.sessions, []);
  await s.watch('b');
  await s.offer('a', { ufrag: 'u2', password: 'p2' });
  assert.deepEqual(notices(s.socket), ['viewer-limit']);
  assert.deepEqual(s.master.sessions.map(({ clientId }) => clientId), ['b']);
  s.master.close();
});

test('a page that was asleep judges by what has come, not by the time that went', async () => {
  const s = await studio(Master);
  await s.online();
  const peer = await s.watch('a');
  await s.pass(1, peer);
  s.sleep(3600);
  peer.packet();
  await s.clock.pass(250);
  assert.equal(s.master.isConnected('a'), true);
  assert.ok(!s.told.some(([, detail]) => detail?.connectionState === 'disconnected'));
  s.sleep(3600);
  await s.clock.pass(250);
  assert.equal(s.master.isConnected('a'), false, 'and now nothing had come');
  s.master.close();
});

test('a farewell frees at once; a closed socket only shortens the silence to 3 s', async () => {
  const s = await studio(Master);
  await s.online();
  const [a, b] = [await s.watch('a'), await s.watch('b')];
  s.socket.deliver('sightline/farewell', {}, { senderClientId: 'a' });
  assert.deepEqual(s.master.viewers.map(({ clientId }) => clientId), ['b']);
  assert.ok(a.isClosed);
  s.socket.deliver('sightline/viewer', { open: false }, { senderClientId: 'b' });
  await s.pass(20, b);
  assert.equal(s.master.isConnected('b'), true, 'some close theirs when media flows');
  await s.pass(3.5);
  assert.deepEqual(s.master.sessions, []);
  s.master.close();
});

test('close_notify frees at once; broken keys leave nothing to sleep on', async () => {
  const s = await studio(Master);
  await s.online();
  const [a, b] = [await s.watch('a'), await s.watch('b')];
  a.keys('closed');
  b.keys('failed');
  assert.deepEqual(s.of('left').map(({ clientId, reason }) => [clientId, reason]), [['a', 'close-notify'], ['b', 'no-keys']]);
  assert.deepEqual([a.isClosed, b.isClosed], [true, true]);
  s.master.close();
});

test('the certificates: a session that is gone is refused, or begun anew under the other one', async () => {
  const s = await studio(Master);
  await s.online();
  const used = () => s.peer.configuration.certificates[0].number;
  await s.watch('a');
  assert.equal(used(), 0);
  s.socket.deliver('sightline/farewell', {}, { senderClientId: 'a' });
  await s.offer('a', { ufrag: 'u2', password: 'p2' });
  assert.deepEqual(notices(s.socket), ['session-gone']);
  assert.equal(s.RTCPeerConnection.all.length, 1, 'and no answer');
  await s.offer('a', { ufrag: 'u3', password: 'p3' }, { extras: false });
  assert.equal(used(), 1, 'the changed fingerprint makes a browser begin DTLS again');
  s.master.close();
});

test('who gets no answer is told why, if it understands us', async () => {
  const s = await studio(Master, { maxViewers: 1 });
  await s.online();
  await s.watch('a');
  await s.offer('b', { id: '2' });
  await s.offer('c', { id: '3' }, { extras: false });
  await s.offer('d', { ufrag: '' });
  assert.deepEqual(notices(s.socket), ['viewer-limit', 'bad-offer']);
  const told = s.socket.payloads('sightline/notice')[0];
  assert.match(told.message, /^As many people watch/);
  assert.deepEqual(s.of('refused').map(({ clientId, reason }) => [clientId, reason]), [['b', 'viewer-limit'], ['c', 'viewer-limit'], ['d', 'bad-offer']]);
  assert.equal(s.RTCPeerConnection.all.length, 1);
  await s.offer('a', { id: '5' });
  assert.equal(s.RTCPeerConnection.all.length, 2, 'who has a place keeps it');
  s.master.close();
});

test('no codec in common: told, and nothing is held', async () => {
  const s = await studio(Master);
  s.RTCPeerConnection.prototype.createAnswer = async () => ({ type: 'answer', sdp: 'v=0\r\nm=video 0 UDP/TLS/RTP/SAVPF 0\r\n' });
  await s.online();
  await s.offer('a');
  assert.deepEqual(notices(s.socket), ['no-common-codec']);
  assert.deepEqual([s.master.sessions, s.RTCPeerConnection.open.size, s.socket.payloads('SDP_ANSWER')], [[], 0, []]);
  s.master.close();
});

test('an offer that the browser refuses ends a new session, and leaves one that works alone', async () => {
  const s = await studio(Master);
  await s.online();
  const peer = await s.watch('a');
  peer.offerError = new Error('no');
  await s.offer('a', { ufrag: 'u2', password: 'p2' });
  assert.deepEqual(notices(s.socket), ['bad-offer']);
  assert.equal(s.master.isConnected('a'), true);
  s.master.close();
});

test('reports its viewers: changes at once, a crowd together, figures every 5 s, nobody only once', async () => {
  const s = await studio(Master);
  await s.online();
  await s.clock.pass(20_000);
  assert.deepEqual(reports(s.socket), [{ action: 'sightline/presence', viewers: [], total: 0 }]);
  const peer = await s.watch('viewer-123');
  await s.pass(0.5, peer);
  const before = reports(s.socket).length;
  assert.ok(before <= 4, 'a crowd of changes is few reports');
  const [seen] = reports(s.socket).at(-1).viewers;
  assert.equal(seen.connectionState, 'connected');
  assert.equal(seen.wasConnected, true);
  await s.pass(11, peer);
  assert.equal(reports(s.socket).length, before + 2);
  const [figures] = reports(s.socket).at(-1).viewers;
  assert.equal(figures.candidatePair, 'host 192.0.2.1:5000 -> srflx 198.51.100.7:6000');
  assert.equal(figures.roundTripTime, 0.02);
  s.master.close();
});

test('AWS is told nothing that KVS does not know', async () => {
  const s = await studio(Master, { answer: () => ({ ...SESSION, url: 'wss://kinesis/?X-Amz-Signature=1' }) });
  await s.online();
  await s.offer('a', { ufrag: '' });
  await s.watch('b');
  await s.clock.pass(10_000);
  assert.deepEqual([...new Set(s.socket.sent.map(({ action }) => action))], ['SDP_ANSWER', 'ICE_CANDIDATE']);
  s.master.close();
});

test('signaling away: viewers go on, and the socket is opened again for ever with a growing bound', async () => {
  const s = await studio(Master);
  await s.online();
  const peer = await s.watch('a');
  s.socket.drop();
  assert.deepEqual(s.states(), ['opening', 'online', 'waiting']);
  const waits = [s.of('lost')[0].retryIn];
  for (let attempt = 0; attempt < 9; attempt++) {
    await s.pass(s.of('lost').at(-1).retryIn + 0.25, peer);
    s.socket.drop();
    waits.push(s.of('lost').at(-1).retryIn);
  }
  assert.deepEqual(waits, [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10, 10, 10]);
  assert.equal(s.master.isConnected('a'), true);
  await s.pass(11, peer);
  s.socket.accept();
  await settle();
  assert.equal(s.master.state, 'online');
  assert.equal(s.sessions.length, 11, 'a session is asked for each time');
  s.master.close();
});

test('an answer that finds no socket goes out when it is back', async () => {
  const s = await studio(Master);
  await s.online();
  const first = s.socket;
  const offer = { type: 'offer', sdp: offerSdp() };
  first.deliver('SDP_OFFER', offer, { senderClientId: 'a' });
  first.drop();
  await settle();
  await s.clock.pass(200);
  s.socket.accept();
  assert.deepEqual([first.payloads('SDP_ANSWER').length, s.socket.payloads('SDP_ANSWER').length], [0, 1]);
  s.master.close();
});

for (const message of ['GO_AWAY', 'RECONNECT_ICE_SERVER']) {
  test(`${message}: the new socket is open before the old one closes`, async () => {
    const s = await studio(Master);
    await s.online();
    const peer = await s.watch('a');
    const old = s.socket;
    old.receive(JSON.stringify({ messageType: message }));
    await settle();
    assert.equal(s.WebSocket.all.length, 2);
    assert.equal(old.closedWith, undefined);
    s.socket.accept();
    assert.equal(old.closedWith, 1000);
    assert.deepEqual(s.states(), ['opening', 'online'], 'no gap');
    assert.ok(!peer.isClosed);
    s.master.close();
  });
}

for (const notice of [true, false]) test(`another master takes over${notice ? ', and the service says so' : ''}: no fight, viewers stay, and the channel may be taken back`, async () => {
  const s = await studio(Master);
  await s.online();
  const peer = await s.watch('a');
  if (notice) s.socket.deliver('sightline/notice', { reason: 'client-id-in-use', message: 'Another one.' });
  s.socket.drop(4409);
  await s.pass(30, peer);
  assert.equal(s.master.state, 'replaced');
  assert.equal(s.WebSocket.all.length, 1);
  assert.equal(s.master.isConnected('a'), true);
  s.master.open();
  await settle();
  await settle();
  s.socket.accept();
  assert.equal(s.master.state, 'online');
  s.master.close();
});

test('a final reason ends the attempts, whether the session or the socket brings it; any other does not', async () => {
  const s = await studio(Master, { session: async () => { throw new SightlineError('link-expired', 'It is over.'); } });
  s.master.open();
  await settle();
  await s.clock.pass(60_000);
  assert.deepEqual([s.master.state, s.of('failed')], ['failed', [{ id: 'link-expired', message: 'It is over.' }]]);
  const t = await studio(Master);
  await t.online();
  t.socket.deliver('sightline/notice', { reason: 'not-allowed', message: 'No.' });
  t.socket.drop(4403);
  await t.clock.pass(60_000);
  assert.deepEqual([t.master.state, t.WebSocket.all.length], ['failed', 1]);
  const u = await studio(Master, { session: async () => { throw new TypeError('fetch failed'); } });
  u.master.open();
  await u.clock.pass(60_000);
  assert.equal(u.master.state, 'opening');
  assert.ok(u.of('lost').length > 8);
  u.master.close();
});

test('a service that never replies is given up after 15 s, and asked again', async () => {
  let asked = 0;
  const s = await studio(Master, { session: () => (asked++, new Promise(() => {})) });
  s.master.open();
  await s.clock.pass(15_000);
  assert.equal(s.of('lost')[0].failure.id, 'service-unreachable');
  await s.clock.pass(200);
  assert.equal(asked, 2);
  s.master.close();
});

test('relay credentials are fetched anew for whoever comes next; nobody is restarted for it', async () => {
  let number = 0;
  const answer = () => ({ ...SESSION, iceServers: [{ urls: 'turn:host', username: 'u', credential: `c${++number}` }] });
  const s = await studio(Master, { answer });
  await s.online();
  const peer = await s.watch('a');
  await s.pass(241, peer);
  assert.equal(s.sessions.length, 2);
  assert.equal(s.WebSocket.all.length, 1);
  assert.equal(peer.configuration.iceServers[0].credential, 'c1');
  await s.offer('b', { id: '2' });
  assert.equal(s.peer.configuration.iceServers[0].credential, 'c2');
  s.master.close();
});

test('another camera, no microphone: viewers get the tracks without a new negotiation', async () => {
  const s = await studio(Master);
  await s.online();
  const peer = await s.watch('a');
  const other = fakeStream('video');
  s.master.setStream(other);
  await settle();
  assert.deepEqual(peer.tracks, [other.getVideoTracks()[0], null]);
  assert.equal(s.socket.payloads('SDP_ANSWER').length, 1);
  await s.offer('b', { id: '2' });
  assert.equal(s.peer.tracks[0], other.getVideoTracks()[0]);
  s.master.close();
});

test('closing in any state frees everything, says goodbye once, and is repeatable', async () => {
  for (const place of ['idle', 'opening', 'socket', 'online', 'offer', 'watched', 'asleep', 'waiting']) {
    const s = await studio(Master);
    if (place !== 'idle') s.master.open();
    if (!['idle', 'opening'].includes(place)) { await settle(); await settle(); }
    if (!['idle', 'opening', 'socket'].includes(place)) s.socket.accept();
    if (place === 'offer') s.socket.deliver('SDP_OFFER', { type: 'offer', sdp: offerSdp() }, { senderClientId: 'a' });
    if (['watched', 'asleep', 'waiting'].includes(place)) await s.watch('a');
    if (place === 'asleep') await s.pass(20);
    if (place === 'waiting') s.socket.drop();
    s.master.close();
    s.master.close();
    await settle();
    assert.equal(s.clock.pending, 0, place);
    assert.equal(s.RTCPeerConnection.open.size, 0, place);
    assert.ok(s.WebSocket.all.every(({ readyState }) => readyState === 3), place);
    assert.deepEqual([s.master.sessions, s.master.state], [[], 'closed'], place);
    const told = s.told.length;
    await s.clock.pass(100_000);
    assert.equal(s.told.length, told, `${place}: nothing is told after the end`);
  }
});

test('200 rounds leave nothing behind: of viewers, and of masters', async () => {
  const s = await studio(Master);
  for (let round = 0; round < 200; round++) {
    await s.online();
    const peer = await s.watch(`viewer-${round}`, { id: String(round + 1) });
    if (round % 4 === 0) s.socket.deliver('sightline/farewell', {}, { senderClientId: `viewer-${round}` });
    if (round % 4 === 1) peer.keys('failed');
    if (round % 4 === 2) s.socket.drop();
    s.master.close();
    assert.equal(s.clock.pending, 0);
  }
  assert.equal(s.RTCPeerConnection.all.length, 200);
  assert.equal(s.RTCPeerConnection.open.size, 0);
  assert.equal(s.of('joined').length, 200);
  assert.equal(s.of('left').length, 200);
  await s.online();
  for (let round = 0; round < 200; round++) {
    await s.watch('same', { id: String(1000 + round) });
    assert.equal(s.RTCPeerConnection.open.size, 1);
  }
  assert.ok(s.clock.pending <= 2, 'the look at the viewers, and the report');
  assert.deepEqual(s.master.sessions.length, 1);
  s.master.close();
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SightlineError } from '../../src/sightline/web/sdk/errors.js';
import { Viewer } from '../../src/sightline/web/sdk/viewer.js';
import { FakeClock, FakeMediaStream, FakeVideo, fakePeerConnection, fakeWebSocket, settle } from './fakes.mjs';

const SESSION = { url: 'wss://host/viewer?X-Amz-Signature=1', iceServers: [{ urls: ['stun:host'] }], clientId: 'viewer-1' };

/** A viewer in a fake browser, and everything that it tells. */
function stage(options = {}) {
  const clock = new FakeClock();
  const journal = [];
  const WebSocket = fakeWebSocket(journal);
  const RTCPeerConnection = fakePeerConnection(journal);
  const video = new FakeVideo();
  const viewer = new Viewer({
    session: async () => SESSION,
    video,
    platform: { ...clock, now: clock.now, WebSocket, RTCPeerConnection, MediaStream: FakeMediaStream },
    ...options,
  });
  const states = [];
  const told = [];
  viewer.on('statechange', ({ state }) => states.push(state));
  for (const name of ['failed', 'firstframe', 'stats', 'stall', 'playblocked', 'statusresponse', 'goaway']) {
    viewer.on(name, (detail) => told.push([name, detail]));
  }
  return {
    viewer, clock, journal, video, states, told, WebSocket, RTCPeerConnection,
    get socket() { return WebSocket.all.at(-1); },
    get peer() { return RTCPeerConnection.all.at(-1); },
    failures: () => told.filter(([name]) => name === 'failed').map(([, { id }]) => id),
    /** Goes as far as `place`. */
    async upTo(place) {
      viewer.open();
      await settle();
      if (place === 'opening') return;
      this.socket.accept();
      if (place === 'offering') return;
      this.socket.deliver('SDP_ANSWER', { type: 'answer', sdp: 'v=0' });
      await settle();
      if (place === 'connecting') return;
      this.peer.addRemote({ kind: 'video' });
      this.peer.become('connected');
      await settle();
      if (place === 'connected') return;
      video.show();
    },
  };
}

test('reaches the picture and tells every stage', async () => {
  const s = stage();
  await s.upTo('watching');
  assert.deepEqual(s.states, ['opening', 'offering', 'connecting', 'watching']);
  assert.equal(s.viewer.clientId, 'viewer-1');
  assert.equal(s.video.srcObject, s.viewer.stream);
  const [[name, timings]] = s.told;
  assert.equal(name, 'firstframe');
  assert.deepEqual(Object.keys(timings).sort(),
    ['answer', 'connected', 'firstFrame', 'offerReady', 'offerSent', 'session', 'socket', 'startedAt']);
});

test('the peer connection is made while the session is still on its way', async () => {
  let arrive;
  const s = stage({ session: () => new Promise((resolve) => { arrive = resolve; }) });
  s.viewer.open();
  await settle();
  assert.deepEqual(s.peer.transceivers.map(({ kind, direction }) => [kind, direction]), [['video', 'recvonly'], ['audio', 'recvonly']]);
  assert.equal(s.peer.localDescription, undefined, 'gathering waits for the ICE servers');
  arrive(SESSION);
  await settle();
  assert.deepEqual(s.peer.configuration.iceServers, SESSION.iceServers);
  assert.equal(s.peer.localDescription.type, 'offer');
});

test('audio is optional; the transport policy is passed on', async () => {
  const s = stage({ audio: false, iceTransportPolicy: 'relay' });
  await s.upTo('opening');
  assert.deepEqual(s.peer.transceivers.map(({ kind }) => kind), ['video']);
  assert.equal(s.peer.configuration.iceTransportPolicy, 'relay');
});

test('candidates wait for the offer, then follow it', async () => {
  const s = stage();
  await s.upTo('opening');
  s.peer.gather('candidate:2');
  assert.deepEqual(s.socket.sent, []);
  s.socket.accept();
  s.peer.gather('candidate:3');
  assert.deepEqual(s.socket.sent.map(({ action }) => action), ['SDP_OFFER', 'ICE_CANDIDATE', 'ICE_CANDIDATE', 'ICE_CANDIDATE']);
  assert.deepEqual(s.socket.payloads('ICE_CANDIDATE').map(({ candidate }) => candidate), ['candidate:1', 'candidate:2', 'candidate:3']);
  assert.ok(s.socket.sent[0].correlationId, 'so that the service reports errors');
});

test('the camera’s candidates may overtake its answer; a bad one harms nobody', async () => {
  const s = stage();
  await s.upTo('offering');
  for (const candidate of ['early', 'rubbish']) s.socket.deliver('ICE_CANDIDATE', { candidate });
  s.socket.deliver('SDP_ANSWER', { type: 'answer', sdp: 'v=0' });
  await settle();
  s.socket.deliver('ICE_CANDIDATE', { candidate: 'late' });
  await settle();
  assert.deepEqual(s.peer.remoteCandidates, ['early', 'late']);
  assert.equal(s.viewer.state, 'connecting');
});

test('no answer within 15 s: says so and lets go of everything', async () => {
  const s = stage();
  await s.upTo('offering');
  await s.clock.pass(14_999);
  assert.equal(s.viewer.state, 'offering');
  await s.clock.pass(1);
  assert.deepEqual(s.failures(), ['no-answer']);
  assert.equal(s.socket.closedWith, 1000);
  assert.equal(s.clock.pending, 0);
});

test('answered, but no connection within 15 s: no-path', async () => {
  const s = stage();
  await s.upTo('connecting');
  await s.clock.pass(15_000);
  assert.deepEqual(s.failures(), ['no-path']);
});

test('connected, but no picture within 5 s: no-media', async () => {
  const s = stage();
  await s.upTo('connected');
  await s.clock.pass(5_000);
  assert.deepEqual(s.failures(), ['no-media']);
});

test('a hidden tab shows no frames, but the decoder’s count says that they come', async () => {
  const s = stage();
  await s.upTo('connected');
  s.peer.framesDecoded = 30;
  await s.clock.pass(1_000);
  assert.equal(s.viewer.state, 'watching');
});

test('statistics come every second', async () => {
  const s = stage();
  await s.upTo('watching');
  await s.clock.pass(3_000);
  assert.equal(s.told.filter(([name]) => name === 'stats').length, 3);
});

test('a picture that stands still for 2 s is told, and that it goes on', async () => {
  const s = stage();
  await s.upTo('watching');
  await s.clock.pass(1_500);
  s.video.show();
  await s.clock.pass(1_900);
  const stalls = () => s.told.filter(([name]) => name === 'stall').map(([, { stalled }]) => stalled);
  assert.deepEqual(stalls(), []);
  await s.clock.pass(200);
  assert.deepEqual(stalls(), [true]);
  s.video.show();
  assert.deepEqual(stalls(), [true, false]);
  await s.clock.pass(2_000);
  assert.deepEqual(stalls(), [true, false, true]);
});

test('the connection fails while watching: connection-lost', async () => {
  const s = stage();
  await s.upTo('watching');
  s.peer.become('disconnected');
  assert.equal(s.viewer.state, 'watching');
  s.peer.become('failed');
  assert.deepEqual(s.failures(), ['connection-lost']);
  assert.equal(s.video.srcObject, null, 'no frozen picture is left');
});

test('the reason of a refused session reaches the person', async () => {
  const s = stage({ session: async () => { throw new SightlineError('link-expired', 'It is over.'); } });
  s.viewer.open();
  await settle();
  assert.deepEqual(s.told, [['failed', { id: 'link-expired', message: 'It is over.' }]]);
});

test('a session function that just throws: service-unreachable', async () => {
  const s = stage({ session: async () => { throw new TypeError('fetch failed'); } });
  s.viewer.open();
  await settle();
  assert.deepEqual(s.failures(), ['service-unreachable']);
});

test('a session that never comes: service-unreachable, and the request is cancelled', async () => {
  let signal;
  const s = stage({ session: (given) => { signal = given; return new Promise(() => {}); } });
  s.viewer.open();
  await s.clock.pass(15_000);
  assert.deepEqual(s.failures(), ['service-unreachable']);
  assert.equal(signal.aborted, true);
});

test('a refused socket, an unusable URL, an unusable answer, no WebRTC', async () => {
  const refused = stage();
  await refused.upTo('opening');
  refused.socket.drop();
  assert.deepEqual(refused.failures(), ['signaling-refused']);

  const address = stage({ session: async () => ({ url: 'not a URL', iceServers: [] }) });
  await address.upTo('opening');
  assert.deepEqual(address.failures(), ['signaling-refused']);

  const answer = stage();
  await answer.upTo('offering');
  answer.peer.answerError = new Error('rubbish');
  answer.socket.deliver('SDP_ANSWER', { type: 'answer', sdp: 'rubbish' });
  await settle();
  assert.deepEqual(answer.failures(), ['bad-answer']);

  const old = stage({ platform: { RTCPeerConnection: undefined, WebSocket: fakeWebSocket() } });
  old.viewer.open();
  await settle();
  assert.deepEqual(old.failures(), ['webrtc-unsupported']);
});

test('closes in the order of seed 001.7, once, from any state', async () => {
  for (const place of ['opening', 'offering', 'connecting', 'connected', 'watching']) {
    const s = stage();
    await s.upTo(place);
    s.viewer.close();
    s.viewer.close();
    assert.deepEqual(s.journal, ['signaling', 'stop video', 'stop audio', 'remove video', 'remove audio', 'peer connection']);
    assert.equal(s.viewer.state, 'closed');
    assert.equal(s.viewer.stream, null);
    assert.equal(s.video.srcObject, null);
    assert.equal(s.video.isWatched, false);
    await settle();
    assert.equal(s.clock.pending, 0, `a timer is left after closing while ${place}`);
    assert.equal(s.states.at(-1), 'closed');
  }
});

test('closing before the session is there: nothing is opened afterwards', async () => {
  let arrive;
  const s = stage({ session: () => new Promise((resolve) => { arrive = resolve; }) });
  s.viewer.open();
  s.viewer.close();
  arrive(SESSION);
  await settle();
  assert.equal(s.WebSocket.all.length, 0);
});

test('a new attempt after a failure succeeds; the old one has no say in it', async () => {
  const s = stage();
  await s.upTo('offering');
  const { socket: oldSocket, peer: oldPeer } = s;
  await s.clock.pass(15_000);
  await s.upTo('watching');
  oldSocket.drop();
  oldPeer.become('failed');
  assert.equal(s.viewer.state, 'watching');
  assert.equal(s.RTCPeerConnection.all.length, 2);
});

test('listeners may open and close: events arrive in the order of what happened', async () => {
  const s = stage();
  let again = 1;
  s.viewer.on('statechange', ({ state }) => { if (state === 'failed' && again--) s.viewer.open(); });
  const order = [];
  s.viewer.on('statechange', ({ state }) => order.push(state));
  s.viewer.on('failed', () => order.push('(failed told)'));
  await s.upTo('opening');
  s.socket.drop();
  assert.deepEqual(order, ['opening', 'failed', '(failed told)', 'opening']);
});

test('a browser that wants a click before it plays is told about', async () => {
  const s = stage();
  s.video.playError = Object.assign(new Error('no'), { name: 'NotAllowedError' });
  await s.upTo('connected');
  assert.ok(s.told.some(([name]) => name === 'playblocked'));
});

test('status and go-away of the service are passed on and end nothing', async () => {
  const s = stage();
  await s.upTo('offering');
  s.socket.receive('{"messageType":"GO_AWAY"}');
  s.socket.receive('{"messageType":"STATUS_RESPONSE","statusResponse":{"correlationId":"1","statusCode":"400"}}');
  assert.deepEqual(s.told.map(([name]) => name), ['goaway', 'statusresponse']);
  assert.equal(s.viewer.state, 'offering');
});

test('200 rounds leave no timer, socket or peer connection behind', async () => {
  const s = stage();
  const places = ['opening', 'offering', 'connecting', 'connected', 'watching'];
  for (let round = 0; round < 200; round++) {
    await s.upTo(places[round % places.length]);
    s.viewer.close();
  }
  await settle();
  assert.equal(s.clock.pending, 0);
  assert.equal(s.WebSocket.all.filter(({ readyState }) => readyState !== 3).length, 0);
  assert.equal(s.journal.filter((step) => step === 'peer connection').length, 200);
});

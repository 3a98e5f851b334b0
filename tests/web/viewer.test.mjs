import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SightlineError } from '../../src/sightline/web/sdk/errors.js';
import { Viewer } from '../../src/sightline/web/sdk/viewer.js';
import { videoCodec } from '../../src/sightline/web/sdk/viewer_peer.js';
import { retryOnce } from '../../src/sightline/web/sdk/viewer_session.js';
import { FakeClock, FakeMediaStream, FakeMicrophone, FakeNetwork, FakeVideo, fakePeerConnection, fakeWebSocket, settle } from './fakes.mjs';

const RELAY = { urls: ['turn:host'], username: '1:a', credential: 'b' };
const SESSION = { url: 'wss://host/viewer?X-Amz-Signature=1', iceServers: [{ urls: ['stun:host'] }] };
const OURS = { url: 'wss://host/viewer?X-Amz-Signature=1&X-Sightline-Extras=1', iceServers: [RELAY] };
const ONCE = retryOnce({ retries: 0 });

/** A viewer in a fake browser, and everything that it tells. */
function stage({ platform = {}, ...options } = {}) {
  const clock = new FakeClock();
  const journal = [];
  const WebSocket = fakeWebSocket(journal);
  const RTCPeerConnection = fakePeerConnection(journal);
  const network = new FakeNetwork();
  const microphone = new FakeMicrophone();
  network.navigator.mediaDevices = microphone;
  const video = new FakeVideo();
  const asked = [];
  const viewer = new Viewer({
    session: async (signal, { clientId }) => {
      asked.push(clientId);
      return SESSION;
    },
    clientId: 'me',
    video,
    policy: ONCE,
    platform: {
      ...clock, now: clock.now, WebSocket, RTCPeerConnection, MediaStream: FakeMediaStream,
      window: network.window, navigator: network.navigator, ...platform,
    },
    ...options,
  });
  const states = [];
  const told = [];
  const notices = [];
  viewer.on('statechange', ({ state }) => states.push(state));
  viewer.on('notice', (notice) => notices.push(notice?.id ?? null));
  for (const name of ['failed', 'firstframe', 'stats', 'playblocked', 'statusresponse', 'goaway']) {
    viewer.on(name, (detail) => told.push([name, detail]));
  }
  return {
    viewer, clock, journal, video, states, told, notices, asked, network, microphone, WebSocket, RTCPeerConnection,
    get socket() { return WebSocket.all.at(-1); },
    get peer() { return RTCPeerConnection.all.at(-1); },
    failures: () => told.filter(([name]) => name === 'failed').map(([, { id }]) => id),
    offers: (socket) => socket.payloads('SDP_OFFER').map(({ sdp }) => sdp),
    /** Goes as far as `place`. */
    async upTo(place) {
      viewer.open();
      await settle();
      if (place === 'opening') return;
      this.socket.accept();
      if (place === 'offering') return;
      await this.answer();
      if (place === 'connecting') return;
      this.peer.addRemote({ kind: 'video' });
      this.peer.become('connected');
      await settle();
      if (place === 'connected') return;
      video.show();
    },
    async answer() {
      this.socket.deliver('SDP_ANSWER', { type: 'answer', sdp: 'v=0' });
      await settle();
    },
    /** The picture moves for that long. */
    async play(ms) {
      for (let passed = 0; passed < ms; passed += 100) {
        video.show();
        await clock.pass(100);
      }
    },
  };
}

test('reaches the picture and tells every stage', async () => {
  const s = stage();
  await s.upTo('watching');
  assert.deepEqual(s.states, ['opening', 'offering', 'connecting', 'watching']);
  assert.equal(s.viewer.clientId, 'me');
  assert.deepEqual(s.asked, ['me']);
  assert.deepEqual(s.notices, []);
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

test('seed 001.3: waits 4 s, tries once more under another id, then says plainly why', async () => {
  const s = stage({ policy: retryOnce() });
  await s.upTo('offering');
  await s.clock.pass(15_000);
  assert.deepEqual(s.notices, ['no-answer']);
  assert.deepEqual([s.viewer.state, s.WebSocket.all.length], ['waiting', 1]);
  await s.clock.pass(4_000);
  s.socket.accept();
  assert.equal(s.viewer.state, 'offering');
  await s.clock.pass(15_000);
  assert.deepEqual(s.failures(), ['no-answer']);
  assert.deepEqual(s.asked, ['me', 'me-2']);
});

test('answered, but no connection within 15 s: no-path', async () => {
  const s = stage();
  await s.upTo('connecting');
  s.peer.gather('candidate:2 1 udp 1 192.0.2.1 5 typ srflx raddr 0.0.0.0');
  s.socket.deliver('ICE_CANDIDATE', { candidate: 'candidate:3 1 udp 1 192.0.2.2 5 typ host' });
  await s.clock.pass(15_000);
  assert.deepEqual(s.failures(), ['no-path']);
  assert.deepEqual(s.told.at(-1)[1].tried, { local: ['unknown', 'srflx'], remote: ['host'] });
});

test('what came so far leads nowhere, and the camera’s relay comes late: it is waited for', async () => {
  const s = stage();
  await s.upTo('connecting');
  s.peer.become('failed');
  await s.clock.pass(2_500);
  assert.deepEqual([s.viewer.state, s.failures()], ['connecting', []]);
  s.peer.become('connecting');
  s.peer.become('connected');
  await s.clock.pass(3_000);
  assert.deepEqual([s.viewer.state, s.failures()], ['connecting', []]);
  s.peer.addRemote({ kind: 'video' });
  s.video.show();
  assert.equal(s.viewer.state, 'watching');
});

test('what came so far leads nowhere, and nothing else comes: no-path after 3 s', async () => {
  const s = stage();
  await s.upTo('connecting');
  s.peer.become('failed');
  await s.clock.pass(3_000);
  assert.deepEqual(s.failures(), ['no-path']);
});

test('the black picture with which the stream before ends is not the first of the next attempt', async () => {
  const s = stage();
  await s.upTo('watching');
  s.viewer.reconnect();
  await settle();
  s.video.show();
  assert.equal(s.viewer.timings.firstFrame, undefined);
  s.socket.accept();
  await s.answer();
  s.video.show();
  assert.deepEqual([s.viewer.state, s.viewer.timings.firstFrame], ['connecting', undefined]);
  s.peer.addRemote({ kind: 'video' });
  s.video.show();
  assert.equal(s.viewer.state, 'watching');
});

test('connected, but no picture within 5 s: no-media', async () => {
  const s = stage();
  await s.upTo('connected');
  await s.clock.pass(5_000);
  assert.deepEqual(s.failures(), ['no-media']);
});

test('connected before the browser says that it has taken the answer, and no picture: no-media as well', async () => {
  const s = stage();
  await s.upTo('offering');
  let take;
  s.peer.answerTaken = new Promise((resolve) => { take = resolve; });
  await s.answer();
  s.peer.become('connected');
  take();
  await settle();
  assert.equal(s.viewer.state, 'connecting');
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

test('a picture that stands still for 2 s while packets come is told, and that it goes on', async () => {
  const s = stage();
  await s.upTo('watching');
  const packets = async (ms) => {
    for (let passed = 0; passed < ms; passed += 250) {
      s.peer.packetsReceived += 1;
      await s.clock.pass(250);
    }
  };
  await packets(1_750);
  assert.deepEqual(s.notices, []);
  await packets(500);
  assert.deepEqual(s.notices, ['no-media']);
  s.video.show();
  assert.deepEqual([s.notices, s.viewer.state], [['no-media', null], 'watching']);
});

test('silence for 1 s: an ICE restart over the living socket, on the same peer connection', async () => {
  const s = stage();
  await s.upTo('watching');
  await s.play(3_000);
  await s.clock.pass(800);
  assert.equal(s.viewer.state, 'watching');
  await s.clock.pass(200);
  assert.deepEqual([s.viewer.state, s.notices], ['recovering', ['connection-lost']]);
  assert.deepEqual(s.offers(s.socket), ['v=0 offer', 'v=0 restart 1']);
  assert.equal(s.video.srcObject, s.viewer.stream, 'the last picture stands until there is a new one');
  s.socket.deliver('ICE_CANDIDATE', { candidate: 'of the new generation' });
  assert.deepEqual(s.peer.remoteCandidates, []);
  await s.answer();
  assert.deepEqual(s.peer.remoteCandidates, ['of the new generation']);
  s.video.show();
  assert.deepEqual([s.viewer.state, s.notices], ['watching', ['connection-lost', null]]);
  assert.deepEqual([s.WebSocket.all.length, s.RTCPeerConnection.all.length], [1, 1]);
});

test('a browser that holds the page back is no silence', async () => {
  const s = stage();
  await s.upTo('watching');
  await s.clock.pass(700);
  s.peer.packetsReceived = s.peer.framesDecoded = 100; // since then no timer came but the one that judges
  await s.clock.pass(300);
  assert.equal(s.viewer.state, 'watching');
});

test('the answer to an offer that another has replaced comes too late', async () => {
  const s = stage({ session: async () => OURS });
  await s.upTo('watching');
  s.socket.receive('{"messageType":"RECONNECT_ICE_SERVER"}');
  await settle();
  await s.clock.pass(1_000);
  assert.deepEqual(s.offers(s.socket), ['v=0 offer', 'v=0 restart 1', 'v=0 restart 2']);
  await s.answer();
  s.socket.deliver('ICE_CANDIDATE', { candidate: 'late' });
  assert.deepEqual(s.peer.remoteCandidates, [], 'the offer that is out has no answer yet');
  await s.answer();
  assert.deepEqual(s.peer.remoteCandidates, ['late']);
});

test('another network: restarted at once', async () => {
  const s = stage();
  await s.upTo('watching');
  s.network.become('cellular');
  await settle();
  assert.deepEqual([s.viewer.state, s.notices], ['recovering', ['network-changed']]);
  assert.equal(s.offers(s.socket).length, 2);
});

test('the socket closes while the picture flows: nobody sees anything, and a new one is opened', async () => {
  const s = stage();
  await s.upTo('watching');
  s.socket.drop();
  await settle();
  assert.equal(s.WebSocket.all.length, 2);
  s.socket.accept();
  await s.play(2_000);
  assert.deepEqual([s.viewer.state, s.notices, s.asked], ['watching', [], ['me', 'me']]);
  assert.deepEqual(s.offers(s.socket), []);
});

test('GO_AWAY: the new socket is open before the old one closes, whose end is nobody’s business', async () => {
  const s = stage();
  await s.upTo('watching');
  const [old] = s.WebSocket.all;
  old.receive('{"messageType":"GO_AWAY"}');
  await settle();
  assert.deepEqual([s.WebSocket.all.length, old.closedWith], [2, undefined]);
  s.socket.accept();
  assert.equal(old.closedWith, 1000);
  await s.play(2_000);
  assert.deepEqual([s.viewer.state, s.notices, s.WebSocket.all.length], ['watching', [], 2]);
  assert.deepEqual(s.told.filter(([name]) => name !== 'stats' && name !== 'firstframe'), [['goaway', null]]);
});

test('the new socket takes the old one’s place at the service too, which says so: that is no reason to end', async () => {
  const s = stage({ session: async () => OURS });
  await s.upTo('watching');
  const [old] = s.WebSocket.all;
  old.receive('{"messageType":"GO_AWAY"}');
  await settle();
  old.deliver('sightline/notice', { reason: 'client-id-in-use', message: 'Taken.' });
  old.drop(4409);
  s.socket.accept();
  await s.play(2_000);
  assert.deepEqual([s.viewer.state, s.notices, s.failures()], ['watching', [], []]);
});

test('a try that was given up comes through late and takes the place: it is taken back, nobody else is to blame', async () => {
  const s = stage({ session: async () => OURS });
  await s.upTo('watching');
  await s.clock.pass(3_000); // silent: restarted, asked, and the socket is dead too
  assert.ok(s.WebSocket.all.length > 2, 'nothing was given up');
  s.socket.accept();
  s.video.show();
  s.socket.deliver('sightline/notice', { reason: 'client-id-in-use', message: 'Taken.' });
  s.socket.drop(4409);
  await settle();
  s.socket.accept();
  await s.play(2_000);
  assert.deepEqual([s.viewer.state, s.failures(), s.socket.readyState], ['watching', [], 1]);
});

test('somebody else took the id: said, and not taken back', async () => {
  const s = stage({ session: async () => OURS });
  await s.upTo('offering');
  s.socket.deliver('sightline/notice', { reason: 'client-id-in-use', message: 'Taken.' });
  assert.deepEqual(s.failures(), ['client-id-in-use']);
});

test('GO_AWAY and the old socket is quicker gone: one new socket all the same', async () => {
  const s = stage();
  await s.upTo('watching');
  const [old] = s.WebSocket.all;
  old.receive('{"messageType":"GO_AWAY"}');
  await settle();
  old.drop();
  s.socket.accept();
  await s.play(2_000);
  assert.deepEqual([s.viewer.state, s.WebSocket.all.length], ['watching', 2]);
});

for (const order of ['the new one fails first', 'the old one closes first']) {
  test(`GO_AWAY of a service that stops, ${order}: tried again until it is back`, async () => {
    const s = stage({ session: async () => OURS });
    await s.upTo('watching');
    const [old] = s.WebSocket.all;
    old.receive('{"messageType":"GO_AWAY"}');
    await settle();
    const ends = [() => s.WebSocket.all[1].drop(), () => old.drop()];
    for (const end of order.startsWith('the new') ? ends : ends.reverse()) {
      end();
      await settle();
    }
    for (let seconds = 0; seconds < 60; seconds += 5) {
      if (s.socket.readyState === 0) s.socket.drop();
      await s.play(5_000);
    }
    while (s.socket.readyState !== 0) await s.play(5_000);
    s.socket.accept();
    const { length } = s.WebSocket.all;
    await s.play(60_000);
    assert.deepEqual([s.viewer.state, s.notices, s.WebSocket.all.length], ['watching', [], length]);
  });
}

test('RECONNECT_ICE_SERVER: gathers anew with fresh servers, and the picture goes on', async () => {
  let number = 0;
  const s = stage({ session: async () => ({ ...OURS, iceServers: [{ ...RELAY, username: `${++number}` }] }) });
  await s.upTo('watching');
  s.socket.receive('{"messageType":"RECONNECT_ICE_SERVER"}');
  await settle();
  await s.answer();
  assert.deepEqual(s.peer.gathered.map(([{ username }]) => username), ['2', '1']);
  assert.deepEqual([s.viewer.state, s.notices, s.RTCPeerConnection.all.length], ['watching', [], 1]);
});

test('fresh ICE servers for the next gathering every 270 s, and nothing is restarted', async () => {
  let number = 0;
  const s = stage({ session: async () => ({ ...OURS, iceServers: [{ ...RELAY, username: `${++number}` }] }) });
  await s.upTo('watching');
  await s.play(600_000);
  assert.equal(s.peer.configuration.iceServers[0].username, '3');
  assert.deepEqual([s.peer.gathered.length, s.WebSocket.all.length, s.notices], [1, 1, []]);
});

test('TURN credentials that have expired: ice-expired is the reason when there is no path', async () => {
  for (const when of ['offering', 'connecting']) {
    const s = stage();
    await s.upTo(when);
    s.peer.refuseCandidate(701);
    s.peer.refuseCandidate(401);
    if (when === 'offering') await s.answer();
    await s.clock.pass(499);
    assert.deepEqual(s.notices, []);
    await s.clock.pass(1);
    assert.deepEqual(s.notices, ['ice-expired']);
    await s.clock.pass(15_000);
    assert.deepEqual(s.failures(), ['ice-expired']);
  }
});

test('a relay that is refused is nothing to speak of where a direct path is found', async () => {
  const s = stage();
  await s.upTo('offering');
  s.peer.refuseCandidate(401);
  await s.answer();
  s.peer.become('connected');
  s.video.show();
  await s.play(2_000);
  assert.deepEqual([s.viewer.state, s.notices], ['watching', []]);
});

test('the camera is not there: told at once, and offered to when it comes', async () => {
  const s = stage({ session: async () => OURS });
  await s.upTo('offering');
  s.socket.deliver('sightline/master', { present: false, ours: false });
  assert.deepEqual([s.notices, s.viewer.state], [['camera-offline'], 'offering']);
  s.socket.deliver('sightline/master', { present: true, ours: true });
  assert.deepEqual(s.notices, ['camera-offline', null]);
  assert.deepEqual(s.offers(s.socket), ['v=0 offer', 'v=0 offer']);
  assert.equal(s.socket.payloads('ICE_CANDIDATE').length, 2, 'its candidates go with it');
  await s.answer();
  assert.equal(s.viewer.state, 'connecting');
});

test('a refusal that may pass is no open socket: 4 s, once more, and nothing was offered', async () => {
  const s = stage({ session: async () => OURS, policy: retryOnce() });
  await s.upTo('opening');
  for (const state of ['waiting', 'failed']) {
    s.socket.open();
    s.socket.deliver('sightline/notice', { reason: 'too-many-requests', message: 'Wait.' });
    s.socket.drop(4420);
    assert.deepEqual([s.viewer.state, s.offers(s.socket)], [state, []]);
    await s.clock.pass(4_000);
  }
  assert.deepEqual([s.failures(), s.WebSocket.all.length], [['too-many-requests'], 2]);
});

test('a Sightline whose first word is lost is offered to all the same', async () => {
  const s = stage({ session: async () => OURS });
  await s.upTo('opening');
  s.socket.open();
  assert.equal(s.viewer.state, 'opening');
  await s.clock.pass(500);
  assert.equal(s.viewer.state, 'offering');
});

test('a refused socket says why before it closes: the reason, and no useless retry', async () => {
  const s = stage({ session: async () => OURS, policy: retryOnce() });
  await s.upTo('opening');
  s.socket.open();
  s.socket.deliver('sightline/notice', { reason: 'viewer-limit', message: 'Three watch.' });
  s.socket.drop(4429);
  assert.deepEqual(s.told.at(-1), ['failed', { id: 'viewer-limit', message: 'Three watch.' }]);
  await s.clock.pass(60_000);
  assert.equal(s.WebSocket.all.length, 1);
});

test('the close code tells the reason when the frame got lost', async () => {
  const s = stage({ session: async () => OURS });
  await s.upTo('opening');
  s.socket.open();
  s.socket.drop(4404);
  assert.deepEqual(s.failures(), ['unknown-channel']);
});

test('a client id outside the rules: nothing is asked for or sent', async () => {
  const s = stage({ clientId: 'no spaces' });
  s.viewer.open();
  await settle();
  assert.deepEqual([s.failures(), s.asked, s.WebSocket.all, s.RTCPeerConnection.all], [['bad-client-id'], [], [], []]);
  assert.match(s.told[0][1].message, /A-Z a-z 0-9/);
  assert.equal(s.clock.pending, 0);
});

test('reconnect: everything anew at once, in any state', async () => {
  const s = stage();
  for (const place of ['opening', 'offering', 'connecting', 'watching']) {
    await s.upTo(place);
    const before = s.peer;
    s.viewer.reconnect();
    await settle();
    assert.equal(before.isClosed, true);
    assert.equal(s.viewer.state, 'opening');
    s.viewer.close();
  }
});

test('the video format that was agreed on is the answer’s first', () => {
  const answer = (media) => `v=0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=rtpmap:111 opus/48000/2\r\n${media}`;
  assert.equal(videoCodec(answer('m=video 9 UDP/TLS/RTP/SAVPF 102 96\r\na=rtpmap:96 VP8/90000\r\na=rtpmap:102 H264/90000\r\n')), 'H264');
  assert.equal(videoCodec(answer('m=video 0 UDP/TLS/RTP/SAVPF 102\r\na=rtpmap:102 H264/90000\r\n')), null);
  assert.equal(videoCodec(''), null);
});

test('talking: the microphone is asked for only then, sent at once, and let go of afterwards', async () => {
  const s = stage({ talk: true });
  await s.upTo('watching');
  assert.deepEqual(s.peer.transceivers.map(({ direction }) => direction), ['recvonly', 'sendrecv']);
  assert.deepEqual([s.viewer.canTalk, s.microphone.tracks.length], [false, 0]);
  s.peer.transceivers[1].currentDirection = 'sendrecv';
  assert.equal(s.viewer.canTalk, true);
  await s.viewer.startTalking();
  const [track] = s.microphone.tracks;
  assert.deepEqual([s.peer.transceivers[1].sender.track, s.viewer.isTalking], [track, true]);
  s.viewer.reconnect();
  await settle();
  assert.equal(s.peer.transceivers[1].sender.track, track, 'kept over a reconnect (seed 001.7)');
  s.viewer.stopTalking();
  assert.deepEqual([track.readyState, s.viewer.isTalking], ['ended', false]);
  assert.equal(s.peer.transceivers[1].sender.track, null);
});

test('closing lets go of the microphone, also of one that comes too late (seed 003.4)', async () => {
  const s = stage({ talk: true });
  await s.upTo('watching');
  await s.viewer.startTalking();
  s.viewer.close();
  await s.upTo('watching');
  const late = s.viewer.startTalking();
  s.viewer.close();
  await late;
  assert.deepEqual(s.microphone.tracks.map(({ readyState }) => readyState), ['ended', 'ended']);
});

test('the reason of a refused session reaches the person', async () => {
  const s = stage({ session: async () => { throw new SightlineError('link-expired', 'It is over.'); } });
  s.viewer.open();
  await settle();
  assert.deepEqual(s.told, [['failed', { id: 'link-expired', message: 'It is over.' }]]);
  assert.equal(s.clock.pending, 0);
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

test('200 rounds leave no timer, listener, socket, track or peer connection behind', async () => {
  const s = stage({ session: async () => OURS, talk: true });
  const places = ['opening', 'offering', 'connecting', 'connected', 'watching'];
  for (let round = 0; round < 200; round++) {
    await s.upTo(places[round % places.length]);
    if (round % 7 === 0) await s.viewer.startTalking();
    if (round % 3 === 0) s.viewer.reconnect();
    if (round % 4 === 0) s.socket?.receive('{"messageType":"GO_AWAY"}');
    s.viewer.close();
    await settle();
    assert.equal(s.clock.pending, 0, `round ${round}`);
  }
  assert.equal(s.WebSocket.all.filter(({ readyState }) => readyState !== 3).length, 0);
  assert.equal(s.RTCPeerConnection.all.filter(({ isClosed }) => !isClosed).length, 0);
  assert.equal(s.microphone.tracks.filter(({ readyState }) => readyState === 'live').length, 0);
  assert.deepEqual([s.viewer.stream, s.video.srcObject, s.video.isWatched], [null, null, false]);
  const before = s.told.length;
  s.network.go(false);
  s.network.go(true);
  assert.equal(s.told.length, before);
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Backoff } from '../../src/sightline/web/sdk/master_backoff.js';
import { EarlyCandidates, candidateUfrag } from '../../src/sightline/web/sdk/master_candidates.js';
import { SessionMemory, offerIdentity } from '../../src/sightline/web/sdk/master_offer.js';
import { presenceOf } from '../../src/sightline/web/sdk/master_presence.js';
import { MasterStatsReader } from '../../src/sightline/web/sdk/master_stats.js';
import { takesVideo } from '../../src/sightline/web/sdk/master_viewer.js';
import { newViewer } from '../../src/sightline/web/sdk/registry_roster.js';
import { offerSdp } from './master_fakes.mjs';

test('the identity of an offer', () => {
  assert.deepEqual(offerIdentity(offerSdp({ id: '42', fingerprint: 'AB:CD' })),
    { sessionId: '42', fingerprints: ['sha-256 ab:cd'], ufrag: 'u1', password: 'p1' });
  const twoMedia = offerSdp() + offerSdp().split('\r\n').slice(3).join('\r\n');
  assert.equal(offerIdentity(twoMedia).fingerprints.length, 1, 'the same in each section is one');
});

test('what nobody can answer has no identity', () => {
  for (const sdp of ['', 'v=0', 'rubbish\0', offerSdp({ ufrag: '' }), offerSdp({ password: '' }), offerSdp({ fingerprint: '' }), offerSdp({ id: 'x' })]) {
    assert.equal(offerIdentity(sdp), null, JSON.stringify(sdp));
  }
});

test('the memory of sessions is bounded: the oldest is forgotten', () => {
  const memory = new SessionMemory({ limit: 2 });
  const offer = (id) => ({ sessionId: id, fingerprints: ['f'], ufrag: 'u', password: 'p' });
  for (const id of ['1', '2', '1', '3']) memory.forget(offer(id), 0, 0);
  assert.deepEqual(['1', '2', '3'].map((id) => memory.isGone(offer(id), 1)), [true, false, true]);
});

test('early candidates: a minute, 64 each, 256 clients', () => {
  const early = new EarlyCandidates();
  const candidate = (number) => ({ candidate: `candidate:${number}` });
  for (let number = 0; number < 100; number++) early.keep('a', candidate(number), number < 10 ? 0 : 30);
  assert.equal(early.take('a', 59).length, 64);
  assert.equal(early.take('a', 59).length, 0, 'taken is taken');
  for (let number = 0; number < 20; number++) early.keep('a', candidate(number), number < 10 ? 0 : 30);
  assert.equal(early.take('a', 60).length, 10, 'each has its own age');
  for (let number = 0; number < 300; number++) early.keep(`c${number}`, candidate(1), 0);
  assert.deepEqual(['c0', 'c43', 'c44', 'c299'].map((id) => early.take(id, 1).length), [0, 0, 1, 1]);
});

test('the generation of a candidate', () => {
  assert.equal(candidateUfrag({ candidate: 'candidate:1 1 udp 1 h 9 typ host ufrag abc network-cost 999' }), 'abc');
  assert.equal(candidateUfrag({ candidate: 'candidate:1', usernameFragment: 'def' }), 'def');
  assert.equal(candidateUfrag({ candidate: 'candidate:1' }), null);
});

test('backoff: full jitter under a doubling bound; only a connection that lived begins anew', () => {
  const backoff = new Backoff();
  assert.deepEqual([1, 1, 0.5, 0].map((roll) => backoff.lost(0, roll)), [0.1, 0.2, 0.2, 0]);
  for (let count = 0; count < 40; count++) backoff.lost(0, 1);
  assert.equal(backoff.lost(0, 1), 10);
  backoff.opened(100);
  assert.equal(backoff.lost(109, 1), 10);
  backoff.opened(200);
  assert.equal(backoff.lost(210, 1), 0.1);
});

test('a report keeps within the bounds that the service checks', () => {
  const wild = newViewer('a', { connectionState: 'connected', since: 1.23456, roundTripTime: 99999, loss: -1, bitrate: NaN, candidatePair: 'hö -> ' + 'x'.repeat(300) });
  const { viewers: [seen] } = presenceOf([wild]);
  assert.deepEqual(seen, {
    clientId: 'a', connectionState: 'connected', iceConnectionState: 'new', since: 1.235, wasConnected: true,
    candidatePair: 'h? -> ' + 'x'.repeat(194), roundTripTime: 3600, loss: 0,
  });
  const crowd = Array.from({ length: 3000 }, (_, number) => newViewer(`viewer-${number}-${'y'.repeat(200)}`));
  const report = presenceOf(crowd);
  assert.equal(report.total, 3000);
  assert.ok(report.viewers.length > 100);
  assert.ok(JSON.stringify({ action: 'sightline/presence', ...report }).length <= 65_536);
});

test('signs of life: any counter that grew, also when another path was dropped', () => {
  const reader = new MasterStatsReader();
  const pair = (id, counts) => [id, { id, type: 'candidate-pair', ...counts }];
  const read = (...entries) => reader.read(new Map(entries)).heard;
  assert.equal(read(pair('a', { responsesReceived: 0 })), false);
  assert.equal(read(pair('a', { responsesReceived: 5 }), pair('b', { requestsReceived: 9 })), true);
  assert.equal(read(pair('a', { responsesReceived: 5 }), pair('b', { requestsReceived: 9 })), false);
  assert.equal(read(pair('a', { responsesReceived: 6 })), true, 'a sum would have fallen');
  assert.equal(read(pair('a', { responsesReceived: 6 }), ['o', { id: 'o', type: 'outbound-rtp', bytesSent: 9, timestamp: 1 }]), false, 'what we send is none');
});

test('the bitrate is measured over a second at the least', () => {
  const reader = new MasterStatsReader();
  const read = (timestamp, bytesSent) => reader.read(new Map([['v', { id: 'v', type: 'outbound-rtp', kind: 'video', timestamp, bytesSent }]])).figures.bitrate;
  assert.deepEqual([read(0, 0), read(250, 1000), read(1000, 125_000), read(1500, 125_000), read(2000, 250_000)], [null, null, 1e6, 1e6, 1e6]);
});

test('Firefox marks the pair itself; a hidden address is left out', () => {
  const report = new Map(Object.entries({
    p: { id: 'p', type: 'candidate-pair', selected: true, localCandidateId: 'l', remoteCandidateId: 'r', currentRoundTripTime: 0.03 },
    l: { id: 'l', type: 'local-candidate', candidateType: 'relay' },
    r: { id: 'r', type: 'remote-candidate', candidateType: 'prflx', address: '192.0.2.1', port: 1 },
  }));
  const { figures } = new MasterStatsReader().read(report);
  assert.deepEqual(figures, { candidatePair: 'relay -> prflx 192.0.2.1:1', candidateType: 'relay', roundTripTime: 0.03, loss: null, bitrate: null });
});

test('video counts as taken by the port of its section', () => {
  assert.equal(takesVideo('m=video 9 X', 'm=video 9 X'), true);
  assert.equal(takesVideo('m=video 9 X', 'm=video 0 X'), false);
  assert.equal(takesVideo('m=audio 9 X', 'm=audio 9 X'), true, 'whoever asks for sound alone gets sound');
  assert.equal(takesVideo('v=0\r\nm=audio 9 X\r\nm=video 9 X', 'v=0\r\nm=audio 0 X\r\nm=video 9 X'), true);
});

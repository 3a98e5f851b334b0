import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SignalingClient, decodePayload, encodePayload } from '../../src/sightline/web/sdk/signaling.js';
import { fakeWebSocket } from './fakes.mjs';

const EVENTS = ['open', 'sdpOffer', 'sdpAnswer', 'iceCandidate', 'statusResponse', 'goAway', 'reconnectIceServer',
  'notice', 'master', 'extra', 'close', 'error'];

function connected() {
  const WebSocket = fakeWebSocket();
  const client = new SignalingClient({ url: 'wss://host/viewer?X-Amz-Signature=1', WebSocket });
  const seen = [];
  for (const name of EVENTS) client.on(name, (detail) => seen.push([name, detail]));
  client.open();
  const [socket] = WebSocket.all;
  socket.accept();
  seen.length = 0;
  return { client, socket, seen };
}

test('opens the presigned URL as it is', () => {
  const { client, socket } = connected();
  assert.equal(socket.url, 'wss://host/viewer?X-Amz-Signature=1');
  assert.equal(client.isOpen, true);
});

test('sends the messages of KVS.md §5.2', () => {
  const { client, socket } = connected();
  client.sendSdpOffer({ type: 'offer', sdp: 'v=0' }, { correlationId: 'c1' });
  client.sendSdpAnswer({ type: 'answer', sdp: 'v=1' }, { recipient: 'viewer-1' });
  client.sendIceCandidate({ candidate: 'candidate:1', sdpMid: '0', sdpMLineIndex: 0 });
  assert.deepEqual(socket.sent, [
    { action: 'SDP_OFFER', messagePayload: btoa('{"type":"offer","sdp":"v=0"}'), correlationId: 'c1' },
    { action: 'SDP_ANSWER', messagePayload: btoa('{"type":"answer","sdp":"v=1"}'), recipientClientId: 'viewer-1' },
    { action: 'ICE_CANDIDATE', messagePayload: btoa('{"candidate":"candidate:1","sdpMid":"0","sdpMLineIndex":0}') },
  ]);
});

test('says so when nothing can be sent', () => {
  const client = new SignalingClient({ url: 'wss://host/', WebSocket: fakeWebSocket() });
  assert.equal(client.sendIceCandidate({ candidate: 'candidate:1' }), false);
});

test('tells offers, answers and candidates with their sender', () => {
  const { socket, seen } = connected();
  socket.deliver('SDP_ANSWER', { type: 'answer', sdp: 'v=0' });
  socket.deliver('SDP_OFFER', { type: 'offer', sdp: 'v=0' }, { senderClientId: 'viewer-1' });
  socket.deliver('ICE_CANDIDATE', { candidate: 'candidate:1', sdpMid: '0', sdpMLineIndex: 0 });
  assert.deepEqual(seen, [
    ['sdpAnswer', { description: { type: 'answer', sdp: 'v=0' }, sender: null }],
    ['sdpOffer', { description: { type: 'offer', sdp: 'v=0' }, sender: 'viewer-1' }],
    ['iceCandidate', { candidate: { candidate: 'candidate:1', sdpMid: '0', sdpMLineIndex: 0 }, sender: null }],
  ]);
});

test('tells GO_AWAY, RECONNECT_ICE_SERVER and STATUS_RESPONSE, which have no payload', () => {
  const { socket, seen } = connected();
  socket.receive('{"messageType":"GO_AWAY"}');
  socket.receive('{"messageType":"RECONNECT_ICE_SERVER","messagePayload":""}');
  socket.receive(JSON.stringify({
    messageType: 'STATUS_RESPONSE',
    statusResponse: { correlationId: 'c1', statusCode: '400', errorType: 'InvalidArgumentException', description: 'no' },
  }));
  assert.deepEqual(seen, [
    ['goAway', null],
    ['reconnectIceServer', null],
    ['statusResponse', { correlationId: 'c1', statusCode: '400', errorType: 'InvalidArgumentException', description: 'no' }],
  ]);
});

test('tells what only a Sightline says', () => {
  const { socket, seen } = connected();
  socket.deliver('sightline/notice', { reason: 'camera-offline', message: 'The camera is off.' });
  socket.deliver('sightline/master', { present: true, ours: true });
  socket.deliver('sightline/viewer', { open: true, extras: false }, { senderClientId: 'viewer-1' });
  assert.deepEqual(seen, [
    ['notice', { reason: 'camera-offline', message: 'The camera is off.' }],
    ['master', { present: true, ours: true }],
    ['extra', { type: 'sightline/viewer', payload: { open: true, extras: false }, sender: 'viewer-1' }],
  ]);
});

for (const junk of [
  '', 'null', '[]', '7', '"text"', '{', '{}', '{"messageType":7}', '{"messageType":"UNKNOWN"}',
  '{"messageType":"SDP_ANSWER"}', '{"messageType":"SDP_ANSWER","messagePayload":null}',
  '{"messageType":"SDP_ANSWER","messagePayload":"%%%"}', '{"messageType":"SDP_ANSWER","messagePayload":"bnVsbA=="}',
  '{"messageType":"SDP_ANSWER","messagePayload":"e30="}', '{"messageType":"ICE_CANDIDATE","messagePayload":"bnVsbA=="}',
  '{"messageType":"sightline/notice"}', '{"messageType":"sightline/notice","messagePayload":"e30="}',
  '{"messageType":"sightline/master","messagePayload":"e30="}', '{"messageType":"sightline/other"}',
  '{"messageType":"STATUS_RESPONSE"}', '{"messageType":"STATUS_RESPONSE","statusResponse":"x"}',
  new ArrayBuffer(4), undefined,
]) {
  test(`ignores junk: ${typeof junk === 'string' ? junk || 'an empty frame' : 'a frame that is not text'}`, () => {
    const { socket, seen } = connected();
    socket.receive(junk);
    assert.deepEqual(seen, []);
    socket.deliver('SDP_ANSWER', { type: 'answer', sdp: 'v=0' });
    assert.equal(seen.length, 1);
  });
}

test('payloads are UTF-8 inside base64', () => {
  assert.equal(encodePayload({ name: '현관 📷' }), Buffer.from('{"name":"현관 📷"}').toString('base64'));
  assert.deepEqual(decodePayload(encodePayload({ name: '현관 📷' })), { name: '현관 📷' });
});

test('reads the URL-safe alphabet and missing padding (Android, iOS)', () => {
  const value = { text: '>>>???~~~ÿþ' };
  const standard = Buffer.from(JSON.stringify(value)).toString('base64');
  assert.match(standard, /[+/]/);
  assert.deepEqual(decodePayload(standard.replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '')), value);
});

test('tells how the socket ended', () => {
  const { client, socket, seen } = connected();
  socket.drop(1001, 'shutting down');
  assert.deepEqual(seen, [['error', null], ['close', { code: 1001, reason: 'shutting down', wasOpen: true }]]);
  assert.equal(client.isOpen, false);
});

test('says goodbye and asks for the camera where it is understood, and nowhere else', () => {
  const { client, socket } = connected();
  assert.deepEqual([client.hasExtras, client.sendFarewell(), client.sendAsk()], [false, false, false]);
  assert.deepEqual(socket.sent, []);
  const WebSocket = fakeWebSocket();
  const ours = new SignalingClient({ url: 'wss://host/viewer?X-Amz-Signature=1&X-Sightline-Extras=1', WebSocket });
  assert.equal(ours.sendFarewell(), false);
  ours.open();
  WebSocket.all[0].accept();
  assert.deepEqual([ours.hasExtras, ours.sendFarewell(), ours.sendAsk()], [true, true, true]);
  assert.equal(ours.sendExtra('sightline/notice', { reason: 'viewer-limit' }, { recipient: 'viewer-1' }), true);
  assert.deepEqual(WebSocket.all[0].sent, [
    { action: 'sightline/farewell', messagePayload: btoa('{}') },
    { action: 'sightline/ask', messagePayload: btoa('{}') },
    { action: 'sightline/notice', messagePayload: btoa('{"reason":"viewer-limit"}'), recipientClientId: 'viewer-1' },
  ]);
});

test('close() is quiet and repeatable, and late frames are nobody’s business', () => {
  const { client, socket, seen } = connected();
  client.close();
  client.close();
  assert.equal(socket.closedWith, 1000);
  socket.receive('{"messageType":"GO_AWAY"}');
  socket.drop();
  assert.deepEqual(seen, []);
});

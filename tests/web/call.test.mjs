import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { test } from 'node:test';
import { CALL_MESSAGES } from '../../src/sightline/web/pages/call_messages.js';
import { addMessages, hasText, text } from '../../src/sightline/web/pages/language.js';
import { MESSAGES } from '../../src/sightline/web/pages/messages.js';
import { CallMedia, callMediaError } from '../../src/sightline/web/sdk/call_media.js';
import { LobbyClient } from '../../src/sightline/web/sdk/lobby.js';
import { CALL_ENDS } from '../../src/sightline/web/sdk/reasons.js';
import { lobbyFromService } from '../../src/sightline/web/sdk/lobby_session.js';
import { platform } from '../../src/sightline/web/sdk/timers.js';

const PAGES = new URL('../../src/sightline/web/pages/', import.meta.url);
const read = (name) => readFileSync(new URL(name, PAGES), 'utf8');
const html = read('call.html');
const scripts = readdirSync(PAGES).filter((name) => /^call.*\.js$/.test(name) && name !== 'call_messages.js').map(read);
const placeholders = (message) => [...new Set([...message.matchAll(/\{(\w+)\}/g)].map(([, name]) => name))].sort();

const FULL = ['room-full', 'link-full', 'service-full'];
const STATES = ['idle', 'calling', 'ringing', 'connecting', 'in-call', 'reconnecting', 'ended', 'opening', 'waiting', 'full'];
const ENDS = [...Object.keys(CALL_ENDS), 'no-media'];
const FAILURES = ['media-refused', 'media-unanswered', 'media-missing', 'media-in-use', 'media-insecure', 'media-failed', 'link-required', 'link-expired', 'link-revoked', 'link-scope', 'not-allowed', 'foreign-origin', 'bad-request', 'webrtc-unsupported', 'unknown'];
const REASONS = ['media-refused', 'media-missing', 'media-in-use', 'media-failed'];

addMessages(CALL_MESSAGES);

// ------------------------------------------------------------------------------------------------------ the page

test('every text is there in English and Korean, with the same values filled in, and is in one table only', () => {
  for (const [id, message] of Object.entries(CALL_MESSAGES)) {
    assert.deepEqual(Object.keys(message), ['en', 'ko'], id);
    assert.ok(message.en.trim() && /[가-힣]/.test(message.ko), id);
    assert.deepEqual(placeholders(message.ko), placeholders(message.en), id);
    assert.ok(!(id in MESSAGES), id);
  }
});

test('every text that the page uses exists, and none is left over', () => {
  const used = new Set([...html.matchAll(/data-(?:text|label)="([^"]+)"/g)].map(([, id]) => id));
  for (const source of scripts) for (const [, id] of source.matchAll(/'((?:call|view)\.[a-z-]+)'/g)) used.add(id);
  for (const state of STATES) used.add(`call.state-${state}`);
  for (const reason of FULL) used.add(`call.full-${reason}`).add(`call.full-${reason}-do`);
  for (const end of ENDS) used.add(`call.end-${end}`).add(`call.end-${end}-do`);
  for (const id of FAILURES) for (const part of ['what', 'means', 'do']) used.add(`call.error.${id}.${part}`);
  for (const id of REASONS) used.add(`call.reason-${id}`);
  assert.deepEqual([...used].filter((id) => !hasText(id)), []);
  assert.deepEqual(Object.keys(CALL_MESSAGES).filter((id) => !used.has(id)), []);
});

test('the English in the HTML is the English of the table', () => {
  for (const [, id, , words] of html.matchAll(/data-text="([^"]+)"([^>]*)>([^<]*)</g)) assert.equal(words, text(id, {}, 'en'), id);
  for (const [, id, label] of html.matchAll(/data-label="([^"]+)" aria-label="([^"]*)"/g)) assert.equal(label, text(id, {}, 'en'), id);
});

test('every element that the scripts write to is on the page', () => {
  for (const [, id] of read('call_elements.js').matchAll(/element\('([^']+)'/g)) assert.match(html, new RegExp(`\\sid="${id}"`));
});

// ----------------------------------------------------------------------------------------- camera and microphone

globalThis.MediaStream ??= class {};
class Stream {
  constructor(tracks = []) { this.tracks = tracks; }
  getTracks() { return [...this.tracks]; }
  getVideoTracks() { return this.tracks.filter(({ kind }) => kind === 'video'); }
  getAudioTracks() { return this.tracks.filter(({ kind }) => kind === 'audio'); }
  addTrack(track) { this.tracks.push(track); }
  removeTrack(track) { this.tracks = this.tracks.filter((one) => one !== track); }
}

function devices({ missing = [], refuse = null } = {}) {
  const opened = [];
  const make = (kind, of) => {
    const track = Object.assign(new EventTarget(), { kind, of, enabled: true, readyState: 'live', stop() { this.readyState = 'ended'; } });
    opened.push(track);
    return track;
  };
  const asked = [];
  return {
    opened,
    asked,
    async getUserMedia({ audio, video }) {
      asked.push([Boolean(audio), Boolean(video)]);
      if (refuse) throw new DOMException('no', refuse);
      if ((audio && missing.includes('audio')) || (video && missing.includes('video'))) throw new DOMException('no', 'NotFoundError');
      return new Stream([...(audio ? [make('audio', audio)] : []), ...(video ? [make('video', video)] : [])]);
    },
    getDisplayMedia: async () => new Stream([make('video', 'screen')]),
    enumerateDevices: async () => [{ kind: 'videoinput', deviceId: 'a' }, { kind: 'videoinput', deviceId: '' }, { kind: 'audioinput', deviceId: 'm' }],
  };
}

const media = (mediaDevices, changed = () => {}, lost = () => {}) => (
  new CallMedia({ platform: platform({ navigator: { onLine: true, mediaDevices } }), changed, lost }));
const live = ({ opened }) => opened.filter(({ readyState }) => readyState === 'live').map(({ kind, of }) => (of === 'screen' ? of : kind));

for (const [name, screen, id] of [
  ['NotAllowedError', false, 'media-refused'], ['NotAllowedError', true, 'screen-refused'], ['SecurityError', false, 'media-refused'],
  ['NotFoundError', false, 'media-missing'], ['OverconstrainedError', false, 'media-missing'], ['NotReadableError', false, 'media-in-use'],
  ['AbortError', false, 'media-in-use'], ['TypeError', false, 'media-failed'],
]) {
  test(`${name}${screen ? ' of the screen' : ''}: ${id}`, () => assert.equal(callMediaError(new DOMException('no', name), screen).id, id));
}

test('camera and microphone, or the one of them that there is', async () => {
  for (const [missing, kinds] of [[[], ['audio', 'video']], [['video'], ['audio']], [['audio'], ['video']]]) {
    const all = devices({ missing });
    assert.equal(await media(all).open(), true);
    assert.deepEqual(live(all), kinds);
  }
  await assert.rejects(media(devices({ missing: ['audio', 'video'] })).open(), { id: 'media-missing' });
  await assert.rejects(media(undefined).open(), { id: 'media-insecure' });
  const refused = devices({ refuse: 'NotAllowedError' });
  await assert.rejects(media(refused).open(), { id: 'media-refused' });
  assert.equal(refused.asked.length, 1, 'whoever said no is not asked again');
});

test('after a call all tracks have ended, also those that come late', async () => {
  const all = devices();
  const one = media(all);
  await one.open();
  await one.share();
  one.close();
  assert.deepEqual(live(all), []);
  const late = one.open();
  one.close();
  assert.equal(await late, false);
  assert.deepEqual(live(all), []);
  assert.equal(one.isSharing, false);
});

test('the screen takes the place of the camera, which comes back as it was', async () => {
  const all = devices();
  let ended = 0;
  const one = media(all, () => ended++);
  await one.open();
  one.setCameraOff(true);
  assert.equal(one.stream.getVideoTracks()[0].enabled, false);
  const screen = await one.share();
  assert.deepEqual([live(all), screen.enabled, screen.contentHint], [['audio', 'screen'], true, 'detail']);
  screen.dispatchEvent(new Event('ended'));
  assert.equal(ended, 1);
  const camera = await one.share(false);
  assert.deepEqual([live(all), camera.enabled, one.isSharing], [['audio', 'video'], false, false]);
});

test('a camera that is unplugged in mid-call: told, and another may take its place', async () => {
  const all = devices();
  const lost = [];
  const one = media(all, () => {}, (kind) => lost.push(kind));
  await one.open();
  const [camera] = one.stream.getVideoTracks();
  camera.dispatchEvent(new Event('ended'));
  assert.deepEqual([lost, one.hasPicture, one.sending], [['video'], false, { sound: true, picture: null }]);
  await one.choose('video', '');
  camera.dispatchEvent(new Event('ended'));
  assert.deepEqual([lost, one.sending.picture], [['video'], 'camera'], 'the one of before is nobody’s business');
});

test('a screen without a camera leaves nothing behind', async () => {
  const one = media(devices({ missing: ['video'] }));
  await one.open();
  await one.share();
  assert.deepEqual([one.isSharing, one.sending.picture], [true, 'screen']);
  assert.equal(await one.share(false), null);
  assert.deepEqual([one.isSharing, one.hasPicture, one.sending], [false, false, { sound: true, picture: null }]);
});

test('another device for the next call, or in the middle of one', async () => {
  const all = devices();
  const one = media(all);
  assert.equal(await one.choose('video', 'a'), null);
  await one.open();
  assert.deepEqual(all.opened[1].of.deviceId, { exact: 'a' });
  one.setMuted(true);
  const track = await one.choose('audio', 'm');
  assert.deepEqual([track.of.deviceId, track.enabled, live(all)], [{ exact: 'm' }, false, ['video', 'audio']]);
  assert.deepEqual((await one.devices('videoinput')).map(({ deviceId }) => deviceId), ['a']);
});

// ------------------------------------------------------------------------------------------------------ the lobby

class Socket {
  static all = [];
  readyState = 1;
  sent = [];
  constructor(url, protocol) { Object.assign(this, { url, protocol }); Socket.all.push(this); }
  send(frame) { this.sent.push(JSON.parse(frame)); }
  close() { this.readyState = 3; }
  hears(message) { this.onmessage({ data: typeof message === 'string' ? message : JSON.stringify(message) }); }
}

function lobby({ session = async () => ({ url: 'ws://x/', iceServers: [] }) } = {}) {
  Socket.all = [];
  const timers = [];
  const client = new LobbyClient({
    session,
    platform: platform({ WebSocket: Socket, setTimeout: (callback, ms) => timers.push({ callback, ms }), clearTimeout: (handle) => { if (handle) timers[handle - 1].cleared = true; } }),
  });
  const heard = [];
  for (const name of ['state', 'iceservers', 'name', 'nametaken', 'users', 'offer', 'answer', 'candidate', 'hangup', 'message', 'refused', 'failed']) {
    client.on(name, (detail) => heard.push([name, detail]));
  }
  return { client, heard, timers, of: (name) => heard.filter(([one]) => one === name).map(([, detail]) => detail) };
}

const settled = () => new Promise((resolve) => { setImmediate(resolve); });

async function entered(name = 'Ann') {
  const all = lobby();
  all.client.open(name);
  await settled();
  const [socket] = Socket.all;
  socket.hears({ type: 'id', id: 7, resume: 'r7' });
  socket.hears({ type: 'userlist', users: [name, 'Bob', null] });
  return { ...all, socket };
}

test('a room is entered with the sub-protocol and a name', async () => {
  const { client, socket, of } = await entered();
  assert.equal(socket.protocol, 'json');
  assert.deepEqual({ ...socket.sent[0], date: 0 }, { type: 'username', name: 'Ann', id: 7, date: 0 });
  assert.deepEqual([of('state'), of('name'), client.users, client.isOpen], [['opening', 'online'], ['Ann'], ['Ann', 'Bob'], true]);
});

test('a name that is taken: the one that the service gives', async () => {
  const all = lobby();
  all.client.open('Ann');
  await settled();
  Socket.all[0].hears({ type: 'id', id: 7 });
  Socket.all[0].hears({ type: 'rejectusername', id: 7, name: 'Ann1' });
  Socket.all[0].hears({ type: 'userlist', users: ['Ann', 'Ann1'] });
  assert.deepEqual([all.of('nametaken'), all.of('name')], [[{ wanted: 'Ann', name: 'Ann1' }], ['Ann1']]);
});

test('messages go out as the sample has them, and come in as events', async () => {
  const { client, socket, heard } = await entered();
  heard.length = 0;
  client.sendOffer('Bob', 'v=0');
  client.sendHangUp('Bob', 'busy');
  assert.deepEqual(socket.sent.slice(1), [
    { type: 'video-offer', name: 'Ann', target: 'Bob', sdp: { type: 'offer', sdp: 'v=0' } },
    { type: 'hang-up', name: 'Ann', target: 'Bob', reason: 'busy' },
    { type: 'ping' },
  ]);
  socket.hears({ type: 'video-offer', name: 'Bob', target: 'Ann', sdp: { type: 'offer', sdp: 'v=1' } });
  socket.hears({ type: 'new-ice-candidate', target: 'Ann', candidate: { candidate: 'candidate:1', sdpMid: '0' } });
  socket.hears({ type: 'new-ice-candidate', target: 'Ann', candidate: null });
  socket.hears({ type: 'hang-up', name: 'Bob', target: null });
  assert.deepEqual(heard, [
    ['offer', { from: 'Bob', description: { type: 'offer', sdp: 'v=1' } }],
    ['candidate', { from: null, candidate: { candidate: 'candidate:1', sdpMid: '0' } }],
    ['hangup', { from: 'Bob', reason: null }],
  ]);
});

test('who comes and goes, also told one by one', async () => {
  const { client, socket } = await entered();
  socket.hears({ type: 'users', joined: ['Cem', 'Dee'], left: ['Bob'] });
  assert.deepEqual(client.users, ['Ann', 'Cem', 'Dee']);
  socket.hears({ type: 'users', joined: ['Cem'], left: ['Cem'] });
  assert.deepEqual(client.users, ['Ann', 'Dee', 'Cem']);
});

test('junk changes nothing', async () => {
  const { socket, heard } = await entered();
  heard.length = 0;
  for (const junk of ['', 'null', '[]', '{', '{"type":7}', '{"type":"video-offer"}', '{"type":"userlist","users":"Ann"}', '{"type":"new-ice-candidate"}', '{"type":"sightline"}']) socket.hears(junk);
  socket.onmessage({ data: new ArrayBuffer(4) });
  assert.deepEqual(heard, []);
});

test('the socket comes back by itself, later and later, under the same name', async () => {
  const { client, socket, timers } = await entered();
  socket.onclose();
  assert.equal(client.state, 'waiting');
  assert.equal(client.sendHangUp('Bob', 'busy'), false);
  timers.pop().callback();
  await settled();
  Socket.all[1].onclose();
  assert.ok(timers[0].ms > 200);
  timers.pop().callback();
  await settled();
  Socket.all[2].hears({ type: 'id', id: 9 });
  assert.deepEqual([Socket.all[2].sent[0].name, Socket.all[2].sent[0].resume], ['Ann', 'r7']);
  client.close();
  assert.equal(Socket.all[2].readyState, 3);
});

test('a room that is full says why, and lets in who waits', async () => {
  const { client, timers } = lobby();
  client.open('Ann');
  await settled();
  for (const reason of ['room-full', 'link-full']) {
    const [socket, before] = [Socket.all.at(-1), Socket.all.length];
    socket.hears({ type: 'id', id: 7 });
    socket.hears({ type: 'error', reason, about: 'username', message: 'No place.' });
    socket.onclose();
    assert.deepEqual([client.full, client.state, timers.at(-1).ms], [reason, 'waiting', 5_000]);
    timers.at(-1).callback();
    await settled();
    assert.deepEqual([client.full, Socket.all.length], [reason, before + 1], 'it is still said while it tries again');
  }
  Socket.all.at(-1).hears({ type: 'id', id: 8 });
  Socket.all.at(-1).hears({ type: 'userlist', users: ['Ann'] });
  assert.deepEqual([client.full, client.state], [null, 'online']);
  Socket.all.at(-1).hears({ type: 'error', reason: 'room-full', message: 'Of another time.' });
  assert.equal(client.full, null);
});

test('a service that went away while the room was full is no full room any more', async () => {
  const { client, timers } = lobby();
  client.open('Ann');
  await settled();
  Socket.all.at(-1).hears({ type: 'error', reason: 'room-full', about: 'username', message: 'No place.' });
  Socket.all.at(-1).onclose();
  timers.at(-1).callback();
  await settled();
  Socket.all.at(-1).onclose();
  assert.deepEqual([client.full, client.state], [null, 'waiting']);
});

test('a service that says nothing is asked, and left for a new socket when it does not reply', async () => {
  const { client, socket, timers } = await entered();
  const due = () => timers.filter(({ ms, cleared }) => ms < 60_000 && !cleared);
  assert.deepEqual(due().map(({ ms }) => ms), [15_000]);
  due()[0].callback();
  assert.deepEqual(socket.sent.at(-1), { type: 'ping' });
  socket.hears({ type: 'pong' });
  due().at(-1).callback();
  client.check();
  assert.deepEqual(due().at(-1).ms, 3_000, 'from the first question on');
  due().at(-1).callback();
  await settled();
  assert.deepEqual([socket.readyState, Socket.all.length, client.state], [3, 2, 'opening']);
  due().at(-1).callback();
  assert.deepEqual([Socket.all[1].readyState, client.state], [3, 'waiting'], 'this one let nobody in');
});

test('a hang-up that went into a dead socket is said again on the next, and one that arrived is not', async () => {
  const back = async (client) => {
    client.reconnect();
    await settled();
    const socket = Socket.all.at(-1);
    socket.hears({ type: 'id', id: 8 });
    socket.hears({ type: 'userlist', users: ['Ann', 'Bob'] });
    return socket.sent.filter(({ type }) => type === 'hang-up').map(({ target }) => target);
  };
  const { client, socket } = await entered();
  client.sendHangUp('Bob', 'hung-up');
  socket.hears({ type: 'pong' });
  client.sendHangUp('Cem', 'hung-up');
  client.sendHangUp('Dee', 'busy');
  client.sendOffer('Dee', 'v=0');
  assert.deepEqual(await back(client), ['Cem']);
  Socket.all.at(-1).hears({ type: 'pong' });
  assert.deepEqual(await back(client), []);
});

test('ICE servers are fetched anew while somebody waits in the room', async () => {
  let count = 0;
  const { client, timers, of } = lobby({ session: async () => ({ url: 'ws://x/', iceServers: [{ urls: `stun:${++count}` }] }) });
  client.open('Ann');
  await settled();
  timers.find(({ ms }) => ms === 270_000).callback();
  await settled();
  assert.deepEqual([client.iceServers, of('iceservers').length, Socket.all.length], [[{ urls: 'stun:2' }], 2, 1]);
  client.close();
});

test('without a right to enter there is no second try; without a service there is', async () => {
  const reply = (status, body) => async () => ({ ok: status === 200, status, json: async () => body });
  const refused = lobby({ session: lobbyFromService({ fetch: reply(403, { error: { id: 'link-required', message: 'A link.' } }) }) });
  refused.client.open('Ann');
  await settled();
  assert.deepEqual([refused.of('failed'), refused.client.state], [[{ id: 'link-required', message: 'A link.' }], 'closed']);
  for (const fetch of [reply(500, null), reply(200, {}), async () => { throw new TypeError('no'); }]) {
    const away = lobby({ session: lobbyFromService({ fetch }) });
    away.client.open('Ann');
    await settled();
    assert.deepEqual([away.of('failed'), away.client.state, away.timers.length], [[], 'waiting', 1]);
  }
});

import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { test } from 'node:test';
import { MediaError, MediaSource, mediaError } from '../../src/sightline/web/pages/broadcast_media.js';
import { BROADCAST_MESSAGES } from '../../src/sightline/web/pages/broadcast_messages.js';
import { addMessages, hasText, text } from '../../src/sightline/web/pages/language.js';
import { MESSAGES } from '../../src/sightline/web/pages/messages.js';
import { REASONS } from '../../src/sightline/web/sdk/reasons.js';

const PAGES = new URL('../../src/sightline/web/pages/', import.meta.url);
const read = (name) => readFileSync(new URL(name, PAGES), 'utf8');
const html = read('broadcast.html');
const scripts = readdirSync(PAGES).filter((name) => /^broadcast.*\.js$/.test(name) && name !== 'broadcast_messages.js').map(read);
const placeholders = (message) => [...new Set([...message.matchAll(/\{(\w+)\}/g)].map(([, name]) => name))].sort();

const AIR = ['off', 'starting', 'opening', 'online', 'waiting', 'replaced', 'failed'];
const VIEWER = ['new', 'connecting', 'connected', 'disconnected', 'failed', 'closed'];
const PROBLEMS = ['refused', 'screen-refused', 'missing', 'in-use', 'insecure', 'ended', 'webrtc-unsupported', 'unknown'];
const REFUSALS = ['link-required', 'link-scope', 'foreign-origin', 'unknown-channel'];
const parts = (id) => ['what', 'means', 'do'].map((part) => `broadcast.error.${id}.${part}`);

addMessages(BROADCAST_MESSAGES);

test('every text is there in English and Korean, with the same values filled in, and is in one table only', () => {
  for (const [id, message] of Object.entries(BROADCAST_MESSAGES)) {
    assert.deepEqual(Object.keys(message), ['en', 'ko'], id);
    assert.ok(message.en.trim() && /[가-힣]/.test(message.ko), id);
    assert.deepEqual(placeholders(message.ko), placeholders(message.en), id);
    assert.ok(!(id in MESSAGES), id);
  }
});

test('every text that the page uses exists, and none is left over', () => {
  const used = new Set([...html.matchAll(/data-(?:text|label)="([^"]+)"/g)].map(([, id]) => id));
  for (const source of scripts) for (const [, id] of source.matchAll(/'([a-z-]+\.[a-z-]+)'/g)) used.add(id);
  for (const air of AIR) used.add(`broadcast.air-${air}`);
  for (const state of VIEWER) used.add(`broadcast.viewer-${state}`);
  for (const reason of ['refused', 'missing', 'in-use', 'other']) used.add(`broadcast.reason-${reason}`);
  for (const id of [...PROBLEMS, ...REFUSALS]) parts(id).forEach((part) => used.add(part));
  assert.deepEqual([...used].filter((id) => !hasText(id)), []);
  assert.deepEqual(Object.keys(BROADCAST_MESSAGES).filter((id) => !used.has(id)), []);
});

test('whatever ends a broadcast has a text, here or with the other pages', () => {
  for (const id of Object.keys(REASONS)) {
    assert.ok(hasText(`broadcast.error.${id}.what`) || hasText(`error.${id}.what`), id);
  }
});

test('the English in the HTML is the English of the table', () => {
  for (const [, id, , words] of html.matchAll(/data-text="([^"]+)"([^>]*)>([^<]*)</g)) assert.equal(words, text(id, {}, 'en'), id);
  for (const [, id, label] of html.matchAll(/data-label="([^"]+)" aria-label="([^"]*)"/g)) assert.equal(label, text(id, {}, 'en'), id);
});

test('nothing inline: the page works under script-src and style-src \'self\'', () => {
  assert.doesNotMatch(html, /<style|\sstyle=|\son[a-z]+=|javascript:/i);
  assert.doesNotMatch(html, /(?:src|href)="(?:https?:)?\/\//);
  for (const source of scripts) assert.doesNotMatch(source, /innerHTML|\.style\b|eval\(/);
});

test('every element that the scripts write to is on the page', () => {
  for (const [, id] of read('broadcast_elements.js').matchAll(/element\('([^']+)'/g)) assert.match(html, new RegExp(`\\sid="${id}"`));
});

for (const [name, what, problem] of [
  ['NotAllowedError', 'camera', 'refused'], ['NotAllowedError', 'screen', 'screen-refused'], ['SecurityError', 'microphone', 'refused'],
  ['NotFoundError', 'camera', 'missing'], ['OverconstrainedError', 'camera', 'missing'],
  ['NotReadableError', 'camera', 'in-use'], ['AbortError', 'camera', 'in-use'], ['TypeError', 'camera', 'other'],
]) {
  test(`${name} of the ${what}: ${problem}`, () => {
    assert.equal(mediaError(new DOMException('no', name), what).problem, problem);
  });
}

/** A browser's media devices whose tracks tell whether they were stopped. */
function devices({ refuse } = {}) {
  const tracks = [];
  const open = (kind) => async (constraints) => {
    if (refuse === kind) throw new DOMException('no', 'NotReadableError');
    const track = Object.assign(new EventTarget(), { kind: constraints.video ? 'video' : 'audio', constraints, isOpen: true, stop() { this.isOpen = false; } });
    tracks.push(track);
    return new globalThis.MediaStream([track]);
  };
  return {
    tracks,
    getUserMedia: (constraints) => open(constraints.video ? 'camera' : 'microphone')(constraints),
    getDisplayMedia: open('screen'),
    enumerateDevices: async () => [{ kind: 'videoinput', deviceId: 'a', label: 'A' }, { kind: 'videoinput', deviceId: '', label: '' }, { kind: 'audioinput', deviceId: 'm', label: 'M' }],
  };
}

globalThis.MediaStream ??= class {
  #tracks;
  constructor(tracks = []) { this.#tracks = [...tracks]; }
  addTrack(track) { this.#tracks.push(track); }
  removeTrack(track) { this.#tracks = this.#tracks.filter((one) => one !== track); }
  getTracks() { return [...this.#tracks]; }
  getVideoTracks() { return this.#tracks.filter(({ kind }) => kind === 'video'); }
  getAudioTracks() { return this.#tracks.filter(({ kind }) => kind === 'audio'); }
};

test('another picture takes the place of the one before, whose camera is let go of', async () => {
  const media = devices();
  let ended = 0;
  const source = new MediaSource({ media, ended: () => ended++ });
  await source.openPicture({ source: 'camera', device: 'a' });
  await source.openMicrophone(true);
  assert.deepEqual(media.tracks[0].constraints.video.deviceId, { exact: 'a' });
  await source.openPicture({ source: 'screen', device: 'a' });
  assert.deepEqual(media.tracks.map(({ isOpen }) => isOpen), [false, true, true]);
  assert.equal(media.tracks[2].contentHint, 'detail');
  media.tracks[0].dispatchEvent(new Event('ended'));
  assert.equal(ended, 0, 'it is no longer the one that is sent');
  media.tracks[2].dispatchEvent(new Event('ended'));
  assert.equal(ended, 1);
  await source.openMicrophone(false);
  assert.equal(source.hasSound, false);
  source.close();
  assert.deepEqual(media.tracks.map(({ isOpen }) => isOpen), [false, false, false]);
});

test('a change that fails leaves everything as it was', async () => {
  const media = devices({ refuse: 'screen' });
  const source = new MediaSource({ media, ended: () => {} });
  await source.openPicture({ source: 'camera', device: '' });
  await assert.rejects(source.openPicture({ source: 'screen', device: '' }), (error) => error instanceof MediaError && error.problem === 'in-use');
  assert.deepEqual([source.stream.getVideoTracks().length, media.tracks[0].isOpen], [1, true]);
});

test('over plain HTTP there are no devices, and that is said', async () => {
  const source = new MediaSource({ media: undefined, ended: () => {} });
  assert.equal(source.canShareScreen, false);
  assert.deepEqual(await source.cameras(), []);
  await assert.rejects(source.openPicture({ source: 'camera', device: '' }), { problem: 'insecure' });
});

test('only cameras that can be chosen are listed', async () => {
  const cameras = await new MediaSource({ media: devices(), ended: () => {} }).cameras();
  assert.deepEqual(cameras.map(({ deviceId }) => deviceId), ['a']);
});

import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { test } from 'node:test';
import { bitrate, frameRate, milliseconds, resolution } from '../../src/sightline/web/pages/format.js';
import { addMessages, chooseLanguage, hasText, text } from '../../src/sightline/web/pages/language.js';
import { CHECKS } from '../../src/sightline/web/pages/diagnose.js';
import { DIAGNOSE_MESSAGES } from '../../src/sightline/web/pages/diagnose_messages.js';
import { MESSAGES as VIEW_MESSAGES } from '../../src/sightline/web/pages/messages.js';
import { waterfall } from '../../src/sightline/web/pages/waterfall.js';
import { REASONS } from '../../src/sightline/web/sdk/reasons.js';

addMessages(DIAGNOSE_MESSAGES);
const MESSAGES = { ...VIEW_MESSAGES, ...DIAGNOSE_MESSAGES };
const WEB = new URL('../../src/sightline/web/', import.meta.url);
const read = (path) => readFileSync(new URL(path, WEB), 'utf8');
const pages = readdirSync(new URL('pages/', WEB));
const html = pages.filter((name) => name.endsWith('.html'));
/** Pages with a table of texts, and a test, of their own. */
const isElsewhere = (name) => /^(broadcast|call)/.test(name);
const scripts = pages.filter((name) => name.endsWith('.js') && !name.endsWith('messages.js'));

const STATES = ['idle', 'opening', 'offering', 'connecting', 'watching', 'recovering', 'waiting', 'stalled', 'absent', 'failed', 'closed'];
const STAGES = ['page', 'session', 'offerReady', 'socket', 'answer', 'connected', 'firstFrame'];
const NOTICES = ['network-changed', 'connection-lost', 'offline', 'camera-offline', 'camera-silent', 'no-media', 'source-lost', 'other'];
const placeholders = (message) => [...message.matchAll(/\{(\w+)\}/g)].map(([, name]) => name).sort();

test('every message is there in English and Korean, with the same values filled in', () => {
  for (const [id, message] of Object.entries(MESSAGES)) {
    assert.deepEqual(Object.keys(message), ['en', 'ko'], id);
    assert.ok(message.en.trim() && message.ko.trim(), id);
    assert.deepEqual([...new Set(placeholders(message.ko))], [...new Set(placeholders(message.en))], id);
  }
  const translated = Object.values(MESSAGES).filter(({ ko }) => /[가-힣]/.test(ko)).length;
  assert.ok(translated > 0.9 * Object.keys(MESSAGES).length);
});

test('every message that the pages use exists, and none is left over', () => {
  const used = new Set();
  const elsewhere = new Set();
  for (const name of [...html, ...scripts]) {
    const into = isElsewhere(name) ? elsewhere : used;
    const mention = name.endsWith('.html') ? /data-(?:text|label)="([^"]+)"/g : /'([a-z-]+\.[a-z-]+)'/g;
    for (const [, id] of read(`pages/${name}`).matchAll(mention)) into.add(id);
  }
  for (const id of elsewhere) if (hasText(id)) used.add(id);
  for (const state of STATES) used.add(`state.${state}`);
  for (const stage of STAGES) used.add(`stage.${stage}`);
  for (const type of ['host', 'srflx', 'prflx', 'relay']) used.add(`path.${type}`);
  for (const notice of NOTICES) used.add(`notice.${notice}`);
  for (const id of [...Object.keys(REASONS), 'unknown']) {
    for (const part of ['what', 'means', 'do']) used.add(`error.${id}.${part}`);
  }
  for (const { id } of CHECKS) used.add(`check.${id}`);
  for (const mark of ['ok', 'warning', 'failed', 'skipped', 'running']) used.add(`diagnose.mark-${mark}`);
  for (const reason of ['no-answer', 'no-path', 'no-media']) used.add(`diagnose.${reason}-no`);
  for (const part of ['what', 'means', 'do']) for (const check of ['stun', 'turn']) used.add(`error.${check}.${part}`);
  used.add('view.no-script'); // stands in view.html itself, see below
  assert.deepEqual([...used].filter((id) => !hasText(id)), []);
  assert.deepEqual(Object.keys(MESSAGES).filter((id) => !used.has(id)), []);
});

test('nobody can be told something without a text: each reason, in both languages, says what, why and what to do', () => {
  for (const id of Object.keys(REASONS)) {
    for (const language of ['en', 'ko']) {
      const said = ['what', 'means', 'do'].map((part) => text(`error.${id}.${part}`, { channel: 'porch' }, language));
      assert.ok(said.every((words) => words.length > 3 && !words.includes('{')), `${id} ${language}`);
      assert.doesNotMatch(said[0], /[.。]$/, `${id} ${language}: a heading`);
    }
  }
});

test('the banner speaks of reasons that there are', () => {
  for (const id of NOTICES.slice(0, -1)) assert.ok(id in REASONS, id);
});

test('the English in the HTML is the English of the table', () => {
  for (const name of html.filter((name) => !isElsewhere(name))) {
    for (const [, id, , words] of read(`pages/${name}`).matchAll(/data-text="([^"]+)"([^>]*)>([^<]*)</g)) {
      assert.equal(words, MESSAGES[id].en, `${name}: ${id}`);
    }
  }
  for (const words of Object.values(MESSAGES['view.no-script'])) assert.ok(read('pages/view.html').includes(words));
});

test('the language is the first one wanted that the pages speak', () => {
  assert.equal(chooseLanguage(['ko-KR', 'en']), 'ko');
  assert.equal(chooseLanguage(['de', 'ko', 'en']), 'ko');
  assert.equal(chooseLanguage(['en-GB', 'ko']), 'en');
  assert.equal(chooseLanguage(['fr']), 'en');
  assert.equal(chooseLanguage([]), 'en');
});

test('values are filled in as text', () => {
  assert.equal(text('error.unknown-channel.what', { channel: 'a$&b' }, 'en'), 'There is no channel “a$&b”');
  assert.throws(() => text('no.such.id'), /no message/);
});

test('nothing inline: the pages work under script-src and style-src \'self\'', () => {
  for (const name of html) {
    const source = read(`pages/${name}`);
    assert.doesNotMatch(source, /<style|\sstyle=|\son[a-z]+=|javascript:/i, name);
    for (const [tag] of source.matchAll(/<script[^>]*>[^<]*/g)) assert.match(tag, /src="\/(pages|sdk)\/[\w-]+\.js"[^>]*>$/, name);
    assert.doesNotMatch(source, /(?:src|href)="(?:https?:)?\/\//, `${name} loads from elsewhere`);
  }
  for (const name of scripts) assert.doesNotMatch(read(`pages/${name}`), /innerHTML|\.style\b|eval\(/, name);
});

test('view.html loads ahead exactly the modules that view.js needs', () => {
  const needed = new Set();
  const visit = (path) => {
    if (needed.has(path)) return;
    needed.add(path);
    for (const [, target] of read(path).matchAll(/^(?:import|export)[^'"]*?from '([^']+)';/gms)) visit(new URL(target, new URL(path, 'http://x/')).pathname.slice(1));
  };
  visit('pages/view.js');
  const loaded = [...read('pages/view.html').matchAll(/(?:modulepreload" href|script type="module" src)="\/([^"]+)"/g)].map(([, path]) => path);
  assert.deepEqual(loaded.toSorted(), [...needed].toSorted());
});

test('every element that the view writes to is on its page', () => {
  const source = read('pages/view.html');
  for (const [, id] of read('pages/view_elements.js').matchAll(/element\('([^']+)'/g)) assert.match(source, new RegExp(`\\sid="${id}"`));
  for (const hook of ['state', 'resolution', 'frame-rate', 'bitrate', 'error', 'retry', 'video', 'first-frame']) {
    assert.match(source, new RegExp(`data-testid="${hook}"`));
  }
});

test('the way to the first picture: what took how long, and what went on at the same time', () => {
  const timings = { startedAt: 200, session: 30, offerReady: 45, socket: 50, offerSent: 50.5, answer: 90, connected: 160, firstFrame: 200 };
  assert.deepEqual(waterfall(timings), [
    { id: 'page', from: 0, to: 200 },
    { id: 'session', from: 200, to: 230 },
    { id: 'offerReady', from: 230, to: 245 },
    { id: 'socket', from: 230, to: 250 },
    { id: 'answer', from: 250.5, to: 290 },
    { id: 'connected', from: 290, to: 360 },
    { id: 'firstFrame', from: 360, to: 400 },
  ]);
  assert.deepEqual(waterfall(timings, false)[0], { id: 'session', from: 0, to: 30 }, 'an hour later, the page is no part of it');
});

test('figures as people read them', () => {
  assert.equal(resolution(1280, 720), '1280 × 720');
  assert.equal(resolution(null, null), '–');
  assert.equal(frameRate(29.97, 'en'), '30 fps');
  assert.equal(frameRate(4.96, 'en'), '5 fps');
  assert.equal(frameRate(0.5, 'ko'), '0.5 fps');
  assert.equal(frameRate(null, 'en'), '–');
  assert.equal(bitrate(2_449_000, 'en'), '2.4 Mbit/s');
  assert.equal(bitrate(640_400, 'en'), '640 kbit/s');
  assert.equal(bitrate(null, 'en'), '–');
  assert.equal(milliseconds(0.0004, 'en'), '0.4 ms');
  assert.equal(milliseconds(0.0234, 'en'), '23 ms');
  assert.equal(milliseconds(null, 'en'), '–');
});

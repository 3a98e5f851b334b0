import { Call } from '../sdk/call.js';
import { lobbyFromService } from '../sdk/lobby_session.js';
import { elements } from './call_elements.js';
import { CALL_MESSAGES } from './call_messages.js';
import { PeopleList } from './call_people.js';
import { Ring } from './call_ring.js';
import { addMessages, applyLanguage, hasText, text } from './language.js';
import { press, toggleFullScreen, writeError } from './parts.js';

// The page of 1:1 calls: /call, ?room=NAME, and #TOKEN unless it is opened on the service's own computer.

addMessages(CALL_MESSAGES);

/** As the service has it; what this lets through it may still refuse. */
const NAME = /^[\p{L}\p{N} ._-]{1,32}$/u;
const REMEMBERED = 'sightline.call.name';

const room = new URLSearchParams(location.search).get('room') ?? '';
const token = location.hash.slice(1);
const call = new Call({ session: lobbyFromService({ room, token }) });
const ring = new Ring();
const people = new PeopleList(elements.people, (user) => {
  // Without the service it would ring nowhere.
  if (call.lobby.state === 'online') call.call(user);
  else remark(text('call.away'));
});
let joined = false;
/** The lobby was lost, or not reached yet; it is tried again and again. */
let isAway = false;
/** The lobby is lost for good, and there is still a call. */
let closing = false;
let isFirst = true;
/** What was unplugged in mid-call, and is taken again when there is one. @type {Set<'audio' | 'video'>} */
const lost = new Set();
let bannerTimer = 0;

call.on('statechange', showCall);
call.on('lobby', (state) => {
  isAway = state === 'waiting' || (state === 'opening' && isAway);
  showState();
  showPeople();
});
call.on('name', (name) => {
  elements.me.textContent = text('call.me', { name });
  elements.me.hidden = false;
  if (isFirst) remember(name);
  isFirst = false;
});
call.on('nametaken', ({ wanted, name }) => { if (isFirst) remark(text('call.name-taken', { wanted, name })); });
call.on('users', showPeople);
call.on('localstream', showLocal);
call.on('stream', (stream) => {
  if (elements.remote.srcObject !== stream) elements.remote.srcObject = stream;
  if (stream) void elements.remote.play().catch(() => {});
  showRemote();
});
call.on('media', showControls);
call.on('devicelost', (kind) => {
  lost.add(kind);
  remark(text(kind === 'audio' ? 'call.microphone-lost' : 'call.camera-lost'));
});
call.on('sending', showRemote);
call.on('chat', ({ text: words, own }) => addLine(words, own));
call.on('refused', ({ id }) => { if (id === 'bad-name' && call.lobby.state !== 'online') refuseName(); });
call.on('failed', ({ id, message }) => {
  showError(id, message);
  // A link that has run out lets nobody in any more, but whoever talks may finish. One that was revoked may not.
  if (isUp() && id !== 'link-revoked') closing = true;
  else leave();
});

applyLanguage();
document.title = text('call.title');
elements.room.textContent = room;
elements.line.placeholder = text('call.line');
elements.name.value = remembered();
elements.name.focus();
showState();
showControls();

elements.name.addEventListener('input', () => elements.name.setCustomValidity(''));
elements.join.addEventListener('submit', (event) => {
  event.preventDefault();
  const name = elements.name.value.normalize('NFC').trim().replace(/ {2,}/g, ' '); // as the lobby would write it
  elements.name.setCustomValidity(NAME.test(name) ? '' : text('call.name-bad'));
  if (elements.name.reportValidity()) join(name);
});
elements.copy.addEventListener('click', () => void copyAddress());
elements.cancel.addEventListener('click', () => call.hangUp());
elements.hangUp.addEventListener('click', () => call.hangUp());
elements.accept.addEventListener('click', () => call.accept());
elements.decline.addEventListener('click', () => call.decline());
elements.incoming.addEventListener('cancel', (event) => {
  event.preventDefault();
  call.decline();
});
elements.mute.addEventListener('click', () => call.setMuted(!call.media.muted));
elements.cameraOff.addEventListener('click', () => call.setCameraOff(!call.media.cameraOff));
elements.share.addEventListener('click', () => void change(call.shareScreen(!call.media.isSharing)));
elements.fullScreen.addEventListener('click', () => void toggleFullScreen(elements.frame, elements.remote).catch(() => {}));
document.addEventListener('fullscreenchange', showControls);
elements.camera.addEventListener('change', () => void change(call.choose('video', elements.camera.value)));
elements.microphone.addEventListener('change', () => void change(call.choose('audio', elements.microphone.value)));
navigator.mediaDevices?.addEventListener?.('devicechange', () => {
  for (const kind of lost) void call.choose(kind, '').then(() => lost.delete(kind), () => {});
  void showDevices();
});
elements.write.addEventListener('submit', (event) => {
  event.preventDefault();
  const words = elements.line.value.trim();
  if (words === '') return;
  if (call.send(words)) elements.line.value = '';
  else remark(text('call.not-sent'));
});
// The other side is told at once, and not after seconds of silence. The page may come back from the browser's cache.
addEventListener('pagehide', () => leave());
addEventListener('beforeunload', (event) => {
  if (call.state === 'in-call' || call.state === 'reconnecting') event.preventDefault();
});

// ------------------------------------------------------------------------------------------------- in and out

/** @param {string} name */
function join(name) {
  hideError();
  if (typeof RTCPeerConnection !== 'function') return showError('webrtc-unsupported', '');
  ring.prepare();
  isFirst = true;
  joined = true;
  call.join(name);
  showJoined();
  void showDevices();
  showPeople();
}

function leave() {
  joined = closing = false;
  call.leave();
  showJoined();
}

/** The service knows letters that nobody sees, and not all that the browser knows. */
function refuseName() {
  leave();
  elements.name.setCustomValidity(text('call.name-bad'));
  elements.name.focus();
  elements.name.reportValidity();
}

function remembered() {
  try {
    return localStorage.getItem(REMEMBERED) ?? '';
  } catch {
    return ''; // the browser keeps nothing for this page
  }
}

/** @param {string} name */
function remember(name) {
  try {
    localStorage.setItem(REMEMBERED, name);
  } catch { /* then it is asked for again */ }
}

/** @param {Promise<void>} done  of another device, or of the screen */
async function change(done) {
  try {
    await done;
  } catch (error) {
    const id = /** @type {{id?: string}} */ (error).id ?? '';
    if (id === 'screen-refused') return; // whoever closed the browser's question knows
    const reason = hasText(`call.reason-${id}`) ? id : 'media-failed';
    remark(text('call.switch-failed', { reason: text(`call.reason-${reason}`) }));
  } finally {
    void showDevices();
  }
}

async function copyAddress() {
  try {
    await navigator.clipboard.writeText(location.href);
    remark(text('call.copied'));
  } catch {
    remark(text('call.copy-failed'));
  }
}

// ------------------------------------------------------------------------------------------------- what is shown

function showJoined() {
  document.documentElement.dataset.joined = String(joined);
  elements.join.hidden = joined;
  elements.talk.hidden = elements.side.hidden = !joined;
  elements.me.hidden ||= !joined;
  showState();
}

/** @param {import('../sdk/call.js').CallEvents['statechange']} change */
function showCall({ from, state, reason }) {
  const name = call.peer ?? '';
  if (state === 'ringing') {
    ring.start();
    elements.incomingWords.textContent = text('call.incoming', { name });
    elements.incoming.showModal();
    elements.accept.focus();
  } else if (from === 'ringing') {
    ring.stop();
    elements.incoming.close();
  }
  if (state === 'calling' || state === 'ringing') {
    hideError();
    hideBanner();
    elements.lines.replaceChildren();
  }
  if (state === 'reconnecting') showBanner(text('call.reconnecting', { name }));
  else if (from === 'reconnecting') hideBanner();
  if (state === 'ended') lost.clear();
  if (state === 'ended' && closing) leave();
  if (state === 'ended' && reason && hasText(`call.error.${reason}.what`)) showError(reason, '');
  // They gave up meanwhile: it was not they who ended it.
  else if (state === 'ended' && reason !== 'hung-up' && call.media.isAsking) showError('media-unanswered', '');
  showState();
  showControls();
  showRemote();
  showPeople();
  // On a phone the list of people may have been in sight alone.
  if (from !== 'reconnecting' && state !== 'ringing' && state !== 'reconnecting') elements.frame.scrollIntoView({ block: 'nearest' });
  // The button that was used is gone; whoever is at the keyboard goes on from here.
  if (!isFocusLost()) return;
  if (state === 'in-call') elements.hangUp.focus();
  else if (state === 'calling') elements.cancel.focus();
  // Not at a name: a key that is still down on Hang Up would call it.
  else if (state === 'ended') elements.peopleHeading.focus({ preventScroll: true });
}

/** Also where the browser notices only with the next picture: the button is off, or in a dialog that is closed. */
function isFocusLost() {
  const { activeElement, body } = document;
  if (!activeElement || activeElement === body || activeElement === elements.peopleHeading) return true;
  return activeElement.matches(':disabled') || activeElement.getClientRects().length === 0;
}

function showState() {
  const { state } = call;
  const name = call.peer ?? '';
  document.documentElement.dataset.call = state;
  document.documentElement.dataset.lobby = call.lobby.state;
  document.documentElement.dataset.away = String(isAway);
  const { full } = call.lobby;
  document.documentElement.toggleAttribute('data-bare', state === 'idle' && !full);
  const lobby = full ? 'full' : isAway ? 'waiting' : call.lobby.state === 'opening' ? 'opening' : null;
  const isFree = state === 'idle' || state === 'ended';
  elements.state.textContent = text(`call.state-${isFree && lobby ? lobby : state}`, { name });
  const [words, more] = isFree && full ? [text(`call.full-${full}`), text(`call.full-${full}-do`)] : cover(name);
  elements.coverWords.textContent = words;
  elements.coverMore.textContent = more;
  elements.cancel.hidden = state !== 'calling' && state !== 'connecting';
  document.title = state === 'ringing' ? text('call.title-ringing', { name })
    : isFree ? text('call.title') : text('call.title-talking', { name });
}

/** @param {string} name */
function cover(name) {
  switch (call.state) {
    case 'idle': return [text(call.users.length ? 'call.cover-idle' : 'call.cover-alone'), ''];
    case 'calling': return [text('call.state-calling', { name }), text(call.media.stream ? 'call.cover-rings' : 'call.cover-media')];
    case 'connecting': return [text('call.state-connecting', { name }), call.media.stream ? '' : text('call.cover-media')];
    case 'ended': {
      const end = hasText(`call.end-${endReason()}`) ? endReason() : 'no-media';
      return [text(`call.end-${end}`, { name }), text(`call.end-${end}-do`, { name })];
    }
    default: return ['', ''];
  }
}

function endReason() {
  return call.reason ?? 'hung-up';
}

function showControls() {
  const { media } = call;
  const isTalking = isUp();
  elements.hangUp.disabled = !isTalking;
  elements.mute.hidden = !media.hasSound;
  elements.cameraOff.hidden = !media.hasPicture || media.isSharing;
  elements.share.hidden = !isTalking || !media.canShare;
  elements.fullScreen.hidden = !isTalking;
  elements.chat.hidden = !isTalking && elements.lines.childElementCount === 0;
  elements.write.hidden = !isTalking;
  press(elements.mute, media.muted, elements.muteText, text(media.muted ? 'call.unmute' : 'call.mute'));
  press(elements.cameraOff, media.cameraOff, elements.cameraOffText, text(media.cameraOff ? 'call.camera-on' : 'call.camera-off'));
  press(elements.share, media.isSharing, elements.shareText, text(media.isSharing ? 'call.share-stop' : 'call.share'));
  const isFull = document.fullscreenElement !== null;
  press(elements.fullScreen, isFull, elements.fullScreenText, text(isFull ? 'view.full-screen-leave' : 'view.full-screen'));
  elements.local.dataset.mirrored = String(!media.isSharing);
  elements.self.dataset.off = String(media.cameraOff && !media.isSharing);
  if (!isTalking && isFull) void document.exitFullscreen().catch(() => {});
}

/** What a black rectangle does not say. */
function showRemote() {
  const name = call.peer ?? '';
  const { stream, sending } = call;
  elements.noPicture.hidden = !isUp() || (sending.picture !== null && (stream?.getVideoTracks().length ?? 0) > 0);
  elements.noPicture.textContent = text('call.no-picture', { name });
  elements.noSound.hidden = !isUp() || (sending.sound && (stream?.getAudioTracks().length ?? 0) > 0);
  elements.noSound.textContent = text('call.no-sound', { name });
}

function isUp() {
  return call.state === 'in-call' || call.state === 'reconnecting';
}

/** @param {MediaStream | null} stream */
function showLocal(stream) {
  elements.self.hidden = stream === null || stream.getVideoTracks().length === 0;
  if (elements.local.srcObject !== stream) elements.local.srcObject = stream;
  if (stream) {
    void elements.local.play().catch(() => {});
    void showDevices(); // with the permission they have names
  }
  showState();
  showControls();
}

function showPeople() {
  const { users, peer, state } = call;
  const isFree = state === 'idle' || state === 'ended';
  elements.nobody.hidden = users.length > 0 || call.lobby.state !== 'online';
  if (state === 'idle') showState();
  people.show(users, isFree, peer, call.lobby.state === 'online');
}

/** @param {string} words  @param {boolean} own */
function addLine(words, own) {
  const line = document.createElement('li');
  line.dataset.own = String(own);
  line.dir = 'auto';
  line.textContent = words;
  elements.lines.append(line);
  while (elements.lines.childElementCount > 500) elements.lines.firstElementChild?.remove();
  elements.lines.scrollTop = elements.lines.scrollHeight;
  if (!own && !isInSight(elements.lines)) remark(text('call.wrote', { name: call.peer ?? '', words: shortened(words) }));
}

/** @param {string} words */
function shortened(words) {
  const letters = [...words];
  return letters.length > 140 ? `${letters.slice(0, 139).join('')}…` : words;
}

/** Whether its end is on the screen. On a phone there is room for the picture alone; so it is on the full screen. @param {HTMLElement} element */
function isInSight(element) {
  const { bottom } = element.getBoundingClientRect();
  return !document.fullscreenElement && bottom > 0 && bottom <= innerHeight;
}

async function showDevices() {
  for (const [select, kind, track, wanted] of /** @type {const} */ ([
    [elements.camera, 'videoinput', call.media.isSharing ? undefined : call.media.stream?.getVideoTracks()[0], call.media.camera],
    [elements.microphone, 'audioinput', call.media.stream?.getAudioTracks()[0], call.media.microphone],
  ])) {
    const devices = await call.media.devices(kind);
    const chosen = track?.getSettings().deviceId ?? wanted;
    const options = devices.map(({ deviceId, label }, index) => (
      new Option(label || text('call.device-number', { number: String(index + 1) }), deviceId, false, deviceId === chosen)));
    select.replaceChildren(...(options.length ? options : [new Option(text('call.device-default'), '')]));
  }
}

/** @param {string} id  @param {string} message */
function showError(id, message) {
  writeError(elements, { id, message }, { channel: room }, 'call');
  elements.error.hidden = false;
}

function hideError() {
  elements.error.hidden = true;
}

/** @param {string} words */
function showBanner(words) {
  clearTimeout(bannerTimer);
  elements.banner.textContent = words;
  elements.banner.hidden = false;
}

function hideBanner() {
  clearTimeout(bannerTimer);
  elements.banner.hidden = true;
}

/** Something that passes. @param {string} words */
function remark(words) {
  if (call.state === 'reconnecting') return;
  showBanner(words);
  bannerTimer = setTimeout(hideBanner, 6_000);
}

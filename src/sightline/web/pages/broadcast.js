import { Master } from '../sdk/master.js';
import { sessionFromService } from '../sdk/session.js';
import { elements } from './broadcast_elements.js';
import { MediaError, MediaSource } from './broadcast_media.js';
import { BROADCAST_MESSAGES } from './broadcast_messages.js';
import { showViewers } from './broadcast_viewers.js';
import { addMessages, applyLanguage, hasText, text } from './language.js';
import { writeError } from './parts.js';

// The page of a camera in the browser: /broadcast/CHANNEL, and #TOKEN unless it is opened on the service's own computer.

addMessages(BROADCAST_MESSAGES);

const channel = channelFromPath(location.pathname);
const media = new MediaSource({ media: navigator.mediaDevices, ended: () => fail('ended') });
const master = new Master({
  session: (signal) => sessionFromService({ channel, role: 'master', token: location.hash.slice(1) })(signal),
});
/** Counts starts and stops: what belongs to an earlier one is let go of when it comes. */
let generation = 0;
/** @type {Map<string, HTMLAudioElement>} */
const voices = new Map();
/** @type {WakeLockSentinel | null} */
let awake = null;

master.on('statechange', ({ state }) => showMaster(state));
master.on('failed', ({ id, message }) => fail(id, message));
for (const event of /** @type {const} */ (['joined', 'changed', 'left', 'figures'])) master.on(event, showAudience);
master.on('left', ({ clientId }) => silence(clientId));
master.on('refused', ({ clientId, reason, detail }) => console.warn(`${clientId} gets no answer: ${reason} ${detail}`));
master.on('track', ({ clientId, track }) => hear(clientId, track));

applyLanguage({ channel });
document.title = text('broadcast.title', { channel });
elements.channel.textContent = channel;
elements.sourceScreen.disabled = !media.canShareScreen;
showAir('off');
showAudience();
showShare();
void showCameras();

elements.start.addEventListener('click', () => void start());
elements.stop.addEventListener('click', () => {
  stop();
  showAir('off');
  elements.start.focus();
});
elements.settings.addEventListener('submit', (event) => event.preventDefault());
elements.source.addEventListener('change', () => {
  showSource();
  void change('picture');
});
elements.device.addEventListener('change', () => void change('picture'));
elements.microphone.addEventListener('change', () => void change('sound'));
elements.copy.addEventListener('click', () => void copyLink());
elements.link.addEventListener('focus', () => elements.link.select());
navigator.mediaDevices?.addEventListener?.('devicechange', () => void showCameras());
addEventListener('online', () => master.reconnect());
// Leaving frees the viewers at once; the page may be taken out of the browser's cache again later, and is off then.
addEventListener('pagehide', () => {
  if (isOn()) stop();
  showAir('off');
});
addEventListener('beforeunload', (event) => {
  if (master.viewers.length) event.preventDefault();
});
document.addEventListener('visibilitychange', () => void stayAwake());

// ------------------------------------------------------------------------------------------------ on and off

async function start() {
  const mine = ++generation;
  hideError();
  showBanner('');
  if (typeof RTCPeerConnection !== 'function') return fail('webrtc-unsupported');
  showAir('starting');
  try {
    await media.openPicture(wanted());
  } catch (error) {
    if (mine === generation) fail(problemOf(error));
    return;
  }
  if (mine !== generation) return media.close();
  elements.preview.srcObject = media.stream; // not before: an empty stream would hold up the page's load event
  void elements.preview.play().catch(() => {});
  void showCameras(); // with the permission they have names
  await switchSound();
  if (mine !== generation) return media.close();
  master.setStream(media.stream);
  master.open();
  elements.stop.focus();
  void stayAwake();
}

function stop() {
  generation += 1;
  master.close();
  media.close();
  elements.preview.srcObject = null;
  for (const clientId of [...voices.keys()]) silence(clientId);
  showBanner('');
  showAudience();
  void stayAwake();
}

/** Nothing goes on, and the page says why. @param {string} id  @param {string} [message] */
function fail(id, message = '') {
  stop();
  showAir('failed');
  showError(id, message);
  if (document.activeElement === document.body) elements.start.focus(); // the button that was used is hidden now
}

function isOn() {
  return ['opening', 'online', 'waiting', 'replaced'].includes(master.state);
}

/** Another picture or sound while on air: viewers see the change and nothing else. @param {'picture' | 'sound'} what */
async function change(what) {
  if (!isOn()) return;
  const mine = generation;
  if (what === 'sound') await switchSound();
  else {
    try {
      await media.openPicture(wanted());
      showNotice('');
    } catch (error) {
      showNotice(text('broadcast.switch-failed', { reason: reasonOf(error) }));
    }
  }
  if (mine !== generation) return media.close();
  master.setStream(media.stream);
}

/** A camera without sound is still a camera. */
async function switchSound() {
  try {
    await media.openMicrophone(elements.microphone.checked);
    showNotice('');
  } catch (error) {
    elements.microphone.checked = false;
    showNotice(text('broadcast.no-microphone', { reason: reasonOf(error) }));
  }
}

/** A phone that sleeps sends nothing. */
async function stayAwake() {
  if (!isOn()) {
    void awake?.release().catch(() => {});
    awake = null;
  } else if (document.visibilityState === 'visible' && (awake?.released ?? true)) {
    awake = await navigator.wakeLock?.request('screen').catch(() => null) ?? null;
  }
}

// ------------------------------------------------------------------------------------------------- what is shown

/** @param {import('../sdk/master.js').MasterState} state */
function showMaster(state) {
  showAudience();
  if (state === 'failed' || state === 'closed' || state === 'idle') return; // whoever caused it tells more
  showAir(state);
  if (state === 'online') showBanner('');
  else if (state === 'waiting') showBanner(text('broadcast.waiting'), text('broadcast.reconnect'), () => master.reconnect());
  else if (state === 'replaced') showBanner(text('broadcast.replaced'), text('broadcast.take-back'), () => master.open());
}

/** @param {'off' | 'starting' | 'opening' | 'online' | 'waiting' | 'replaced' | 'failed'} air */
function showAir(air) {
  document.documentElement.dataset.air = air;
  elements.air.textContent = text(`broadcast.air-${air}`);
  elements.coverText.textContent = text(air === 'starting' ? 'broadcast.cover-starting' : 'broadcast.cover-off');
  const isOff = air === 'off' || air === 'failed';
  elements.start.hidden = !isOff;
  elements.stop.hidden = isOff;
  showAudience();
}

function showAudience() {
  showViewers(master.sessions, !isOn());
}

function showSource() {
  elements.deviceField.hidden = elements.sourceScreen.checked;
}

async function showCameras() {
  const cameras = await media.cameras();
  const chosen = media.stream.getVideoTracks()[0]?.getSettings().deviceId ?? elements.device.value;
  const options = cameras.map(({ deviceId, label }, index) => (
    new Option(label || text('broadcast.device-number', { number: String(index + 1) }), deviceId, false, deviceId === chosen)));
  elements.device.replaceChildren(...(options.length ? options : [new Option(text('broadcast.device-default'), '')]));
}

function showShare() {
  const isLoopback = ['localhost', '127.0.0.1', '[::1]'].includes(location.hostname) && location.protocol === 'http:';
  elements.link.value = `${location.origin}/view/${encodeURIComponent(channel)}`;
  elements.shareHint.textContent = text(isLoopback ? 'broadcast.share-local' : 'broadcast.share-link');
  elements.shareCommand.textContent = `sightline link ${channel}`;
}

async function copyLink() {
  elements.link.select();
  await navigator.clipboard?.writeText(elements.link.value).catch(() => {});
  elements.copy.textContent = text('broadcast.copied');
  setTimeout(() => { elements.copy.textContent = text('broadcast.copy'); }, 2_000);
}

/** @param {string} words  nothing hides it  @param {string} [label]  @param {() => void} [action] */
function showBanner(words, label = '', action = () => {}) {
  elements.bannerText.textContent = words;
  elements.bannerButton.textContent = label;
  elements.bannerButton.onclick = action;
  elements.bannerButton.hidden = label === '';
  elements.banner.hidden = words === '';
}

/** Something that went wrong beside: not in the place of what signaling has to say. @param {string} words */
function showNotice(words) {
  if (elements.bannerButton.hidden) showBanner(words);
}

/** What happened, what it means, what to do. @param {string} id  @param {string} message */
function showError(id, message) {
  writeError(elements, { id, message }, { channel }, 'broadcast');
  elements.error.hidden = false;
}

function hideError() {
  elements.error.hidden = true;
}

// ---------------------------------------------------------------------------------------------------- the rest

/** A viewer talks. @param {string} clientId  @param {MediaStreamTrack} track */
function hear(clientId, track) {
  if (track.kind !== 'audio') return;
  const voice = voices.get(clientId) ?? new Audio();
  voices.set(clientId, voice);
  voice.srcObject = new MediaStream([track]);
  void voice.play().catch(() => {});
}

/** @param {string} clientId */
function silence(clientId) {
  const voice = voices.get(clientId);
  if (voice) voice.srcObject = null;
  voices.delete(clientId);
}

/** @returns {import('./broadcast_media.js').Wanted} */
function wanted() {
  return {
    source: elements.sourceScreen.checked ? 'screen' : 'camera',
    device: elements.device.value,
    microphone: elements.microphone.checked,
  };
}

/** @param {unknown} error */
function problemOf(error) {
  return error instanceof MediaError ? error.problem : 'other';
}

/** @param {unknown} error */
function reasonOf(error) {
  const problem = problemOf(error).replace('screen-', '');
  return text(hasText(`broadcast.reason-${problem}`) ? `broadcast.reason-${problem}` : 'broadcast.reason-other');
}

/** @param {string} path */
function channelFromPath(path) {
  const name = path.replace(/^\/broadcast\//, '').replace(/\/$/, '');
  try {
    return decodeURIComponent(name);
  } catch {
    return name;
  }
}

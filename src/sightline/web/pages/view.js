import { Viewer } from '../sdk/viewer.js';
import { hideBanner, showBanner } from './banner.js';
import { showControls } from './controls.js';
import { clearDetails, showDetails, showFirstFrame } from './details.js';
import { hideError, showError } from './error_panel.js';
import * as format from './format.js';
import { applyLanguage, hasText, language, text } from './language.js';
import { channel, clientId, requestSession } from './session_request.js';
import { elements } from './view_elements.js';

// The page of one camera: /view/CHANNEL#TOKEN.

const viewer = new Viewer({ session: requestSession, clientId, video: elements.video, talk: true });
const controls = showControls(viewer, channel);
/** @type {import('../sdk/errors.js').Failure | null} what the session told last, and has not taken back */
let notice = null;
let attempts = 0;

viewer.on('statechange', ({ state }) => {
  if (state === 'opening') attempts += 1;
  showState(state);
});
viewer.on('notice', (told) => {
  notice = told;
  showState(viewer.state);
});
viewer.on('failed', (failure) => showError(failure, channel));
viewer.on('stats', (stats) => {
  if (viewer.state !== 'watching') return;
  showPicture(stats);
  showDetails(stats);
});
viewer.on('firstframe', (timings) => {
  const { videoWidth, videoHeight } = elements.video;
  elements.resolution.textContent = format.resolution(videoWidth, videoHeight);
  showFirstFrame(timings, attempts === 1);
});
viewer.on('playblocked', showPaused);
viewer.open();

applyLanguage({ channel });
document.title = text('view.title', { channel });
elements.channel.textContent = channel;
elements.video.setAttribute('aria-label', text('view.picture', { channel }));
controls.show();

elements.retry.addEventListener('click', () => viewer.reconnect());
elements.reconnect.addEventListener('click', () => viewer.reconnect());
elements.diagnose.addEventListener('click', diagnose);
elements.errorDiagnose.addEventListener('click', diagnose);
elements.video.addEventListener('pause', showPaused);
elements.video.addEventListener('playing', () => {
  elements.play.hidden = true;
  showState(viewer.state);
});
elements.play.addEventListener('click', () => void elements.video.play().catch(() => {}));
// Another token in the address bar is another permission.
addEventListener('hashchange', () => viewer.reconnect());
// Leaving frees the viewer's place at once; the page may be taken out of the browser's cache again later.
addEventListener('pagehide', () => viewer.close());
addEventListener('pageshow', (event) => {
  if (event.persisted) viewer.open();
});

/** @param {import('../sdk/viewer_session.js').ViewerState} state */
function showState(state) {
  const shown = shownState(state);
  document.documentElement.dataset.state = shown;
  elements.state.textContent = text(`state.${shown}`);
  elements.coverText.textContent = elements.state.textContent;
  elements.clientId.textContent = viewer.clientId;
  if (notice && state !== 'failed' && state !== 'closed') showBanner(noticeText(notice.id), { canReconnect: state !== 'watching' });
  else hideBanner();
  controls.show();
  if (state === 'watching') return;
  elements.play.hidden = true;
  showPicture({ width: null, height: null, frameRate: null, bitrate: null, delay: null });
  if (state === 'opening') {
    hideError();
    clearDetails();
  }
  if (state === 'failed' || state === 'closed') notice = null;
}

/**
 * What a person would call it: a picture that stands still is not live, and a camera that is gone is waited for.
 *
 * @param {import('../sdk/viewer_session.js').ViewerState} state
 */
function shownState(state) {
  if (state === 'watching' && notice) return 'stalled';
  if (state === 'recovering' && (notice?.id === 'camera-offline' || notice?.id === 'camera-silent')) return 'absent';
  return state;
}

/** @param {string} id  of a reason */
function noticeText(id) {
  if (hasText(`notice.${id}`)) return text(`notice.${id}`);
  return text('notice.other', { what: text(`error.${hasText(`error.${id}.what`) ? id : 'unknown'}.what`, { channel }) });
}

/** @param {Pick<import('../sdk/stats.js').ViewerStats, 'width' | 'height' | 'delay'> & {frameRate: number | null, bitrate: number | null}} figures */
function showPicture({ width, height, frameRate, bitrate, delay }) {
  elements.resolution.textContent = format.resolution(width, height);
  elements.frameRate.textContent = format.frameRate(frameRate, language);
  elements.bitrate.textContent = format.bitrate(bitrate, language);
  elements.delay.textContent = format.milliseconds(delay, language);
}

/** A browser may stop the video on its own, for instance to save power: a still picture without a word otherwise. */
function showPaused() {
  if (!elements.video.srcObject || viewer.state !== 'watching') return;
  elements.play.hidden = false;
  showBanner(text('view.paused'));
}

/** Loaded only when somebody wants it: the picture should not wait for it. */
async function diagnose() {
  const { showDiagnosis } = await import('./diagnose_panel.js');
  await showDiagnosis({ viewer, channel, requestSession });
}

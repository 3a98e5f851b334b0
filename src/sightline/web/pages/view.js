import { Viewer } from '../sdk/index.js';
import { showDetails, showFirstFrame } from './details.js';
import { hideError, showError } from './error_panel.js';
import * as format from './format.js';
import { applyLanguage, language, text } from './language.js';
import { channel, requestSession } from './session_request.js';
import { elements } from './view_elements.js';

// The page of one camera: /view/CHANNEL#TOKEN.

const viewer = new Viewer({ session: requestSession, video: elements.video });
viewer.on('statechange', ({ state }) => showState(state));
viewer.on('failed', (failure) => showError(failure, channel));
viewer.on('stats', (stats) => {
  showPicture(stats);
  showDetails(stats);
});
viewer.on('firstframe', (timings) => {
  const { videoWidth, videoHeight } = elements.video;
  elements.resolution.textContent = format.resolution(videoWidth, videoHeight);
  showFirstFrame(timings);
});
viewer.on('stall', ({ stalled }) => {
  showState(stalled ? 'stalled' : 'watching');
  showNotice(stalled ? text('view.stalled') : '');
});
viewer.on('track', (track) => {
  if (track.kind === 'audio') elements.sound.hidden = false;
});
viewer.on('playblocked', showPaused);
viewer.open();

applyLanguage({ channel });
document.title = text('view.title', { channel });
elements.channel.textContent = channel;
elements.video.setAttribute('aria-label', text('view.picture', { channel }));
showSound();

elements.retry.addEventListener('click', restart);
elements.sound.addEventListener('click', () => {
  elements.video.muted = !elements.video.muted;
});
elements.video.addEventListener('volumechange', showSound);
elements.video.addEventListener('pause', showPaused);
elements.video.addEventListener('playing', () => {
  elements.play.hidden = true;
  if (viewer.state === 'watching') showNotice('');
});
elements.play.addEventListener('click', () => void elements.video.play().catch(() => {}));
// Another token in the address bar is another permission.
addEventListener('hashchange', restart);
// Leaving frees the viewer's place at once; the page may be taken out of the browser's cache again later.
addEventListener('pagehide', () => viewer.close());
addEventListener('pageshow', (event) => {
  if (event.persisted) restart();
});

function restart() {
  viewer.close();
  viewer.open();
}

/** @param {import('../sdk/viewer_states.js').ViewerState | 'stalled'} state */
function showState(state) {
  document.documentElement.dataset.state = state;
  elements.state.textContent = text(`state.${state}`);
  elements.coverText.textContent = elements.state.textContent;
  elements.clientId.textContent = viewer.clientId ?? '–';
  if (state === 'watching' || state === 'stalled') return;
  showNotice('');
  elements.play.hidden = elements.sound.hidden = true;
  showPicture({ width: null, height: null, frameRate: null, bitrate: null });
  if (state === 'opening') {
    hideError();
    elements.firstFrame.textContent = '';
    elements.stages.replaceChildren();
  }
}

/** @param {{width: number | null, height: number | null, frameRate: number | null, bitrate: number | null}} figures */
function showPicture({ width, height, frameRate, bitrate }) {
  elements.resolution.textContent = format.resolution(width, height);
  elements.frameRate.textContent = format.frameRate(frameRate, language);
  elements.bitrate.textContent = format.bitrate(bitrate, language);
}

/** @param {string} words  nothing hides the notice */
function showNotice(words) {
  elements.notice.textContent = words;
  elements.notice.hidden = words === '';
}

/** A browser may stop the video on its own, for instance to save power: a still picture without a word otherwise. */
function showPaused() {
  if (!elements.video.srcObject) return;
  elements.play.hidden = false;
  showNotice(text('view.paused'));
}

function showSound() {
  const { muted } = elements.video;
  elements.sound.textContent = text(muted ? 'view.sound-on' : 'view.sound-off');
}

import { takeSnapshot } from '../sdk/snapshot.js';
import { hideBanner, showBanner } from './banner.js';
import { text } from './language.js';
import { press, toggleFullScreen } from './parts.js';
import { elements } from './view_elements.js';

/** How long a passing remark stays, in milliseconds. */
const REMARK = 5_000;

/**
 * The buttons beside the picture: sound, talk, snapshot, full screen.
 *
 * @param {import('../sdk/viewer.js').Viewer} viewer
 * @param {string} channel
 */
export function showControls(viewer, channel) {
  const { video, sound, talk, snapshot, fullScreen, frame } = elements;
  let hasSound = false;

  viewer.on('track', (track) => {
    hasSound ||= track.kind === 'audio';
    show();
  });
  viewer.on('talk', show);
  sound.addEventListener('click', () => { video.muted = !video.muted; });
  video.addEventListener('volumechange', show);
  talk.addEventListener('click', () => void toggleTalk(viewer).catch((error) => remark(text(refusal(error)))));
  snapshot.addEventListener('click', () => void save(channel));
  fullScreen.addEventListener('click', () => void toggleFullScreen(frame, video).catch(() => {}));
  document.addEventListener('fullscreenchange', show);

  function show() {
    const hasPicture = viewer.state === 'watching' || viewer.state === 'recovering';
    sound.hidden = !hasPicture || !hasSound;
    snapshot.hidden = fullScreen.hidden = !hasPicture;
    talk.hidden = !hasPicture && !viewer.isTalking; // nobody is listened to without a button that ends it
    talk.setAttribute('aria-disabled', String(hasPicture && !viewer.canTalk));
    press(sound, !video.muted, elements.soundText, text(video.muted ? 'view.sound-on' : 'view.sound-off'));
    press(talk, viewer.isTalking, elements.talkText, text(viewer.isTalking ? 'view.talk-stop' : 'view.talk'));
    const isFull = document.fullscreenElement !== null;
    press(fullScreen, isFull, elements.fullScreenText, text(isFull ? 'view.full-screen-leave' : 'view.full-screen'));
  }
  return { show };
}

/** @param {import('../sdk/viewer.js').Viewer} viewer */
async function toggleTalk(viewer) {
  if (viewer.isTalking) return viewer.stopTalking();
  if (!viewer.canTalk) return remark(text('view.talk-deaf'));
  await viewer.startTalking();
  if (viewer.isTalking) remark(text('view.talking'));
}

/** @param {unknown} error  what getUserMedia rejected with */
function refusal(error) {
  const name = error instanceof Error ? error.name : '';
  if (name === 'NotAllowedError' || name === 'SecurityError') return 'view.talk-denied';
  if (name === 'NotFoundError' || name === 'OverconstrainedError') return 'view.talk-missing';
  return 'view.talk-failed';
}

/**
 * Saves what is seen now as CHANNEL-DATE-TIME.png.
 *
 * @param {string} channel
 */
async function save(channel) {
  const picture = await takeSnapshot(elements.video);
  if (!picture) return;
  const now = new Date(Date.now() - new Date().getTimezoneOffset() * 60_000);
  const address = URL.createObjectURL(picture);
  const link = document.createElement('a');
  link.href = address;
  link.download = `${channel}-${now.toISOString().slice(0, 19).replaceAll(':', '').replace('T', '-')}.png`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), REMARK);
}

let remarkTimer = 0;

/**
 * Something that passes: what the session has to say goes before.
 *
 * @param {string} words
 */
function remark(words) {
  const { banner } = elements;
  if (!banner.hidden && banner.dataset.remark !== 'true') return;
  clearTimeout(remarkTimer);
  showBanner(words, { isRemark: true });
  remarkTimer = setTimeout(() => {
    if (banner.dataset.remark === 'true') hideBanner();
  }, REMARK);
}

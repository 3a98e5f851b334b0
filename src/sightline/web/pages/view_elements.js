/** The elements of view.html that its scripts write to. A missing one is a mistake in the page: say so at once. */

/**
 * @template {HTMLElement} Kind
 * @param {string} id
 * @param {new () => Kind} kind
 * @returns {Kind}
 */
function element(id, kind) {
  const found = document.getElementById(id);
  if (!(found instanceof kind)) throw new Error(`view.html has no ${kind.name} #${id}`);
  return found;
}

export const elements = {
  channel: element('channel', HTMLElement),
  frame: element('frame', HTMLElement),
  video: element('video', HTMLVideoElement),
  coverText: element('cover-text', HTMLElement),
  banner: element('banner', HTMLElement),
  bannerText: element('banner-text', HTMLElement),
  reconnect: element('reconnect', HTMLButtonElement),
  play: element('play', HTMLButtonElement),
  state: element('state', HTMLElement),
  sound: element('sound', HTMLButtonElement),
  soundText: element('sound-text', HTMLElement),
  talk: element('talk', HTMLButtonElement),
  talkText: element('talk-text', HTMLElement),
  snapshot: element('snapshot', HTMLButtonElement),
  fullScreen: element('full-screen', HTMLButtonElement),
  fullScreenText: element('full-screen-text', HTMLElement),
  error: element('error', HTMLElement),
  errorWhat: element('error-what', HTMLElement),
  errorMeans: element('error-means', HTMLElement),
  errorTried: element('error-tried', HTMLElement),
  errorDo: element('error-do', HTMLElement),
  errorId: element('error-id', HTMLElement),
  errorDiagnose: element('error-diagnose', HTMLButtonElement),
  retry: element('retry', HTMLButtonElement),
  resolution: element('resolution', HTMLElement),
  frameRate: element('frame-rate', HTMLElement),
  bitrate: element('bitrate', HTMLElement),
  delay: element('delay', HTMLElement),
  diagnosis: element('diagnosis', HTMLElement),
  clientId: element('client-id', HTMLElement),
  codec: element('codec', HTMLElement),
  path: element('path', HTMLElement),
  roundTrip: element('round-trip', HTMLElement),
  lost: element('lost', HTMLElement),
  stages: element('stages', HTMLElement),
  firstFrame: element('first-frame', HTMLOutputElement),
  diagnose: element('diagnose', HTMLButtonElement),
};

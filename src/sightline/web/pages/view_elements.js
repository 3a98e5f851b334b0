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
  video: element('video', HTMLVideoElement),
  stage: element('stage', HTMLElement),
  coverText: element('cover-text', HTMLElement),
  notice: element('notice', HTMLElement),
  play: element('play', HTMLButtonElement),
  sound: element('sound', HTMLButtonElement),
  error: element('error', HTMLElement),
  errorWhat: element('error-what', HTMLElement),
  errorMeans: element('error-means', HTMLElement),
  errorDo: element('error-do', HTMLElement),
  errorId: element('error-id', HTMLElement),
  retry: element('retry', HTMLButtonElement),
  state: element('state', HTMLElement),
  resolution: element('resolution', HTMLElement),
  frameRate: element('frame-rate', HTMLElement),
  bitrate: element('bitrate', HTMLElement),
  clientId: element('client-id', HTMLElement),
  codec: element('codec', HTMLElement),
  path: element('path', HTMLElement),
  roundTrip: element('round-trip', HTMLElement),
  lost: element('lost', HTMLElement),
  stages: element('stages', HTMLElement),
  firstFrame: element('first-frame', HTMLOutputElement),
};

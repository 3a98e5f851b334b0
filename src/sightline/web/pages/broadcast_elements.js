/** The elements of broadcast.html that its scripts write to. A missing one is a mistake in the page: say so at once. */

/**
 * @template {HTMLElement} Kind
 * @param {string} id
 * @param {new () => Kind} kind
 * @returns {Kind}
 */
function element(id, kind) {
  const found = document.getElementById(id);
  if (!(found instanceof kind)) throw new Error(`broadcast.html has no ${kind.name} #${id}`);
  return found;
}

export const elements = {
  channel: element('channel', HTMLElement),
  preview: element('preview', HTMLVideoElement),
  coverText: element('cover-words', HTMLElement),
  air: element('air', HTMLElement),
  start: element('start', HTMLButtonElement),
  stop: element('stop', HTMLButtonElement),
  banner: element('banner', HTMLElement),
  bannerText: element('banner-text', HTMLElement),
  bannerButton: element('banner-button', HTMLButtonElement),
  error: element('error', HTMLElement),
  errorWhat: element('error-what', HTMLElement),
  errorMeans: element('error-means', HTMLElement),
  errorDo: element('error-do', HTMLElement),
  errorId: element('error-id', HTMLElement),
  settings: element('settings', HTMLFormElement),
  source: element('source', HTMLFieldSetElement),
  sourceCamera: element('source-camera', HTMLInputElement),
  sourceScreen: element('source-screen', HTMLInputElement),
  deviceField: element('device-field', HTMLElement),
  device: element('device', HTMLSelectElement),
  microphone: element('microphone', HTMLInputElement),
  count: element('count', HTMLElement),
  nobody: element('nobody', HTMLElement),
  viewers: element('viewers', HTMLUListElement),
  link: element('link', HTMLInputElement),
  copy: element('copy', HTMLButtonElement),
  shareHint: element('share-hint', HTMLElement),
  shareCommand: element('share-command', HTMLElement),
};

/** The elements of call.html that its scripts write to. A missing one is a mistake in the page: say so at once. */

/**
 * @template {HTMLElement} Kind
 * @param {string} id
 * @param {new () => Kind} kind
 * @returns {Kind}
 */
function element(id, kind) {
  const found = document.getElementById(id);
  if (!(found instanceof kind)) throw new Error(`call.html has no ${kind.name} #${id}`);
  return found;
}

export const elements = {
  room: element('room', HTMLElement),
  me: element('me', HTMLElement),
  error: element('error', HTMLElement),
  errorWhat: element('error-what', HTMLElement),
  errorMeans: element('error-means', HTMLElement),
  errorDo: element('error-do', HTMLElement),
  errorId: element('error-id', HTMLElement),
  join: element('join', HTMLFormElement),
  name: element('name', HTMLInputElement),
  talk: element('talk', HTMLElement),
  side: element('side', HTMLElement),
  frame: element('frame', HTMLElement),
  remote: element('remote', HTMLVideoElement),
  noPicture: element('no-picture', HTMLElement),
  noSound: element('no-sound', HTMLElement),
  self: element('self', HTMLElement),
  local: element('local', HTMLVideoElement),
  coverWords: element('cover-words', HTMLElement),
  coverMore: element('cover-more', HTMLElement),
  cancel: element('cancel', HTMLButtonElement),
  banner: element('banner', HTMLElement),
  state: element('state', HTMLElement),
  mute: element('mute', HTMLButtonElement),
  muteText: element('mute-text', HTMLElement),
  cameraOff: element('camera-off', HTMLButtonElement),
  cameraOffText: element('camera-off-text', HTMLElement),
  share: element('share', HTMLButtonElement),
  shareText: element('share-text', HTMLElement),
  fullScreen: element('full-screen', HTMLButtonElement),
  fullScreenText: element('full-screen-text', HTMLElement),
  hangUp: element('hang-up', HTMLButtonElement),
  people: element('people', HTMLUListElement),
  nobody: element('nobody', HTMLElement),
  copy: element('copy', HTMLButtonElement),
  chat: element('chat', HTMLElement),
  lines: element('lines', HTMLOListElement),
  write: element('write', HTMLFormElement),
  line: element('line', HTMLInputElement),
  camera: element('camera', HTMLSelectElement),
  microphone: element('microphone', HTMLSelectElement),
  incoming: element('incoming', HTMLDialogElement),
  incomingWords: element('incoming-words', HTMLElement),
  accept: element('accept', HTMLButtonElement),
  decline: element('decline', HTMLButtonElement),
};

/**
 * Why watching failed: ids that never change (pages, tests and documents refer to them) with one English sentence
 * each. The service adds its own ids (`link-expired`, `unknown-channel`, ...), which come with their own sentence.
 *
 * @typedef {object} Failure
 * @property {string} id
 * @property {string} message
 */

/** @type {Readonly<Record<string, string>>} */
export const FAILURES = Object.freeze({
  'webrtc-unsupported': 'This browser cannot show live video: it has no WebRTC.',
  'service-unreachable': 'The Sightline service did not reply.',
  'signaling-refused': 'The service did not accept the signaling connection.',
  'signaling-lost': 'The signaling connection closed before the camera answered.',
  'no-answer': 'The camera did not answer.',
  'bad-answer': 'The camera sent an answer that this browser cannot use.',
  'no-path': 'No network path to the camera was found.',
  'no-media': 'The connection is up, but no picture arrived.',
  'connection-lost': 'The connection to the camera was lost.',
  'internal': 'Something went wrong in the page itself.',
});

/** An error with a stable id, for functions of the SDK that can fail. */
export class SightlineError extends Error {
  /**
   * @param {string} id
   * @param {string} [message]  English sentence; the id's own when left out
   */
  constructor(id, message) {
    super(message || FAILURES[id] || id);
    this.name = 'SightlineError';
    this.id = id;
  }
}

/**
 * Any thrown value as a failure; `id` is used for errors that carry none.
 *
 * @param {unknown} error
 * @param {string} id
 * @returns {Failure}
 */
export function failureFrom(error, id) {
  if (error instanceof SightlineError) return { id: error.id, message: error.message };
  const reason = error instanceof Error && error.message ? ` (${error.message})` : '';
  return { id, message: `${FAILURES[id] ?? id}${reason}` };
}

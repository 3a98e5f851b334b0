import { reasonOf } from './reasons.js';

/**
 * Why something failed: an id of `reasons.js` (or one of a newer service's) with a sentence for a person.
 *
 * @typedef {object} Failure
 * @property {string} id
 * @property {string} message
 */

/** An error with a stable id, for functions of the SDK that can fail. */
export class SightlineError extends Error {
  /**
   * @param {string} id
   * @param {string} [message]  English sentence; the id's own when left out
   */
  constructor(id, message) {
    super(message || reasonOf(id)?.message || id);
    this.name = 'SightlineError';
    this.id = id;
  }
}

/**
 * A reason of the session as a failure: with its own sentence when it came without one.
 *
 * @param {string} id
 * @param {string} [message]
 * @returns {Failure}
 */
export function failure(id, message) {
  return { id, message: message || reasonOf(id)?.message || id };
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
  const detail = error instanceof Error && error.message ? ` (${error.message})` : '';
  return { id, message: `${failure(id).message}${detail}` };
}

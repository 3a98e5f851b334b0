import { SightlineError } from './errors.js';

/** KVS.md §5.1, seed 001.5. */
const RULE = /^(?!AWS_)[A-Za-z0-9_.-]{1,256}$/i;
/** Nothing that looks like something else when it is read out: no 0, 1, i, l, o. */
const ALPHABET = 'abcdefghjkmnpqrstuvwxyz23456789';

export const CLIENT_ID_RULE = 'A client id has 1 to 256 of the characters A-Z a-z 0-9 . - _ and does not begin with AWS_. '
  + 'Capital and small letters differ.';

/**
 * The id as it is, when it keeps to the rules; else throws a SightlineError `bad-client-id` that says them.
 *
 * @param {string} id
 */
export function checkClientId(id) {
  if (!RULE.test(id)) throw new SightlineError('bad-client-id', `“${id.slice(0, 64)}” cannot be a client id. ${CLIENT_ID_RULE}`);
  return id;
}

/** A new id that a person can read out. */
export function freshClientId() {
  const drawn = crypto.getRandomValues(new Uint8Array(6));
  return `viewer-${Array.from(drawn, (byte) => ALPHABET[byte % ALPHABET.length]).join('')}`;
}

/**
 * The id of attempt number `number`: the viewer's own, then `NAME-2`, `NAME-3`… for cameras that refuse an id that
 * they have seen.
 *
 * @param {string} id
 * @param {number} number  from 1
 */
export function numberedClientId(id, number) {
  if (number <= 1) return id;
  const suffix = `-${number}`;
  return id.slice(0, 256 - suffix.length) + suffix;
}

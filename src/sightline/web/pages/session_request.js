import { freshClientId } from '../sdk/client_id.js';
import { sessionFromService } from '../sdk/session.js';

// What the address /view/CHANNEL#TOKEN says. The token stays in the fragment, which browsers send to nobody, so
// that the address can be bookmarked; it goes to the service in a header (sdk/session.js).

export const channel = channelFromPath(location.pathname);

/** This page's id, kept over retries: a camera knows that it is the same person, and frees the place of before. */
export const clientId = freshClientId();

// The page runs this module ahead of the others, so that the session is on its way while they are being loaded.
/** @type {Promise<import('../sdk/session.js').Session> | null} */
let early = ask(undefined, { clientId });
early.catch(() => {}); // reported to whoever takes it

/**
 * A session for the channel of this page.
 *
 * @param {AbortSignal} signal
 * @param {{clientId: string}} wanted
 */
export function requestSession(signal, wanted) {
  const request = early && wanted.clientId === clientId ? early : ask(signal, wanted);
  early = null;
  return request;
}

/** @param {AbortSignal | undefined} signal  @param {{clientId: string}} wanted */
function ask(signal, wanted) {
  return sessionFromService({ channel, role: 'viewer', token: location.hash.slice(1) })(signal, wanted);
}

/** @param {string} path */
function channelFromPath(path) {
  const name = path.replace(/^\/view\//, '').replace(/\/$/, '');
  try {
    return decodeURIComponent(name);
  } catch {
    return name;
  }
}

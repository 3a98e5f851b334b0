import { sessionFromService } from '../sdk/session.js';

// What the address /view/CHANNEL#TOKEN says. The token stays in the fragment, which browsers send to nobody, so
// that the address can be bookmarked; it goes to the service in a header (sdk/session.js).

export const channel = channelFromPath(location.pathname);

// The page runs this module ahead of the others, so that the session is on its way while they are being loaded.
/** @type {Promise<import('../sdk/session.js').Session> | null} */
let early = ask();
early.catch(() => {}); // reported to whoever takes it

/**
 * A session for the channel of this page.
 *
 * @param {AbortSignal} signal
 */
export function requestSession(signal) {
  const request = early ?? ask(signal);
  early = null;
  return request;
}

/** @param {AbortSignal} [signal] */
function ask(signal) {
  return sessionFromService({ channel, role: 'viewer', token: location.hash.slice(1) })(signal);
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

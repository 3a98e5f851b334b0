import { SightlineError } from './errors.js';
import { askService } from './service_request.js';

/**
 * All that is needed to open a signaling socket; the presigned URL is the only authority in it.
 *
 * @typedef {object} Session
 * @property {string} url                  presigned ws(s) URL of the signaling socket
 * @property {RTCIceServer[]} iceServers   STUN and TURN servers with their time-limited credentials
 * @property {string | null} [clientId]    this viewer's id; null for a master
 * @property {boolean} [operator]          whether this viewer's commands to the device are obeyed
 * @property {number} [expiresAt]          epoch seconds by the service's clock: until then the URL opens a socket
 */

/**
 * A function that asks a Sightline service for a session, for the `session` option of `Viewer`.
 *
 * @param {object} options
 * @param {string} options.channel
 * @param {'viewer' | 'master'} [options.role]
 * @param {string} [options.token]     link token; not needed by pages of the loopback listener
 * @param {string} [options.clientId]  asked-for client id; the service makes one up otherwise
 * @param {string} [options.service]   origin of the service; the page's own when left out
 * @param {typeof globalThis.fetch} [options.fetch]
 * @returns {(signal?: AbortSignal, wanted?: {clientId?: string}) => Promise<Session>} `wanted` is what a `Viewer` says;
 *   rejects with a SightlineError: the service's id, or `service-unreachable`
 */
export function sessionFromService({ channel, role = 'viewer', token, clientId, service = '', fetch }) {
  return async (signal, wanted) => {
    const id = clientId ?? wanted?.clientId;
    const body = await askService('/sightline/v1/session', { channel, role, ...(id ? { clientId: id } : {}) }, { token, service, fetch, signal });
    if (!isSession(body)) throw new SightlineError('service-unreachable', 'The service sent an unusable session.');
    return body;
  };
}

/**
 * @param {unknown} body
 * @returns {body is Session}
 */
function isSession(body) {
  const session = /** @type {Partial<Session> | null} */ (body);
  return typeof session?.url === 'string' && Array.isArray(session.iceServers);
}

import { SightlineError } from './errors.js';

/**
 * All that is needed to open a signaling socket; the presigned URL is the only authority in it.
 *
 * @typedef {object} Session
 * @property {string} url                  presigned ws(s) URL of the signaling socket
 * @property {RTCIceServer[]} iceServers   STUN and TURN servers with their time-limited credentials
 * @property {string | null} [clientId]    this viewer's id; null for a master
 * @property {number} [expiresAt]          epoch seconds by the service's clock: until then the URL opens a socket
 */

/**
 * A request that takes longer than this, in milliseconds, is made anew: it may have gone out on a connection of a network
 * that is no more. Browsers keep up to six idle ones for a host, hand them out one after the other, and wait for minutes.
 * After as many the service is just slow, and gets its time.
 */
const PATIENCE = 1_000;
const IDLE_CONNECTIONS = 6;

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
    const request = fetch ?? globalThis.fetch;
    /** @type {Record<string, string>} */
    const headers = { 'Content-Type': 'application/json' };
    if (token) headers['X-Sightline-Link'] = token;
    const { response, body } = await insist(async (signal) => {
      const response = await request(`${service}/sightline/v1/session`, {
        method: 'POST',
        headers,
        body: JSON.stringify({ channel, role, ...(id ? { clientId: id } : {}) }),
        cache: 'no-store',
        credentials: 'omit',
        referrerPolicy: 'no-referrer',
        signal,
      });
      return { response, body: /** @type {unknown} */ (await response.json().catch(() => null)) };
    }, signal);
    if (!response.ok) throw refusal(body, response.status);
    if (!isSession(body)) throw new SightlineError('service-unreachable', 'The service sent an unusable session.');
    return body;
  };
}

/**
 * Makes a request, and makes it anew while it hangs.
 *
 * @template Answer
 * @param {(signal: AbortSignal) => Promise<Answer>} ask
 * @param {AbortSignal} [signal]
 */
async function insist(ask, signal) {
  for (let tries = 1; ; tries += 1) {
    const aborter = new AbortController();
    let hangs = false;
    const abort = () => aborter.abort();
    signal?.addEventListener('abort', abort);
    if (signal?.aborted) abort();
    const timer = tries <= IDLE_CONNECTIONS ? setTimeout(() => { hangs = true; abort(); }, PATIENCE) : undefined;
    try {
      const answer = await ask(aborter.signal);
      if (!hangs) return answer;
    } catch {
      if (!hangs) throw new SightlineError('service-unreachable');
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener('abort', abort);
    }
    if (signal?.aborted) throw new SightlineError('service-unreachable');
  }
}

/**
 * @param {unknown} body
 * @param {number} status
 */
function refusal(body, status) {
  const error = /** @type {{error?: {id?: unknown, message?: unknown}} | null} */ (body)?.error;
  if (typeof error?.id === 'string') return new SightlineError(error.id, String(error.message ?? ''));
  return new SightlineError('service-unreachable', `The service replied with HTTP status ${status}.`);
}

/**
 * @param {unknown} body
 * @returns {body is Session}
 */
function isSession(body) {
  const session = /** @type {Partial<Session> | null} */ (body);
  return typeof session?.url === 'string' && Array.isArray(session.iceServers);
}

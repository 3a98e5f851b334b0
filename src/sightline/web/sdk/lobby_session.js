import { SightlineError } from './errors.js';

/**
 * A function that asks a Sightline service for a lobby's socket and ICE servers, for the `session` option of `Call`.
 *
 * @param {object} options
 * @param {string} [options.room]      the service's standard room when left out
 * @param {string} [options.token]     link token; not needed by pages of the loopback listener
 * @param {string} [options.service]   origin of the service; the page's own when left out
 * @param {typeof globalThis.fetch} [options.fetch]
 * @returns {(signal?: AbortSignal) => Promise<import('./lobby.js').LobbySession>} rejects with a SightlineError: the
 *   service's id, or `service-unreachable`
 */
export function lobbyFromService({ room = '', token = '', service = '', fetch }) {
  return async (signal) => {
    const request = fetch ?? globalThis.fetch;
    /** @type {Record<string, string>} */
    const headers = { 'Content-Type': 'application/json' };
    if (token) headers['X-Sightline-Link'] = token;
    /** @type {Response} */
    let response;
    /** @type {unknown} */
    let body;
    try {
      response = await request(`${service}/sightline/v1/call-session`, {
        method: 'POST',
        headers,
        body: JSON.stringify(room ? { room } : {}),
        cache: 'no-store',
        credentials: 'omit',
        referrerPolicy: 'no-referrer',
        signal: signal ?? null,
      });
      body = await response.json().catch(() => null);
    } catch {
      throw new SightlineError('service-unreachable');
    }
    if (!response.ok) throw refusal(body, response.status);
    const session = /** @type {Partial<import('./lobby.js').LobbySession> | null} */ (body);
    if (typeof session?.url !== 'string' || !Array.isArray(session.iceServers)) {
      throw new SightlineError('service-unreachable', 'The service sent an unusable session.');
    }
    return { url: session.url, iceServers: session.iceServers };
  };
}

/** @param {unknown} body  @param {number} status */
function refusal(body, status) {
  const error = /** @type {{error?: {id?: unknown, message?: unknown}} | null} */ (body)?.error;
  if (typeof error?.id === 'string') return new SightlineError(error.id, String(error.message ?? ''));
  return new SightlineError('service-unreachable', `The service replied with HTTP status ${status}.`);
}

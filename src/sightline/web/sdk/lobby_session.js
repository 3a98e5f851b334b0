import { SightlineError } from './errors.js';
import { askService } from './service_request.js';

/**
 * A function that asks a Sightline service for a lobby's socket and ICE servers, for the `session` option of `Call`.
 *
 * @param {object} [options]
 * @param {string} [options.room]      the link's room when left out, or the service's standard room
 * @param {string} [options.token]     link token (`sightline link --room`); not needed where the lobby is open
 * @param {string} [options.service]   origin of the service; the page's own when left out
 * @param {typeof globalThis.fetch} [options.fetch]
 * @returns {(signal?: AbortSignal) => Promise<import('./lobby.js').LobbySession>} rejects with a SightlineError: the
 *   service's id, or `service-unreachable`
 */
export function lobbyFromService({ room = '', token = '', service = '', fetch } = {}) {
  return async (signal) => {
    const body = await askService('/sightline/v1/call-session', room ? { room } : {}, { token, service, fetch, signal });
    const session = /** @type {Partial<import('./lobby.js').LobbySession> | null} */ (body);
    if (typeof session?.url !== 'string' || !Array.isArray(session.iceServers)) {
      throw new SightlineError('service-unreachable', 'The service sent an unusable session.');
    }
    return { url: session.url, iceServers: session.iceServers };
  };
}

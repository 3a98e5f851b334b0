import { SightlineError } from './errors.js';

/**
 * A request that takes longer than this, in milliseconds, is made anew: it may have gone out on a connection of a network
 * that is no more. Browsers keep up to six idle ones for a host, hand them out one after the other, and wait for minutes.
 * After as many the service is just slow, and gets its time.
 */
const PATIENCE = 1_000;
const IDLE_CONNECTIONS = 6;

/**
 * Asks a Sightline service for something, as JSON, with the authority of a link's token where there is one.
 *
 * @param {string} path
 * @param {Record<string, unknown>} wanted
 * @param {object} options
 * @param {string | undefined} [options.token]
 * @param {string} [options.service]  origin of the service; the page's own when left out
 * @param {typeof globalThis.fetch | undefined} [options.fetch]
 * @param {AbortSignal | undefined} [options.signal]
 * @returns {Promise<unknown>} rejects with a SightlineError: the service's id, or `service-unreachable`
 */
export async function askService(path, wanted, { token, service = '', fetch, signal }) {
  const request = fetch ?? globalThis.fetch;
  /** @type {Record<string, string>} */
  const headers = { 'Content-Type': 'application/json' };
  if (token) headers['X-Sightline-Link'] = token;
  const { response, body } = await insist(async (signal) => {
    const response = await request(`${service}${path}`, {
      method: 'POST',
      headers,
      body: JSON.stringify(wanted),
      cache: 'no-store',
      credentials: 'omit',
      referrerPolicy: 'no-referrer',
      signal,
    });
    return { response, body: /** @type {unknown} */ (await response.json().catch(() => null)) };
  }, signal);
  if (!response.ok) throw refusal(body, response.status);
  return body;
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

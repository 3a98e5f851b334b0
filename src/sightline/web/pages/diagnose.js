import { SightlineError } from '../sdk/errors.js';
import { Link } from '../sdk/link.js';
import { numberedClientId } from '../sdk/client_id.js';
import { reasonOf, reasonOfClose } from '../sdk/reasons.js';
import { platform } from '../sdk/timers.js';
import { Viewer } from '../sdk/viewer.js';
import { retryOnce } from '../sdk/viewer_session.js';
import { relayAllocates, stunAnswers } from './diagnose_ice.js';

/**
 * What `sightline doctor` does, from where the person is: each check with doctor's id, one line of what was seen, and
 * the reason where something is wrong. Texts are in diagnose_messages.js.
 *
 * @typedef {'ok' | 'warning' | 'failed' | 'skipped'} Mark
 *
 * @typedef {object} Verdict
 * @property {Mark} mark
 * @property {string} said                       id of the line that says what was seen
 * @property {Record<string, string | number>} [values]
 * @property {string} [reason]                   what it means and what to do: an id of reasons.js, or the check's own
 * @property {{said: string, values?: Record<string, string | number>}[]} [details]
 *
 * @typedef {object} Check
 * @property {string} id
 * @property {string[]} needs                    without these it cannot be made
 * @property {(visit: Visit) => Promise<Verdict>} run
 */

/** Milliseconds to wait for something that takes milliseconds. */
const PATIENCE = 5_000;
/** A service refuses signatures that are older than this (KVS.md §3.2), in seconds. */
const MAX_SKEW = 300;

/** @type {readonly Check[]} */
export const CHECKS = Object.freeze([
  { id: 'service-unreachable', needs: [], run: (visit) => visit.reach() },
  { id: 'tls-trust', needs: ['service-unreachable'], run: (visit) => visit.trust() },
  { id: 'clock-skew', needs: ['service-unreachable'], run: (visit) => visit.clock() },
  { id: 'link-invalid', needs: ['service-unreachable'], run: (visit) => visit.link() },
  { id: 'unknown-channel', needs: ['link-invalid'], run: (visit) => visit.channelExists() },
  { id: 'signaling-refused', needs: ['unknown-channel'], run: (visit) => visit.socketOpens() },
  { id: 'ice-expired', needs: ['unknown-channel'], run: (visit) => visit.iceServersAreFresh() },
  { id: 'stun', needs: ['ice-expired'], run: (visit) => visit.stun() },
  { id: 'turn', needs: ['ice-expired'], run: (visit) => visit.turn() },
  { id: 'camera-offline', needs: ['signaling-refused'], run: (visit) => visit.cameraIsThere() },
  { id: 'no-answer', needs: ['camera-offline'], run: (visit) => visit.cameraAnswers() },
  { id: 'no-common-codec', needs: ['no-answer'], run: (visit) => visit.codecInCommon() },
  { id: 'no-path', needs: ['no-common-codec'], run: (visit) => visit.pathIsFound() },
  { id: 'no-media', needs: ['no-path'], run: (visit) => visit.firstFrame() },
]);

/**
 * Makes all checks, one after the other.
 *
 * @param {Visit} visit
 * @param {(id: string, verdict: Verdict | null) => void} tell  null: the check has begun
 * @param {readonly Check[]} [checks]
 * @returns {Promise<boolean>} whether nothing failed
 */
export async function examine(visit, tell, checks = CHECKS) {
  /** @type {Set<string>} */
  const lost = new Set();
  let isFine = true;
  try {
    for (const { id, needs, run } of checks) {
      if (needs.some((need) => lost.has(need))) {
        lost.add(id);
        tell(id, { mark: 'skipped', said: 'diagnose.not-made' });
        continue;
      }
      tell(id, null);
      const verdict = await run(visit).catch((error) => failed(idOf(error), 'diagnose.error', { message: String(error?.message ?? error) }));
      if (verdict.mark === 'failed') {
        lost.add(id);
        isFine = false;
      }
      tell(id, verdict);
    }
  } finally {
    visit.end();
  }
  return isFine;
}

/** One look at everything, with what the checks learn from each other. */
export class Visit {
  #channel;
  #viewer;
  #request;
  #platform;
  /** The service's clock less ours, in seconds. */
  #skew = 0;
  /** @type {import('../sdk/session.js').Session | null} */
  #session = null;
  /** @type {string | null} why there is none */
  #refusal = null;
  /** @type {Link | null} */
  #link = null;
  /** @type {{present: boolean} | null} what the service said of the camera last */
  #camera = null;
  /** @type {string | null} what the service or the camera said was wrong */
  #notice = null;
  /** @type {Viewer | null} */
  #trial = null;
  /** @type {string | null} */
  #failure = null;
  #change = () => {};

  /**
   * @param {object} options
   * @param {Viewer} options.viewer   the page's own: while it watches, there is nothing to try
   * @param {string} options.channel
   * @param {(signal: AbortSignal, wanted: {clientId: string}) => Promise<import('../sdk/session.js').Session>} options.requestSession
   * @param {Partial<import('../sdk/timers.js').Platform> & {fetch?: typeof fetch, location?: Pick<Location, 'protocol' | 'hash'>}} [options.surroundings]
   */
  constructor({ viewer, channel, requestSession, surroundings = {} }) {
    this.#viewer = viewer;
    this.#channel = channel;
    this.#request = requestSession;
    this.#platform = { ...platform(surroundings), fetch: surroundings.fetch ?? globalThis.fetch.bind(globalThis), location: surroundings.location ?? globalThis.location };
  }

  /** Leaves nothing behind. */
  end() {
    this.#link?.close();
    this.#trial?.close();
    this.#link = this.#trial = null;
  }

  // -------------------------------------------------------------------------------------------------------- the service

  async reach() {
    const began = this.#platform.now();
    const response = await this.#platform.fetch('/healthz', { cache: 'no-store' }).catch(() => null);
    if (!response?.ok) return failed('service-unreachable', 'diagnose.service-no');
    const date = Date.parse(response.headers.get('date') ?? '');
    if (!Number.isNaN(date)) this.#skew = (date - Date.now()) / 1000;
    return fine('diagnose.service-ok', { ms: Math.round(this.#platform.now() - began) });
  }

  async trust() {
    return fine(this.#platform.location.protocol === 'https:' ? 'diagnose.tls-ok' : 'diagnose.tls-local');
  }

  /** @returns {Promise<Verdict>} */
  async clock() {
    const seconds = Math.round(Math.abs(this.#skew));
    if (seconds > MAX_SKEW) return failed('clock-skew', 'diagnose.clock-off', { seconds });
    if (seconds > MAX_SKEW / 10) return { mark: 'warning', said: 'diagnose.clock-off', values: { seconds }, reason: 'clock-skew' };
    return fine('diagnose.clock-ok');
  }

  async link() {
    const { hash } = this.#platform.location;
    try {
      this.#session = await this.#request(new AbortController().signal, { clientId: this.#clientId });
    } catch (error) {
      this.#refusal = idOf(error);
      if (this.#refusal !== 'unknown-channel') return failed(this.#refusal, 'diagnose.link-no');
    }
    return fine(hash.length > 1 ? 'diagnose.link-ok' : 'diagnose.link-none');
  }

  async channelExists() {
    if (!this.#session) return failed('unknown-channel', 'diagnose.channel-no', { channel: this.#channel });
    return fine('diagnose.channel-ok', { channel: this.#channel });
  }

  async socketOpens() {
    const began = this.#platform.now();
    const link = new Link({ request: async () => /** @type {import('../sdk/session.js').Session} */ (this.#session), platform: this.#platform });
    this.#link = link;
    let isOpen = false;
    /** @type {string | null} */
    let failure = null;
    link.on('open', () => { isOpen = true; this.#change(); });
    link.on('failure', ({ id }) => { failure = id; this.#change(); });
    link.on('close', ({ code }) => {
      failure = this.#notice ?? reasonOfClose(code)?.id ?? 'signaling-refused';
      this.#change();
    });
    void link.open((signaling) => {
      signaling.on('master', (camera) => { this.#camera = camera; this.#change(); });
      signaling.on('notice', ({ reason }) => { this.#notice = reason; this.#change(); });
    });
    await this.#until(() => isOpen || failure !== null, 2 * PATIENCE);
    const took = Math.round(this.#platform.now() - began);
    if (failure !== null || !isOpen) return failed(failure ?? 'signaling-refused', 'diagnose.signaling-no');
    return fine('diagnose.signaling-ok', { ms: took });
  }

  // -------------------------------------------------------------------------------------------------------- ICE servers

  async iceServersAreFresh() {
    const { iceServers = [] } = this.#session ?? {};
    const now = Date.now() / 1000 + this.#skew;
    const until = Math.min(...iceServers.filter(({ credential }) => credential).map(({ username }) => parseInt(username ?? '', 10)));
    const values = { count: urlsOf(iceServers).length, minutes: Math.max(1, Math.round((until - now) / 60)) };
    if (until < now) return failed('ice-expired', 'diagnose.ice-old', values);
    return fine(Number.isFinite(until) ? 'diagnose.ice-ok' : 'diagnose.ice-no-credentials', values);
  }

  async stun() {
    const urls = urlsOf(this.#session?.iceServers ?? []).filter((url) => url.startsWith('stun'));
    if (urls.length === 0) return skipped('diagnose.stun-none');
    const found = await stunAnswers(this.#platform, urls, PATIENCE);
    if (found === 'reflexive') return fine('diagnose.stun-ok');
    if (found === 'silent' && urls.every(isHere)) return skipped('diagnose.here');
    return found === 'direct' ? fine('diagnose.stun-direct') : failed('stun', 'diagnose.stun-no', { url: urls.join(', ') });
  }

  /** Each address by itself: udp, tcp and tls get through different firewalls. @returns {Promise<Verdict>} */
  async turn() {
    const servers = (this.#session?.iceServers ?? []).flatMap((server) => urlsOf([server])
      .filter((url) => url.startsWith('turn'))
      .map((url) => ({ ...server, urls: url })));
    if (servers.length === 0) return skipped('diagnose.turn-none');
    const found = await Promise.all(servers.map((server) => relayAllocates(this.#platform, server, PATIENCE)));
    const working = found.filter(({ allocated }) => allocated).length;
    if (working === 0 && found.every(({ url, code }) => isHere(url) && code !== 401)) return skipped('diagnose.here');
    const details = found.map(({ url, allocated, code }) => ({
      said: allocated ? 'diagnose.turn-line-ok' : code === 401 ? 'diagnose.turn-line-refused' : 'diagnose.turn-line-no',
      values: { url },
    }));
    const values = { working, count: servers.length };
    if (working === servers.length) return { ...fine('diagnose.turn-ok', values), details };
    const reason = found.some(({ code }) => code === 401) ? 'ice-expired' : 'turn';
    return { mark: working > 0 ? 'warning' : 'failed', said: 'diagnose.turn-ok', values, reason, details };
  }

  // --------------------------------------------------------------------------------------------------------- the camera

  async cameraIsThere() {
    const signaling = this.#link?.signaling;
    if (!signaling?.hasExtras) return skipped('diagnose.camera-untold');
    this.#camera = this.#notice = null;
    signaling.sendAsk(); // the service pings the camera, and says so within 2 s when it does not react
    await this.#until(() => this.#camera !== null, PATIENCE);
    const camera = /** @type {{present: boolean} | null} */ (this.#camera);
    if (!camera?.present) return failed('camera-offline', 'diagnose.camera-no');
    return fine('diagnose.camera-ok');
  }

  async cameraAnswers() {
    if (this.#viewer.state === 'watching') return fine('diagnose.answer-watching');
    const trial = new Viewer({
      session: this.#request,
      clientId: this.#clientId,
      policy: retryOnce({ retries: 0 }),
      platform: this.#platform,
    });
    this.#trial = trial;
    trial.on('failed', ({ id }) => { this.#failure = id; this.#change(); });
    trial.on('notice', (notice) => { if (notice?.id === 'camera-silent') this.#failure = notice.id; this.#change(); });
    for (const event of /** @type {const} */ (['statechange', 'firstframe', 'stats'])) trial.on(event, () => this.#change());
    trial.open();
    return this.#stage('answer', 'no-answer', (ms) => fine('diagnose.answer-ok', { ms }));
  }

  async codecInCommon() {
    const { codec } = this.#watched;
    return codec ? fine('diagnose.codec-ok', { codec }) : failed('no-common-codec', 'diagnose.codec-no');
  }

  async pathIsFound() {
    return this.#stage('connected', 'no-path', (ms) => fine('diagnose.path-ok', { ms }));
  }

  async firstFrame() {
    return this.#stage('firstFrame', 'no-media', (ms) => fine('diagnose.frame-ok', { ms }));
  }

  /** Whose connection is looked at. */
  get #watched() {
    return this.#trial ?? this.#viewer;
  }

  get #clientId() {
    return numberedClientId(`${this.#viewer.clientId}-check`, 1);
  }

  /**
   * Waits until the connection has come to a stage.
   *
   * @param {'answer' | 'connected' | 'firstFrame'} stage
   * @param {string} reason  why not, when nothing else is told
   * @param {(ms: number) => Verdict} say
   */
  async #stage(stage, reason, say) {
    await this.#until(() => this.#watched.timings?.[stage] !== undefined || this.#failure !== null, 4 * PATIENCE);
    const ms = this.#watched.timings?.[stage];
    if (ms === undefined) return failed(this.#failure ?? reason, `diagnose.${reason}-no`);
    return say(Math.round(ms));
  }

  /** @param {() => boolean} isSo  @param {number} ms */
  async #until(isSo, ms) {
    if (isSo()) return;
    await new Promise((resolve) => {
      const timer = this.#platform.setTimeout(() => resolve(null), ms);
      this.#change = () => {
        if (!isSo()) return;
        this.#platform.clearTimeout(timer);
        resolve(null);
      };
    });
    this.#change = () => {};
  }
}

/** @param {string} said  @param {Record<string, string | number>} [values]  @returns {Verdict} */
function fine(said, values) {
  return { mark: 'ok', said, values };
}

/** @param {string} said  @returns {Verdict} */
function skipped(said) {
  return { mark: 'skipped', said };
}

/** @param {string} reason  @param {string} said  @param {Record<string, string | number>} [values]  @returns {Verdict} */
function failed(reason, said, values) {
  return { mark: 'failed', said, values, reason };
}

/** @param {unknown} error */
function idOf(error) {
  return error instanceof SightlineError && reasonOf(error.id) ? error.id : 'internal';
}

/** Firefox asks no servers on the device itself, where nothing needs them. @param {string} url */
function isHere(url) {
  return /^(stun|turn)s?:(127\.|localhost|\[::1\])/.test(url);
}

/** @param {readonly RTCIceServer[]} servers */
function urlsOf(servers) {
  return servers.flatMap(({ urls }) => urls);
}

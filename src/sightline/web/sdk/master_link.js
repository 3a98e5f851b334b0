import { SightlineError, failureFrom } from './errors.js';
import { Emitter } from './events.js';
import { Backoff } from './master_backoff.js';
import { REASONS } from './reasons.js';
import { SignalingClient } from './signaling.js';

/** Seconds for a session and its socket. */
const OPEN_LIMIT = 15;
/** Seconds for which an answer or a candidate waits for the socket to come back; a viewer waits 15 for its answer. */
const USEFUL = 10;
/** With this code a service closes a master's socket when another master has taken its channel. */
const REPLACED = 4409;

/**
 * The master's connection to signaling, for ever: a lost socket is opened again after a random wait, one that the
 * service is about to close (GO_AWAY, RECONNECT_ICE_SERVER) is replaced before it closes. It stops only where trying
 * again is useless: a final reason, or another master that took over.
 *
 * @typedef {import('./errors.js').Failure} Failure
 * @typedef {import('./session.js').Session} Session
 *
 * @typedef {object} MasterLinkEvents
 * @property {Session} open          a new socket is in use
 * @property {{failure: Failure, retryIn: number}} lost  seconds until the next attempt
 * @property {Failure} refused       for a reason that waiting does not cure
 * @property {null} replaced         another master has the channel
 * @property {RTCIceServer[]} iceservers  fresh ones, for whatever is gathered next
 * @property {{sdp: string, clientId: string}} offer
 * @property {{candidate: RTCIceCandidateInit, clientId: string}} candidate
 * @property {{open: boolean, extras: boolean, clientId: string}} socket  a viewer's signaling socket came or went
 * @property {{clientId: string}} farewell
 * @property {import('./signaling.js').StatusResponse} statusresponse
 *
 * @typedef {{aborter: AbortController, signaling: SignalingClient | null, session: Session | null}} Attempt
 */

/** @extends {Emitter<MasterLinkEvents>} */
export class MasterLink extends Emitter {
  #request;
  #platform;
  #random;
  #renewEvery;
  #backoff = new Backoff();
  /** @type {Attempt | null} */
  #current = null;
  /** @type {Attempt | null} being opened, beside the current one or after it */
  #next = null;
  /** @type {Map<'limit' | 'retry' | 'renew', unknown>} */
  #timers = new Map();
  /** @type {AbortController | null} */
  #renewal = null;
  /** @type {{until: number, send: (signaling: SignalingClient) => boolean}[]} */
  #waiting = [];
  #isActive = false;

  /**
   * @param {object} options
   * @param {(signal: AbortSignal) => Promise<Session>} options.request
   * @param {import('./timers.js').Platform} options.platform
   * @param {() => number} options.random
   * @param {number} options.renewEvery  seconds after which relay credentials are fetched anew
   */
  constructor({ request, platform, random, renewEvery }) {
    super();
    this.#request = request;
    this.#platform = platform;
    this.#random = random;
    this.#renewEvery = renewEvery;
  }

  get isOpen() {
    return this.#current?.signaling?.isOpen ?? false;
  }

  /** Connects, and from now on stays connected. */
  open() {
    if (this.#isActive) return;
    this.#isActive = true;
    this.#attempt();
  }

  /** Tries now: the network is another one, or a person does not want to wait. A socket in use stays until then. */
  retry() {
    if (this.#isActive) this.#attempt();
  }

  /** Safe in any state, and again; no event follows. */
  close() {
    this.#isActive = false;
    this.#abandon();
    this.#current?.signaling?.close();
    this.#current = null;
    this.#renewal?.abort();
    for (const name of this.#timers.keys()) this.#clear(name);
    this.#waiting = [];
  }

  /**
   * Sends now, or when the socket is back if that is soon enough to be of use.
   *
   * @param {(signaling: SignalingClient) => boolean} send
   */
  send(send) {
    const signaling = this.#current?.signaling;
    if (signaling && send(signaling)) return;
    if (this.#isActive) this.#waiting.push({ until: this.#now() + USEFUL, send });
  }

  /** Sends now or not at all; says which. @param {(signaling: SignalingClient) => boolean} send */
  sendNow(send) {
    const signaling = this.#current?.signaling;
    return signaling ? send(signaling) : false;
  }

  // ------------------------------------------------------------------------------------------- attempts

  #attempt() {
    this.#abandon();
    this.#clear('retry');
    /** @type {Attempt} */
    const attempt = { aborter: new AbortController(), signaling: null, session: null };
    this.#next = attempt;
    this.#set('limit', OPEN_LIMIT, () => {
      this.#fail(new SightlineError(attempt.session ? 'signaling-refused' : 'service-unreachable'));
    });
    this.#connect(attempt).catch((error) => {
      if (this.#next === attempt) this.#fail(error);
    });
  }

  /** @param {Attempt} attempt */
  async #connect(attempt) {
    const session = await this.#ask(attempt.aborter.signal);
    if (this.#next !== attempt) return;
    attempt.session = session;
    const signaling = new SignalingClient({ url: session.url, WebSocket: this.#platform.WebSocket });
    attempt.signaling = signaling;
    signaling.on('open', () => this.#opened(attempt, session));
    signaling.on('close', ({ code }) => this.#closed(attempt, code));
    signaling.on('notice', ({ reason, message }) => this.#refuseIfFinal(attempt, { id: reason, message }));
    signaling.on('goAway', () => this.#renewSocket(attempt));
    signaling.on('reconnectIceServer', () => this.#renewSocket(attempt));
    signaling.on('statusResponse', (status) => this.emit('statusresponse', status));
    this.#hear(signaling);
    try {
      signaling.open();
    } catch (error) { // an unusable URL, or ws:// on a page that came over https://
      throw new SightlineError('signaling-refused', failureFrom(error, 'signaling-refused').message);
    }
  }

  /** @param {AbortSignal} signal  @returns {Promise<Session>} */
  async #ask(signal) {
    try {
      return await this.#request(signal);
    } catch (error) {
      throw error instanceof SightlineError ? error : new SightlineError('service-unreachable', failureFrom(error, 'service-unreachable').message);
    }
  }

  /** What viewers say. @param {SignalingClient} signaling */
  #hear(signaling) {
    signaling.on('sdpOffer', ({ description, sender }) => {
      if (sender) this.emit('offer', { sdp: description.sdp ?? '', clientId: sender });
    });
    signaling.on('iceCandidate', ({ candidate, sender }) => {
      if (sender) this.emit('candidate', { candidate, clientId: sender });
    });
    signaling.on('extra', ({ type, payload, sender }) => {
      if (!sender) return;
      if (type === 'sightline/farewell') this.emit('farewell', { clientId: sender });
      else if (type === 'sightline/viewer' && typeof payload.open === 'boolean') {
        this.emit('socket', { open: payload.open, extras: payload.extras === true, clientId: sender });
      }
    });
  }

  /** @param {Attempt} attempt  @param {Session} session */
  #opened(attempt, session) {
    if (this.#next !== attempt) return;
    this.#next = null;
    this.#clear('limit');
    // Only now: in between there was always a socket to be reached by. Closed here, the old one tells nothing more.
    this.#current?.signaling?.close();
    this.#current = attempt;
    this.#backoff.opened(this.#now());
    this.emit('open', session);
    if (this.#current !== attempt) return;
    const waiting = this.#waiting.splice(0);
    for (const message of waiting) if (message.until > this.#now()) this.send(message.send);
    this.#renewLater(session.iceServers);
  }

  /** @param {Attempt} attempt  @param {number} code */
  #closed(attempt, code) {
    if (this.#next === attempt) return this.#fail(new SightlineError('signaling-refused'));
    if (this.#current !== attempt) return;
    this.#current = null;
    if (code === REPLACED) {
      this.close();
      this.emit('replaced', null);
      return;
    }
    if (!this.#next) this.#fail(new SightlineError('signaling-lost', 'The connection to the service was lost.'));
  }

  /** @param {Attempt} attempt */
  #renewSocket(attempt) {
    if (this.#current === attempt && !this.#next) this.#attempt();
  }

  /** @param {unknown} error */
  #fail(error) {
    const failure = failureFrom(error, 'internal');
    this.#abandon();
    if (this.#refuseIfFinal(null, failure)) return;
    const retryIn = this.#backoff.lost(this.#now(), this.#random());
    this.#set('retry', retryIn, () => this.#attempt());
    if (!this.isOpen) this.emit('lost', { failure, retryIn });
  }

  /** @param {Attempt | null} attempt  null: the one that failed  @param {Failure} failure */
  #refuseIfFinal(attempt, failure) {
    if (attempt && attempt !== this.#current && attempt !== this.#next) return false;
    if (!isFinal(failure.id)) return false;
    this.close();
    if (failure.id === 'client-id-in-use') { // a channel has one master: whoever comes takes it
      this.emit('replaced', null);
      return true;
    }
    this.emit('refused', failure);
    return true;
  }

  /** Gives up the attempt that is under way. */
  #abandon() {
    this.#clear('limit');
    const attempt = this.#next;
    this.#next = null;
    attempt?.aborter.abort();
    attempt?.signaling?.close();
  }

  // ---------------------------------------------------------------------------------------- ICE servers

  /** Relay credentials end: fresh ones serve whatever is gathered next. @param {RTCIceServer[]} servers */
  #renewLater(servers) {
    if (!servers.some(({ credential }) => credential)) return;
    this.#set('renew', this.#renewEvery, () => {
      const renewal = this.#renewal = new AbortController();
      this.#ask(renewal.signal).then(({ iceServers }) => {
        if (renewal.signal.aborted) return;
        this.emit('iceservers', iceServers);
        this.#renewLater(iceServers);
      }, () => {
        if (!renewal.signal.aborted) this.#renewLater(servers); // the old ones may do for a while
      });
    });
  }

  // --------------------------------------------------------------------------------------------- timers

  #now() {
    return this.#platform.now() / 1000;
  }

  /** @param {'limit' | 'retry' | 'renew'} name  @param {number} seconds  @param {() => void} callback */
  #set(name, seconds, callback) {
    this.#clear(name);
    this.#timers.set(name, this.#platform.setTimeout(() => {
      this.#timers.delete(name);
      callback();
    }, seconds * 1000));
  }

  /** @param {'limit' | 'retry' | 'renew'} name */
  #clear(name) {
    this.#platform.clearTimeout(this.#timers.get(name));
    this.#timers.delete(name);
  }
}

/** @param {string} id */
function isFinal(id) {
  return Object.hasOwn(REASONS, id) && REASONS[/** @type {import('./reasons.js').ReasonId} */ (id)].final;
}

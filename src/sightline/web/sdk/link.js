import { Emitter } from './events.js';
import { SightlineError, failureFrom } from './errors.js';
import { SignalingClient } from './signaling.js';

/**
 * One session and the one signaling socket that it opens. When a socket dies or is about to, there will be another
 * link; so each is asked for, opened and closed once.
 *
 * @typedef {object} LinkEvents
 * @property {import('./session.js').Session} session
 * @property {import('./errors.js').Failure} failure   no session, or an unusable one
 * @property {null} open                               the socket is open, and not only to say that it is refused
 * @property {{code: number}} close                    the socket closed, or never opened
 */

/** How long an open socket of a Sightline waits for its first word, in milliseconds: it comes with the upgrade. */
const FIRST_WORD = 500;

/** @extends {Emitter<LinkEvents>} */
export class Link extends Emitter {
  /** @type {SignalingClient | null} null until the session is here, and after close() */
  signaling = null;
  /** What was offered on this socket, in order: a camera answers in the same order. @type {number[]} */
  offers = [];
  #aborter = new AbortController();
  #request;
  #platform;
  #isOpen = false;
  /** @type {unknown} */
  #timer = null;

  /**
   * @param {object} options
   * @param {(signal: AbortSignal) => Promise<import('./session.js').Session>} options.request
   * @param {Pick<import('./timers.js').Platform, 'WebSocket' | 'setTimeout' | 'clearTimeout'>} options.platform
   */
  constructor({ request, platform }) {
    super();
    this.#request = request;
    this.#platform = platform;
  }

  /**
   * Asks for the session, then opens the socket.
   *
   * @param {(signaling: SignalingClient) => void} listen  puts the listeners on, before anything can be heard
   */
  async open(listen) {
    const { signal } = this.#aborter;
    try {
      const session = await this.#ask(signal);
      if (signal.aborted) return;
      this.emit('session', session);
      if (!signal.aborted) this.#connect(session.url, listen);
    } catch (error) {
      if (!signal.aborted) this.emit('failure', failureFrom(error, 'internal'));
    }
  }

  /** Gives up what is under way; the socket closes without a further event. Safe to call again. */
  close() {
    this.#aborter.abort();
    this.#platform.clearTimeout(this.#timer);
    this.signaling?.close();
    this.signaling = null;
  }

  /** @param {AbortSignal} signal */
  async #ask(signal) {
    try {
      return await this.#request(signal);
    } catch (error) {
      throw error instanceof SightlineError ? error : new SightlineError('service-unreachable', String(error));
    }
  }

  /** @param {string} url  @param {(signaling: SignalingClient) => void} listen */
  #connect(url, listen) {
    const signaling = new SignalingClient({ url, WebSocket: this.#platform.WebSocket });
    this.signaling = signaling;
    const opened = () => this.#opened();
    signaling.on('open', () => {
      // A Sightline opens a socket that it refuses too, to say why (KVS.md §5.1). Its first word shows which it is.
      if (signaling.hasExtras) this.#timer = this.#platform.setTimeout(opened, FIRST_WORD);
      else opened();
    });
    for (const word of /** @type {const} */ (['master', 'sdpAnswer', 'iceCandidate'])) signaling.on(word, opened);
    signaling.on('notice', () => this.#platform.clearTimeout(this.#timer));
    signaling.on('close', ({ code }) => {
      this.#platform.clearTimeout(this.#timer);
      this.emit('close', { code });
    });
    listen(signaling);
    try {
      signaling.open();
    } catch (error) { // an unusable URL, or ws:// on a page that came over https://
      throw new SightlineError('signaling-refused', failureFrom(error, 'signaling-refused').message);
    }
  }

  #opened() {
    this.#platform.clearTimeout(this.#timer);
    if (this.#isOpen || !this.signaling) return;
    this.#isOpen = true;
    this.emit('open', null);
  }
}

import { MASTER_TIMERS } from './registry_timers.js';

/**
 * In which of the W3C's six states a viewer's connection is, and what is kept for it: the twin of Python's
 * sessions/connection_state.py, held to it by tests/vectors/viewer_registry.json. The browser's own states are too slow
 * for it: Chromium takes 5 s to say `disconnected` and up to 30 to say `failed`.
 *
 *                    answer            path and keys           silence 3 s
 *             new ───────────► connecting ───────► connected ◄─────────────► disconnected
 *                                 │    ▲                          heard           │
 *                not within 30 s  │    └───── ICE restart ─────┐                  │ silence 10 s; 3 s when
 *                                 ▼                            │                  ▼ signaling is closed too
 *                               failed ◄───────────────────── failed (asleep: keys, nothing sent) ──► closed after 60 s
 *
 *       close_notify, a page's farewell, the master's own end: closed, from any state, at once
 *
 * @typedef {'new' | 'connecting' | 'connected' | 'disconnected' | 'failed' | 'closed'} ConnectionState
 * @typedef {'answered' | 'path-and-keys' | 'heard-again' | 'silent' | 'no-path' | 'no-keys' | 'ice-restart'
 *   | 'close-notify' | 'bye' | 'farewell' | 'replaced' | 'ended' | 'not-revived' | 'broken'} ConnectionReason
 * @typedef {'everything' | 'keys' | 'nothing'} Held  `keys`: nothing is sent, and a restart revives it
 *
 * @typedef {object} Transition
 * @property {ConnectionState} from
 * @property {ConnectionState} to
 * @property {ConnectionReason} reason
 */

/** @param {ConnectionState} state  only a late ICE restart revives one that failed */
export function isFinal(state) {
  return state === 'failed' || state === 'closed';
}

/** One viewer's connection. Times are seconds of one steady clock; each input returns the change that it made. */
export class ConnectionMachine {
  /** @type {ConnectionState} */
  state = 'new';
  /** When it came into the state. */
  since;
  /** @type {ConnectionReason | null} */
  reason = null;
  #timers;
  #hasPath = false;
  #hasKeys = false;
  #heardAt;
  #signalingClosed = false;
  #connectBy = 0;

  /** @param {number} now  @param {Partial<import('./registry_timers.js').MasterTimers>} [timers] */
  constructor(now, timers = {}) {
    this.since = this.#heardAt = now;
    this.#timers = { ...MASTER_TIMERS, ...timers };
  }

  /** @returns {Held} what is kept for it now */
  get held() {
    if (!isFinal(this.state)) return 'everything';
    return this.state === 'failed' && this.#hasKeys ? 'keys' : 'nothing';
  }

  // ------------------------------------------------------------------------------------------ it comes up

  /** The viewer's first offer was answered. @param {number} now */
  answered(now) {
    if (this.state !== 'new') return null;
    this.#connectBy = now + this.#timers.viewerConnect;
    return this.#enter('connecting', 'answered', now);
  }

  /** A pair of the newest ICE generation has answered a check (RFC 8445 §7.2.5.3). @param {number} now */
  pathValid(now) {
    this.#hasPath = true;
    return this.heard(now) ?? this.#complete(now);
  }

  /** The DTLS handshake is done: there are keys for SRTP (RFC 5764). @param {number} now */
  keysAgreed(now) {
    this.#hasKeys = true;
    return this.heard(now) ?? this.#complete(now);
  }

  /** Something valid came from the viewer at that time: a check or its answer, RTP, RTCP. @param {number} at */
  heard(at) {
    this.#heardAt = Math.max(this.#heardAt, at);
    return this.state === 'disconnected' && at > this.since ? this.#enter('connected', 'heard-again', at) : null;
  }

  /** An ICE restart of this session began: one more while for it, and life for a sleeper. @param {number} now */
  restart(now) {
    if (this.state !== 'connected') this.#heardAt = Math.max(this.#heardAt, now);
    this.#connectBy = now + this.#timers.viewerConnect;
    if (this.held !== 'keys') return null;
    this.#hasPath = false;
    return this.#enter('connecting', 'ice-restart', now);
  }

  // -------------------------------------------------------------------------------------------- it ends

  /**
   * The viewer's signaling socket came or went. Alone it frees nothing: some close it when media flows.
   *
   * @param {boolean} isOpen
   */
  signaling(isOpen) {
    this.#signalingClosed = !isOpen;
  }

  /** ICE has given up: no check succeeded, or all paths have been silent for long. @param {number} now */
  noPath(now) {
    if (this.state === 'new' || isFinal(this.state)) return null;
    return this.#enter('failed', this.#hasPath ? 'silent' : 'no-path', now);
  }

  /** The DTLS handshake failed, or the association broke: there is nothing to go on with. @param {number} now */
  noKeys(now) {
    if (isFinal(this.state)) return null;
    this.#hasKeys = false;
    return this.#enter('failed', 'no-keys', now);
  }

  /**
   * Somebody said goodbye, or the session can no longer be used: everything is freed at once.
   *
   * @param {ConnectionReason} reason
   * @param {number} now
   */
  ended(reason, now) {
    return this.state === 'closed' ? null : this.#enter('closed', reason, now);
  }

  // ------------------------------------------------------------------------------------------------ time

  /** When `tick` has something to do at the earliest. @returns {number | null} */
  nextDeadline() {
    switch (this.state) {
      case 'connecting': return this.#connectBy;
      case 'connected': return this.#heardAt + this.#timers.viewerDisconnected;
      case 'disconnected': return this.#heardAt + this.#patience;
      case 'failed': return this.since + (this.#hasKeys ? this.#timers.viewerSleep : 0);
      default: return null;
    }
  }

  /** The change that is due; to be called again until there is none. @param {number} now */
  tick(now) {
    const deadline = this.nextDeadline();
    if (deadline === null || now < deadline) return null;
    switch (this.state) {
      case 'connected': return this.#enter('disconnected', 'silent', now);
      case 'disconnected': return this.#enter('failed', 'silent', now);
      case 'connecting': return this.#enter('failed', this.#hasPath ? 'no-keys' : 'no-path', now);
      default: return this.#enter('closed', 'not-revived', now);
    }
  }

  get #patience() {
    return this.#signalingClosed ? this.#timers.viewerFailedWithoutSignaling : this.#timers.viewerFailed;
  }

  /** @param {number} now */
  #complete(now) {
    if (this.state !== 'connecting' || !this.#hasPath || !this.#hasKeys) return null;
    return this.#enter('connected', 'path-and-keys', now);
  }

  /**
   * @param {ConnectionState} to
   * @param {ConnectionReason} reason
   * @param {number} now
   * @returns {Transition}
   */
  #enter(to, reason, now) {
    const transition = { from: this.state, to, reason };
    this.state = to;
    this.since = now;
    this.reason = reason;
    return transition;
  }
}

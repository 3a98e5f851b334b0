/** Tells a Sightline how this master's viewers are, so that anybody may ask there (`sightline viewers`). */

/** Bytes of a frame that a service takes. */
const MAX_FRAME = 65_536;

/**
 * The report of as many viewers as fit into a frame, within the bounds that the service checks (wire/extras.py).
 *
 * @param {import('./registry_roster.js').RegisteredViewer[]} viewers
 * @returns {{viewers: object[], total: number}}
 */
export function presenceOf(viewers) {
  const encoder = new TextEncoder();
  let kept = viewers.slice(0, 2000).map(reported);
  for (;;) {
    const size = encoder.encode(JSON.stringify({ action: 'sightline/presence', viewers: kept, total: viewers.length })).length;
    if (size <= MAX_FRAME) return { viewers: kept, total: viewers.length };
    kept = kept.slice(0, Math.floor((kept.length * MAX_FRAME) / (size + 1)));
  }
}

/** @param {import('./registry_roster.js').RegisteredViewer} viewer */
function reported(viewer) {
  return {
    clientId: viewer.clientId,
    connectionState: viewer.connectionState,
    iceConnectionState: viewer.iceConnectionState,
    since: Math.round(viewer.since * 1000) / 1000,
    wasConnected: viewer.connectionState === 'connected' || viewer.connectionState === 'disconnected',
    ...(viewer.reason ? { reason: viewer.reason } : {}),
    ...(viewer.candidatePair ? { candidatePair: viewer.candidatePair.replace(/[^ -~]/g, '?').slice(0, 200) } : {}),
    ...within('roundTripTime', viewer.roundTripTime, 3600, 5),
    ...within('loss', viewer.loss, 1, 4),
    ...within('bitrate', viewer.bitrate, 1e12, 0),
  };
}

/**
 * @param {string} name
 * @param {number | null} value
 * @param {number} most
 * @param {number} digits
 */
function within(name, value, most, digits) {
  return value === null || !Number.isFinite(value) ? {} : { [name]: Number(Math.min(Math.max(0, value), most).toFixed(digits)) };
}

/** Reports a change of state at once, a crowd of changes together, and figures every few seconds. */
export class PresenceReporter {
  #viewers;
  #send;
  #platform;
  #timers;
  /** @type {unknown} */
  #timer = null;
  #lastAt = -Infinity;
  #toldNobody = false;

  /**
   * @param {object} options
   * @param {() => import('./registry_roster.js').RegisteredViewer[]} options.viewers
   * @param {(report: {viewers: object[], total: number}) => boolean} options.send  now or not at all; says which
   * @param {Pick<import('./timers.js').Platform, 'setTimeout' | 'clearTimeout' | 'now'>} options.platform
   * @param {Pick<import('./registry_timers.js').MasterTimers, 'presence' | 'presenceSpacing'>} options.timers
   */
  constructor({ viewers, send, platform, timers }) {
    this.#viewers = viewers;
    this.#send = send;
    this.#platform = platform;
    this.#timers = timers;
  }

  /** A connection to the service stands: it knows nothing of what was said on another. */
  start() {
    this.#toldNobody = false;
    this.changed();
  }

  /** Something happened to a viewer. */
  changed() {
    const wait = this.#lastAt + this.#timers.presenceSpacing * 1000 - this.#platform.now();
    this.#reportIn(Math.max(0, wait));
  }

  /** There is no connection. */
  stop() {
    this.#platform.clearTimeout(this.#timer);
    this.#timer = null;
  }

  /** @param {number} ms */
  #reportIn(ms) {
    this.stop();
    this.#timer = this.#platform.setTimeout(() => this.#report(), ms);
  }

  #report() {
    const viewers = this.#viewers();
    this.#lastAt = this.#platform.now();
    if (viewers.length || !this.#toldNobody) {
      if (this.#send(presenceOf(viewers))) this.#toldNobody = viewers.length === 0;
    }
    this.#reportIn(this.#timers.presence * 1000);
  }
}

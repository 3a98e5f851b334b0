import { isFinal } from './registry_connection.js';

/**
 * Who watches (seed 000.3 and 000.4): the twin of Python's sessions/roster.py.
 *
 * @typedef {import('./registry_connection.js').ConnectionState} ConnectionState
 *
 * A viewer as it is now. Null figures are not known yet.
 * @typedef {object} RegisteredViewer
 * @property {string} clientId
 * @property {ConnectionState} connectionState
 * @property {RTCIceConnectionState} iceConnectionState  `checking` also during a restart
 * @property {number} since               when it came into its connection state, in epoch seconds
 * @property {string} reason              why it did
 * @property {string | null} candidatePair  the path in use, for people: both ends' kinds and addresses
 * @property {string | null} candidateType  `host`, `srflx`, `prflx` or `relay`: our end of it
 * @property {number | null} roundTripTime  seconds
 * @property {number | null} loss         the fraction of video packets that did not arrive, by its last report
 * @property {number | null} bitrate      what is sent to it, bits per second
 *
 * `joined`: it is connected for the first time. `changed`: a state of it changed; figures alone are no event.
 * `left`: one that had joined is gone: failed, closed or replaced.
 * @typedef {{kind: 'joined' | 'changed' | 'left', viewer: RegisteredViewer}} ViewerEvent
 */

/**
 * @param {string} clientId
 * @param {Partial<RegisteredViewer>} [fields]
 * @returns {RegisteredViewer}
 */
export function newViewer(clientId, fields = {}) {
  return {
    clientId, connectionState: 'new', iceConnectionState: 'new', since: 0, reason: '',
    candidatePair: null, candidateType: null, roundTripTime: null, loss: null, bitrate: null,
    ...fields,
  };
}

/** Client id to viewer, one session at a time for each. */
export class Roster {
  /** @type {Map<string, {viewer: RegisteredViewer, joined: boolean}>} */
  #entries = new Map();

  /** @param {{maxViewers?: number | null}} [options]  sessions at a time, those still connecting included */
  constructor({ maxViewers = null } = {}) {
    this.maxViewers = maxViewers;
  }

  /** All that are not gone. */
  get sessions() {
    return [...this.#entries.values()].map(({ viewer }) => viewer);
  }

  /** Those that were `connected` and are not gone; a `disconnected` one keeps its place. */
  get viewers() {
    return [...this.#entries.values()].filter(({ joined }) => joined).map(({ viewer }) => viewer);
  }

  /** @param {string} clientId */
  isConnected(clientId) {
    return this.#entries.get(clientId)?.viewer.connectionState === 'connected';
  }

  /** Whether a session of this viewer may begin. Who replaces its own always may. @param {string} clientId */
  hasRoom(clientId) {
    return this.maxViewers === null || this.#entries.has(clientId) || this.#entries.size < this.maxViewers;
  }

  /**
   * The viewer as it is now; its first one makes its place, a final state ends it.
   *
   * @param {RegisteredViewer} viewer
   * @returns {ViewerEvent[]}
   */
  update(viewer) {
    if (isFinal(viewer.connectionState)) return this.remove(viewer);
    const entry = this.#entries.get(viewer.clientId);
    const before = entry?.viewer;
    if (entry) entry.viewer = viewer;
    else this.#entries.set(viewer.clientId, { viewer, joined: false });
    const place = /** @type {{joined: boolean}} */ (this.#entries.get(viewer.clientId));
    if (viewer.connectionState === 'connected' && !place.joined) {
      place.joined = true;
      return [{ kind: 'joined', viewer }];
    }
    const isSame = before?.connectionState === viewer.connectionState && before.iceConnectionState === viewer.iceConnectionState;
    return isSame ? [] : [{ kind: 'changed', viewer }];
  }

  /**
   * Its session is gone; `viewer` says how it ended. Repeatable.
   *
   * @param {RegisteredViewer} viewer
   * @returns {ViewerEvent[]}
   */
  remove(viewer) {
    const entry = this.#entries.get(viewer.clientId);
    if (!entry) return [];
    this.#entries.delete(viewer.clientId);
    return [{ kind: entry.joined ? 'left' : 'changed', viewer }];
  }
}

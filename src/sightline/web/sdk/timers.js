/**
 * The viewer's deadlines in milliseconds, each with its reason. All can be replaced: `new Viewer({ deadlines })`.
 *
 * @typedef {object} Deadlines
 * @property {number} open     session request and socket: a service that does not reply in this time is not there
 * @property {number} answer   offer sent -> answer (seed 001.3)
 * @property {number} path     answer -> connected: an answer is not a picture
 * @property {number} media    connected -> first decoded frame
 * @property {number} stall    watching without a new frame: longer than this is said to the person
 */

/** @type {Readonly<Deadlines>} */
export const DEADLINES = Object.freeze({
  open: 15_000,
  answer: 15_000,
  path: 15_000,
  media: 5_000,
  stall: 2_000,
});

/** How often statistics are read, in milliseconds. */
export const STATS_INTERVAL = 1_000;

/**
 * What the SDK needs from its surroundings; tests pass fakes, everybody else nothing.
 *
 * @typedef {object} Platform
 * @property {typeof WebSocket} WebSocket
 * @property {typeof RTCPeerConnection} RTCPeerConnection
 * @property {typeof MediaStream} MediaStream
 * @property {(callback: () => void, ms: number) => unknown} setTimeout
 * @property {(handle: any) => void} clearTimeout
 * @property {() => number} now  monotonic milliseconds
 */

/**
 * The browser's own parts, with `overrides` in their place.
 *
 * @param {Partial<Platform>} [overrides]
 * @returns {Platform}
 */
export function platform(overrides = {}) {
  return {
    WebSocket: globalThis.WebSocket,
    RTCPeerConnection: globalThis.RTCPeerConnection,
    MediaStream: globalThis.MediaStream,
    setTimeout: (callback, ms) => globalThis.setTimeout(callback, ms),
    clearTimeout: (handle) => globalThis.clearTimeout(handle),
    now: () => performance.now(),
    ...overrides,
  };
}

/** How often statistics are read, in milliseconds. */
export const STATS_INTERVAL = 1_000;

/**
 * When fresh ICE servers are fetched, in milliseconds after the last ones: their credentials are good for 300 s (KVS,
 * the C SDK, ours), and a restart must not have to wait for them.
 */
export const ICE_SERVERS_INTERVAL = 270_000;

/** How long the other side's next candidates are waited for when those that came lead nowhere, in milliseconds. */
export const MORE_CANDIDATES = 3_000;

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
 * @property {Pick<EventTarget, 'addEventListener' | 'removeEventListener'> | null} window  who says `online`, `offline`
 * @property {Pick<Navigator, 'onLine'> & {mediaDevices?: MediaDevices} | undefined} navigator
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
    window: 'addEventListener' in globalThis ? globalThis : null,
    navigator: globalThis.navigator,
    ...overrides,
  };
}

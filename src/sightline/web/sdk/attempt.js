import { SignalingClient } from './signaling.js';
import { ViewerPeer } from './viewer_peer.js';

/**
 * What one attempt to watch holds, so that it can be let go of as one: timers, socket, peer connection, and the
 * times at which its stages were reached.
 */
export class Attempt {
  /** Cancels the session request. */
  aborter = new AbortController();
  isOver = false;
  /** @type {ViewerPeer | null} */
  peer = null;
  /** @type {import('./picture.js').PictureWatch | null} */
  picture = null;
  /** @type {import('./stats.js').StatsReader | null} */
  reader = null;
  /** @type {RTCSessionDescriptionInit | null} */
  localOffer = null;
  /** @type {import('./viewer.js').FirstFrame} */
  timings;
  /** @type {SignalingClient | null} */
  #signaling = null;
  /** @type {Map<string, unknown>} */
  #timers = new Map();
  #platform;
  #correlationId = randomId();

  /** @param {import('./timers.js').Platform} platform */
  constructor(platform) {
    this.#platform = platform;
    this.timings = { startedAt: round(platform.now()) };
  }

  /** @param {ConstructorParameters<typeof ViewerPeer>[0]} options */
  makePeer(options) {
    this.peer = new ViewerPeer(options);
    this.peer.on('candidate', (candidate) => this.#signaling?.sendIceCandidate(candidate));
    return this.peer;
  }

  /** @param {string} url  @param {import('./timers.js').Platform['WebSocket']} WebSocket */
  makeSignaling(url, WebSocket) {
    this.#signaling = new SignalingClient({ url, WebSocket });
    return this.#signaling;
  }

  sendOffer() {
    if (!this.localOffer) return;
    this.#signaling?.sendSdpOffer(this.localOffer, { correlationId: this.#correlationId });
    this.mark('offerSent');
    this.peer?.startTrickle();
  }

  /** @param {string} name  @param {number} ms  @param {() => void} callback */
  setTimer(name, ms, callback) {
    this.clearTimer(name);
    this.#timers.set(name, this.#platform.setTimeout(callback, ms));
  }

  /** @param {string} name */
  clearTimer(name) {
    this.#platform.clearTimeout(this.#timers.get(name));
    this.#timers.delete(name);
  }

  /** @param {Exclude<keyof import('./viewer.js').FirstFrame, 'startedAt'>} stage */
  mark(stage) {
    this.timings[stage] ??= round(this.#platform.now() - this.timings.startedAt);
  }

  /** In the order of seed 001.7; safe to call again. */
  close() {
    this.isOver = true;
    for (const name of this.#timers.keys()) this.clearTimer(name);
    this.aborter.abort();
    this.#signaling?.sendFarewell();
    this.#signaling?.close();
    this.picture?.stop();
    this.peer?.close();
    this.#signaling = this.picture = this.peer = this.reader = this.localOffer = null;
  }
}

/** @param {number} ms */
function round(ms) {
  return Math.round(ms * 10) / 10;
}

/** Names one offer in the logs of all three parties. (`crypto.randomUUID` is missing on plain-HTTP pages.) */
function randomId() {
  return Array.from(crypto.getRandomValues(new Uint8Array(8)), (byte) => byte.toString(16).padStart(2, '0')).join('');
}

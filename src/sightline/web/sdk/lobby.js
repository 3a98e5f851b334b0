import { failureFrom } from './errors.js';
import { Emitter } from './events.js';
import { ICE_SERVERS_INTERVAL } from './timers.js';

/**
 * How long to wait before the next socket, in milliseconds: at once, since a network may just have changed, then more
 * and more, so that many pages do not storm a service that starts.
 */
const PAUSES = [200, 500, 1_000, 2_000, 4_000, 8_000];
/**
 * A browser does not say that the network of a socket is gone, and cannot ping. So a quiet service is asked now and then
 * whether it is there, in milliseconds, and has this long to reply, or to let a new socket in.
 */
const QUIET = 15_000;
const REPLY = 3_000;
const OPENING = 6_000;
/** Of a room that is full, how long until it is asked again whether there is a place, in milliseconds. */
const FULL = 5_000;
const FULL_REASONS = new Set(['room-full', 'link-full', 'service-full']);
/** What no wait changes. */
const FINAL = new Set([
  'link-required', 'link-invalid', 'link-expired', 'link-revoked', 'link-scope', 'foreign-origin', 'bad-request', 'not-allowed',
]);

/**
 * @typedef {object} LobbySession
 * @property {string} url                  of the lobby's socket
 * @property {RTCIceServer[]} iceServers
 *
 * @typedef {'closed' | 'opening' | 'online' | 'waiting'} LobbyState   `waiting`: for another try
 *
 * @typedef {object} LobbyEvents
 * @property {LobbyState} state
 * @property {RTCIceServer[]} iceservers                       with credentials that are fresh
 * @property {string} name                                    the one the service gave
 * @property {{wanted: string, name: string}} nametaken       another has it; `name` was given instead
 * @property {string[]} users                                 everybody in the room who has a name
 * @property {{from: string, description: {type: 'offer', sdp: string}}} offer
 * @property {{from: string, description: {type: 'answer', sdp: string}}} answer
 * @property {{from: string | null, candidate: RTCIceCandidateInit}} candidate
 * @property {{from: string, reason: string | null}} hangup
 * @property {{from: string, text: string}} message
 * @property {{id: string, message: string, target: string | null}} refused  a message of ours was not taken
 * @property {import('./errors.js').Failure} failed           no further try
 */

/**
 * The lobby's socket; the protocol is the published MDN sample's (webrtc-from-chat): JSON in text frames. It
 * comes back by itself, under the same name.
 *
 * @extends {Emitter<LobbyEvents>}
 */
export class LobbyClient extends Emitter {
  /** @type {LobbyState} */
  state = 'closed';
  name = '';
  /** @type {string[]} */
  users = [];
  /** Why there is no place, as an id of `LOBBY_REASONS`, while one is waited for. @type {string | null} */
  full = null;
  /** @type {RTCIceServer[]} */
  iceServers = [];
  #session;
  #platform;
  /** @type {WebSocket | null} */
  #socket = null;
  /** @type {unknown} */
  #id = null;
  /** Proves to the service that the next socket is this one's: it keeps name, place and calls. @type {unknown} */
  #resume;
  #claimed = false;
  /** This socket was told that there is no place. */
  #isFull = false;
  #tries = 0;
  /** @type {unknown} */
  #timer = null;
  /** When to ask whether the service is there, or how long to wait for it. @type {unknown} */
  #sign = null;
  /** @type {unknown} */
  #refresh = null;
  /** How often it was asked and has not replied. */
  #asked = 0;
  /** Hang-ups of which it is not known that they arrived. @type {Map<string, string>} */
  #farewells = new Map();
  #abort = new AbortController();

  /**
   * @param {object} options
   * @param {(signal: AbortSignal) => Promise<LobbySession>} options.session
   * @param {import('./timers.js').Platform} options.platform
   */
  constructor({ session, platform }) {
    super();
    this.#session = session;
    this.#platform = platform;
  }

  get isOpen() {
    return this.state === 'online' && this.#socket?.readyState === 1;
  }

  /** @param {string} name  1 to 32 letters, digits, spaces and `._-` */
  open(name) {
    this.close();
    this.name = name.normalize('NFC').trim().replace(/ {2,}/g, ' '); // as the lobby would write it
    this.#tries = 0;
    void this.#connect();
  }

  /** Leaves the room; safe to call again. */
  close() {
    this.#abort.abort();
    this.#abort = new AbortController();
    this.#platform.clearTimeout(this.#timer);
    this.#platform.clearTimeout(this.#refresh);
    this.#drop();
    this.users = [];
    this.full = null;
    this.#resume = undefined;
    this.#farewells.clear();
    this.#become('closed');
  }

  /** The network is another one: the socket of before may be dead without knowing. */
  reconnect() {
    if (this.state === 'closed') return;
    this.#platform.clearTimeout(this.#timer);
    this.#abort.abort();
    this.#abort = new AbortController();
    this.#drop();
    this.#tries = 0;
    void this.#connect();
  }

  /** Something is wrong with the network: is the service still there? If not, another socket is. */
  check() {
    if (!this.send({ type: 'ping' })) return;
    this.#asked += 1;
    if (this.#asked === 1) this.#expect(REPLY, () => this.reconnect());
  }

  /** @param {Record<string, unknown>} message  @returns {boolean} false: no socket, nothing was sent */
  send(message) {
    if (!this.isOpen) return false;
    this.#socket?.send(JSON.stringify(message));
    return true;
  }

  /** @param {string} target  @param {string} sdp */
  sendOffer(target, sdp) {
    this.#farewells.delete(target); // a late one would end the new call
    return this.send({ type: 'video-offer', name: this.name, target, sdp: { type: 'offer', sdp } });
  }

  /** @param {string} target  @param {string} sdp */
  sendAnswer(target, sdp) {
    return this.send({ type: 'video-answer', name: this.name, target, sdp: { type: 'answer', sdp } });
  }

  /** @param {string} target  @param {RTCIceCandidateInit} candidate */
  sendCandidate(target, candidate) {
    return this.send({ type: 'new-ice-candidate', target, candidate });
  }

  /** It is said again on the next socket if this one turns out to be dead. @param {string} target  @param {string} reason */
  sendHangUp(target, reason) {
    this.#farewells.set(target, reason);
    const isSent = this.#sayFarewell(target, reason);
    this.check();
    return isSent;
  }

  /** @param {string} target  @param {string} reason */
  #sayFarewell(target, reason) {
    return this.send({ type: 'hang-up', name: this.name, target, reason });
  }

  /** @param {string} target  @param {string} text */
  sendMessage(target, text) {
    return this.send({ type: 'message', target, text, id: this.#id, date: Date.now() });
  }

  async #connect() {
    const { signal } = this.#abort;
    this.#become('opening');
    let session;
    try {
      session = await this.#session(signal);
    } catch (error) {
      if (signal.aborted) return;
      return this.#again(failureFrom(error, 'service-unreachable'));
    }
    if (signal.aborted) return;
    this.#refreshed(session.iceServers);
    this.#claimed = this.#isFull = false;
    const socket = new this.#platform.WebSocket(session.url, 'json');
    this.#socket = socket;
    const gone = () => {
      if (!this.#isFull) this.full = null;
      this.#drop();
      this.#again(null);
    };
    socket.onmessage = (event) => this.#receive(event.data);
    socket.onclose = gone;
    this.#expect(OPENING, gone);
  }

  /** @param {number} ms  @param {() => void} otherwise */
  #expect(ms, otherwise) {
    this.#platform.clearTimeout(this.#sign);
    this.#sign = this.#platform.setTimeout(otherwise, ms);
  }

  /** @param {RTCIceServer[]} iceServers */
  #refreshed(iceServers) {
    this.iceServers = iceServers;
    this.emit('iceservers', iceServers);
    this.#platform.clearTimeout(this.#refresh);
    this.#refresh = this.#platform.setTimeout(() => void this.#fetchIceServers(), ICE_SERVERS_INTERVAL);
  }

  /** The credentials of a relay are good for minutes, and who is in a room may wait for hours. */
  async #fetchIceServers() {
    const { signal } = this.#abort;
    try {
      const { iceServers } = await this.#session(signal);
      if (!signal.aborted) this.#refreshed(iceServers);
    } catch (error) {
      // A link that has ended lets nobody in; who is in stays, with direct paths.
      if (signal.aborted || FINAL.has(failureFrom(error, 'service-unreachable').id)) return;
      this.#refresh = this.#platform.setTimeout(() => void this.#fetchIceServers(), ICE_SERVERS_INTERVAL / 10);
    }
  }

  /** @param {import('./errors.js').Failure | null} failure */
  #again(failure) {
    if (failure && FINAL.has(failure.id)) {
      this.close();
      return this.emit('failed', failure);
    }
    if (failure) this.full = null;
    const pause = this.full ? FULL : PAUSES[Math.min(this.#tries++, PAUSES.length - 1)] ?? 0;
    this.#become('waiting');
    this.#timer = this.#platform.setTimeout(() => void this.#connect(), pause);
  }

  #drop() {
    const socket = this.#socket;
    this.#socket = null;
    this.#asked = 0;
    this.#platform.clearTimeout(this.#sign);
    if (!socket) return;
    socket.onmessage = socket.onclose = null;
    socket.close(1000);
  }

  /** @param {unknown} frame */
  #receive(frame) {
    const message = parse(frame);
    if (!message) return;
    const { type } = message;
    if (type === 'pong' && this.#asked > 0 && --this.#asked === 0) this.#farewells.clear(); // what went before has arrived
    if (this.#claimed && this.#asked === 0) this.#expect(QUIET, () => this.check());
    const from = typeof message.name === 'string' ? message.name : '';
    const sdp = /** @type {{sdp?: unknown} | undefined} */ (message.sdp)?.sdp;
    if (type === 'id') {
      const resume = this.#resume;
      this.#id = message.id;
      this.#resume = message.resume;
      this.#socket?.send(JSON.stringify({ type: 'username', name: this.name, id: this.#id, date: Date.now(), resume }));
    } else if (type === 'rejectusername') {
      const wanted = this.name;
      this.name = from || wanted;
      if (from !== wanted) this.emit('nametaken', { wanted, name: from });
    } else if (type === 'userlist' && Array.isArray(message.users)) {
      this.#listed(message.users.filter((user) => typeof user === 'string'));
    } else if (type === 'users' && Array.isArray(message.joined) && Array.isArray(message.left)) {
      const { joined, left } = /** @type {{joined: unknown[], left: unknown[]}} */ (message);
      const stay = this.users.filter((user) => !left.includes(user) && !joined.includes(user));
      this.#listed([...stay, ...joined.filter((user) => typeof user === 'string')]);
    } else if (type === 'video-offer' && typeof sdp === 'string') {
      this.emit('offer', { from, description: { type: 'offer', sdp } });
    } else if (type === 'video-answer' && typeof sdp === 'string') {
      this.emit('answer', { from, description: { type: 'answer', sdp } });
    } else if (type === 'new-ice-candidate' && typeof message.candidate === 'object') {
      // The end of candidates is null or an empty one: nothing to add.
      const candidate = /** @type {RTCIceCandidateInit | null} */ (message.candidate);
      if (candidate?.candidate) this.emit('candidate', { from: from || null, candidate });
    } else if (type === 'hang-up') {
      this.emit('hangup', { from, reason: typeof message.reason === 'string' ? message.reason : null });
    } else if (type === 'message' && typeof message.text === 'string') {
      this.emit('message', { from, text: message.text });
    } else if (type === 'error') {
      if (!this.#claimed && FULL_REASONS.has(String(message.reason))) {
        this.#isFull = true;
        this.full = String(message.reason);
      }
      this.emit('refused', {
        id: String(message.reason ?? message.id ?? ''),
        message: String(message.message ?? ''),
        target: typeof message.target === 'string' ? message.target : null,
      });
    }
  }

  /** @param {string[]} users */
  #listed(users) {
    this.users = users;
    if (!this.#claimed && users.includes(this.name)) {
      this.#claimed = true;
      this.full = null;
      this.#tries = 0;
      this.#expect(QUIET, () => this.check());
      this.emit('name', this.name);
      this.#become('online');
      for (const [target, reason] of this.#farewells) this.#sayFarewell(target, reason);
      if (this.#farewells.size) this.check();
    }
    this.emit('users', users);
  }

  /** @param {LobbyState} state */
  #become(state) {
    if (this.state === state) return;
    this.state = state;
    this.emit('state', state);
  }
}

/** @param {unknown} frame  @returns {Record<string, unknown> | null} */
function parse(frame) {
  if (typeof frame !== 'string') return null;
  try {
    const message = JSON.parse(frame);
    return typeof message === 'object' && message !== null && !Array.isArray(message) ? message : null;
  } catch {
    return null;
  }
}

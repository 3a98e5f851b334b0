import { CallMedia, CallMediaError } from './call_media.js';
import { CallPeer } from './call_peer.js';
import { CallSession } from './call_session.js';
import { Emitter } from './events.js';
import { LobbyClient } from './lobby.js';
import { NetworkWatch } from './network.js';
import { MORE_CANDIDATES, platform as browser } from './timers.js';

/**
 * @typedef {import('./call_session.js').CallState} CallState
 * @typedef {import('./call_session.js').EndReason} EndReason
 *
 * @typedef {object} CallOptions
 * @property {(signal: AbortSignal) => Promise<import('./lobby.js').LobbySession>} session  `lobbyFromService({ room })`
 * @property {RTCIceTransportPolicy} [iceTransportPolicy]
 * @property {Partial<typeof import('./call_session.js').CALL_TIMERS>} [timers]   in seconds
 * @property {Partial<import('./timers.js').Platform>} [platform]                 fakes, for tests
 *
 * @typedef {object} CallEvents
 * @property {{from: CallState, state: CallState, peer: string | null, reason: EndReason | null}} statechange
 * @property {import('./lobby.js').LobbyState} lobby
 * @property {string} name                                  under which the others see this one
 * @property {{wanted: string, name: string}} nametaken
 * @property {string[]} users                               the others, in the order of their coming
 * @property {MediaStream | null} localstream               what is sent
 * @property {MediaStream | null} stream                    what comes
 * @property {'audio' | 'video'} devicelost                 microphone or camera is gone in mid-call
 * @property {null} media                                   muted, camera or screen changed
 * @property {import('./call_peer.js').Sending} sending     what the other side sends
 * @property {{text: string, own: boolean}} chat
 * @property {{id: string, message: string, target: string | null}} refused
 * @property {import('./errors.js').Failure} failed         the lobby cannot be entered
 */

/** What the lobby takes in one line; a data channel takes far more. */
const MAX_TEXT = 2_000;

/** @type {import('./call_peer.js').Sending} */
const ALL = Object.freeze({ sound: true, picture: 'camera' });

/**
 * 1:1 calls with the people in a room: `new Call({ session }).join('Ann')`, then `call('Bob')`, or `accept()` when the
 * state is `ringing`.
 *
 * A shell around `CallSession`, which decides.
 *
 * @extends {Emitter<CallEvents>}
 */
export class Call extends Emitter {
  lobby;
  media;
  /** @type {MediaStream | null} */
  stream = null;
  /** What the other side says that it sends; a page says so, others are believed to send all they can. */
  sending = ALL;
  #session;
  #options;
  #platform;
  /** @type {CallPeer | null} */
  #peer = null;
  /** @type {NetworkWatch | null} */
  #network = null;
  /** @type {unknown} */
  #timer = null;
  /** Runs while no candidate so far leads to the other side. @type {unknown} */
  #hope = null;

  /** @param {CallOptions} options */
  constructor(options) {
    super();
    this.#options = options;
    this.#platform = browser(options.platform);
    this.#session = new CallSession({ timers: options.timers ?? {} });
    this.media = new CallMedia({
      platform: this.#platform,
      changed: () => void this.shareScreen(false).catch(() => {}),
      lost: (kind) => void this.#replace(kind, async () => this.emit('devicelost', kind)).catch(() => {}),
    });
    const lobby = this.lobby = new LobbyClient({ session: options.session, platform: this.#platform });
    lobby.on('state', (state) => {
      this.#take({ type: 'socket', open: state === 'online' });
      this.emit('lobby', state);
    });
    lobby.on('iceservers', (servers) => this.#peer?.setIceServers(servers));
    lobby.on('name', (name) => {
      this.#take({ type: 'name', name });
      this.emit('name', name);
    });
    lobby.on('nametaken', (taken) => this.emit('nametaken', taken));
    lobby.on('users', (users) => {
      this.#take({ type: 'users', users });
      this.emit('users', this.users);
    });
    lobby.on('offer', (offer) => this.#take({ type: 'offer', ...offer }));
    lobby.on('answer', (answer) => this.#take({ type: 'answer', ...answer }));
    lobby.on('candidate', (candidate) => this.#take({ type: 'candidate', ...candidate }));
    lobby.on('hangup', (hangUp) => this.#take({ type: 'remote-hang-up', ...hangUp }));
    lobby.on('message', ({ from, text }) => {
      // An MDN client writes to everybody; of its lines, those of the one who is in the call are for this one.
      if (this.#session.isBusy && from === this.peer) this.emit('chat', { text, own: false });
    });
    lobby.on('refused', (refused) => {
      if (refused.id === 'unknown-target' || refused.id === 'gone') this.#take({ type: 'undeliverable', to: refused.target });
      this.emit('refused', refused);
    });
    lobby.on('failed', (failure) => this.emit('failed', failure));
  }

  get state() {
    return this.#session.state;
  }

  /** Who is at the other end, or was last. */
  get peer() {
    return this.#session.peer;
  }

  /** How the last call ended; null while there is one. */
  get reason() {
    return this.#session.reason;
  }

  get name() {
    return this.lobby.name;
  }

  /** The others in the room. */
  get users() {
    return this.lobby.users.filter((user) => user !== this.lobby.name);
  }

  /** @param {string} name */
  join(name) {
    this.lobby.open(name);
    this.#network ??= new NetworkWatch({ platform: this.#platform, tell: (online) => this.#networkIs(online) });
  }

  /** Ends a call, tells the other side at once, and leaves the room; safe to call again. */
  leave() {
    this.#take({ type: 'hang-up', reason: 'gone' });
    this.#network?.stop();
    this.#network = null;
    this.lobby.close();
  }

  /** @param {string} name */
  call(name) {
    this.#take({ type: 'call', to: name });
  }

  accept() {
    this.#take({ type: 'accept' });
  }

  decline() {
    this.#take({ type: 'decline' });
  }

  hangUp() {
    this.#take({ type: 'hang-up' });
  }

  /** @param {boolean} muted */
  setMuted(muted) {
    this.media.setMuted(muted);
    this.#mediaChanged();
  }

  /** @param {boolean} off */
  setCameraOff(off) {
    this.media.setCameraOff(off);
    this.#mediaChanged();
  }

  /** @param {'audio' | 'video'} kind  @param {string} deviceId */
  async choose(kind, deviceId) {
    await this.#replace(kind, () => this.media.choose(kind, deviceId));
  }

  /** Sends the screen in place of the camera, or the camera again. */
  async shareScreen(on = true) {
    await this.#replace('video', () => this.media.share(on));
  }

  /** @param {string} text  @returns {boolean} false: it could not be sent */
  send(text) {
    if (!this.#session.isBusy || this.peer === null) return false;
    const sent = this.#peer?.sendText(text) || this.lobby.sendMessage(this.peer, text);
    if (sent) this.emit('chat', { text, own: true });
    return sent;
  }

  getStats() {
    return this.#peer?.getStats() ?? Promise.resolve(new Map());
  }

  // ------------------------------------------------------------------------------------ what the session decided

  /** @param {import('./call_session.js').CallInput} input */
  #take(input) {
    this.#perform(this.#session.take(input, this.#now()));
  }

  /** @param {import('./call_session.js').CallOutput[]} outputs */
  #perform(outputs) {
    for (const output of outputs) this.#do(output);
    this.#platform.clearTimeout(this.#timer);
    const deadline = this.#session.nextDeadline();
    if (deadline === null) return;
    const tick = () => this.#perform(this.#session.tick(this.#now()));
    this.#timer = this.#platform.setTimeout(tick, Math.max(0, (deadline - this.#now()) * 1000) + 1);
  }

  /** @param {import('./call_session.js').CallOutput} output */
  #do(output) {
    switch (output.type) {
      case 'state': this.emit('statechange', output); break;
      case 'open-media': void this.#openMedia(); break;
      case 'begin': this.#begin(); break;
      case 'make-offer':
        if (output.restart) this.#peer?.setIceServers(this.lobby.iceServers);
        this.#peer?.offer(output.restart);
        break;
      case 'repeat': this.#peer?.repeat(); break;
      case 'accept-offer': this.#peer?.acceptOffer(output.description, this.lobby.iceServers); break;
      case 'accept-answer': this.#peer?.acceptAnswer(output.description); break;
      case 'add-candidate': this.#peer?.addCandidate(output.candidate); break;
      case 'send-hang-up': this.lobby.sendHangUp(output.to, output.reason); break;
      case 'end': this.#end(); break;
    }
  }

  async #openMedia() {
    try {
      if (!await this.media.open()) return;
    } catch (error) {
      return this.#take({ type: 'media-failed', reason: error instanceof CallMediaError ? error.id : 'media-failed' });
    }
    this.emit('localstream', this.media.stream);
    this.#take({ type: 'media' });
  }

  #begin() {
    const stream = this.media.stream;
    const { peer: to } = this;
    if (!stream || to === null) return;
    this.#peer?.close();
    const peer = this.#peer = new CallPeer({
      RTCPeerConnection: this.#platform.RTCPeerConnection,
      configuration: {
        iceServers: this.lobby.iceServers,
        iceTransportPolicy: this.#options.iceTransportPolicy ?? 'all',
        bundlePolicy: 'max-bundle',
      },
      stream,
    });
    const received = this.stream = new this.#platform.MediaStream();
    peer.on('description', ({ type, sdp }) => {
      if (type === 'offer') this.lobby.sendOffer(to, sdp);
      else this.lobby.sendAnswer(to, sdp);
    });
    peer.on('candidate', (candidate) => this.lobby.sendCandidate(to, candidate));
    let last = '', wasConnected = false;
    const tell = (/** @type {RTCPeerConnectionState} */ state) => this.#take({ type: 'peer', state });
    peer.on('connectionstate', (state) => {
      last = state;
      wasConnected ||= state === 'connected';
      // A path that is silent, or another one, is a sign that the lobby's socket may be dead as well.
      if (state === 'disconnected' || state === 'failed') this.lobby.check();
      if (state !== 'failed' || wasConnected) return tell(state);
      // A relay refuses the other side's own addresses at once, and its relay may still be on its way.
      this.#platform.clearTimeout(this.#hope);
      this.#hope = this.#platform.setTimeout(() => { if (last === 'failed' && peer === this.#peer) tell('failed'); }, MORE_CANDIDATES);
    });
    peer.on('path', () => this.lobby.check());
    peer.on('ended', () => {
      const isUp = this.state === 'in-call' || this.state === 'reconnecting';
      if (isUp && peer === this.#peer) this.#take({ type: 'remote-hang-up', from: to, reason: null });
    });
    peer.on('negotiationneeded', () => this.#take({ type: 'negotiation-needed' }));
    peer.on('broken', () => this.#take({ type: 'broken' }));
    peer.on('sending', (sending) => {
      this.sending = sending;
      this.emit('sending', sending);
    });
    this.sending = ALL;
    peer.tell(this.media.sending);
    peer.on('text', (text) => this.emit('chat', { text: text.slice(0, MAX_TEXT), own: false }));
    peer.on('track', (track) => {
      // The newest of each kind counts: an MDN client first answers with lines that stay empty.
      for (const before of received.getTracks()) if (before.kind === track.kind && before !== track) received.removeTrack(before);
      received.addTrack(track);
      this.emit('stream', received);
    });
    peer.on('trackgone', (track) => {
      received.removeTrack(track);
      this.emit('stream', received);
    });
  }

  #end() {
    this.#platform.clearTimeout(this.#hope);
    this.#peer?.close();
    this.#peer = null;
    for (const track of this.stream?.getTracks() ?? []) track.stop();
    this.media.close();
    this.stream = null;
    this.emit('stream', null);
    this.emit('localstream', null);
  }

  /** @param {'audio' | 'video'} kind  @param {() => Promise<unknown>} change */
  async #replace(kind, change) {
    const peer = this.#peer;
    try {
      await change();
    } finally {
      const { stream } = this.media;
      const track = stream?.getTracks().find((one) => one.kind === kind) ?? null;
      if (stream && peer && peer === this.#peer) await peer.replaceTrack(kind, track, stream);
      this.#mediaChanged();
      this.emit('localstream', stream);
    }
  }

  #mediaChanged() {
    this.#peer?.tell(this.media.sending);
    this.emit('media', null);
  }

  /** @param {boolean} online */
  #networkIs(online) {
    if (!online) return;
    this.lobby.reconnect();
    this.#take({ type: 'network' });
  }

  #now() {
    return this.#platform.now() / 1000;
  }
}

import { Emitter } from './events.js';
import { EarlyCandidates } from './master_candidates.js';
import { MasterLink } from './master_link.js';
import { SessionMemory, meaningOf, offerIdentity } from './master_offer.js';
import { PresenceReporter } from './master_presence.js';
import { MasterViewer } from './master_viewer.js';
import { REASONS } from './reasons.js';
import { MASTER_TIMERS } from './registry_timers.js';
import { platform } from './timers.js';
import { ViewerRegistry } from './viewer_registry.js';

/** How often signs of life are looked for, in milliseconds. */
const LOOK = 250;
/** Looks between two `figures`. */
const LOOKS_PER_FIGURES = 4;
/** Both certificates must outlive the page; a browser's own end after 30 days. */
const CERTIFICATE_LIFETIME = 365 * 86_400_000;

/**
 * `opening`: never connected yet. `online`: viewers can come. `waiting`: signaling is away and will be back; those who
 * watch go on watching. `replaced`: another master has the channel; those who watch go on watching. `failed`: refused.
 *
 * @typedef {'idle' | 'opening' | 'online' | 'waiting' | 'replaced' | 'failed' | 'closed'} MasterState
 * @typedef {import('./registry_roster.js').RegisteredViewer} RegisteredViewer
 * @typedef {import('./errors.js').Failure} Failure
 *
 * @typedef {object} MasterOptions
 * @property {(signal: AbortSignal) => Promise<import('./session.js').Session>} session  asked before each connection
 *   to signaling: `sessionFromService({ channel, role: 'master' })`
 * @property {MediaStream | null} [stream]      what is sent; stays the caller's. `setStream` changes it
 * @property {number | null} [maxViewers]       sessions at a time; null (default): any number
 * @property {RTCIceTransportPolicy} [iceTransportPolicy]  `all` (default) or `relay`
 * @property {Partial<import('./registry_timers.js').MasterTimers>} [timers]  seconds
 * @property {Partial<import('./timers.js').Platform>} [platform]  fakes, for tests
 * @property {() => number} [random]            chance for the backoff, from 0 up to 1
 *
 * @typedef {object} MasterEvents
 * @property {{from: MasterState, state: MasterState}} statechange
 * @property {RegisteredViewer} joined          connected for the first time
 * @property {RegisteredViewer} changed         a state of it changed
 * @property {RegisteredViewer} left            was connected, and is gone
 * @property {null} figures                     once a second while there are viewers: their figures are new
 * @property {{failure: Failure, retryIn: number}} lost  signaling; seconds until the next attempt
 * @property {Failure} failed                   after the change to `failed`
 * @property {{clientId: string, reason: string, detail: string}} refused  this viewer gets no answer; the browser's words
 * @property {{clientId: string, track: MediaStreamTrack}} track  a viewer talks
 * @property {import('./signaling.js').StatusResponse} statusresponse
 */

/**
 * A camera in the browser: sends one stream to all viewers of a channel, each over a peer connection of its own.
 *
 *   const master = new Master({ session: sessionFromService({ channel: 'porch', role: 'master' }), stream });
 *   master.on('joined', ({ clientId }) => console.log(clientId, 'watches'));
 *   master.open();
 *
 * Who counts as a viewer, and for how long: docs/topics/viewers.md. The registry decides it (`viewer_registry.js`); this
 * is the shell that has the connections, the clock and the socket.
 *
 * @extends {Emitter<MasterEvents>}
 */
export class Master extends Emitter {
  #options;
  #platform;
  #timers;
  #registry;
  #memory;
  #presence;
  #link;
  #early = new EarlyCandidates();
  /** @type {Map<string, MasterViewer>} those that sleep too */
  #connections = new Map();
  /** @type {Map<string, {extras: boolean}>} the viewers' signaling sockets, as the service tells */
  #sockets = new Map();
  /** @type {Promise<(RTCCertificate | null)[]> | null} two, for `SessionMemory` */
  #certificates = null;
  /** @type {(RTCCertificate | null)[]} */
  #madeCertificates = [null, null];
  /** @type {RTCIceServer[]} */
  #iceServers = [];
  /** @type {import('./master_viewer.js').Outgoing} */
  #outgoing;
  /** @type {MasterState} */
  #state = 'idle';
  /** @type {unknown} */
  #looking = null;
  #looks = 0;

  /** @param {MasterOptions} options */
  constructor(options) {
    super();
    this.#options = options;
    this.#platform = platform(options.platform);
    this.#timers = { ...MASTER_TIMERS, ...options.timers };
    this.#outgoing = outgoing(options.stream ?? null);
    this.#registry = new ViewerRegistry({
      maxViewers: options.maxViewers ?? null,
      timers: this.#timers,
      toEpoch: (now) => Date.now() / 1000 - (this.#now() - now),
    });
    this.#memory = new SessionMemory({ lifetime: this.#timers.sessionMemory });
    this.#link = new MasterLink({
      request: options.session,
      platform: this.#platform,
      random: options.random ?? Math.random,
      renewEvery: this.#timers.iceServers,
    });
    this.#presence = new PresenceReporter({
      viewers: () => this.sessions,
      send: (report) => this.#link.sendNow((signaling) => signaling.sendPresence(report)),
      platform: this.#platform,
      timers: this.#timers,
    });
    this.#hear();
  }

  get state() {
    return this.#state;
  }

  // ------------------------------------------------------------------------------------------- who watches

  /** Those who watch: they were `connected` and are not gone. A `disconnected` one keeps its place. */
  get viewers() {
    return this.#registry.viewers;
  }

  /** The viewers, and those who are still connecting. */
  get sessions() {
    return this.#registry.sessions;
  }

  /** Whether this viewer is connected now (seed 000.4). @param {string} clientId */
  isConnected(clientId) {
    return this.#registry.isConnected(clientId);
  }

  // -------------------------------------------------------------------------------------------------- life

  /** Goes online, and stays. After `closed`, `failed` and `replaced` too: then this master takes the channel again. */
  open() {
    if (!['idle', 'closed', 'failed', 'replaced'].includes(this.#state)) return;
    this.#enter('opening');
    this.#certificates ??= this.#makeCertificates();
    this.#certificates.then((certificates) => {
      this.#madeCertificates = certificates;
      if (this.#state === 'opening') this.#link.open();
    });
  }

  /** The network is another one, or a person does not want to wait: connects to signaling anew, now. */
  reconnect() {
    this.#link.retry();
  }

  /** Other tracks, or none, from now on. @param {MediaStream | null} stream  stays the caller's */
  setStream(stream) {
    this.#outgoing = outgoing(stream);
    for (const connection of this.#connections.values()) connection.send(this.#outgoing);
  }

  /** Says goodbye to all viewers and frees everything; safe in any state, and again. */
  close() {
    if (this.#state === 'closed') return;
    this.#link.close();
    this.#presence.stop();
    for (const clientId of [...this.#connections.keys()]) this.#take(clientId, { type: 'ended', reason: 'ended' });
    this.#platform.clearTimeout(this.#looking);
    this.#looking = null;
    this.#sockets.clear();
    this.#early = new EarlyCandidates();
    this.#enter('closed');
  }

  // --------------------------------------------------------------------------------------------- signaling

  #hear() {
    const link = this.#link;
    link.on('open', ({ iceServers }) => {
      this.#iceServers = iceServers;
      // What was told on another socket may no longer hold, and is told again.
      this.#sockets.clear();
      for (const clientId of this.#connections.keys()) this.#take(clientId, { type: 'signaling', open: true });
      this.#presence.start();
      this.#enter('online');
    });
    link.on('lost', (lost) => {
      this.#presence.stop();
      if (this.#state === 'online') this.#enter('waiting');
      this.emit('lost', lost);
    });
    link.on('refused', (failure) => {
      this.#presence.stop();
      this.#enter('failed');
      this.emit('failed', failure);
    });
    link.on('replaced', () => {
      this.#presence.stop();
      this.#enter('replaced');
    });
    link.on('iceservers', (iceServers) => { this.#iceServers = iceServers; });
    link.on('offer', ({ sdp, clientId }) => this.#offered(clientId, sdp));
    link.on('candidate', ({ candidate, clientId }) => {
      const connection = this.#connections.get(clientId);
      if (connection?.takes(candidate)) connection.addCandidate(candidate);
      else this.#early.keep(clientId, candidate, this.#now());
    });
    link.on('socket', ({ open, extras, clientId }) => {
      if (open) this.#sockets.set(clientId, { extras });
      else this.#sockets.delete(clientId);
      this.#take(clientId, { type: 'signaling', open });
    });
    link.on('farewell', ({ clientId }) => this.#take(clientId, { type: 'ended', reason: 'farewell' }));
    link.on('statusresponse', (status) => this.emit('statusresponse', status));
  }

  /** @param {string} clientId  @param {string} sdp */
  #offered(clientId, sdp) {
    const identity = offerIdentity(sdp);
    if (!identity) return this.#refuse(clientId, 'bad-offer');
    let connection = this.#connections.get(clientId);
    const meaning = meaningOf(identity, connection?.identity ?? null);
    if (!connection || meaning === 'replacement') {
      this.#take(clientId, { type: 'ended', reason: 'replaced' });
      const begun = this.#begin(clientId, identity);
      if (!begun) return;
      connection = begun;
    } else if (!this.#registry.hasRoom(clientId)) {
      return this.#refuse(clientId, 'viewer-limit'); // it slept, and others have come meanwhile
    }
    connection.offer(sdp, identity, { iceServers: this.#iceServers, isRestart: meaning === 'restart' });
    for (const candidate of this.#early.take(clientId, this.#now())) {
      if (connection.takes(candidate)) connection.addCandidate(candidate);
    }
  }

  /**
   * @param {string} clientId
   * @param {import('./master_offer.js').OfferIdentity} identity
   * @returns {MasterViewer | null} null when there is no place for it
   */
  #begin(clientId, identity) {
    const now = this.#now();
    if (!this.#registry.hasRoom(clientId)) return this.#refuse(clientId, 'viewer-limit');
    if (this.#understands(clientId) && this.#memory.isGone(identity, now)) return this.#refuse(clientId, 'session-gone');
    const certificateNumber = this.#memory.certificateFor(identity, now);
    const connection = new MasterViewer({
      clientId, identity, certificateNumber,
      RTCPeerConnection: this.#platform.RTCPeerConnection,
      certificate: this.#madeCertificates[certificateNumber] ?? null,
      configuration: { bundlePolicy: 'max-bundle', iceTransportPolicy: this.#options.iceTransportPolicy ?? 'all' },
      outgoing: this.#outgoing,
    });
    this.#connections.set(clientId, connection);
    /** @template Detail @param {(detail: Detail) => void} listener  heard only as long as it has its place */
    const own = (listener) => (/** @type {Detail} */ detail) => {
      if (this.#connections.get(clientId) === connection) listener(detail);
    };
    const recipient = { recipient: clientId };
    connection.on('candidate', own((candidate) => {
      this.#link.send((signaling) => signaling.sendIceCandidate(candidate, recipient));
    }));
    connection.on('answered', own(({ answer, isRestart }) => {
      this.#link.send((signaling) => signaling.sendSdpAnswer(answer, { ...recipient, correlationId: correlationId() }));
      this.#take(clientId, { type: isRestart ? 'restart' : 'answered' });
    }));
    connection.on('unanswerable', own(({ reason, detail }) => this.#giveUp(connection, reason, detail)));
    connection.on('ice', own((state) => this.#take(clientId, { type: 'ice', state })));
    connection.on('path', own(() => this.#take(clientId, { type: 'path-valid' })));
    connection.on('dtls', own((state) => {
      if (state === 'connected') this.#take(clientId, { type: 'keys-agreed' });
      else if (state === 'failed') this.#take(clientId, { type: 'no-keys' });
      else if (state === 'closed') this.#take(clientId, { type: 'ended', reason: 'close-notify' });
    }));
    connection.on('track', own((track) => this.emit('track', { clientId, track })));
    this.#tell(this.#registry.begin(clientId, now));
    this.#keepLooking();
    return connection;
  }

  /**
   * A first offer that cannot be answered ends the session; a later one leaves it as it is.
   *
   * @param {MasterViewer} connection
   * @param {'bad-offer' | 'no-common-codec'} reason
   * @param {string} detail
   */
  #giveUp(connection, reason, detail) {
    const { clientId } = connection;
    const isNew = this.sessions.find((viewer) => viewer.clientId === clientId)?.connectionState === 'new';
    if (isNew) this.#take(clientId, { type: 'ended', reason: 'broken' });
    this.#refuse(clientId, reason, detail);
  }

  /**
   * A viewer that understands us is told why it gets no answer.
   *
   * @param {string} clientId
   * @param {'bad-offer' | 'no-common-codec' | 'viewer-limit' | 'session-gone'} reason
   * @param {string} [detail]
   * @returns {null}
   */
  #refuse(clientId, reason, detail = '') {
    if (this.#understands(clientId)) {
      const payload = { reason, message: REASONS[reason].message };
      this.#link.send((signaling) => signaling.sendExtra('sightline/notice', payload, { recipient: clientId }));
    }
    this.emit('refused', { clientId, reason, detail });
    return null;
  }

  /** @param {string} clientId */
  #understands(clientId) {
    return this.#sockets.get(clientId)?.extras ?? false;
  }

  // ------------------------------------------------------------------------------------------ the registry

  /** @param {string} clientId  @param {import('./viewer_registry.js').RegistryInput} input */
  #take(clientId, input) {
    this.#tell(this.#registry.take(clientId, input, this.#now()));
  }

  /** @param {import('./viewer_registry.js').RegistryOutput[]} outputs */
  #tell(outputs) {
    if (outputs.length && this.#link.isOpen) this.#presence.changed();
    for (const output of outputs) {
      if (output.kind !== 'state') this.emit(output.kind, output.viewer);
      else if (output.held === 'nothing') this.#free(output.clientId);
      else if (output.held === 'keys') this.#connections.get(output.clientId)?.sleep();
      else this.#connections.get(output.clientId)?.wake();
    }
  }

  /** @param {string} clientId */
  #free(clientId) {
    const connection = this.#connections.get(clientId);
    if (!connection) return;
    this.#connections.delete(clientId);
    this.#memory.forget(connection.identity, connection.certificateNumber, this.#now());
    connection.close();
  }

  #keepLooking() {
    this.#looking ??= this.#platform.setTimeout(() => void this.#look(), LOOK);
  }

  /** Looks before it judges: a browser that held the timers back has not made anybody silent. */
  async #look() {
    await Promise.all([...this.#connections.values()].map((connection) => this.#lookAt(connection)));
    if (this.#looking === null) return; // closed meanwhile
    this.#tell(this.#registry.tick(this.#now()));
    this.#looking = null;
    if (++this.#looks % LOOKS_PER_FIGURES === 0) this.emit('figures', null);
    if (this.#connections.size) this.#keepLooking();
  }

  /** @param {MasterViewer} connection */
  async #lookAt(connection) {
    const reading = await connection.look();
    if (!reading || this.#connections.get(connection.clientId) !== connection) return;
    if (reading.heard) this.#take(connection.clientId, { type: 'heard' });
    const isElsewhere = this.#registry.measure(connection.clientId, reading.figures);
    if (isElsewhere && this.#link.isOpen) this.#presence.changed();
  }

  // ------------------------------------------------------------------------------------------------ inside

  /** Two certificates (docs/topics/viewers.md); none where the browser cannot make any, and then one of its own. */
  async #makeCertificates() {
    const { RTCPeerConnection } = this.#platform;
    const one = () => RTCPeerConnection.generateCertificate(
      /** @type {EcKeyGenParams & {expires: number}} */ ({ name: 'ECDSA', namedCurve: 'P-256', expires: CERTIFICATE_LIFETIME }));
    try {
      return await Promise.all([one(), one()]);
    } catch {
      return [null, null];
    }
  }

  /** @param {MasterState} state */
  #enter(state) {
    const from = this.#state;
    if (from === state) return;
    this.#state = state;
    this.emit('statechange', { from, state });
  }

  #now() {
    return this.#platform.now() / 1000;
  }
}

/** @param {MediaStream | null} stream  @returns {import('./master_viewer.js').Outgoing} */
function outgoing(stream) {
  return { stream, video: stream?.getVideoTracks()[0] ?? null, audio: stream?.getAudioTracks()[0] ?? null };
}

/** With one, the service reports what it cannot deliver (KVS.md §5.3). */
function correlationId() {
  return Array.from(crypto.getRandomValues(new Uint8Array(8)), (byte) => byte.toString(16).padStart(2, '0')).join('');
}

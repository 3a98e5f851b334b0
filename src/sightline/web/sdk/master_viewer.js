import { refuseCommands } from './commands.js';
import { Emitter } from './events.js';
import { candidateUfrag } from './master_candidates.js';
import { MasterStatsReader } from './master_stats.js';

/**
 * What is sent to viewers: at most one track of each kind.
 *
 * @typedef {object} Outgoing
 * @property {MediaStreamTrack | null} video
 * @property {MediaStreamTrack | null} audio
 * @property {MediaStream | null} stream
 *
 * @typedef {object} MasterViewerEvents
 * @property {{answer: RTCSessionDescriptionInit, isRestart: boolean}} answered
 * @property {{reason: 'bad-offer' | 'no-common-codec', detail: string}} unanswerable  detail: the browser's words
 * @property {RTCIceCandidateInit} candidate
 * @property {RTCIceConnectionState} ice   a change; `checking` also during a restart
 * @property {null} path              there is one, of the newest ICE generation
 * @property {RTCDtlsTransportState} dtls  a change
 * @property {MediaStreamTrack} track the viewer talks
 */

/**
 * One viewer's peer connection at its master: one thing is done after the other, so that no candidate overtakes its
 * description. Decides nothing about states; that is the registry's.
 *
 * @extends {Emitter<MasterViewerEvents>}
 */
export class MasterViewer extends Emitter {
  #connection;
  #configuration;
  #outgoing;
  #reader = new MasterStatsReader();
  #isAsleep = false;
  #isClosed = false;
  #ufrags = new Set();
  /** @type {Promise<void>} */
  #work = Promise.resolve();
  /** @type {RTCIceCandidateInit[] | null} null once our answer is out */
  #waiting = [];
  /** @type {RTCDtlsTransport | null} */
  #dtls = null;
  /** Since a restart, until there is a path of its generation. */
  #awaitsNewPath = false;
  /** @type {{ice: RTCIceConnectionState, dtls: RTCDtlsTransportState}} */
  #told = { ice: 'new', dtls: 'new' };

  /**
   * @param {object} options
   * @param {string} options.clientId
   * @param {import('./master_offer.js').OfferIdentity} options.identity
   * @param {0 | 1} options.certificateNumber
   * @param {import('./timers.js').Platform['RTCPeerConnection']} options.RTCPeerConnection
   * @param {RTCConfiguration} options.configuration
   * @param {RTCCertificate | null} options.certificate
   * @param {Outgoing} options.outgoing
   */
  constructor({ clientId, identity, certificateNumber, RTCPeerConnection, configuration, certificate, outgoing }) {
    super();
    this.clientId = clientId;
    /** Of the viewer's newest offer. */
    this.identity = identity;
    this.certificateNumber = certificateNumber;
    this.#configuration = { ...configuration, ...(certificate ? { certificates: [certificate] } : {}) };
    this.#outgoing = outgoing;
    const connection = new RTCPeerConnection(this.#configuration);
    this.#connection = connection;
    connection.onicecandidate = ({ candidate }) => {
      // The empty candidate that ends a generation means nothing to KVS clients, and some stumble over it.
      if (candidate?.candidate) this.#trickle(candidate.toJSON());
    };
    connection.onconnectionstatechange = connection.oniceconnectionstatechange = () => this.#report();
    connection.ontrack = ({ track }) => this.emit('track', track);
    connection.ondatachannel = ({ channel }) => refuseCommands(channel);
  }

  // ------------------------------------------------------------------------------------- what the viewer says

  /**
   * An offer of this session: the first, a restart or a renegotiation.
   *
   * @param {string} sdp
   * @param {import('./master_offer.js').OfferIdentity} identity
   * @param {{iceServers: RTCIceServer[], isRestart: boolean}} how
   */
  offer(sdp, identity, { iceServers, isRestart }) {
    this.identity = identity;
    this.#ufrags.add(identity.ufrag);
    this.#do(async () => {
      this.#waiting = [];
      try {
        const answer = await this.#answer(sdp, iceServers);
        if (this.#isClosed) return;
        if (!takesVideo(sdp, answer.sdp ?? '')) {
          this.emit('unanswerable', { reason: 'no-common-codec', detail: '' });
          return;
        }
        if (isRestart) this.#awaitsNewPath = true;
        this.emit('answered', { answer, isRestart });
        this.#report();
      } catch (error) {
        if (!this.#isClosed) this.emit('unanswerable', { reason: 'bad-offer', detail: String(error) });
        return;
      }
      const waiting = this.#waiting ?? [];
      this.#waiting = null;
      for (const candidate of waiting) this.emit('candidate', candidate);
    });
  }

  /** Whether a candidate is for this session, and not for another offer. @param {RTCIceCandidateInit} candidate */
  takes(candidate) {
    const ufrag = candidateUfrag(candidate);
    return ufrag === null || this.#ufrags.has(ufrag);
  }

  /** @param {RTCIceCandidateInit} candidate */
  addCandidate(candidate) {
    // One unusable candidate (an unknown transport, another generation) must not end the session.
    this.#do(() => this.#connection.addIceCandidate(candidate).catch(() => {}));
  }

  // ----------------------------------------------------------------------------------------- what the master does

  /** Other tracks, or none, from now on: no renegotiation. @param {Outgoing} outgoing */
  send(outgoing) {
    this.#outgoing = outgoing;
    this.#do(() => this.#place());
  }

  /** Nothing is sent any more, and a restart wakes it. */
  sleep() {
    this.#isAsleep = true;
    this.#do(() => this.#place());
  }

  wake() {
    if (!this.#isAsleep) return;
    this.#isAsleep = false;
    this.#do(() => this.#place());
  }

  /** How it stands, by the statistics; null when it is closed. */
  async look() {
    const report = await this.#connection.getStats().catch(() => null);
    if (!report || this.#isClosed) return null;
    const reading = this.#reader.read(report);
    if (this.#awaitsNewPath && reading.heard && this.#hasNewPath(reading.answered)) {
      this.#awaitsNewPath = false;
      this.#report();
    }
    return reading;
  }

  /** Frees everything; safe to call again. */
  close() {
    if (this.#isClosed) return;
    this.#isClosed = true;
    const connection = this.#connection;
    connection.onicecandidate = connection.onconnectionstatechange = connection.oniceconnectionstatechange = null;
    connection.ontrack = connection.ondatachannel = null;
    if (this.#dtls) this.#dtls.onstatechange = null;
    this.#dtls = this.#waiting = null;
    this.#outgoing = { video: null, audio: null, stream: null };
    connection.close();
  }

  // ------------------------------------------------------------------------------------------------------ inside

  /** @param {() => Promise<void>} step  after all those before it; what fails in it harms nobody */
  #do(step) {
    this.#work = this.#work.then(() => (this.#isClosed ? undefined : step())).catch(() => {});
  }

  /** @param {string} sdp  @param {RTCIceServer[]} iceServers */
  async #answer(sdp, iceServers) {
    const connection = this.#connection;
    connection.setConfiguration({ ...this.#configuration, iceServers });
    await connection.setRemoteDescription({ type: 'offer', sdp });
    await this.#place();
    const answer = await connection.createAnswer();
    await connection.setLocalDescription(answer);
    this.#followDtls();
    return answer;
  }

  /** Puts the tracks where the viewer asked for them. A place without a track is kept, for one that comes later. */
  async #place() {
    const free = new Set(['video', 'audio']);
    for (const transceiver of this.#connection.getTransceivers()) {
      const kind = /** @type {'video' | 'audio'} */ (transceiver.receiver.track.kind);
      if (transceiver.direction === 'stopped' || !free.delete(kind)) continue;
      transceiver.direction = kind === 'video' ? 'sendonly' : 'sendrecv'; // the answer holds it to what was offered
      const { stream } = this.#outgoing;
      if (stream) transceiver.sender.setStreams?.(stream);
      await transceiver.sender.replaceTrack(this.#isAsleep ? null : this.#outgoing[kind]);
    }
  }

  #followDtls() {
    if (this.#dtls) return;
    const transports = [this.#connection.sctp, ...this.#connection.getTransceivers().map(({ sender }) => sender)];
    this.#dtls = transports.find((each) => each?.transport)?.transport ?? null;
    if (this.#dtls) this.#dtls.onstatechange = () => this.#report();
  }

  /** Tells what has changed, once: that a state still is what it was is no sign of life. */
  #report() {
    if (this.#isClosed) return;
    const { connectionState, iceConnectionState } = this.#connection;
    const ice = this.#awaitsNewPath ? 'checking' : iceConnectionState;
    // Where the browser does not show its DTLS, its connection state tells.
    const dtls = this.#dtls?.state ?? (connectionState === 'connected' ? 'connected' : 'new');
    const before = this.#told;
    this.#told = { ice, dtls };
    if (dtls !== before.dtls) this.emit('dtls', dtls);
    if (ice === before.ice || this.#isClosed) return;
    this.emit('ice', ice);
    if (isUp(ice) && !isUp(before.ice) && !this.#isClosed) this.emit('path', null);
  }

  /**
   * A check of the newest generation was answered (RFC 8445 §7.2.5.3).
   *
   * @param {Set<string> | null} answered
   */
  #hasNewPath(answered) {
    const { iceConnectionState, localDescription } = this.#connection;
    if (!isUp(iceConnectionState)) return false;
    const ufrag = /^a=ice-ufrag:(.+?)\r?$/m.exec(localDescription?.sdp ?? '')?.[1] ?? '';
    return answered === null || answered.has(ufrag);
  }

  /** @param {RTCIceCandidateInit} candidate */
  #trickle(candidate) {
    if (this.#waiting) this.#waiting.push(candidate);
    else if (!this.#isClosed) this.emit('candidate', candidate);
  }
}

/** @param {RTCIceConnectionState} state */
function isUp(state) {
  return state === 'connected' || state === 'completed';
}

/**
 * Whether the video that was offered is taken: its section has a port in the answer (RFC 3264 §6).
 *
 * @param {string} offer
 * @param {string} answer
 */
export function takesVideo(offer, answer) {
  const wanted = /^m=video [1-9]/m.test(offer);
  return !wanted || /^m=video [1-9]/m.test(answer);
}

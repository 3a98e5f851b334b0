import { COMMANDS } from './commands.js';
import { Emitter } from './events.js';

/**
 * The viewer's side of one peer connection: receives video (and audio), offers, trickles, restarts.
 *
 * Made before the session is known, so that the offer is ready when the socket is; the ICE servers come in with
 * `offer()`, which is what starts gathering. Candidates wait on both sides: local ones until the offer has gone
 * out, remote ones until the answer is in place (KVS.md §5.4: candidates may overtake the SDP).
 *
 * @typedef {object} ViewerPeerEvents
 * @property {RTCIceCandidateInit} candidate
 * @property {RTCPeerConnectionState} connectionstate
 * @property {MediaStreamTrack} track
 * @property {{code: number, url: string}} gatheringerror  a STUN or TURN server did not do its part
 */

/** @extends {Emitter<ViewerPeerEvents>} */
export class ViewerPeer extends Emitter {
  /** The offer that is out, counted from 1; an answer belongs to one of them. */
  offerNumber = 0;
  /** Types of the candidates of both sides so far: what a failure to connect has tried. */
  candidateTypes = { local: new Set(), remote: new Set() };
  /** @type {RTCPeerConnection | null} */
  #connection;
  #configuration;
  /** @type {RTCSessionDescriptionInit | null} */
  #offer = null;
  /** Local candidates of this offer. @type {RTCIceCandidateInit[]} */
  #candidates = [];
  #isTrickling = false;
  /** @type {RTCIceCandidateInit[] | null} null once the answer is in place */
  #waitingRemote = [];
  /** Whether the offer that is out still wants an answer: what comes after one changes nothing. */
  awaitsAnswer = false;
  /** @type {RTCRtpTransceiver | null} */
  #audio = null;
  /** For commands to the device; null when there is none. @type {RTCDataChannel | null} */
  commandChannel = null;
  #offerMade;

  /**
   * @param {object} options
   * @param {import('./timers.js').Platform['RTCPeerConnection']} options.RTCPeerConnection
   * @param {'recvonly' | 'sendrecv' | null} options.audio  sendrecv: ready for talking, with silence until then
   * @param {boolean} [options.commands]  offer a data channel for commands
   * @param {RTCIceTransportPolicy} options.iceTransportPolicy
   */
  constructor({ RTCPeerConnection, audio, commands = false, iceTransportPolicy }) {
    super();
    this.#configuration = { bundlePolicy: /** @type {const} */ ('max-bundle'), iceTransportPolicy };
    const connection = new RTCPeerConnection(this.#configuration);
    this.#connection = connection;
    connection.addTransceiver('video', { direction: 'recvonly' });
    if (audio) this.#audio = connection.addTransceiver('audio', { direction: audio });
    if (commands) this.commandChannel = connection.createDataChannel(COMMANDS);
    connection.onicecandidate = ({ candidate }) => {
      // The empty candidate that ends a generation means nothing to KVS clients, and some stumble over it.
      if (candidate?.candidate) this.#trickle(candidate.toJSON());
    };
    connection.onicecandidateerror = ({ errorCode, url }) => this.emit('gatheringerror', { code: errorCode, url });
    connection.onconnectionstatechange = () => this.emit('connectionstate', connection.connectionState);
    connection.ontrack = ({ track }) => this.emit('track', track);
    this.#offerMade = connection.createOffer();
    this.#offerMade.catch(() => {}); // reported by offer()
  }

  /**
   * Sets the ICE servers, starts gathering and makes the first offer.
   *
   * @param {RTCIceServer[]} iceServers
   */
  async offer(iceServers) {
    this.setIceServers(iceServers);
    await this.#propose(await this.#offerMade);
  }

  /** Makes an offer with new ICE credentials: another path for the same session (RFC 8839 §4.4.1.1.1). */
  async restart() {
    const offer = await this.#connection?.createOffer({ iceRestart: true });
    if (offer) await this.#propose(offer);
  }

  /**
   * For the next gathering: nothing that works now is touched.
   *
   * @param {RTCIceServer[]} iceServers
   */
  setIceServers(iceServers) {
    this.#connection?.setConfiguration({ ...this.#configuration, iceServers });
  }

  /**
   * Sends the offer and its candidates, those to come as well.
   *
   * @param {(offer: RTCSessionDescriptionInit) => void} send
   */
  sendOffer(send) {
    if (!this.#offer) return;
    send(this.#offer);
    this.#isTrickling = true;
    for (const candidate of this.#candidates) this.emit('candidate', candidate);
  }

  /** @param {RTCSessionDescriptionInit} answer */
  async acceptAnswer(answer) {
    this.awaitsAnswer = false;
    await this.#connection?.setRemoteDescription(answer);
    const waiting = this.#waitingRemote ?? [];
    this.#waitingRemote = null;
    await Promise.all(waiting.map((candidate) => this.#addCandidate(candidate)));
  }

  /** @param {RTCIceCandidateInit} candidate */
  async addCandidate(candidate) {
    this.candidateTypes.remote.add(typeOf(candidate));
    if (this.#waitingRemote) this.#waitingRemote.push(candidate);
    else await this.#addCandidate(candidate);
  }

  get connectionState() {
    return this.#connection?.connectionState ?? 'closed';
  }

  /** The video format that was agreed on, for instance `H264`; null before the answer, or when there is none. */
  get codec() {
    return videoCodec(this.#connection?.currentRemoteDescription?.sdp ?? '');
  }

  /** Whether the camera agreed to hear this viewer. */
  get canTalk() {
    return this.#audio?.currentDirection?.startsWith('send') ?? false;
  }

  /** @param {MediaStreamTrack | null} track  a microphone's; null for silence */
  async talk(track) {
    await this.#audio?.sender.replaceTrack(track);
  }

  /** @returns {Promise<RTCStatsReport | null>} null when closed */
  async stats() {
    return this.#connection ? this.#connection.getStats() : null;
  }

  /** Seed 001.7: transceivers stopped, senders' tracks removed, connection closed, references cleared. */
  close() {
    const connection = this.#connection;
    this.#connection = this.#audio = this.#offer = this.#waitingRemote = this.commandChannel = null;
    this.#candidates = [];
    if (!connection) return;
    connection.onicecandidate = connection.onicecandidateerror = null;
    connection.onconnectionstatechange = connection.ontrack = null;
    for (const transceiver of connection.getTransceivers()) attempt(() => transceiver.stop());
    for (const sender of connection.getSenders()) {
      if (sender.track) attempt(() => connection.removeTrack(sender));
    }
    connection.close();
  }

  /** @param {RTCSessionDescriptionInit} offer */
  async #propose(offer) {
    if (!this.#connection) return;
    this.offerNumber += 1;
    this.#offer = offer;
    this.#candidates = [];
    this.#isTrickling = false;
    this.#waitingRemote = [];
    this.awaitsAnswer = true;
    await this.#connection.setLocalDescription(offer);
  }

  /** @param {RTCIceCandidateInit} candidate */
  #trickle(candidate) {
    if (!this.#connection) return;
    this.candidateTypes.local.add(typeOf(candidate));
    this.#candidates.push(candidate);
    if (this.#isTrickling) this.emit('candidate', candidate);
  }

  /** @param {RTCIceCandidateInit} candidate */
  async #addCandidate(candidate) {
    // One unusable candidate (an unknown transport, another generation) must not end the session.
    await this.#connection?.addIceCandidate(candidate).catch(() => {});
  }
}

/**
 * The first video format of an answer, which is the one that is sent; null when the video was refused (RFC 8829 §5.3.1).
 *
 * @param {string} sdp
 */
export function videoCodec(sdp) {
  const [, port, first] = /^m=video (\d+) \S+ (\d+)/m.exec(sdp) ?? [];
  if (!first || port === '0') return null;
  return new RegExp(`^a=rtpmap:${first} ([^/\\s]+)`, 'm').exec(sdp)?.[1] ?? null;
}

/** @param {RTCIceCandidateInit} candidate  @returns {string} `host`, `srflx`, `prflx`, `relay` */
function typeOf({ candidate }) {
  return / typ (\w+)/.exec(candidate ?? '')?.[1] ?? 'unknown';
}

/** @param {() => void} step  one step of the teardown; the others happen whatever becomes of it */
function attempt(step) {
  try {
    step();
  } catch {
    // Already stopped or closed: that is what was wanted.
  }
}

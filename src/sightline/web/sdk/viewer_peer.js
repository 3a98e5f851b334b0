import { Emitter } from './events.js';

/**
 * The viewer's side of one peer connection: receives video (and audio), offers, trickles.
 *
 * Made before the session is known, so that the offer is ready when the socket is; the ICE servers come in with
 * `offer()`, which is what starts gathering. Candidates wait on both sides: local ones until the offer has gone
 * out, remote ones until the answer is in place (KVS.md §5.4: candidates may overtake the SDP).
 *
 * @typedef {object} ViewerPeerEvents
 * @property {RTCIceCandidateInit} candidate
 * @property {RTCPeerConnectionState} connectionstate
 * @property {MediaStreamTrack} track
 */

/** @extends {Emitter<ViewerPeerEvents>} */
export class ViewerPeer extends Emitter {
  /** @type {RTCPeerConnection | null} */
  #connection;
  #iceTransportPolicy;
  /** @type {RTCIceCandidateInit[] | null} null once the offer is out */
  #waitingLocal = [];
  /** @type {RTCIceCandidateInit[] | null} null once the answer is in place */
  #waitingRemote = [];
  #offerMade;

  /**
   * @param {object} options
   * @param {import('./timers.js').Platform['RTCPeerConnection']} options.RTCPeerConnection
   * @param {boolean} options.audio
   * @param {RTCIceTransportPolicy} options.iceTransportPolicy
   */
  constructor({ RTCPeerConnection, audio, iceTransportPolicy }) {
    super();
    this.#iceTransportPolicy = iceTransportPolicy;
    const connection = new RTCPeerConnection({ bundlePolicy: 'max-bundle', iceTransportPolicy });
    this.#connection = connection;
    connection.addTransceiver('video', { direction: 'recvonly' });
    if (audio) connection.addTransceiver('audio', { direction: 'recvonly' });
    connection.onicecandidate = ({ candidate }) => {
      // The empty candidate that ends a generation means nothing to KVS clients, and some stumble over it.
      if (candidate?.candidate) this.#trickle(candidate.toJSON());
    };
    connection.onconnectionstatechange = () => this.emit('connectionstate', connection.connectionState);
    connection.ontrack = ({ track }) => this.emit('track', track);
    this.#offerMade = connection.createOffer();
    this.#offerMade.catch(() => {}); // reported by offer()
  }

  /**
   * Sets the ICE servers, starts gathering and returns the offer.
   *
   * @param {RTCIceServer[]} iceServers
   * @returns {Promise<RTCSessionDescriptionInit>}
   */
  async offer(iceServers) {
    this.#connection?.setConfiguration({ bundlePolicy: 'max-bundle', iceTransportPolicy: this.#iceTransportPolicy, iceServers });
    const offer = await this.#offerMade;
    await this.#connection?.setLocalDescription(offer);
    return offer;
  }

  /** The offer has been sent: local candidates may follow it now. */
  startTrickle() {
    const waiting = this.#waitingLocal ?? [];
    this.#waitingLocal = null;
    for (const candidate of waiting) this.emit('candidate', candidate);
  }

  /** @param {RTCSessionDescriptionInit} answer */
  async acceptAnswer(answer) {
    await this.#connection?.setRemoteDescription(answer);
    const waiting = this.#waitingRemote ?? [];
    this.#waitingRemote = null;
    await Promise.all(waiting.map((candidate) => this.#addCandidate(candidate)));
  }

  /** @param {RTCIceCandidateInit} candidate */
  async addCandidate(candidate) {
    if (this.#waitingRemote) this.#waitingRemote.push(candidate);
    else await this.#addCandidate(candidate);
  }

  get connectionState() {
    return this.#connection?.connectionState ?? 'closed';
  }

  /** @returns {Promise<RTCStatsReport | null>} null when closed */
  async stats() {
    return this.#connection ? this.#connection.getStats() : null;
  }

  /** Seed 001.7: transceivers stopped, senders' tracks removed, connection closed, references cleared. */
  close() {
    const connection = this.#connection;
    this.#connection = null;
    this.#waitingLocal = this.#waitingRemote = null;
    if (!connection) return;
    connection.onicecandidate = connection.onconnectionstatechange = connection.ontrack = null;
    for (const transceiver of connection.getTransceivers()) attempt(() => transceiver.stop());
    for (const sender of connection.getSenders()) {
      if (sender.track) attempt(() => connection.removeTrack(sender));
    }
    connection.close();
  }

  /** @param {RTCIceCandidateInit} candidate */
  #trickle(candidate) {
    if (this.#waitingLocal) this.#waitingLocal.push(candidate);
    else if (this.#connection) this.emit('candidate', candidate);
  }

  /** @param {RTCIceCandidateInit} candidate */
  async #addCandidate(candidate) {
    // One unusable candidate (an unknown transport, another generation) must not end the session.
    await this.#connection?.addIceCandidate(candidate).catch(() => {});
  }
}

/** @param {() => void} step  one step of the teardown; the others happen whatever becomes of it */
function attempt(step) {
  try {
    step();
  } catch {
    // Already stopped or closed: that is what was wanted.
  }
}

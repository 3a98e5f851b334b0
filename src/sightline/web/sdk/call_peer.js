import { Emitter } from './events.js';

/** Whoever calls makes it; it lasts as long as the call does. */
const CHANNEL = 'chat';

/**
 * @typedef {object} CallPeerEvents
 * @property {{type: 'offer' | 'answer', sdp: string}} description  to be sent
 * @property {RTCIceCandidateInit} candidate                        to be sent
 * @property {RTCPeerConnectionState} connectionstate
 * @property {null} negotiationneeded
 * @property {MediaStreamTrack} track
 * @property {MediaStreamTrack} trackgone
 * @property {string} text
 * @property {null} path                                            another pair of candidates is in use
 * @property {null} ended                                           the other side closed its end
 * @property {null} broken                                          a description could not be used
 */

/**
 * One peer connection of a call. Everything that changes its descriptions waits for what went before: of two messages
 * that come at once none finds the connection between two states.
 *
 * @extends {Emitter<CallPeerEvents>}
 */
export class CallPeer extends Emitter {
  #connection;
  /** @type {Promise<void>} */
  #queue = Promise.resolve();
  /** @type {RTCIceCandidateInit[]} */
  #early = [];
  /** @type {RTCDataChannel[]} */
  #channels = [];
  #closed = false;

  /**
   * @param {object} options
   * @param {import('./timers.js').Platform['RTCPeerConnection']} options.RTCPeerConnection
   * @param {RTCConfiguration} options.configuration
   * @param {MediaStream} options.stream   what is sent
   */
  constructor({ RTCPeerConnection, configuration, stream }) {
    super();
    const connection = new RTCPeerConnection(configuration);
    this.#connection = connection;
    for (const track of stream.getTracks()) connection.addTrack(track, stream);
    connection.onicecandidate = ({ candidate }) => {
      if (candidate?.candidate) this.emit('candidate', candidate.toJSON());
    };
    connection.onconnectionstatechange = () => {
      this.emit('connectionstate', connection.connectionState);
      this.#watchPath(connection);
    };
    connection.onnegotiationneeded = () => this.emit('negotiationneeded', null);
    connection.ontrack = ({ track, streams }) => {
      track.addEventListener('ended', () => this.emit('trackgone', track));
      for (const one of streams) {
        one.addEventListener('removetrack', (event) => this.emit('trackgone', event.track));
      }
      this.emit('track', track);
    };
    connection.ondatachannel = ({ channel }) => this.#take(channel);
  }

  /** @param {boolean} restart  with new ICE credentials: another path (RFC 8839 §4.4.1.1.1) */
  offer(restart) {
    this.#next(async (connection) => {
      // Both kinds are offered even when one is not sent: it may be received, and sent later.
      for (const kind of ['audio', 'video']) {
        if (!connection.getTransceivers().some(({ receiver }) => receiver.track.kind === kind)) connection.addTransceiver(kind);
      }
      if (!this.#channels.length && !connection.remoteDescription) this.#take(connection.createDataChannel(CHANNEL));
      await connection.setLocalDescription(await connection.createOffer({ iceRestart: restart }));
      this.#say(connection);
    });
  }

  /** @param {RTCSessionDescriptionInit} description  @param {RTCIceServer[]} iceServers */
  acceptOffer(description, iceServers) {
    this.#next(async (connection) => {
      // A restart of theirs makes this side gather too: with credentials that are good.
      if (iceServers.length) connection.setConfiguration({ ...connection.getConfiguration(), iceServers });
      await connection.setRemoteDescription(description); // takes back an offer of ours that is out
      await this.#addEarly(connection);
      await connection.setLocalDescription();
      this.#say(connection);
    });
  }

  /** @param {RTCSessionDescriptionInit} description */
  acceptAnswer(description) {
    this.#next(async (connection) => {
      if (connection.signalingState !== 'have-local-offer') return; // of an offer that was taken back
      await connection.setRemoteDescription(description);
      await this.#addEarly(connection);
    });
  }

  /** Says once more what was said last, with the candidates found since. */
  repeat() {
    this.#next(async (connection) => {
      const { type } = connection.localDescription ?? {};
      if (connection.signalingState === 'have-local-offer' || type === 'answer') this.#say(connection);
    });
  }

  /** @param {RTCIceCandidateInit} candidate */
  addCandidate(candidate) {
    this.#next(async (connection) => {
      if (!connection.remoteDescription) this.#early.push(candidate);
      else await connection.addIceCandidate(candidate).catch(() => {}); // one of an offer that was ignored
    });
  }

  /** @param {RTCIceServer[]} iceServers */
  setIceServers(iceServers) {
    this.#next(async (connection) => connection.setConfiguration({ ...connection.getConfiguration(), iceServers }));
  }

  /**
   * Another track of the same kind, without the other side's doing anything, where there is one; else a new one.
   *
   * @param {'audio' | 'video'} kind  @param {MediaStreamTrack | null} track  @param {MediaStream} stream
   */
  async replaceTrack(kind, track, stream) {
    if (this.#closed) return;
    const sending = this.#connection.getTransceivers().filter(({ receiver, currentDirection }) => (
      receiver.track.kind === kind && currentDirection !== 'stopped'));
    const transceiver = sending.find(({ sender }) => sender.track) ?? sending.find(({ direction }) => direction.startsWith('send')) ?? sending[0];
    if (!transceiver) {
      if (track) this.#connection.addTrack(track, stream);
      return;
    }
    await transceiver.sender.replaceTrack(track);
    if (track && !transceiver.direction.startsWith('send')) transceiver.direction = 'sendrecv';
  }

  /** @param {string} text  @returns {boolean} false: there is no channel to the other side */
  sendText(text) {
    const channel = this.#channels.find(({ readyState }) => readyState === 'open');
    channel?.send(text);
    return channel !== undefined;
  }

  get connectionState() {
    return this.#connection.connectionState;
  }

  getStats() {
    return this.#connection.getStats();
  }

  /** In the order of seed 001.7; safe to call again. */
  close() {
    if (this.#closed) return;
    this.#closed = true;
    const connection = this.#connection;
    connection.onicecandidate = connection.onconnectionstatechange = connection.onnegotiationneeded = null;
    connection.ontrack = connection.ondatachannel = null;
    for (const channel of this.#channels) channel.onmessage = channel.onclose = null;
    for (const transceiver of connection.getTransceivers()) {
      try { transceiver.stop(); } catch { /* it is closed already */ }
    }
    connection.close();
  }

  /** @param {RTCPeerConnection} connection */
  #watchPath(connection) {
    const transport = connection.sctp?.transport?.iceTransport;
    if (transport && !transport.onselectedcandidatepairchange) {
      transport.onselectedcandidatepairchange = () => this.emit('path', null);
    }
  }

  /** @param {RTCDataChannel} channel */
  #take(channel) {
    this.#channels.push(channel);
    channel.onmessage = ({ data }) => {
      if (typeof data === 'string') this.emit('text', data);
    };
    // Its last word comes by the path of the pictures, also when signaling is on another that is dead.
    channel.onclose = () => {
      if (channel.label === CHANNEL) this.emit('ended', null);
    };
  }

  /** @param {RTCPeerConnection} connection */
  #say({ localDescription }) {
    if (!localDescription || this.#closed) return;
    this.emit('description', { type: localDescription.type === 'offer' ? 'offer' : 'answer', sdp: localDescription.sdp });
  }

  /** @param {RTCPeerConnection} connection */
  async #addEarly(connection) {
    for (const candidate of this.#early.splice(0)) await connection.addIceCandidate(candidate).catch(() => {});
  }

  /** @param {(connection: RTCPeerConnection) => Promise<void>} operation */
  #next(operation) {
    this.#queue = this.#queue.then(() => (this.#closed ? undefined : operation(this.#connection))).catch((error) => {
      if (this.#closed) return;
      console.warn(`call: ${error instanceof Error ? error.message : error}`);
      this.emit('broken', null);
    });
  }
}

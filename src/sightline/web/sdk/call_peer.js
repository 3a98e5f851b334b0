import { Emitter } from './events.js';

/** Whoever calls makes it; it lasts as long as the call does. What people write goes over it. */
const CHAT = 'chat';
/** Pages tell each other over it what is sent: a picture that is off is black like one of a dark room. */
const STATUS = 'status';

/**
 * What one side sends.
 *
 * @typedef {object} Sending
 * @property {boolean} sound                        false: muted, or there is no microphone
 * @property {'camera' | 'screen' | null} picture   null: off, or there is no camera
 */

/**
 * @typedef {object} CallPeerEvents
 * @property {{type: 'offer' | 'answer', sdp: string}} description  to be sent
 * @property {RTCIceCandidateInit} candidate                        to be sent
 * @property {RTCPeerConnectionState} connectionstate
 * @property {null} negotiationneeded
 * @property {MediaStreamTrack} track
 * @property {MediaStreamTrack} trackgone
 * @property {string} text
 * @property {Sending} sending                                      what the other side says that it sends
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
  /** @type {Sending | null} */
  #sending = null;
  /** @type {Set<MediaStreamTrack>} */
  #received = new Set();

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
    connection.ontrack = ({ track }) => {
      this.#received.add(track);
      track.addEventListener('ended', () => this.#gone(track));
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
      if (!this.#channels.length && !connection.remoteDescription) {
        for (const label of [CHAT, STATUS]) this.#take(connection.createDataChannel(label));
      }
      await connection.setLocalDescription(await connection.createOffer({ iceRestart: restart }));
      this.#say(connection);
    });
  }

  /** @param {RTCSessionDescriptionInit} description  @param {RTCIceServer[]} iceServers */
  acceptOffer(description, iceServers) {
    this.#next(async (connection) => {
      // A restart of theirs makes this side gather too: with credentials that are good.
      this.#use(connection, iceServers);
      await connection.setRemoteDescription(description); // takes back an offer of ours that is out
      await this.#addEarly(connection);
      await connection.setLocalDescription();
      this.#lookForGone(connection);
      this.#say(connection);
    });
  }

  /** @param {RTCSessionDescriptionInit} description */
  acceptAnswer(description) {
    this.#next(async (connection) => {
      if (connection.signalingState !== 'have-local-offer') return; // of an offer that was taken back
      await connection.setRemoteDescription(description);
      this.#lookForGone(connection);
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
    this.#next(async (connection) => this.#use(connection, iceServers));
  }

  /**
   * Another track of the same kind, without the other side's doing anything, where there is one; else a new one. Null:
   * none of that kind is sent any more, and the other side is told.
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
    const sends = transceiver.direction.startsWith('send');
    if (track && !sends) {
      transceiver.sender.setStreams?.(stream);
      transceiver.direction = 'sendrecv';
    } else if (!track && sends) transceiver.direction = transceiver.direction === 'sendrecv' ? 'recvonly' : 'inactive';
  }

  /** Tells a page at the other side what is sent; others do not ask. @param {Sending} sending */
  tell(sending) {
    this.#sending = sending;
    for (const channel of this.#channels) {
      if (channel.label === STATUS && channel.readyState === 'open') channel.send(JSON.stringify(sending));
    }
  }

  /** @param {string} text  @returns {boolean} false: there is no channel to the other side */
  sendText(text) {
    const channel = this.#channels.find(({ label, readyState }) => label !== STATUS && readyState === 'open');
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
    for (const channel of this.#channels) channel.onmessage = channel.onopen = channel.onclose = null;
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

  /** For the next gathering. A browser that cannot has the servers of before. @param {RTCPeerConnection} connection  @param {RTCIceServer[]} iceServers */
  #use(connection, iceServers) {
    try {
      if (iceServers.length) connection.setConfiguration({ ...connection.getConfiguration(), iceServers });
    } catch { /* a call without them is better than none */ }
  }

  /** @param {RTCDataChannel} channel */
  #take(channel) {
    this.#channels.push(channel);
    channel.onmessage = ({ data }) => {
      if (typeof data !== 'string') return;
      if (channel.label !== STATUS) return this.emit('text', data);
      const sending = readSending(data);
      if (sending) this.emit('sending', sending);
    };
    channel.onopen = () => {
      if (this.#sending) this.tell(this.#sending);
    };
    // Its last word comes by the path of the pictures, also when signaling is on another that is dead.
    channel.onclose = () => {
      if (channel.label === CHAT) this.emit('ended', null);
    };
  }

  /** Those that the last description no longer has. @param {RTCPeerConnection} connection */
  #lookForGone(connection) {
    for (const { receiver, currentDirection } of connection.getTransceivers()) {
      if (currentDirection && !currentDirection.endsWith('recv') && currentDirection !== 'recvonly') this.#gone(receiver.track);
    }
  }

  /** @param {MediaStreamTrack} track */
  #gone(track) {
    if (this.#received.delete(track)) this.emit('trackgone', track);
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

/** @param {string} data  @returns {Sending | null} */
function readSending(data) {
  try {
    const { sound, picture } = JSON.parse(data);
    return { sound: sound !== false, picture: picture === 'camera' || picture === 'screen' ? picture : null };
  } catch {
    return null;
  }
}

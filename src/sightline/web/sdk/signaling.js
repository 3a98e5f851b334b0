import { Emitter } from './events.js';

const EXTRAS = /[?&]X-Sightline-Extras=1(&|$)/;

/**
 * The KVS signaling socket (KVS.md §5) for either role, without the page: frames in, typed events out.
 * A presigned URL decides the channel, the role and the client id, and whether the other side is a Sightline that says
 * more than KVS does (`docs/topics/viewers.md`, "What our signaling says beyond KVS").
 *
 * @typedef {object} SignalingEvents
 * @property {null} open
 * @property {{description: RTCSessionDescriptionInit, sender: string | null}} sdpOffer
 * @property {{description: RTCSessionDescriptionInit, sender: string | null}} sdpAnswer
 * @property {{candidate: RTCIceCandidateInit, sender: string | null}} iceCandidate
 * @property {StatusResponse} statusResponse
 * @property {null} goAway
 * @property {null} reconnectIceServer
 * @property {{reason: string, message: string}} notice     why there is no answer (`sightline/notice`)
 * @property {{present: boolean, ours: boolean}} master      is the camera there, and is it a Sightline's
 * @property {Extra} extra                                   any other message beyond KVS
 * @property {{code: number, reason: string, wasOpen: boolean}} close
 * @property {null} error
 *
 * @typedef {object} Extra
 * @property {string} type                                   for instance `sightline/viewer`
 * @property {Record<string, unknown>} payload
 * @property {string | null} sender
 *
 * @typedef {object} StatusResponse
 * @property {string} correlationId
 * @property {string} statusCode
 * @property {string} errorType
 * @property {string} description
 *
 * @typedef {object} Addressing
 * @property {string} [recipient]      client id; a master must name one, a viewer never does
 * @property {string} [correlationId]  with one, the service reports errors in a STATUS_RESPONSE
 */

/** @extends {Emitter<SignalingEvents>} */
export class SignalingClient extends Emitter {
  /** @type {WebSocket | null} */
  #socket = null;
  #url;
  #WebSocket;

  /**
   * @param {object} options
   * @param {string} options.url  presigned ws(s) URL
   * @param {import('./timers.js').Platform['WebSocket']} [options.WebSocket]
   */
  constructor({ url, WebSocket = globalThis.WebSocket }) {
    super();
    this.#url = url;
    this.#WebSocket = WebSocket;
  }

  get isOpen() {
    return this.#socket?.readyState === 1;
  }

  /** Whether the presigned URL asks for what only a Sightline says. */
  get hasExtras() {
    return asksForExtras(this.#url);
  }

  /** Opens the socket; `open` or `close` follows. Throws on an unusable URL. */
  open() {
    if (this.#socket) return;
    const socket = new this.#WebSocket(this.#url);
    this.#socket = socket;
    let wasOpen = false;
    socket.onopen = () => {
      wasOpen = true;
      this.emit('open', null);
    };
    socket.onmessage = (event) => this.#receive(event.data);
    socket.onerror = () => this.emit('error', null);
    socket.onclose = (event) => {
      this.#socket = null;
      this.emit('close', { code: event.code, reason: event.reason, wasOpen });
    };
  }

  /** @param {RTCSessionDescriptionInit} description  @param {Addressing} [addressing] */
  sendSdpOffer(description, addressing) {
    return this.#send('SDP_OFFER', { type: 'offer', sdp: description.sdp }, addressing);
  }

  /** @param {RTCSessionDescriptionInit} description  @param {Addressing} [addressing] */
  sendSdpAnswer(description, addressing) {
    return this.#send('SDP_ANSWER', { type: 'answer', sdp: description.sdp }, addressing);
  }

  /** @param {RTCIceCandidateInit} candidate  @param {Addressing} [addressing] */
  sendIceCandidate(candidate, addressing) {
    return this.#send('ICE_CANDIDATE', candidate, addressing);
  }

  /**
   * A viewer leaves for good, so that the camera frees its place at once instead of waiting for silence.
   */
  sendFarewell() {
    return this.sendExtra('sightline/farewell');
  }

  /** Is the camera there? `master` answers at once, which also proves that this socket lives. */
  sendAsk() {
    return this.sendExtra('sightline/ask');
  }

  /**
   * A message that only a Sightline knows: to all others nothing is sent.
   *
   * @param {string} action
   * @param {object} [payload]
   * @param {Addressing} [addressing]
   */
  sendExtra(action, payload = {}, addressing) {
    return this.hasExtras && this.#send(action, payload, addressing);
  }

  /**
   * A master's report of its viewers: too large for a payload, so its members stand in the frame itself.
   *
   * @param {{viewers: object[], total: number}} report
   */
  sendPresence(report) {
    if (!this.#socket || !this.isOpen || !this.hasExtras) return false;
    this.#socket.send(JSON.stringify({ action: 'sightline/presence', ...report }));
    return true;
  }

  /** Closes the socket without a further event; safe to call at any time, and again. */
  close() {
    const socket = this.#socket;
    this.#socket = null;
    if (!socket) return;
    socket.onopen = socket.onmessage = socket.onerror = socket.onclose = null;
    socket.close(1000);
  }

  /**
   * @param {string} action
   * @param {object} payload
   * @param {Addressing} [addressing]
   * @returns {boolean} false when the socket is not open: nothing was sent
   */
  #send(action, payload, { recipient, correlationId } = {}) {
    if (!this.#socket || !this.isOpen) return false;
    this.#socket.send(JSON.stringify({
      action,
      messagePayload: encodePayload(payload),
      ...(recipient ? { recipientClientId: recipient } : {}),
      ...(correlationId ? { correlationId } : {}),
    }));
    return true;
  }

  /** @param {unknown} frame */
  #receive(frame) {
    const message = parseFrame(frame);
    if (!message) return;
    const { payload, sender } = message;
    switch (message.type) {
      case 'SDP_OFFER':
      case 'SDP_ANSWER':
        if (typeof payload?.sdp !== 'string') return;
        if (message.type === 'SDP_OFFER') this.emit('sdpOffer', { description: { type: 'offer', sdp: payload.sdp }, sender });
        else this.emit('sdpAnswer', { description: { type: 'answer', sdp: payload.sdp }, sender });
        return;
      case 'ICE_CANDIDATE':
        // Android sends the JSON value null for "no more candidates": nothing to add.
        if (typeof payload?.candidate === 'string') {
          this.emit('iceCandidate', { candidate: /** @type {RTCIceCandidateInit} */ (payload), sender });
        }
        return;
      case 'STATUS_RESPONSE':
        if (message.status) this.emit('statusResponse', message.status);
        return;
      case 'GO_AWAY':
        this.emit('goAway', null);
        return;
      case 'RECONNECT_ICE_SERVER':
        this.emit('reconnectIceServer', null);
        return;
      case 'sightline/notice':
        if (typeof payload?.reason !== 'string') return;
        this.emit('notice', { reason: payload.reason, message: String(payload.message ?? '') });
        return;
      case 'sightline/master':
        if (typeof payload?.present !== 'boolean') return;
        this.emit('master', { present: payload.present, ours: payload.ours === true });
        return;
      default:
        if (message.type.startsWith('sightline/') && payload) this.emit('extra', { type: message.type, payload, sender });
    }
  }
}

/**
 * Whether a presigned URL asks for what only a Sightline says.
 *
 * @param {string} url
 */
export function asksForExtras(url) {
  return EXTRAS.test(url);
}

/**
 * A value as the wire's payload: JSON, UTF-8, standard base64. (`btoa` alone throws on anything beyond Latin-1.)
 *
 * @param {unknown} value
 */
export function encodePayload(value) {
  const bytes = new TextEncoder().encode(JSON.stringify(value));
  let binary = '';
  for (const byte of bytes) binary += String.fromCharCode(byte);
  return btoa(binary);
}

/**
 * The object in a payload; null for JSON's null and for everything unreadable. Takes the URL-safe alphabet too:
 * Android's SDK writes it (KVS.md §5.2).
 *
 * @param {unknown} payload
 * @returns {Record<string, unknown> | null}
 */
export function decodePayload(payload) {
  if (typeof payload !== 'string' || payload === '') return null;
  try {
    const binary = atob(payload.replaceAll('-', '+').replaceAll('_', '/'));
    const bytes = Uint8Array.from(binary, (character) => character.charCodeAt(0));
    const value = JSON.parse(new TextDecoder().decode(bytes));
    return isObject(value) ? value : null;
  } catch {
    return null;
  }
}

/**
 * A frame of the server, or null for junk: what cannot be read must not end a session that works.
 *
 * @param {unknown} frame
 * @returns {{type: string, payload: Record<string, unknown> | null, sender: string | null, status: StatusResponse | null} | null}
 */
export function parseFrame(frame) {
  if (typeof frame !== 'string') return null;
  /** @type {unknown} */
  let message;
  try {
    message = JSON.parse(frame);
  } catch {
    return null;
  }
  if (!isObject(message) || typeof message.messageType !== 'string') return null;
  return {
    type: message.messageType,
    payload: decodePayload(message.messagePayload),
    sender: typeof message.senderClientId === 'string' && message.senderClientId ? message.senderClientId : null,
    status: isObject(message.statusResponse) ? readStatus(message.statusResponse) : null,
  };
}

/** @param {Record<string, unknown>} status  @returns {StatusResponse} */
function readStatus(status) {
  return {
    correlationId: String(status.correlationId ?? ''),
    statusCode: String(status.statusCode ?? ''),
    errorType: String(status.errorType ?? ''),
    description: String(status.description ?? ''),
  };
}

/** @param {unknown} value  @returns {value is Record<string, unknown>} */
function isObject(value) {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

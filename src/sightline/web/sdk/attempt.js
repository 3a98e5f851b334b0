import { Emitter } from './events.js';
import { SightlineError, failureFrom } from './errors.js';
import { Link } from './link.js';
import { Pulse, readCounters } from './pulse.js';
import { reasonOfClose } from './reasons.js';
import { asksForExtras } from './signaling.js';
import { StatsReader } from './stats.js';
import { ICE_SERVERS_INTERVAL, MORE_CANDIDATES, STATS_INTERVAL } from './timers.js';
import { ViewerPeer } from './viewer_peer.js';

/** How long a try that was given up may still come through, in milliseconds: TCP repeats itself ever more slowly. */
const LATE_TRY = 60_000;

/** How long a direct path may take before a relay that was refused is missed, in milliseconds. */
const DIRECT_PATH = 500;

/**
 * How long the first picture took: `startedAt` in milliseconds since the page's navigation began, all others in
 * milliseconds since `startedAt`. Session and offer are made at the same time.
 *
 * @typedef {object} FirstFrame
 * @property {number} startedAt
 * @property {number} [session]     the session is here: URL and ICE servers
 * @property {number} [offerReady]  the offer is made and gathering has begun
 * @property {number} [socket]      the signaling socket is open
 * @property {number} [offerSent]
 * @property {number} [answer]
 * @property {number} [connected]   ICE and DTLS are done
 * @property {number} [firstFrame]  decoded and shown
 *
 * @typedef {object} AttemptEvents
 * @property {import('./viewer_session.js').ViewerInput} input  what the session has to know
 * @property {import('./session.js').Session} session
 * @property {MediaStreamTrack} track
 * @property {import('./stats.js').ViewerStats} stats
 * @property {FirstFrame} firstframe
 * @property {import('./signaling.js').StatusResponse} statusresponse
 * @property {null} goaway
 *
 * @typedef {object} AttemptOptions
 * @property {import('./timers.js').Platform} platform
 * @property {(signal: AbortSignal) => Promise<import('./session.js').Session>} request  asks for a session
 * @property {HTMLVideoElement | null} video
 * @property {'recvonly' | 'sendrecv' | null} audio
 * @property {boolean} [commands]
 * @property {RTCIceTransportPolicy} iceTransportPolicy
 * @property {number} [iceServersInterval]  milliseconds between two fetches of ICE servers
 */

/**
 * One attempt to watch: a peer connection, the signaling socket of the moment, timers, and the times at which its
 * stages were reached; let go of as one. It decides nothing: what happens goes out as `input`, what is to be done
 * comes in as a call.
 *
 * @extends {Emitter<AttemptEvents>}
 */
export class Attempt extends Emitter {
  isOver = false;
  /** @type {ViewerPeer | null} */
  peer = null;
  /** @type {FirstFrame} */
  timings;
  #options;
  #platform;
  /** @type {Link | null} the socket in use */
  #link = null;
  /** @type {Link | null} the one that will take its place */
  #nextLink = null;
  #nextIsWanted = false;
  /** When a try to open a socket was given up last: over a bad line the service may hear of it only afterwards. */
  #gaveUpAt = -Infinity;
  /** @type {Pulse | null} */
  #pulse = null;
  /** @type {Map<string, unknown>} */
  #timers = new Map();
  #isRelayRefused = false;
  /** Cancels requests for ICE servers. */
  #aborter = new AbortController();
  #correlationId = randomId();

  /** @param {AttemptOptions} options */
  constructor(options) {
    super();
    this.#options = options;
    this.#platform = options.platform;
    this.timings = { startedAt: round(this.#platform.now()) };
  }

  // ------------------------------------------------------------------------------------------------- what is to be done

  /** Session, socket, peer connection and offer, all at the same time. */
  begin() {
    const { RTCPeerConnection, WebSocket } = this.#platform;
    try {
      if (!RTCPeerConnection || !WebSocket) throw new SightlineError('webrtc-unsupported');
      // Asked for first: its way to the service and back takes longer than making the offer, which runs meanwhile.
      const link = this.#makeLink();
      this.#link = link;
      link.on('session', ({ iceServers }) => {
        this.mark('session');
        this.#makeOffer((peer) => peer.offer(iceServers));
      });
      this.#openLink(link);
      this.#makePeer();
    } catch (error) {
      this.#fail(error, 'internal');
    }
  }

  /** @param {boolean} again  the same as before: the socket that it went out on, or who should have had it, is gone */
  sendOffer(again) {
    const link = this.#link;
    if (!this.peer || !link) return;
    this.mark('offerSent');
    link.offers.push(this.peer.offerNumber);
    if (!again) this.#correlationId = randomId();
    this.peer.sendOffer((offer) => link.signaling?.sendSdpOffer(offer, { correlationId: this.#correlationId }));
  }

  /** Another path for the same session. */
  restart() {
    this.#isRelayRefused = false;
    this.#makeOffer((peer) => peer.restart());
  }

  /** A new socket for the same session; the old one lives until the new one is open. */
  reopen() {
    this.#openNext(true);
  }

  /** @param {boolean} isWanted  by the session, which then waits for it; else it is the service's idea */
  #openNext(isWanted) {
    if (this.#nextLink) this.#gaveUpAt = this.#platform.now();
    this.#nextLink?.close();
    const link = this.#makeLink();
    this.#nextLink = link;
    this.#nextIsWanted = isWanted;
    link.on('session', ({ iceServers }) => this.peer?.setIceServers(iceServers));
    this.#openLink(link);
  }

  ask() {
    this.#link?.signaling?.sendAsk();
  }

  /** Looks for signs of life now, before somebody judges a silence. */
  async look() {
    await this.#pulse?.look();
  }

  /** In the order of seed 001.7: timers, signaling, transceivers, senders, peer connection. Safe to call again. */
  close() {
    this.isOver = true;
    for (const name of this.#timers.keys()) this.#clearTimer(name);
    this.#pulse?.stop();
    this.#aborter.abort();
    this.#link?.signaling?.sendFarewell();
    this.#link?.close();
    this.#nextLink?.close();
    this.peer?.close();
    this.#pulse = this.#link = this.#nextLink = this.peer = null;
  }

  /** @param {Exclude<keyof FirstFrame, 'startedAt'>} stage */
  mark(stage) {
    this.timings[stage] ??= round(this.#platform.now() - this.timings.startedAt);
  }

  // --------------------------------------------------------------------------------------------------------- signaling

  #makeLink() {
    return new Link({ request: this.#options.request, platform: this.#platform });
  }

  /** @param {Link} link */
  #openLink(link) {
    /** @type {string | null} */
    let reason = null;
    link.on('session', (session) => {
      this.emit('session', session);
      this.#input({ type: 'session', extras: asksForExtras(session.url) });
      this.#renewLater(session);
    });
    link.on('failure', ({ id, message }) => this.#lost(link, { type: 'failure', reason: id, message }));
    link.on('open', () => this.#socketOpened(link));
    link.on('close', ({ code }) => {
      // The frame that names the reason comes before the close; the code is for when it got lost.
      const told = reasonOfClose(code)?.id;
      if (told && told !== reason && this.#isNewest(link) && !this.#isOurs(told)) this.#input({ type: 'notice', reason: told });
      this.#lost(link, { type: 'socket-closed' });
    });
    void link.open((signaling) => {
      signaling.on('notice', (notice) => {
        reason = notice.reason;
        if (reason === 'client-id-in-use' && (!this.#isNewest(link) || this.#isOurs(reason))) return;
        this.#input({ type: 'notice', ...notice });
      });
      signaling.on('master', (master) => this.#input({ type: 'master', ...master }));
      signaling.on('sdpAnswer', ({ description }) => void this.#answered(link, description));
      signaling.on('iceCandidate', ({ candidate }) => void this.peer?.addCandidate(candidate));
      signaling.on('statusResponse', (status) => this.emit('statusresponse', status));
      signaling.on('goAway', () => {
        this.emit('goaway', null);
        if (!this.#nextLink) this.#openNext(false);
      });
      signaling.on('reconnectIceServer', () => void this.#leaveRelay());
    });
  }

  /** Whatever the old socket says of itself, the new one is what counts. @param {Link} link */
  #isNewest(link) {
    return link === (this.#nextLink ?? this.#link);
  }

  /** Whether it may be this viewer's own earlier try that took its place: then it takes it back. @param {string} reason */
  #isOurs(reason) {
    return reason === 'client-id-in-use' && this.#platform.now() - this.#gaveUpAt < LATE_TRY;
  }

  /** @param {Link} link */
  #socketOpened(link) {
    this.mark('socket');
    if (link === this.#nextLink) {
      this.#link?.close();
      this.#link = link;
      this.#nextLink = null;
    }
    this.#input({ type: 'socket-open' });
  }

  /**
   * A socket closed or did not come about. Of two only the new one counts, unless the old one can do without it.
   *
   * @param {Link} link
   * @param {import('./viewer_session.js').ViewerInput} input
   */
  #lost(link, input) {
    if (link === this.#link) {
      if (this.#nextLink) this.#link = null;
      else this.#input(input);
    } else if (link === this.#nextLink) {
      this.#nextLink = null;
      if (this.#nextIsWanted) this.#input(input);
      else if (!this.#link) this.#input({ type: 'socket-closed' });
    }
  }

  /** @param {Link} link  @param {RTCSessionDescriptionInit} description */
  async #answered(link, description) {
    const peer = this.peer;
    // Answers come in the order of the offers on their socket: one for an offer before the last comes too late.
    const number = link.offers.shift() ?? peer?.offerNumber;
    if (!peer?.awaitsAnswer || number !== peer.offerNumber) return;
    this.mark('answer');
    try {
      await peer.acceptAnswer(description);
      this.#input({ type: 'answer' });
      // The browser may be connected before it says that it has taken the answer.
      if (peer.connectionState === 'connected') this.#tellPeer();
      if (this.#isRelayRefused) this.#missRelay();
    } catch (error) {
      this.#fail(error, 'bad-answer');
    }
  }

  // ----------------------------------------------------------------------------------------------------------- the peer

  #makePeer() {
    const { audio, commands, iceTransportPolicy } = this.#options;
    const { RTCPeerConnection } = this.#platform;
    const peer = new ViewerPeer({ RTCPeerConnection, audio, commands, iceTransportPolicy });
    this.peer = peer;
    peer.on('candidate', (candidate) => this.#link?.signaling?.sendIceCandidate(candidate));
    peer.on('track', (track) => {
      this.emit('track', track);
      this.#pulse?.watch();
    });
    peer.on('gatheringerror', ({ code }) => {
      // 401: the TURN server does not know these credentials any more. All else is a server that is not there.
      if (code === 401) this.#isRelayRefused = true;
      if (code === 401 && !peer.awaitsAnswer) this.#missRelay();
    });
    peer.on('connectionstate', (state) => {
      if (state === 'connected') {
        this.mark('connected');
        this.#pulse?.start();
        if (!this.#timers.has('stats')) this.#readStats(new StatsReader());
      }
      // A relay refuses the camera's own addresses at once, and the camera's relay may still be on its way.
      if (state === 'failed' && this.timings.connected === undefined) this.#setTimer('failed', MORE_CANDIDATES, () => this.#tellPeer());
      else this.#tellPeer();
    });
    this.#pulse = this.#makePulse();
  }

  #tellPeer() {
    const state = this.peer?.connectionState;
    if (state === 'connected' || state === 'disconnected' || state === 'failed') this.#input({ type: 'peer', state });
  }

  /** Nothing to speak of where a direct path is found, which takes a moment. */
  #missRelay() {
    this.#setTimer('relay', DIRECT_PATH, () => {
      if (this.peer?.connectionState !== 'connected') this.#input({ type: 'notice', reason: 'ice-expired' });
    });
  }

  /** @param {(peer: ViewerPeer) => Promise<void>} make */
  #makeOffer(make) {
    const peer = this.peer;
    if (!peer) return;
    make(peer).then(() => {
      this.mark('offerReady');
      this.#input({ type: 'offer-ready' });
    }, (error) => this.#fail(error, 'internal'));
  }

  /**
   * Credentials of TURN servers last minutes; servers without any never expire.
   *
   * @param {import('./session.js').Session} session
   */
  #renewLater({ iceServers }) {
    this.#clearTimer('ice-servers');
    if (!iceServers.some(({ credential }) => credential)) return;
    this.#setTimer('ice-servers', this.#options.iceServersInterval ?? ICE_SERVERS_INTERVAL, () => this.#renewIceServers());
  }

  /** For the next gathering: what works now is not touched. */
  async #renewIceServers() {
    const session = await this.#options.request(this.#aborter.signal).catch(() => null);
    if (this.isOver) return;
    if (!session) return this.#setTimer('ice-servers', STATS_INTERVAL * 10, () => this.#renewIceServers());
    this.peer?.setIceServers(session.iceServers);
    this.#renewLater(session);
  }

  /** The TURN server in use goes away: gather with others while it still works, and nobody sees a thing. */
  async #leaveRelay() {
    await this.#renewIceServers();
    await this.peer?.restart().then(() => this.sendOffer(false), () => {});
  }

  // ---------------------------------------------------------------------------------------------------- signs of life

  #makePulse() {
    return new Pulse({
      video: this.#options.video,
      platform: this.#platform,
      read: async () => {
        const report = await this.peer?.stats();
        return report ? readCounters(report) : null;
      },
      tell: (type) => {
        if (type === 'frame' && this.timings.firstFrame === undefined) this.#firstFrame();
        this.#input({ type });
      },
    });
  }

  #firstFrame() {
    this.mark('connected'); // in case the picture is quicker than the event that says so
    this.mark('firstFrame');
    this.emit('firstframe', this.timings);
  }

  /**
   * Reads the statistics once a second until the attempt is over. The first reading is only the base of the figures
   * per second.
   *
   * @param {StatsReader} reader
   */
  async #readStats(reader, isBase = true) {
    this.#setTimer('stats', STATS_INTERVAL, () => this.#readStats(reader, false));
    const report = await this.peer?.stats().catch(() => null);
    if (this.isOver || !report) return;
    const stats = reader.read(report, this.peer?.connectionState ?? 'closed');
    if (!isBase) this.emit('stats', stats);
  }

  // ------------------------------------------------------------------------------------------------------------- helpers

  /** @param {import('./viewer_session.js').ViewerInput} input */
  #input(input) {
    if (!this.isOver) this.emit('input', input);
  }

  /** @param {unknown} error  @param {string} id */
  #fail(error, id) {
    const { id: reason, message } = failureFrom(error, id);
    this.#input({ type: 'failure', reason, message });
  }

  /** @param {string} name  @param {number} ms  @param {() => void} callback */
  #setTimer(name, ms, callback) {
    this.#clearTimer(name);
    if (!this.isOver) this.#timers.set(name, this.#platform.setTimeout(callback, ms));
  }

  /** @param {string} name */
  #clearTimer(name) {
    this.#platform.clearTimeout(this.#timers.get(name));
    this.#timers.delete(name);
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

import { Attempt } from './attempt.js';
import { SightlineError, failureFrom } from './errors.js';
import { Emitter } from './events.js';
import { PictureWatch } from './picture.js';
import { StatsReader } from './stats.js';
import { DEADLINES, STATS_INTERVAL, platform } from './timers.js';
import { ViewerStates } from './viewer_states.js';

/**
 * @typedef {import('./viewer_states.js').ViewerState} ViewerState
 * @typedef {import('./viewer_states.js').ViewerInput} ViewerInput
 * @typedef {import('./viewer_states.js').ViewerOutput} ViewerOutput
 *
 * @typedef {object} ViewerOptions
 * @property {(signal: AbortSignal) => Promise<import('./session.js').Session>} session
 *   called once for each attempt; reject with a SightlineError to name the reason
 * @property {HTMLVideoElement | null} [video]  gets the stream; without one, take `viewer.stream`
 * @property {boolean} [audio]                  ask for sound too (default true)
 * @property {RTCIceTransportPolicy} [iceTransportPolicy]  `all` (default) or `relay`
 * @property {Partial<import('./timers.js').Deadlines>} [deadlines]
 * @property {Partial<import('./timers.js').Platform>} [platform]  fakes, for tests
 *
 * @typedef {object} ViewerEvents
 * @property {{from: ViewerState, state: ViewerState}} statechange
 * @property {import('./stats.js').ViewerStats} stats             every second while connected
 * @property {FirstFrame} firstframe
 * @property {import('./errors.js').Failure} failed               after the change to `failed`
 * @property {MediaStreamTrack} track
 * @property {{stalled: boolean}} stall                           the picture stands still, or goes on again
 * @property {null} playblocked                                   the browser wants a click before it plays
 * @property {import('./signaling.js').StatusResponse} statusresponse
 * @property {null} goaway
 *
 * How long the first picture took: `startedAt` in milliseconds since the page's navigation began, all others in
 * milliseconds since `startedAt`. Session and offer are made at the same time.
 * @typedef {object} FirstFrame
 * @property {number} startedAt
 * @property {number} [session]     the session is here: URL and ICE servers
 * @property {number} [offerReady]  the offer is made and gathering has begun
 * @property {number} [socket]      the signaling socket is open
 * @property {number} [offerSent]
 * @property {number} [answer]
 * @property {number} [connected]   ICE and DTLS are done
 * @property {number} [firstFrame]  decoded and shown
 */

/**
 * Watches one camera: `new Viewer({ session, video }).open()`.
 *
 * A shell around `ViewerStates`, which decides; this class owns socket, peer connection and timers of the present
 * attempt and reports. `open()` after `failed` or `closed` starts a new attempt. Works with Sightline (`session:
 * sessionFromService({ channel })`) and with anything else that can presign a KVS URL.
 *
 * @extends {Emitter<ViewerEvents>}
 */
export class Viewer extends Emitter {
  #options;
  #platform;
  #deadlines;
  #states;
  /** @type {Attempt | null} */
  #attempt = null;
  /** @type {ViewerOutput[]} */
  #outputs = [];
  #isDraining = false;
  /** @type {MediaStream | null} */
  #stream = null;
  /** @type {string | null} */
  #clientId = null;

  /** @param {ViewerOptions} options */
  constructor(options) {
    super();
    this.#options = options;
    this.#platform = platform(options.platform);
    this.#deadlines = { ...DEADLINES, ...options.deadlines };
    this.#states = new ViewerStates(this.#deadlines);
  }

  get state() {
    return this.#states.state;
  }

  /** The received tracks; null when there are none. */
  get stream() {
    return this.#stream;
  }

  /** This viewer's id at the service, as far as the session told it. */
  get clientId() {
    return this.#clientId;
  }

  /** Starts an attempt, unless one is under way. */
  open() {
    this.#take({ type: 'open' });
  }

  /** Ends whatever is under way and lets go of everything; safe in any state, and again. */
  close() {
    this.#take({ type: 'close' });
  }

  /** @param {ViewerInput} input */
  #take(input) {
    this.#outputs.push(...this.#states.take(input));
    // A listener may well call open() or close(): what that brings waits until what is under way has been told.
    if (this.#isDraining) return;
    this.#isDraining = true;
    try {
      for (let output; (output = this.#outputs.shift()); ) this.#perform(output);
    } finally {
      this.#isDraining = false;
    }
  }

  /** @param {ViewerOutput} output */
  #perform(output) {
    switch (output.type) {
      case 'begin':
        return this.#begin();
      case 'send-offer':
        return this.#attempt?.sendOffer();
      case 'set-timer': {
        const { name, ms } = output;
        return this.#attempt?.setTimer(name, ms, () => this.#take({ type: 'deadline', name }));
      }
      case 'clear-timer':
        return this.#attempt?.clearTimer(output.name);
      case 'end':
        return this.#end();
      case 'state':
        return this.emit('statechange', { from: output.from, state: output.to });
      case 'failed':
        return this.emit('failed', output.failure);
    }
  }

  #begin() {
    const attempt = new Attempt(this.#platform);
    this.#attempt = attempt;
    /** Inputs of an attempt that has ended are nobody's business. @param {ViewerInput} input */
    const take = (input) => {
      if (this.#attempt === attempt) this.#take(input);
    };
    this.#connect(attempt, take).catch((error) => take({ type: 'failure', failure: failureFrom(error, 'internal') }));
  }

  /**
   * @param {Attempt} attempt
   * @param {(input: ViewerInput) => void} take
   */
  async #connect(attempt, take) {
    const { RTCPeerConnection, WebSocket } = this.#platform;
    if (!RTCPeerConnection || !WebSocket) throw new SightlineError('webrtc-unsupported');
    // Asked for first: its way to the service and back takes longer than making the offer, which runs meanwhile.
    const asked = this.#options.session(attempt.aborter.signal);
    asked.catch(() => {}); // reported below, also when making the peer connection throws first
    const peer = attempt.makePeer({
      RTCPeerConnection,
      audio: this.#options.audio ?? true,
      iceTransportPolicy: this.#options.iceTransportPolicy ?? 'all',
    });
    peer.on('track', (track) => this.#addTrack(track));
    peer.on('connectionstate', (state) => {
      if (state === 'connected') {
        attempt.mark('connected');
        take({ type: 'connected' });
        attempt.reader ??= this.#startReading(attempt);
      } else if (state === 'failed') {
        take({ type: 'disrupted' });
      }
    });
    attempt.picture = this.#watchPicture(attempt, take);

    const session = await asked.catch((error) => {
      throw error instanceof SightlineError ? error : new SightlineError('service-unreachable', String(error));
    });
    if (attempt.isOver) return;
    attempt.mark('session');
    this.#clientId = session.clientId ?? null;
    take({ type: 'session-ready' });

    const signaling = attempt.makeSignaling(session.url, WebSocket);
    signaling.on('open', () => {
      attempt.mark('socket');
      take({ type: 'socket-open' });
    });
    signaling.on('close', () => take({ type: 'socket-closed' }));
    signaling.on('statusResponse', (status) => this.emit('statusresponse', status));
    signaling.on('goAway', () => this.emit('goaway', null));
    signaling.on('iceCandidate', ({ candidate }) => void peer.addCandidate(candidate));
    signaling.on('sdpAnswer', ({ description }) => {
      if (this.state !== 'offering') return; // a second answer to one offer changes nothing
      attempt.mark('answer');
      take({ type: 'answer' });
      peer.acceptAnswer(description).catch((error) => {
        take({ type: 'failure', failure: failureFrom(error, 'bad-answer') });
      });
    });
    try {
      signaling.open();
    } catch (error) { // an unusable URL, or ws:// on a page that came over https://
      throw new SightlineError('signaling-refused', failureFrom(error, 'signaling-refused').message);
    }
    attempt.localOffer = await peer.offer(session.iceServers);
    if (attempt.isOver) return;
    attempt.mark('offerReady');
    take({ type: 'offer-ready' });
  }

  /**
   * @param {Attempt} attempt
   * @param {(input: ViewerInput) => void} take
   */
  #watchPicture(attempt, take) {
    return new PictureWatch({
      video: this.#options.video ?? null,
      limit: this.#deadlines.stall,
      platform: this.#platform,
      on: {
        first: () => {
          attempt.mark('connected'); // in case the picture is quicker than the event that says so
          attempt.mark('firstFrame');
          take({ type: 'frame' });
          this.emit('firstframe', attempt.timings);
        },
        stalled: () => this.emit('stall', { stalled: true }),
        resumed: () => this.emit('stall', { stalled: false }),
      },
    });
  }

  /** @param {MediaStreamTrack} track */
  #addTrack(track) {
    const { video } = this.#options;
    this.#stream ??= new this.#platform.MediaStream();
    this.#stream.addTrack(track);
    if (video && video.srcObject !== this.#stream) {
      video.srcObject = this.#stream;
      video.play().catch((error) => {
        if (error?.name === 'NotAllowedError') this.emit('playblocked', null);
      });
    }
    this.emit('track', track);
  }

  /**
   * Reads the statistics once a second until the attempt is over. The first reading is only the base of the
   * figures per second.
   *
   * @param {Attempt} attempt
   */
  #startReading(attempt) {
    const reader = new StatsReader();
    const read = async (isBase = false) => {
      const report = await attempt.peer?.stats().catch(() => null);
      if (attempt.isOver) return;
      if (report) {
        const stats = reader.read(report, attempt.peer?.connectionState ?? 'closed');
        attempt.picture?.noteDecoded(stats.framesDecoded);
        if (!isBase) this.emit('stats', stats);
      }
      if (!attempt.isOver) attempt.setTimer('stats', STATS_INTERVAL, read);
    };
    read(true);
    return reader;
  }

  #end() {
    const attempt = this.#attempt;
    this.#attempt = null;
    attempt?.close();
    const { video } = this.#options;
    if (video && this.#stream && video.srcObject === this.#stream) video.srcObject = null;
    this.#stream = null;
  }
}

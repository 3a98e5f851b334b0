import { Attempt } from './attempt.js';
import { checkClientId, freshClientId, numberedClientId } from './client_id.js';
import { CommandError, Commands } from './commands.js';
import { failure, failureFrom } from './errors.js';
import { Emitter } from './events.js';
import { Microphone } from './microphone.js';
import { NetworkWatch } from './network.js';
import { platform } from './timers.js';
import { ViewerSession } from './viewer_session.js';

/**
 * @typedef {import('./viewer_session.js').ViewerState} ViewerState
 * @typedef {import('./viewer_session.js').ViewerInput} ViewerInput
 * @typedef {import('./viewer_session.js').ViewerOutput} ViewerOutput
 * @typedef {import('./attempt.js').FirstFrame} FirstFrame
 *
 * @typedef {object} ViewerOptions
 * @property {(signal: AbortSignal, wanted: {clientId: string}) => Promise<import('./session.js').Session>} session
 *   called for each attempt, each new socket and each renewal of the TURN credentials; reject with a SightlineError to
 *   name the reason
 * @property {HTMLVideoElement | null} [video]  gets the stream; without one, take `viewer.stream`
 * @property {string} [clientId]                this viewer's id; a fresh one when left out
 * @property {boolean} [audio]                  ask for sound too (default true)
 * @property {boolean} [talk]                   be ready to talk to the camera (default false)
 * @property {boolean} [commands]               be ready to send commands to the device (default false)
 * @property {RTCIceTransportPolicy} [iceTransportPolicy]  `all` (default) or `relay`
 * @property {Partial<import('./viewer_session.js').ViewerTimers>} [timers]  in seconds
 * @property {import('./viewer_session.js').RetryPolicy} [policy]            `retryOnce()` (default), `persistent()`
 * @property {number} [iceServersInterval]      milliseconds between two fetches of ICE servers
 * @property {Partial<import('./timers.js').Platform>} [platform]  fakes, for tests
 *
 * @typedef {import('./errors.js').Failure & {tried?: {local: string[], remote: string[]}}} ViewerFailure
 *   `tried`, with `no-path`: the types of the candidates of both sides
 *
 * @typedef {object} ViewerEvents
 * @property {{from: ViewerState, state: ViewerState}} statechange
 * @property {import('./errors.js').Failure | null} notice        what is the matter meanwhile; null: nothing any more
 * @property {ViewerFailure} failed                               after the change to `failed`
 * @property {import('./stats.js').ViewerStats} stats             every second while connected
 * @property {FirstFrame} firstframe
 * @property {MediaStreamTrack} track
 * @property {{talking: boolean}} talk
 * @property {null} playblocked                                   the browser wants a click before it plays
 * @property {import('./signaling.js').StatusResponse} statusresponse
 * @property {null} goaway
 */

/**
 * Watches one camera: `new Viewer({ session, video }).open()`.
 *
 * A shell around `ViewerSession`, which decides; this class performs what it says with the attempt of the moment, and
 * reports. Works with Sightline (`session: sessionFromService({ channel })`) and with anything else that can presign a
 * KVS URL.
 *
 * @extends {Emitter<ViewerEvents>}
 */
export class Viewer extends Emitter {
  #options;
  #platform;
  #session;
  #microphone;
  #commands;
  #isOperator = false;
  /** What attempts are numbered from. */
  #name;
  /** @type {string} of the attempt */
  #clientId;
  /** @type {Attempt | null} */
  #attempt = null;
  /** @type {NetworkWatch | null} */
  #network = null;
  /** @type {ViewerOutput[]} */
  #outputs = [];
  #isDraining = false;
  /** @type {unknown} */
  #timer = null;
  /** Seconds at which the timer fires. */
  #timerAt = Infinity;
  /** @type {MediaStream | null} */
  #stream = null;
  /** @type {ViewerFailure['tried']} */
  #tried;

  /** @param {ViewerOptions} options */
  constructor(options) {
    super();
    this.#options = options;
    this.#platform = platform(options.platform);
    this.#session = new ViewerSession(options.timers, options.policy);
    this.#microphone = new Microphone(this.#platform.navigator?.mediaDevices);
    this.#commands = new Commands(this.#platform);
    this.#name = this.#clientId = options.clientId ?? freshClientId();
  }

  get state() {
    return this.#session.state;
  }

  /** The received tracks; null when there are none. */
  get stream() {
    return this.#stream;
  }

  /** This viewer's id: the wanted one, or what the service made of it. */
  get clientId() {
    return this.#clientId;
  }

  /** How the first picture of the present attempt came about. */
  get timings() {
    return this.#attempt?.timings ?? null;
  }

  /** The video format that was agreed on, for instance `H264`; null before the answer, or when there is none. */
  get codec() {
    return this.#attempt?.peer?.codec ?? null;
  }

  /** Starts, unless it has begun. */
  open() {
    this.#take({ type: 'open' });
  }

  /** Makes everything anew, now: for a person who does not want to wait. */
  reconnect() {
    this.#take({ type: 'reconnect' });
  }

  /** Ends whatever is under way and lets go of everything; safe in any state, and again. */
  close() {
    this.#take({ type: 'close' });
  }

  // ------------------------------------------------------------------------------------------------------------ talking

  /** Whether the camera wants to hear this viewer. */
  get canTalk() {
    return this.#attempt?.peer?.canTalk ?? false;
  }

  get isTalking() {
    return this.#microphone.track !== null;
  }

  /** Asks for the microphone and sends its sound, also after a reconnect; rejects as getUserMedia does. */
  async startTalking() {
    const track = await this.#microphone.open();
    if (!this.#attempt) return this.stopTalking();
    await this.#attempt.peer?.talk(track);
    this.emit('talk', { talking: this.isTalking });
  }

  /** Stops the microphone; safe to call again. */
  stopTalking() {
    const wasTalking = this.isTalking;
    this.#microphone.close();
    void this.#attempt?.peer?.talk(null).catch(() => {}); // closed meanwhile: silent as well
    if (wasTalking) this.emit('talk', { talking: false });
  }

  // ----------------------------------------------------------------------------------------------------------- commands

  /** Whether the service says that this viewer's commands are obeyed; false before it has said anything. */
  get isOperator() {
    return this.#isOperator;
  }

  /**
   * Has the camera's device do something. Waits for a connection where there is none yet. A command is sent once: when
   * the connection is lost before the answer, it fails with `connection-lost` and is not sent again.
   *
   * @param {string} name
   * @param {unknown} [value]  JSON
   * @param {{timeout?: number}} [options]  seconds, 10 when left out
   * @returns {Promise<unknown>} what the device says to it; rejects with a `CommandError`, whose `reason` says why
   */
  async command(name, value = null, { timeout } = {}) {
    if (!this.#options.commands) throw new CommandError('not-connected', 'This viewer sends no commands: make it with { commands: true }.');
    if (!this.#attempt && this.state !== 'waiting') throw new CommandError('not-connected', `The viewer is ${this.state}: “${name}” was not sent.`);
    return this.#commands.send(name, value, timeout);
  }

  // -------------------------------------------------------------------------------------------------------- the session

  #now() {
    return this.#platform.now() / 1000;
  }

  /** @param {ViewerInput} input */
  #take(input) {
    this.#do(this.#session.take(input, this.#now()));
  }

  /** @param {ViewerOutput[]} outputs */
  #do(outputs) {
    this.#outputs.push(...outputs);
    this.#schedule();
    // A listener may well call open() or close(): what that brings waits until what is under way has been told.
    if (this.#isDraining) return;
    this.#isDraining = true;
    try {
      for (let output; (output = this.#outputs.shift()); ) this.#perform(output);
    } finally {
      this.#isDraining = false;
    }
  }

  /** One timer for all: deadlines move with every frame, so it is left alone as long as it does not come too late. */
  #schedule() {
    const due = this.#session.nextDeadline();
    if (due === null) {
      this.#platform.clearTimeout(this.#timer);
      this.#timerAt = Infinity;
    } else if (due < this.#timerAt) {
      this.#platform.clearTimeout(this.#timer);
      this.#timerAt = due;
      this.#timer = this.#platform.setTimeout(() => void this.#tick(), Math.max(0, (due - this.#now()) * 1000));
    }
  }

  async #tick() {
    this.#timerAt = Infinity;
    const due = this.#session.nextDeadline();
    if (due !== null && due <= this.#now()) {
      // The browser may have held this page back: what came meanwhile counts before a silence is judged.
      await this.#attempt?.look();
      this.#do(this.#session.tick(this.#now()));
    } else {
      this.#schedule();
    }
  }

  /** @param {ViewerOutput} output */
  #perform(output) {
    switch (output.type) {
      case 'begin':
        return this.#begin(output.clientIdNumber);
      case 'send-offer':
        return this.#attempt?.sendOffer(output.again);
      case 'restart':
        return this.#attempt?.restart();
      case 'reopen':
        return this.#attempt?.reopen();
      case 'ask':
        return this.#attempt?.ask();
      case 'end':
        return this.#end();
      case 'state':
        if (output.to === 'failed' || output.to === 'closed') this.#release();
        return this.emit('statechange', { from: output.from, state: output.to });
      case 'notice':
        return this.emit('notice', output.reason === null ? null : failure(output.reason, output.message));
      case 'failed':
        return this.emit('failed', {
          ...failure(output.reason, output.message),
          ...(output.reason === 'no-path' ? { tried: this.#tried } : {}),
        });
    }
  }

  // ---------------------------------------------------------------------------------------------------------- attempts

  /** @param {number} number  which client id to take */
  #begin(number) {
    this.#network ??= new NetworkWatch({ platform: this.#platform, tell: (online) => this.#take({ type: 'network', online }) });
    try {
      this.#clientId = checkClientId(numberedClientId(this.#name, number));
    } catch (error) {
      const { id, message } = failureFrom(error, 'internal');
      return this.#take({ type: 'failure', reason: id, message });
    }
    const { session, video = null, audio = true, talk = false, commands, iceTransportPolicy = 'all', iceServersInterval } = this.#options;
    const clientId = this.#clientId;
    const attempt = new Attempt({
      platform: this.#platform,
      request: (signal) => session(signal, { clientId }),
      video,
      audio: audio ? (talk ? 'sendrecv' : 'recvonly') : null,
      commands,
      iceTransportPolicy,
      iceServersInterval,
    });
    this.#attempt = attempt;
    attempt.on('input', (input) => this.#take(input));
    attempt.on('session', (given) => {
      this.#clientId = given.clientId ?? clientId;
      this.#isOperator = given.operator ?? false;
    });
    attempt.on('track', (track) => this.#addTrack(track));
    attempt.on('stats', (stats) => this.emit('stats', stats));
    attempt.on('firstframe', (timings) => this.emit('firstframe', timings));
    attempt.on('statusresponse', (status) => this.emit('statusresponse', status));
    attempt.on('goaway', () => this.emit('goaway', null));
    attempt.begin();
    this.#commands.attach(attempt.peer?.commandChannel ?? null);
    if (this.isTalking) void attempt.peer?.talk(this.#microphone.track).catch(() => {}); // closed meanwhile
  }

  /** Seed 001.7. The microphone is kept for the next attempt, the last picture stands until there is a new one. */
  #end() {
    const attempt = this.#attempt;
    const types = attempt?.peer?.candidateTypes;
    this.#tried = types && { local: [...types.local], remote: [...types.remote] };
    this.#attempt = null;
    this.#commands.lost();
    attempt?.close();
    this.#stream = null;
  }

  /** Nothing will come any more: no timer, listener, microphone or frozen picture is left. */
  #release() {
    this.#network?.stop();
    this.#network = null;
    this.stopTalking();
    this.#commands.end();
    const { video } = this.#options;
    if (video) video.srcObject = null;
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
}

import { REASONS } from './reasons.js';

/**
 * The state machine of a viewer's session: docs/topics/viewer-session.md has it as a table. No sockets, timers or
 * media in here; `viewer.js` is the shell that has them. The twin of `sightline/sessions/viewer/session.py`: both run
 * over tests/vectors/viewer_session.json.
 *
 *   idle ─► opening ─► offering ─► connecting ─► watching ◄─► recovering ─► (full reconnect) opening
 *              └───────────┴────────────┴───────────────────────► waiting ─► opening
 *                                                                    └─────► failed          closed, from anywhere
 *
 * An attempt is one peer connection: from `begin` to `end`. It fails for a reason; then the policy says whether and
 * when there is another. A picture, and nothing less, is success and clears the count.
 *
 * @typedef {'idle' | 'opening' | 'offering' | 'connecting' | 'watching' | 'recovering' | 'waiting' | 'failed' | 'closed'} ViewerState
 *
 * Inputs: `reconnect`: the person wants everything made anew, now (seed 003.3). `session`: URL and ICE servers are here;
 * `extras`: of a Sightline. `failure`: session, socket, offer or answer failed. `offer-ready`: what `begin` or `restart`
 * asked for is made. `socket-open`, `socket-closed`: the newest socket, also one that `reopen` asked for. `answer`: one
 * came, and was accepted for the offer that is out. `heard`, `frame`: a packet of the camera came, a picture was decoded
 * since the last of these.
 *
 * @typedef {{type: 'open'} | {type: 'close'} | {type: 'reconnect'}
 *   | {type: 'session', extras: boolean}
 *   | {type: 'failure', reason: string, message?: string}
 *   | {type: 'offer-ready'} | {type: 'socket-open'} | {type: 'socket-closed'} | {type: 'answer'}
 *   | {type: 'peer', state: 'connected' | 'disconnected' | 'failed'}
 *   | {type: 'heard'} | {type: 'frame'}
 *   | {type: 'master', present: boolean, ours?: boolean}
 *   | {type: 'notice', reason: string, message?: string}
 *   | {type: 'network', online: boolean}} ViewerInput
 *
 * Outputs: `begin`: ask for a session, open its socket, make peer connection and offer. `send-offer`, `again`: the same
 * as before, with its candidates. `restart`: make an offer that restarts ICE on the same peer connection. `reopen`: fresh
 * session and socket, same id; the old one closes when the new one is open. `ask`: ask the service whether the camera
 * lives. `end`: let go of the attempt, in the order of seed 001.7. `notice`: what the person should know meanwhile.
 *
 * @typedef {{type: 'begin', clientIdNumber: number}
 *   | {type: 'send-offer', again: boolean}
 *   | {type: 'restart'} | {type: 'reopen'} | {type: 'ask'} | {type: 'end'}
 *   | {type: 'state', from: ViewerState, to: ViewerState}
 *   | {type: 'notice', reason: string | null, message: string}
 *   | {type: 'failed', reason: string, message: string}} ViewerOutput
 */

/**
 * Durations in seconds; each can be replaced.
 *
 * @typedef {typeof VIEWER_OPTIONS} ViewerTimers
 */
export const VIEWER_OPTIONS = Object.freeze({
  /** The session request, the socket and the offer together; a service that needs longer is not there. */
  open: 15,
  /** The offer is sent, the camera has not answered (seed 001.3). */
  answer: 15,
  /** No answer so far: a Sightline is asked whether the camera lives. A camera answers in milliseconds. */
  ask: 1,
  /** From the answer to `connected`: an answer is not a picture. */
  path: 15,
  /** From `connected` to the first decoded frame. */
  media: 5,
  /** No packet for that long: the path is dead, whatever the browser's state says. */
  silence: 1,
  /** The same while the camera's own signaling is gone: most likely the camera is too. */
  silenceWithoutCamera: 0.5,
  /** Packets come and no new frame does: the person is told. */
  stall: 2,
  /** A Sightline answers a question at once; a socket without a reply is as dead as the path. */
  socketReply: 0.5,
  /** How long one try to reach the service again may take, since TCP's own retries come ever later. */
  reach: 1,
  /** While the picture flows there is no hurry: that pause doubles up to this. */
  reachLongest: 30,
  /** An ICE restart that is not answered: the camera cannot do it, everything is made anew. */
  restartAnswer: 3,
  /** An ICE restart that was answered and does not bring the picture back: the same. */
  restartPath: 4,
  /** Without a way to the service for that long, the attempt has failed. */
  recover: 60,
});

/**
 * Whether to try again: seconds to wait before the next attempt; null gives up. `attempt`: how many failed since the
 * last picture, from 1. `elapsed`: seconds since the first of them began. `reason`: why this one failed.
 *
 * @typedef {(attempt: number, about: {elapsed: number, reason: string}) => number | null} RetryPolicy
 */

/**
 * Seed 001.3: wait 4 s, try once more, then say plainly what is wrong.
 *
 * @param {{pause?: number, retries?: number}} [options]
 * @returns {RetryPolicy}
 */
export function retryOnce({ pause = 4, retries = 1 } = {}) {
  return (attempt) => (attempt <= retries ? pause : null);
}

/**
 * For a display on a wall: never gives up, waits longer each time, with jitter so that a hundred displays do not come
 * at once: between a half and the whole of a wait that doubles.
 *
 * @param {{roll?: () => number, first?: number, longest?: number}} [options]  roll: a number from 0 up to 1
 * @returns {RetryPolicy}
 */
export function persistent({ roll = Math.random, first = 1, longest = 30 } = {}) {
  return (attempt) => Math.min(longest, first * 2 ** Math.min(attempt - 1, 32)) * (0.5 + roll() / 2);
}

/** @type {readonly ViewerState[]} */
const BEFORE_THE_PICTURE = ['opening', 'offering', 'connecting'];
/** @type {readonly ViewerState[]} */
const UP = [...BEFORE_THE_PICTURE, 'watching', 'recovering'];

/** One viewer of one camera. Times are seconds of one steady clock; each call returns what is to be done, in order. */
export class ViewerSession {
  /** @type {ViewerState} */
  state = 'idle';
  #options;
  #policy;
  /** @type {ViewerOutput[]} */
  #outputs = [];
  #now = 0;
  /** When the running timers are due. @type {Map<string, number>} */
  #due = new Map();
  // Since the last picture.
  #failures = 0;
  #begunAt = 0;
  // Of the viewer and its surroundings.
  #clientIdNumber = 1;
  #offline = false;
  /** @type {string | null} */
  #told = null;
  #extras = false;
  /** @type {boolean | null} */
  #cameraPresent = null;
  #cameraIsOurs = false;
  // Of the attempt.
  /** @type {{reason: string, message?: string} | null} */
  #cause = null;
  #sessionHere = false;
  #socketOpen = false;
  #offerReady = false;
  #restarting = false;
  #reopenings = 0;

  /**
   * @param {Partial<ViewerTimers>} [options]
   * @param {RetryPolicy} [policy]
   */
  constructor(options = {}, policy = retryOnce()) {
    this.#options = { ...VIEWER_OPTIONS, ...options };
    this.#policy = policy;
  }

  // ------------------------------------------------------------------------------------------------------ the outside

  /**
   * Takes one input. What means nothing in the present state (a late answer, a second `open`) is ignored.
   *
   * @param {ViewerInput} input
   * @param {number} now
   * @returns {ViewerOutput[]}
   */
  take(input, now) {
    this.#now = now;
    if (input.type === 'open') {
      if (!this.#isUp && this.state !== 'waiting') this.#startOver();
    } else if (input.type === 'reconnect') {
      this.#startOver();
    } else if (input.type === 'close') {
      this.#close();
    } else if (this.#isUp) {
      this.#advance(input);
    } else if (input.type === 'network' && this.state === 'waiting') {
      this.#network(input.online);
    }
    return this.#drain();
  }

  /**
   * Does what is due.
   *
   * @param {number} now
   * @returns {ViewerOutput[]}
   */
  tick(now) {
    this.#now = now;
    while (this.#due.size > 0) {
      const [timer, at] = [...this.#due].reduce((first, each) => (each[1] < first[1] ? each : first));
      if (at > now) break;
      this.#due.delete(timer);
      this.#expire(timer);
    }
    return this.#drain();
  }

  /** When `tick` has something to do; null: never. */
  nextDeadline() {
    return this.#due.size > 0 ? Math.min(...this.#due.values()) : null;
  }

  #drain() {
    const outputs = this.#outputs;
    this.#outputs = [];
    return outputs;
  }

  get #isUp() {
    return UP.includes(this.state);
  }

  // --------------------------------------------------------------------------------------------------------- attempts

  #startOver() {
    if (this.#isUp) this.#outputs.push({ type: 'end' });
    this.#failures = 0;
    this.#begunAt = this.#now;
    this.#clientIdNumber = 1;
    this.#begin();
  }

  /** A new attempt: what was learnt of the one before is forgotten, except whose the camera is. */
  #begin() {
    this.#due.clear();
    this.#cameraPresent = this.#cause = null;
    this.#sessionHere = this.#socketOpen = this.#offerReady = this.#restarting = false;
    this.#reopenings = 0;
    this.#enter('opening');
    this.#outputs.push({ type: 'begin', clientIdNumber: this.#clientIdNumber });
    this.#set('open', this.#options.open);
  }

  /** Another attempt at once, which is nobody's failure: the network or the camera is a new one. */
  #beginAnew() {
    if (this.#isUp) this.#outputs.push({ type: 'end' });
    this.#begin();
  }

  /** @param {string} reason  @param {string} [message] */
  #attemptFailed(reason, message = '') {
    this.#outputs.push({ type: 'end' });
    this.#due.clear();
    if (isFinal(reason)) return this.#fail(reason, message);
    if (this.#offline) [reason, message] = ['offline', '']; // which counts for nothing
    else this.#failures += 1;
    const delay = this.#policy(Math.max(1, this.#failures), { elapsed: this.#now - this.#begunAt, reason });
    if (delay === null) return this.#fail(reason, message);
    this.#enter('waiting');
    this.#tell(reason, message);
    this.#set('pause', delay);
  }

  /** @param {string} reason  @param {string} message */
  #fail(reason, message) {
    this.#enter('failed');
    this.#outputs.push({ type: 'failed', reason, message });
    this.#told = null;
  }

  #close() {
    if (this.#isUp) this.#outputs.push({ type: 'end' });
    this.#due.clear();
    if (this.state !== 'closed') this.#enter('closed');
  }

  /**
   * Everything made anew, after a restart that brought nothing. A camera that is not ours may refuse an id that it
   * knows, and says nothing about it (KVS.md §9.5).
   */
  #reconnect() {
    if (!this.#cameraIsOurs) this.#clientIdNumber += 1;
    this.#beginAnew();
  }

  // ----------------------------------------------------------------------------------------------------------- inputs

  /** @param {Exclude<ViewerInput, {type: 'open'} | {type: 'close'} | {type: 'reconnect'}>} input */
  #advance(input) {
    switch (input.type) {
      case 'session':
        this.#sessionHere = true;
        this.#extras = input.extras;
        return;
      case 'offer-ready':
        this.#offerReady = true;
        return this.#sendOffer();
      case 'socket-open':
        return this.#opened();
      case 'socket-closed':
        return this.#lostSocket();
      case 'failure':
        return this.#failure(input.reason, input.message);
      case 'answer':
        return this.#answered();
      case 'peer':
        if (input.state !== 'connected') return this.#lostPath();
        if (this.state === 'connecting' && this.#due.delete('path')) this.#set('media', this.#options.media);
        return;
      case 'heard':
        if (this.state === 'watching') this.#watchSilence();
        return;
      case 'frame':
        return this.#picture();
      case 'master':
        return this.#camera(input);
      case 'notice':
        return this.#notice(input);
      case 'network':
        return this.#network(input.online);
    }
  }

  #opened() {
    this.#socketOpen = true;
    this.#reopenings = 0;
    this.#cameraPresent = null; // a Sightline says it anew on each socket
    this.#due.delete('reach');
    if (this.state === 'opening') this.#sendOffer();
    else if (this.state === 'offering') this.#outputs.push({ type: 'send-offer', again: true });
    else if (this.state === 'recovering') this.#restart(); // the offer before it names addresses that may be gone
  }

  #sendOffer() {
    if (!this.#offerReady || !this.#socketOpen) return;
    if (this.state === 'opening') {
      this.#outputs.push({ type: 'send-offer', again: false });
      this.#enter('offering');
      this.#due.delete('open');
      this.#set('answer', this.#options.answer);
      this.#set('ask', this.#options.ask);
    } else if (this.#restarting && this.#cameraPresent !== false) {
      this.#outputs.push({ type: 'send-offer', again: false });
      this.#set('restart-answer', this.#options.restartAnswer);
      if (!this.#extras) return;
      this.#outputs.push({ type: 'ask' });
      this.#set('socket-reply', this.#options.socketReply);
    }
  }

  #answered() {
    if (this.state === 'offering') {
      this.#due.delete('answer');
      this.#due.delete('ask');
      this.#cause = null;
      this.#enter('connecting');
      this.#tell(null);
      this.#set('path', this.#options.path);
    } else if (this.#restarting) {
      this.#restarting = false;
      this.#due.delete('socket-reply');
      const wasAwaited = this.#due.delete('restart-answer');
      if (wasAwaited && this.state === 'recovering') this.#set('restart-path', this.#options.restartPath);
    }
  }

  /** @param {string} reason  @param {string} [message] */
  #failure(reason, message) {
    // A reopening did not come about: the timer tries again, and a picture that flows needs no socket.
    if (this.#due.has('reach') && (!isFinal(reason) || this.state === 'watching')) return;
    if (BEFORE_THE_PICTURE.includes(this.state) || isFinal(reason)) this.#giveUp(reason, message);
    else if (this.state === 'recovering') this.#reconnect();
  }

  #lostSocket() {
    const wasOpen = this.#socketOpen;
    this.#socketOpen = false;
    if (this.state === 'opening' && !wasOpen) return this.#giveUp('signaling-refused');
    if (wasOpen) this.#reopen();
  }

  #reopen() {
    this.#socketOpen = false;
    this.#due.delete('socket-reply');
    this.#due.delete('restart-answer');
    this.#outputs.push({ type: 'reopen' });
    if (this.state === 'recovering') {
      this.#set('reach', this.#options.reach);
      if (!this.#due.has('recover')) this.#set('recover', this.#options.recover);
    } else {
      this.#set('reach', Math.min(this.#options.reach * 2 ** this.#reopenings, this.#options.reachLongest));
      this.#reopenings = Math.min(this.#reopenings + 1, 32);
    }
  }

  #lostPath() {
    if (this.state === 'watching') this.#recover('connection-lost');
    else if (this.state === 'connecting') this.#giveUp(this.#due.has('path') ? 'no-path' : 'connection-lost');
  }

  #picture() {
    if (this.state === 'connecting' || this.state === 'recovering') {
      this.#due.clear();
      this.#failures = 0;
      this.#enter('watching');
      this.#watchSilence();
      if (!this.#socketOpen) this.#set('reach', this.#options.reach);
    }
    if (this.state === 'watching') {
      this.#cause = null;
      this.#tell(null);
      this.#set('stall', this.#options.stall);
    }
  }

  #watchSilence() {
    const { silence, silenceWithoutCamera } = this.#options;
    this.#set('silence', this.#cameraPresent === false ? silenceWithoutCamera : silence);
  }

  /** @param {{present: boolean, ours?: boolean}} message */
  #camera({ present, ours = false }) {
    const before = this.#cameraPresent;
    this.#cameraPresent = present;
    this.#due.delete('socket-reply');
    if (present) {
      this.#cameraIsOurs = ours;
      if (before === false) this.#cameraCame();
    } else if (this.state === 'watching') {
      const soon = this.#now + this.#options.silenceWithoutCamera;
      this.#due.set('silence', Math.min(this.#due.get('silence') ?? soon, soon));
    } else if (before !== false) {
      this.#notice({ reason: 'camera-offline' });
    }
  }

  #cameraCame() {
    this.#cause = null;
    if (this.state === 'offering') {
      // It may have been sent to a camera that was just going: one that has it already answers it once more.
      this.#tell(null);
      this.#outputs.push({ type: 'send-offer', again: true });
      this.#set('answer', this.#options.answer);
      this.#set('ask', this.#options.ask);
    } else if (this.state === 'connecting' && this.#due.has('path')) {
      this.#beginAnew();
    } else if (this.state === 'recovering') {
      this.#restart();
    }
  }

  /** @param {{reason: string, message?: string}} message */
  #notice({ reason, message = '' }) {
    if (isFinal(reason)) return this.#attemptFailed(reason, message);
    this.#due.delete('socket-reply');
    if (reason === 'session-gone') {
      if (this.state === 'recovering') this.#reconnect();
      return;
    }
    if (reason === 'camera-offline' || reason === 'camera-silent') {
      this.#cameraPresent = false;
      this.#due.delete('restart-answer');
    }
    this.#cause = { reason, message };
    if (this.state !== 'watching' || reason === 'source-lost') this.#tell(reason, message);
  }

  /** @param {boolean} online */
  #network(online) {
    this.#offline = !online;
    if (!online) {
      if (BEFORE_THE_PICTURE.includes(this.state)) this.#tell('offline');
      return; // a picture that goes on knows better; silence will tell
    }
    if (this.state === 'watching') this.#recover('network-changed');
    else if (this.state === 'recovering') this.#reopen();
    else {
      this.#tell('network-changed');
      this.#beginAnew();
    }
  }

  // --------------------------------------------------------------------------------------------------------- recovery

  /** @param {string} reason */
  #recover(reason) {
    this.#due.delete('silence');
    this.#due.delete('stall');
    this.#begunAt = this.#now;
    this.#enter('recovering');
    if (this.#offline) reason = 'offline';
    else if (this.#cameraPresent === false && reason !== 'network-changed') reason = this.#cause?.reason ?? 'camera-offline';
    this.#tell(reason);
    this.#set('recover', this.#options.recover);
    if (!this.#socketOpen) this.#reopen();
    else if (this.#cameraPresent !== false) this.#restart();
  }

  #restart() {
    this.#restarting = true;
    this.#offerReady = false;
    this.#due.delete('restart-answer');
    this.#due.delete('restart-path');
    this.#outputs.push({ type: 'restart' });
  }

  // ------------------------------------------------------------------------------------------------------------- time

  /** @param {string} timer */
  #expire(timer) {
    switch (timer) {
      case 'open':
        return this.#giveUp(this.#sessionHere ? 'signaling-refused' : 'service-unreachable');
      case 'ask':
        if (this.#extras && this.#socketOpen && this.#cameraPresent !== false) this.#outputs.push({ type: 'ask' });
        return;
      case 'answer':
        // A camera that was not there has refused nothing.
        if (!this.#cameraIsOurs && this.#cameraPresent !== false) this.#clientIdNumber += 1;
        return this.#giveUp('no-answer');
      case 'path':
        return this.#giveUp('no-path');
      case 'media':
        return this.#giveUp('no-media');
      case 'silence':
        return this.#recover('connection-lost');
      case 'stall':
        if (this.#cause?.reason !== 'source-lost') this.#tell('no-media');
        return;
      case 'socket-reply':
      case 'reach':
        return this.#reopen();
      case 'restart-answer':
      case 'restart-path':
        if (this.state === 'recovering') this.#reconnect();
        return;
      case 'recover':
        if (this.#cameraPresent === false && this.#socketOpen) return; // it waits for the camera, and the person knows
        return this.#giveUp('connection-lost');
      case 'pause':
        return this.#begin();
    }
  }

  /**
   * The attempt failed, for that reason or for one that was told before, unless it is final.
   *
   * @param {string} reason
   * @param {string} [message]
   */
  #giveUp(reason, message) {
    const { reason: id, message: words } = this.#cause && !isFinal(reason) ? this.#cause : { reason, message };
    this.#attemptFailed(id, words);
  }

  /** @param {string | null} reason  @param {string} [message] */
  #tell(reason, message = '') {
    if (reason === this.#told) return;
    this.#told = reason;
    this.#outputs.push({ type: 'notice', reason, message });
  }

  /** @param {string} timer  @param {number} seconds */
  #set(timer, seconds) {
    this.#due.set(timer, this.#now + seconds);
  }

  /** @param {ViewerState} to */
  #enter(to) {
    if (to === this.state) return;
    this.#outputs.push({ type: 'state', from: this.state, to });
    this.state = to;
  }
}

/** @param {string} reason */
function isFinal(reason) {
  return Object.hasOwn(REASONS, reason) && REASONS[/** @type {import('./reasons.js').ReasonId} */ (reason)].final;
}

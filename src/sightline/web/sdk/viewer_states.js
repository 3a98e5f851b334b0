import { FAILURES } from './errors.js';
import { DEADLINES } from './timers.js';

/**
 * A viewer's session as a plain state machine: an input goes in, the things to do come out. No sockets, timers or
 * media in here; `viewer.js` is the shell that has them.
 *
 *   idle → opening → offering → connecting → watching
 *            └─────────┴───────────┴────────────┴──→ failed | closed  → (open again) opening
 *
 * | state      | meaning                                             | ends by itself with                     |
 * |------------|-----------------------------------------------------|-----------------------------------------|
 * | opening    | session, socket and offer are being made            | service-unreachable, signaling-refused  |
 * | offering   | the offer is sent, the camera has not answered      | no-answer, signaling-lost, bad-answer   |
 * | connecting | answered; ICE and DTLS run, then the first picture  | no-path, no-media                       |
 * | watching   | the first frame has been decoded                    | connection-lost                         |
 *
 * @typedef {'idle' | 'opening' | 'offering' | 'connecting' | 'watching' | 'failed' | 'closed'} ViewerState
 * @typedef {keyof import('./timers.js').Deadlines} DeadlineName
 * @typedef {import('./errors.js').Failure} Failure
 *
 * @typedef {{type: 'open'}
 *   | {type: 'session-ready'} | {type: 'offer-ready'} | {type: 'socket-open'} | {type: 'socket-closed'}
 *   | {type: 'answer'} | {type: 'connected'} | {type: 'disrupted'} | {type: 'frame'}
 *   | {type: 'failure', failure: Failure} | {type: 'deadline', name: DeadlineName}
 *   | {type: 'close'}} ViewerInput
 *
 * @typedef {{type: 'begin'}
 *   | {type: 'send-offer'}
 *   | {type: 'set-timer', name: DeadlineName, ms: number} | {type: 'clear-timer', name: DeadlineName}
 *   | {type: 'end'}
 *   | {type: 'state', from: ViewerState, to: ViewerState}
 *   | {type: 'failed', failure: Failure}} ViewerOutput
 */
export class ViewerStates {
  /** @type {ViewerState} */
  state = 'idle';
  #sessionReady = false;
  #offerReady = false;
  #socketOpen = false;
  #deadlines;
  /** @type {DeadlineName | null} at most one deadline runs at a time */
  #running = null;
  /** @type {ViewerOutput[]} */
  #outputs = [];

  /** @param {Partial<import('./timers.js').Deadlines>} [deadlines] */
  constructor(deadlines = {}) {
    this.#deadlines = { ...DEADLINES, ...deadlines };
  }

  /** True between `open` and the end of that attempt. */
  get isActive() {
    return !['idle', 'failed', 'closed'].includes(this.state);
  }

  /**
   * Takes one input and returns what is to be done about it, in order. Inputs that mean nothing in the present
   * state (a late answer, a second frame) return nothing.
   *
   * @param {ViewerInput} input
   * @returns {ViewerOutput[]}
   */
  take(input) {
    this.#outputs = [];
    if (input.type === 'open') this.#open();
    else if (input.type === 'close') this.#close();
    else if (this.isActive) this.#advance(input);
    return this.#outputs;
  }

  #open() {
    if (this.isActive) return;
    this.#sessionReady = this.#offerReady = this.#socketOpen = false;
    this.#enter('opening');
    this.#outputs.push({ type: 'begin' });
    this.#setDeadline('open');
  }

  #close() {
    if (this.state === 'closed') return;
    if (this.isActive) this.#end();
    this.#enter('closed');
  }

  /** @param {Exclude<ViewerInput, {type: 'open'} | {type: 'close'}>} input */
  #advance(input) {
    switch (input.type) {
      case 'session-ready':
        this.#sessionReady = true;
        return;
      case 'offer-ready':
        this.#offerReady = true;
        return this.#offerIfReady();
      case 'socket-open':
        this.#socketOpen = true;
        return this.#offerIfReady();
      case 'socket-closed':
        // Once the camera has answered, media goes its own way and needs the socket no more.
        if (this.state === 'opening') this.#fail(this.#socketOpen ? 'signaling-lost' : 'signaling-refused');
        else if (this.state === 'offering') this.#fail('signaling-lost');
        return;
      case 'answer':
        if (this.state !== 'offering') return;
        this.#enter('connecting');
        return this.#setDeadline('path');
      case 'connected':
        if (this.state === 'connecting' && this.#running === 'path') this.#setDeadline('media');
        return;
      case 'frame':
        if (this.state !== 'connecting') return;
        this.#setDeadline(null);
        return this.#enter('watching');
      case 'disrupted':
        return this.#fail(this.state === 'connecting' && this.#running === 'path' ? 'no-path' : 'connection-lost');
      case 'failure':
        return this.#fail(input.failure.id, input.failure.message);
      case 'deadline':
        if (input.name === this.#running) this.#expire(input.name);
    }
  }

  #offerIfReady() {
    if (this.state !== 'opening' || !this.#offerReady || !this.#socketOpen) return;
    this.#outputs.push({ type: 'send-offer' });
    this.#enter('offering');
    this.#setDeadline('answer');
  }

  /** @param {DeadlineName} name */
  #expire(name) {
    this.#running = null;
    if (name === 'open') this.#fail(this.#sessionReady ? 'signaling-refused' : 'service-unreachable');
    else if (name === 'answer') this.#fail('no-answer');
    else if (name === 'path') this.#fail('no-path');
    else if (name === 'media') this.#fail('no-media');
  }

  /** @param {string} id  @param {string} [message] */
  #fail(id, message) {
    this.#end();
    this.#enter('failed');
    this.#outputs.push({ type: 'failed', failure: { id, message: message ?? FAILURES[id] ?? id } });
  }

  #end() {
    this.#setDeadline(null);
    this.#outputs.push({ type: 'end' });
  }

  /** @param {ViewerState} to */
  #enter(to) {
    this.#outputs.push({ type: 'state', from: this.state, to });
    this.state = to;
  }

  /** @param {DeadlineName | null} name  the deadline that runs from now on, in place of the one before */
  #setDeadline(name) {
    if (this.#running) this.#outputs.push({ type: 'clear-timer', name: this.#running });
    this.#running = name;
    if (name) this.#outputs.push({ type: 'set-timer', name, ms: this.#deadlines[name] });
  }
}

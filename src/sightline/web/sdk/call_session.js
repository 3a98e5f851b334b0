/**
 * @typedef {'idle' | 'calling' | 'ringing' | 'connecting' | 'in-call' | 'reconnecting' | 'ended'} CallState
 *   `calling`: it rings there; `ringing`: it rings here; `ended` tells why, and is otherwise as `idle`
 *
 * @typedef {'hung-up' | 'refused' | 'left' | 'declined' | 'busy' | 'cancelled' | 'no-answer' | 'missed' | 'gone' | 'peer-no-media'
 *   | 'no-path' | 'lost' | 'replaced' | 'internal' | string} EndReason
 *   `hung-up`, `refused`: here; `left`: the other side; a media problem's id when there was no camera and microphone here
 *
 * @typedef {{type: 'offer' | 'answer', sdp: string}} Description
 *
 * @typedef {{type: 'name', name: string}
 *   | {type: 'call', to: string}
 *   | {type: 'accept'} | {type: 'decline'} | {type: 'hang-up', reason?: string}
 *   | {type: 'media'}
 *   | {type: 'media-failed', reason: string}
 *   | {type: 'offer', from: string, description: Description}
 *   | {type: 'answer', from: string, description: Description}
 *   | {type: 'candidate', from: string | null, candidate: RTCIceCandidateInit}
 *   | {type: 'remote-hang-up', from: string, reason: string | null}
 *   | {type: 'undeliverable', to: string | null}
 *   | {type: 'users', users: string[]}
 *   | {type: 'peer', state: RTCPeerConnectionState}
 *   | {type: 'negotiation-needed'}
 *   | {type: 'broken'}
 *   | {type: 'socket', open: boolean}
 *   | {type: 'network'}} CallInput
 *
 * @typedef {{type: 'state', from: CallState, state: CallState, peer: string | null, reason: EndReason | null}
 *   | {type: 'open-media'}
 *   | {type: 'begin'}
 *   | {type: 'make-offer', restart: boolean}
 *   | {type: 'repeat'}
 *   | {type: 'accept-offer', description: Description}
 *   | {type: 'accept-answer', description: Description}
 *   | {type: 'add-candidate', candidate: RTCIceCandidateInit}
 *   | {type: 'send-hang-up', to: string, reason: string}
 *   | {type: 'end'}} CallOutput
 *   `repeat`: our last description once more, with the candidates found since: it may have been lost
 */

/** Seconds, each with its reason. */
export const CALL_TIMERS = Object.freeze({
  ringOut: 45, // nobody lets a telephone ring for longer
  ringIn: 60, // more than the other side waits: its cancelling ends the ringing
  connect: 30, // both sides have camera and microphone, and look for a path: more than ICE needs to fail
  media: 120, // somebody reads the browser's question
  restartCaller: 1, // a short silence heals by itself; the one who called restarts, so that not both do
  restartCallee: 3, // unless the caller cannot
  restartAgain: 5, // an offer or its answer was lost with a socket
  reconnect: 40, // a phone between two networks
  absent: 12, // one that has no socket in the room either: a browser that crashed, a machine that was switched off
});

/**
 * One end of 1:1 calls: what to do about each message, click and change of the connection, without a browser.
 *
 * `take(input, now)` and `tick(now)` give what is to be done, in order; `now` is in seconds, monotonic.
 *
 * When both call each other at once, one call comes of it, without ringing. Offers that cross are settled as in
 * "perfect negotiation" (WebRTC 1.0, §10.7): the polite side takes back its own and answers, the other ignores what
 * comes in. Polite is the one whose name is the greater in code units, which both sides know.
 */
export class CallSession {
  /** @type {CallState} */
  state = 'idle';
  /** Who is at the other end, also of the call that ended last. @type {string | null} */
  peer = null;
  /** @type {EndReason | null} */
  reason = null;
  #timers;
  #name = '';
  /** @type {CallOutput[]} */
  #outputs = [];
  #isCaller = false;
  #hasMedia = false;
  /** An offer of ours is out and not answered. */
  #outstanding = false;
  /** Something changed while an offer was out: another one is due. */
  #wantsOffer = false;
  #wantsRestart = false;
  /** An offer that waits for a person or for the camera. @type {Description | null} */
  #held = null;
  /** @type {RTCIceCandidateInit[]} */
  #candidates = [];
  #fingerprint = '';
  #socketOpen = true;
  /** @type {number | null} */
  #deadline = null;
  /** @type {number | null} */
  #restartAt = null;
  #reconnectingSince = 0;
  /** Since when the other side is not in the room. @type {number | null} */
  #absentSince = null;

  /** @param {{name?: string, timers?: Partial<typeof CALL_TIMERS>}} [options] */
  constructor({ name = '', timers = {} } = {}) {
    this.#name = name;
    this.#timers = { ...CALL_TIMERS, ...timers };
  }

  get isBusy() {
    return this.state !== 'idle' && this.state !== 'ended';
  }

  /** @returns {number | null} when `tick` is wanted next, in seconds */
  nextDeadline() {
    if (this.#deadline === null) return this.#restartAt;
    return this.#restartAt === null ? this.#deadline : Math.min(this.#deadline, this.#restartAt);
  }

  /** @param {CallInput} input  @param {number} now  @returns {CallOutput[]} */
  take(input, now) {
    switch (input.type) {
      case 'name': this.#name = input.name; break;
      case 'call': this.#call(input.to, now); break;
      case 'accept': this.#accept(now); break;
      case 'decline': if (this.state === 'ringing') this.#end('refused', 'declined'); break;
      case 'hang-up': this.#hangUp(input.reason ?? 'hung-up'); break;
      case 'media': this.#media(now); break;
      case 'media-failed': this.#mediaFailed(input.reason); break;
      case 'offer': this.#offer(input, now); break;
      case 'answer': this.#answer(input, now); break;
      case 'candidate': this.#candidate(input); break;
      case 'remote-hang-up': if (this.#isPeer(input.from)) this.#remoteHangUp(input.reason); break;
      case 'undeliverable': this.#undeliverable(input.to); break;
      case 'users': this.#users(input.users, now); break;
      case 'peer': this.#peer(input.state, now); break;
      case 'negotiation-needed': this.#negotiate(); break;
      case 'broken': if (this.isBusy) this.#end('internal', 'failed'); break;
      case 'socket': this.#socket(input.open, now); break;
      case 'network': if (this.#isUp) this.#restart(now); break;
    }
    return this.#drain();
  }

  /** @param {number} now  @returns {CallOutput[]} */
  tick(now) {
    if (this.#deadline !== null && now >= this.#deadline) {
      this.#deadline = null;
      // The browser's question is not answered: nobody rang there, and no firewall is in the way.
      if (this.isBusy && this.state !== 'ringing' && !this.#hasMedia) this.#end('media-unanswered', 'no-answer');
      else switch (this.state) {
        case 'calling': this.#end('no-answer', 'cancelled'); break;
        case 'ringing': this.#end('missed', 'no-answer'); break;
        case 'connecting': this.#end('no-path', 'failed'); break;
        case 'reconnecting': this.#end('lost', 'failed'); break;
      }
    }
    if (this.#restartAt !== null && now >= this.#restartAt) this.#restart(now);
    return this.#drain();
  }

  // ------------------------------------------------------------------------------------------ what a person does

  /** @param {string} to  @param {number} now */
  #call(to, now) {
    if (this.isBusy || to === '' || to === this.#name) return;
    this.#isCaller = true;
    this.#deadline = now + this.#timers.media;
    this.#become('calling', to);
    this.#emit({ type: 'open-media' });
  }

  /** @param {number} now */
  #accept(now) {
    if (this.state !== 'ringing') return;
    this.#deadline = now + this.#timers.media;
    this.#become('connecting');
    this.#emit({ type: 'open-media' });
  }

  /** @param {string} reason */
  #hangUp(reason) {
    if (this.state === 'ringing') this.#end(reason, reason === 'gone' ? 'gone' : 'declined');
    else if (this.isBusy) this.#end(reason, this.state === 'calling' ? 'cancelled' : 'hung-up');
  }

  /** @param {number} now */
  #media(now) {
    if (this.#hasMedia || (this.state !== 'calling' && this.state !== 'connecting')) return;
    this.#hasMedia = true;
    this.#emit({ type: 'begin' });
    const held = this.#held;
    if (held) this.#acceptOffer(held, now);
    else {
      this.#deadline = now + this.#timers.ringOut;
      this.#makeOffer();
    }
    for (const candidate of this.#candidates) this.#emit({ type: 'add-candidate', candidate });
    this.#held = null;
    this.#candidates = [];
  }

  /** @param {string} reason */
  #mediaFailed(reason) {
    if (this.#hasMedia || (this.state !== 'calling' && this.state !== 'connecting')) return;
    this.#end(reason, this.#held ? 'no-media' : null);
  }

  // ----------------------------------------------------------------------------------- what the other side sends

  /** @param {{from: string, description: Description}} offer  @param {number} now */
  #offer({ from, description }, now) {
    if (!this.isBusy) return this.#ring(from, description, now);
    if (from !== this.peer) return this.#emit({ type: 'send-hang-up', to: from, reason: 'busy' });
    if (!this.#hasMedia) {
      // It rings, or the camera is being opened. Of both who called each other, this one answers.
      this.#held = description;
      this.#candidates = [];
      return;
    }
    const fingerprint = fingerprintOf(description.sdp);
    if (this.#fingerprint && fingerprint && fingerprint !== this.#fingerprint) {
      // Their page was loaded anew without a farewell: another call, which this one must not prevent.
      this.#end('replaced', null);
      return this.#ring(from, description, now);
    }
    if (this.#outstanding && !this.#isPolite) {
      // Ours counts, and they take back theirs. Between two networks ours may have got lost: theirs says that they hear now.
      if (this.state === 'reconnecting') this.#emit({ type: 'repeat' });
      return;
    }
    this.#acceptOffer(description, now);
  }

  /** @param {string} from  @param {Description} description  @param {number} now */
  #ring(from, description, now) {
    if (from === '' || from === this.#name) return;
    this.#isCaller = false;
    this.#held = description;
    this.#deadline = now + this.#timers.ringIn;
    this.#become('ringing', from);
  }

  /** @param {Description} description  @param {number} now */
  #acceptOffer(description, now) {
    if (this.#outstanding) {
      this.#wantsOffer ||= this.#isUp; // what ours was about is still to be said
      // Chromium never again finds a candidate after a first offer that is taken back early: a fresh connection does.
      if (this.state === 'calling') this.#emit({ type: 'begin' });
    }
    this.#outstanding = false;
    this.#fingerprint ||= fingerprintOf(description.sdp);
    this.#emit({ type: 'accept-offer', description });
    if (!this.#isUp) {
      this.#deadline = now + this.#timers.connect;
      if (this.state === 'calling') this.#become('connecting');
    }
    this.#negotiateAgain();
  }

  /** @param {{from: string, description: Description}} answer  @param {number} now */
  #answer({ from, description }, now) {
    if (!this.#isPeer(from) || !this.#outstanding) return;
    this.#outstanding = false;
    this.#fingerprint ||= fingerprintOf(description.sdp);
    this.#emit({ type: 'accept-answer', description });
    if (this.state === 'calling') {
      this.#deadline = now + this.#timers.connect;
      this.#become('connecting');
    }
    this.#negotiateAgain();
  }

  /** The reference server does not say whose a candidate is: then it is the peer's. @param {{from: string | null, candidate: RTCIceCandidateInit}} input */
  #candidate({ from, candidate }) {
    if (!this.isBusy || (from !== null && from !== this.peer)) return;
    if (this.#hasMedia) this.#emit({ type: 'add-candidate', candidate });
    else if (this.#candidates.length < 200) this.#candidates.push(candidate);
  }

  /** @param {string | null} reason */
  #remoteHangUp(reason) {
    // They gave up before there was anything to send here.
    if (this.state === 'ringing' || (reason === 'cancelled' && !this.#hasMedia)) this.#end('cancelled', null);
    else if (this.state !== 'calling' && reason !== 'no-media') this.#end(reason === 'failed' ? 'lost' : 'left', null);
    else if (reason === 'busy' || reason === 'no-answer' || reason === 'gone') this.#end(reason, null);
    else if (reason === 'no-media') this.#end('peer-no-media', null);
    else this.#end('declined', null); // an MDN client gives no reason
  }

  /** @param {string | null} to */
  #undeliverable(to) {
    if (this.state === 'calling' && (to === null || to === this.peer)) this.#end('gone', null);
  }

  /** @param {string[]} users  @param {number} now */
  #users(users, now) {
    if (this.peer === null) return;
    const isThere = users.includes(this.peer);
    this.#absentSince = isThere ? null : this.#absentSince ?? now;
    if (this.state === 'reconnecting') this.#limitReconnecting();
    else if (isThere) return;
    else if (this.state === 'calling') this.#end('gone', null);
    else if (this.state === 'ringing') this.#end('cancelled', null);
  }

  // --------------------------------------------------------------------------------------------- the connection

  /** @param {RTCPeerConnectionState} state  @param {number} now */
  #peer(state, now) {
    if (!this.isBusy) return;
    if (state === 'connected') {
      this.#deadline = this.#restartAt = null;
      this.#become('in-call');
      this.#negotiateAgain();
    } else if (state === 'disconnected' && this.state === 'in-call') {
      this.#reconnect(now);
    } else if (state === 'failed') {
      if (this.state === 'connecting') this.#end('no-path', 'failed');
      // While the way to the other side is being asked for anew, there is hope until the deadline.
      else if (this.#isUp && (this.#wantsRestart || this.#outstanding)) this.#reconnect(now);
      else if (this.#isUp) this.#end('lost', 'failed');
    } else if (state === 'closed') this.#end('lost', 'failed');
  }

  /** @param {number} now */
  #reconnect(now) {
    if (this.state === 'reconnecting') return;
    this.#reconnectingSince = now;
    this.#limitReconnecting();
    this.#restartAt ??= now + (this.#isCaller ? this.#timers.restartCaller : this.#timers.restartCallee);
    this.#become('reconnecting');
  }

  /** Whoever has left the room too, and did not say so, is not waited for that long. */
  #limitReconnecting() {
    const { reconnect, absent } = this.#timers;
    const since = this.#reconnectingSince;
    this.#deadline = since + reconnect;
    if (this.#absentSince !== null) this.#deadline = Math.min(this.#deadline, Math.max(since, this.#absentSince) + absent);
  }

  /** Another path for the same call: an ICE restart, again and again until it is up or given up. @param {number} now */
  #restart(now) {
    this.#restartAt = now + this.#timers.restartAgain;
    this.#wantsRestart = !this.#socketOpen;
    if (this.state === 'in-call') this.#restartAt = null; // perhaps nothing is broken: once is enough
    if (this.#socketOpen) this.#makeOffer(true);
  }

  /** @param {boolean} open  @param {number} now */
  #socket(open, now) {
    const isNew = open && !this.#socketOpen;
    this.#socketOpen = open;
    if (!open) return;
    if (this.#isUp && (this.#wantsRestart || (isNew && this.state === 'reconnecting'))) this.#restart(now);
    // What was said last may have gone into a socket that was dead already.
    else if (isNew && this.#hasMedia && (!this.#isUp || this.#outstanding)) this.#emit({ type: 'repeat' });
    else this.#negotiateAgain();
  }

  #negotiate() {
    if (!this.#isUp) return; // the first offer has all there is
    this.#wantsOffer = true;
    this.#negotiateAgain();
  }

  #negotiateAgain() {
    if (this.#wantsOffer && !this.#outstanding && this.#isUp && this.#socketOpen) this.#makeOffer();
  }

  #makeOffer(restart = false) {
    this.#outstanding = true;
    this.#wantsOffer = false;
    this.#emit({ type: 'make-offer', restart });
  }

  // ---------------------------------------------------------------------------------------------------- the rest

  get #isUp() {
    return this.state === 'in-call' || this.state === 'reconnecting';
  }

  get #isPolite() {
    return this.#name > (this.peer ?? '');
  }

  /** @param {string} from */
  #isPeer(from) {
    return this.isBusy && from === this.peer;
  }

  /** @param {EndReason} reason  @param {string | null} tell  what the other side is told; null: it knows, or knows of nothing */
  #end(reason, tell) {
    const knows = this.#hasMedia || !this.#isCaller || this.#held !== null;
    if (tell && this.peer !== null && knows) this.#emit({ type: 'send-hang-up', to: this.peer, reason: tell });
    this.#emit({ type: 'end' });
    this.#hasMedia = this.#outstanding = this.#wantsOffer = this.#wantsRestart = false;
    this.#held = null;
    this.#candidates = [];
    this.#fingerprint = '';
    this.#deadline = this.#restartAt = this.#absentSince = null;
    this.#become('ended', this.peer, reason);
  }

  /** @param {CallState} state  @param {string | null} [peer]  @param {EndReason | null} [reason] */
  #become(state, peer = this.peer, reason = null) {
    const from = this.state;
    if (from === state) return;
    Object.assign(this, { state, peer, reason });
    this.#emit({ type: 'state', from, state, peer, reason });
  }

  /** @param {CallOutput} output */
  #emit(output) {
    this.#outputs.push(output);
  }

  #drain() {
    const outputs = this.#outputs;
    this.#outputs = [];
    return outputs;
  }
}

/**
 * The certificate's fingerprint: another one is another connection (RFC 8122).
 *
 * @param {string} sdp
 */
export function fingerprintOf(sdp) {
  return /^a=fingerprint:(.+?)\s*$/m.exec(sdp)?.[1]?.toLowerCase() ?? '';
}

import { ConnectionMachine } from './registry_connection.js';
import { newViewer, Roster } from './registry_roster.js';

/**
 * The master's registry, without input or output: a connection machine for each viewer, and the roster that programs
 * and the service are shown. Inputs go in with the time, and what happened comes out, in order.
 *
 * @typedef {import('./registry_roster.js').RegisteredViewer} RegisteredViewer
 * @typedef {import('./registry_connection.js').ConnectionReason} ConnectionReason
 *
 * @typedef {{type: 'answered'} | {type: 'path-valid'} | {type: 'keys-agreed'} | {type: 'heard'} | {type: 'restart'}
 *   | {type: 'signaling', open: boolean} | {type: 'no-path'} | {type: 'no-keys'}
 *   | {type: 'ice', state: RTCIceConnectionState} | {type: 'ended', reason: ConnectionReason}} RegistryInput
 *
 * @typedef {import('./registry_roster.js').ViewerEvent
 *   | ({kind: 'state', clientId: string, held: import('./registry_connection.js').Held}
 *      & import('./registry_connection.js').Transition)} RegistryOutput
 *
 * @typedef {{machine: ConnectionMachine, viewer: RegisteredViewer}} Entry
 */
export class ViewerRegistry {
  /** @type {Map<string, Entry>} those that sleep too, which the roster no longer has */
  #entries = new Map();
  #roster;
  #timers;
  #toEpoch;

  /**
   * @param {object} [options]
   * @param {number | null} [options.maxViewers]  null: any number
   * @param {Partial<import('./registry_timers.js').MasterTimers>} [options.timers]
   * @param {(now: number) => number} [options.toEpoch]  the steady clock's seconds as epoch seconds
   */
  constructor({ maxViewers = null, timers = {}, toEpoch = (now) => now } = {}) {
    this.#roster = new Roster({ maxViewers });
    this.#timers = timers;
    this.#toEpoch = toEpoch;
  }

  /** Those who watch: they were `connected` and are not gone. */
  get viewers() {
    return this.#roster.viewers;
  }

  /** The viewers, and those who are still connecting. */
  get sessions() {
    return this.#roster.sessions;
  }

  /** Whether this viewer is connected now (seed 000.4). @param {string} clientId */
  isConnected(clientId) {
    return this.#roster.isConnected(clientId);
  }

  /** @param {string} clientId */
  hasRoom(clientId) {
    return this.#roster.hasRoom(clientId);
  }

  /** Whether anything is held for that id, awake or asleep. @param {string} clientId */
  holds(clientId) {
    return this.#entries.has(clientId);
  }

  /**
   * A session begins, in place of the one that the id had.
   *
   * @param {string} clientId
   * @param {number} now
   * @returns {RegistryOutput[]}
   */
  begin(clientId, now) {
    const outputs = this.take(clientId, { type: 'ended', reason: 'replaced' }, now);
    const viewer = newViewer(clientId, { since: this.#toEpoch(now) });
    this.#entries.set(clientId, { machine: new ConnectionMachine(now, this.#timers), viewer });
    return [...outputs, ...this.#roster.update(viewer)];
  }

  /**
   * @param {string} clientId
   * @param {RegistryInput} input
   * @param {number} now
   * @returns {RegistryOutput[]} nothing for an id that holds no session
   */
  take(clientId, input, now) {
    const entry = this.#entries.get(clientId);
    if (!entry) return [];
    if (input.type === 'ice') {
      entry.viewer = { ...entry.viewer, iceConnectionState: input.state };
      return entry.machine.held === 'everything' ? this.#roster.update(entry.viewer) : [];
    }
    return this.#follow(entry, transition(entry.machine, input, now), now);
  }

  /**
   * New figures of a viewer; no event. Returns whether it is reached over another path than before.
   *
   * @param {string} clientId
   * @param {Partial<Pick<RegisteredViewer, 'candidatePair' | 'candidateType' | 'roundTripTime' | 'loss' | 'bitrate'>>} figures
   */
  measure(clientId, figures) {
    const entry = this.#entries.get(clientId);
    if (!entry || entry.machine.held !== 'everything') return false;
    const before = entry.viewer.candidatePair;
    entry.viewer = { ...entry.viewer, ...figures };
    this.#roster.update(entry.viewer);
    return entry.viewer.candidatePair !== before;
  }

  /** What is due, in the order in which it fell due. @param {number} now  @returns {RegistryOutput[]} */
  tick(now) {
    const outputs = [];
    for (;;) {
      const due = this.#soonest();
      if (!due || due.at > now) return outputs;
      outputs.push(...this.#follow(due.entry, due.entry.machine.tick(now), now));
    }
  }

  /** When `tick` has something to do at the earliest. @returns {number | null} */
  nextDeadline() {
    return this.#soonest()?.at ?? null;
  }

  #soonest() {
    /** @type {{at: number, entry: Entry} | null} */
    let soonest = null;
    for (const entry of this.#entries.values()) {
      const at = entry.machine.nextDeadline();
      if (at !== null && (!soonest || at < soonest.at)) soonest = { at, entry };
    }
    return soonest;
  }

  /**
   * @param {Entry} entry
   * @param {import('./registry_connection.js').Transition | null} change
   * @param {number} now
   * @returns {RegistryOutput[]}
   */
  #follow(entry, change, now) {
    if (!change) return [];
    const { clientId } = entry.viewer;
    entry.viewer = { ...entry.viewer, connectionState: change.to, since: this.#toEpoch(now), reason: change.reason };
    if (change.to === 'closed') {
      entry.viewer.iceConnectionState = 'closed';
      this.#entries.delete(clientId);
    }
    return [{ kind: 'state', clientId, held: entry.machine.held, ...change }, ...this.#roster.update(entry.viewer)];
  }
}

/**
 * @param {ConnectionMachine} machine
 * @param {Exclude<RegistryInput, {type: 'ice'}>} input
 * @param {number} now
 */
function transition(machine, input, now) {
  switch (input.type) {
    case 'answered': return machine.answered(now);
    case 'path-valid': return machine.pathValid(now);
    case 'keys-agreed': return machine.keysAgreed(now);
    case 'heard': return machine.heard(now);
    case 'restart': return machine.restart(now);
    case 'no-path': return machine.noPath(now);
    case 'no-keys': return machine.noKeys(now);
    case 'ended': return machine.ended(input.reason, now);
    case 'signaling':
      machine.signaling(input.open);
      return null;
  }
}

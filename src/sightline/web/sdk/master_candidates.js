/** Candidates that came before their offer: AWS does not keep the order (KVS.md §5.4). As Python's early_candidates.py. */

const LIFETIME = 60;
const PER_CLIENT = 64;
const CLIENTS = 256;

export class EarlyCandidates {
  /** @type {Map<string, {at: number, candidate: RTCIceCandidateInit}[]>} */
  #kept = new Map();

  /**
   * Remembers one; beyond the limits the oldest client's, or this one, is forgotten.
   *
   * @param {string} clientId
   * @param {RTCIceCandidateInit} candidate
   * @param {number} now  seconds
   */
  keep(clientId, candidate, now) {
    const entries = (this.#kept.get(clientId) ?? []).filter(({ at }) => now - at < LIFETIME);
    this.#kept.delete(clientId); // to the end: the one that was heard of last is forgotten last
    if (entries.length < PER_CLIENT) entries.push({ at: now, candidate });
    this.#kept.set(clientId, entries);
    const [oldest] = this.#kept.keys();
    if (this.#kept.size > CLIENTS && oldest !== undefined) this.#kept.delete(oldest);
  }

  /**
   * The ones that came for a client id, in order; they are forgotten here.
   *
   * @param {string} clientId
   * @param {number} now
   */
  take(clientId, now) {
    const entries = this.#kept.get(clientId) ?? [];
    this.#kept.delete(clientId);
    return entries.filter(({ at }) => now - at < LIFETIME).map(({ candidate }) => candidate);
  }
}

/**
 * The ICE generation of a candidate: its ufrag, if it says; null fits any.
 *
 * @param {RTCIceCandidateInit} candidate
 */
export function candidateUfrag({ candidate = '', usernameFragment }) {
  return usernameFragment || (/ ufrag (\S+)/.exec(candidate)?.[1] ?? null);
}

import { MASTER_TIMERS } from './registry_timers.js';

/**
 * What an offer means to a master: a new session, a restart, a renegotiation. The twin of Python's
 * sessions/negotiation.py; docs/topics/viewers.md has the table.
 *
 * @typedef {object} OfferIdentity
 * @property {string} sessionId     the id in `o=`
 * @property {string[]} fingerprints  DTLS, `algorithm value` in lower case, sorted
 * @property {string} ufrag
 * @property {string} password
 *
 * `first`: a new session for an id that has none. `renegotiation`: the held session on its path. `restart`: the held
 * session on a new path. `replacement`: another session; the held one ends at once.
 * @typedef {'first' | 'renegotiation' | 'restart' | 'replacement'} OfferMeaning
 */

const MEMORY = 4096;

/**
 * The identity of an offer, or null for a text that nobody can answer: without a session id, DTLS or ICE.
 *
 * @param {string} sdp
 * @returns {OfferIdentity | null}
 */
export function offerIdentity(sdp) {
  /** @param {RegExp} pattern */
  const all = (pattern) => [...sdp.matchAll(pattern)].map(([, value]) => (value ?? '').trim());
  const [sessionId] = all(/^o=\S+ (\d+) /gm);
  const [ufrag] = all(/^a=ice-ufrag:(.+)$/gm);
  const [password] = all(/^a=ice-pwd:(.+)$/gm);
  const fingerprints = [...new Set(all(/^a=fingerprint:(\S+ \S+)/gm).map((value) => value.toLowerCase()))].sort();
  if (!sessionId || !ufrag || !password || fingerprints.length === 0) return null;
  return { sessionId, fingerprints, ufrag, password };
}

/** What stays the same as long as the viewer's peer connection lives. @param {OfferIdentity} offer */
function sessionOf({ sessionId, fingerprints }) {
  return [sessionId, ...fingerprints].join('\n');
}

/**
 * What the offer is to the session that its client id holds, asleep or awake.
 *
 * @param {OfferIdentity} offer
 * @param {OfferIdentity | null} held
 * @returns {OfferMeaning}
 */
export function meaningOf(offer, held) {
  if (!held) return 'first';
  if (sessionOf(offer) !== sessionOf(held)) return 'replacement';
  const sameUfrag = offer.ufrag === held.ufrag;
  const samePassword = offer.password === held.password;
  if (sameUfrag && samePassword) return 'renegotiation';
  // Half of the credentials changed: neither (RFC 8839 §4.4.3 changes both), so nothing of the old may be trusted.
  return sameUfrag || samePassword ? 'replacement' : 'restart';
}

/** Under which of the two certificates sessions were answered, of those that are no longer held. */
export class SessionMemory {
  /** @type {Map<string, {certificate: 0 | 1, since: number}>} oldest first */
  #gone = new Map();
  #lifetime;
  #limit;

  /** @param {{lifetime?: number, limit?: number}} [options]  seconds; sessions */
  constructor({ lifetime = MASTER_TIMERS.sessionMemory, limit = MEMORY } = {}) {
    this.#lifetime = lifetime;
    this.#limit = limit;
  }

  /**
   * The session of that offer, answered under certificate 0 or 1, is no longer held.
   *
   * @param {OfferIdentity} offer
   * @param {0 | 1} certificate
   * @param {number} now
   */
  forget(offer, certificate, now) {
    const key = sessionOf(offer);
    this.#gone.delete(key);
    this.#gone.set(key, { certificate, since: now });
    const [oldest] = this.#gone.keys();
    if (this.#gone.size > this.#limit && oldest !== undefined) this.#gone.delete(oldest);
  }

  /** Whether the offer is of a session that was held and is not any more. @param {OfferIdentity} offer  @param {number} now */
  isGone(offer, now) {
    return this.#last(offer, now) !== null;
  }

  /**
   * Which certificate a new session of this offer is answered under: not the one of its last, so that DTLS begins anew.
   *
   * @param {OfferIdentity} offer
   * @param {number} now
   * @returns {0 | 1}
   */
  certificateFor(offer, now) {
    return this.#last(offer, now) === 0 ? 1 : 0;
  }

  /** @param {OfferIdentity} offer  @param {number} now */
  #last(offer, now) {
    const last = this.#gone.get(sessionOf(offer));
    return !last || now - last.since >= this.#lifetime ? null : last.certificate;
  }
}

/**
 * How long to wait before connecting again, for ever: full jitter (Amazon's Builders' Library), so that a service's
 * clients do not come in waves. The twin of Python's sessions/backoff.py: time and chance are passed in, in seconds.
 */
export class Backoff {
  #first;
  #longest;
  #stable;
  #failures = 0;
  /** @type {number | null} */
  #openedAt = null;

  /**
   * @param {{first?: number, longest?: number, stable?: number}} [options]  `stable`: a connection that lived so long was
   *   a good one; one that is closed at once was not, and its client would ask for ever without a pause
   */
  constructor({ first = 0.1, longest = 10, stable = 10 } = {}) {
    this.#first = first;
    this.#longest = longest;
    this.#stable = stable;
  }

  /** The connection stands. @param {number} now */
  opened(now) {
    this.#openedAt = now;
  }

  /**
   * The connection ended, or could not be made: seconds to wait before the next attempt.
   *
   * @param {number} now
   * @param {number} roll  from 0 up to 1
   */
  lost(now, roll) {
    if (this.#openedAt !== null && now - this.#openedAt >= this.#stable) this.#failures = 0;
    this.#openedAt = null;
    const bound = Math.min(this.#longest, this.#first * 2 ** Math.min(this.#failures, 32));
    this.#failures += 1;
    return roll * bound;
  }
}

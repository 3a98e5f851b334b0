/** How often the state is read, in milliseconds, where no event tells of a change (seed 003.3). */
const POLL = 5_000;

/**
 * Tells when the platform says that the network is gone, is there again, or is another one.
 *
 * `online` and `offline` come everywhere, `connection.type` on phones; the seed's poll is for a platform that changes
 * both without a word. A path that dies in silence is not noticed here but by the silence (`pulse.js`).
 */
export class NetworkWatch {
  #platform;
  #tell;
  #known;
  /** @type {unknown} */
  #timer = null;
  #look = () => this.#compare();

  /**
   * @param {object} options
   * @param {import('./timers.js').Platform} options.platform
   * @param {(online: boolean) => void} options.tell
   */
  constructor({ platform, tell }) {
    this.#platform = platform;
    this.#tell = tell;
    this.#known = this.#read();
    platform.window?.addEventListener('online', this.#look);
    platform.window?.addEventListener('offline', this.#look);
    this.#connection?.addEventListener?.('change', this.#look);
    this.#poll();
  }

  stop() {
    this.#platform.clearTimeout(this.#timer);
    this.#platform.window?.removeEventListener('online', this.#look);
    this.#platform.window?.removeEventListener('offline', this.#look);
    this.#connection?.removeEventListener?.('change', this.#look);
  }

  /** Its `change` also comes when only the estimated speed does: the type is what counts. */
  get #connection() {
    return /** @type {(EventTarget & {type?: string}) | undefined} */ (
      /** @type {any} */ (this.#platform.navigator)?.connection);
  }

  #read() {
    return { online: this.#platform.navigator?.onLine !== false, type: this.#connection?.type };
  }

  #compare() {
    const now = this.#read();
    const before = this.#known;
    this.#known = now;
    if (now.online !== before.online || (now.online && now.type !== before.type)) this.#tell(now.online);
  }

  #poll() {
    this.#timer = this.#platform.setTimeout(() => {
      this.#poll();
      this.#compare();
    }, POLL);
  }
}

/**
 * Knows whether the picture moves: the first frame, a standstill, and that it goes on.
 *
 * Two witnesses, because neither is enough alone: the video element reports a frame the moment it is shown, but
 * not while its tab is hidden; the decoder's count goes on there, but is read once a second only.
 */
export class PictureWatch {
  /** @type {HTMLVideoElement | null} */
  #video;
  #platform;
  #limit;
  #on;
  /** @type {number | null} when the newest frame came */
  #lastFrame = null;
  #decoded = 0;
  #shownSinceReading = false;
  #stalled = false;
  #stopped = false;
  #callback = 0;
  /** @type {unknown} */
  #timer = null;

  /**
   * @param {object} options
   * @param {HTMLVideoElement | null} options.video
   * @param {number} options.limit  milliseconds without a frame that count as a standstill
   * @param {Pick<import('./timers.js').Platform, 'setTimeout' | 'clearTimeout' | 'now'>} options.platform
   * @param {{first: () => void, stalled: () => void, resumed: () => void}} options.on
   */
  constructor({ video, limit, platform, on }) {
    this.#video = video;
    this.#limit = limit;
    this.#platform = platform;
    this.#on = on;
    this.#awaitShown();
  }

  /** @param {number} total  the decoder's count of frames so far */
  noteDecoded(total) {
    if (total > this.#decoded && !this.#shownSinceReading) this.#frame();
    this.#decoded = total;
    this.#shownSinceReading = false;
  }

  stop() {
    this.#stopped = true;
    if (this.#callback) this.#video?.cancelVideoFrameCallback?.(this.#callback);
    this.#platform.clearTimeout(this.#timer);
    this.#video = null;
  }

  #awaitShown() {
    // Older Firefox has no frame callbacks: there the decoder's count alone decides.
    this.#callback = this.#video?.requestVideoFrameCallback?.(() => {
      this.#shownSinceReading = true;
      this.#frame();
      if (!this.#stopped) this.#awaitShown();
    }) ?? 0;
  }

  #frame() {
    if (this.#stopped) return;
    const isFirst = this.#lastFrame === null;
    this.#lastFrame = this.#platform.now();
    if (isFirst) {
      this.#watchFor(this.#limit);
      this.#on.first();
    } else if (this.#stalled) {
      this.#stalled = false;
      this.#watchFor(this.#limit);
      this.#on.resumed();
    }
  }

  /** @param {number} ms */
  #watchFor(ms) {
    this.#timer = this.#platform.setTimeout(() => {
      const still = this.#platform.now() - (this.#lastFrame ?? 0);
      if (still < this.#limit) return this.#watchFor(this.#limit - still);
      this.#stalled = true;
      this.#on.stalled();
    }, ms);
  }
}

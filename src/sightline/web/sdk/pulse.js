/** How often it is looked for signs of life while no picture is shown, in milliseconds. */
const INTERVAL = 250;

/**
 * Signs of life of a connection: `heard` for packets of the camera, `frame` for new pictures.
 *
 * A picture on the screen proves both and costs nothing to notice. Only when none is shown (a frozen picture, a hidden
 * tab, an older Firefox) are the counters of the connection read, which costs a millisecond or two.
 */
export class Pulse {
  /** @type {HTMLVideoElement | null} */
  #video;
  #platform;
  #read;
  #tell;
  #callback = 0;
  /** @type {unknown} */
  #timer = null;
  #stopped = false;
  /** Pictures were shown since the timer was last here. */
  #shown = false;
  /** The counters were not read while pictures were shown: what has grown since may be old. */
  #stale = false;
  #packets = 0;
  #frames = 0;

  /**
   * @param {object} options
   * @param {HTMLVideoElement | null} options.video
   * @param {import('./timers.js').Platform} options.platform
   * @param {() => Promise<Counters | null>} options.read
   * @param {(sign: 'heard' | 'frame') => void} options.tell
   */
  constructor({ video, platform, read, tell }) {
    this.#video = video;
    this.#platform = platform;
    this.#read = read;
    this.#tell = tell;
  }

  /**
   * The video has the connection's own stream: what it shows from now on counts. (A stream that ends is shown as one more
   * picture, a black one, to whoever is next.)
   */
  watch() {
    if (!this.#callback && !this.#stopped) this.#awaitShown();
  }

  /** The connection is up: from now on something should be heard. */
  start() {
    this.watch();
    if (this.#timer === null && !this.#stopped) this.#wait();
  }

  stop() {
    this.#stopped = true;
    if (this.#callback) this.#video?.cancelVideoFrameCallback?.(this.#callback);
    this.#platform.clearTimeout(this.#timer);
    this.#video = null;
  }

  /** Looks now. Whoever is about to judge a silence calls this first: the browser may have held the timers back. */
  async look() {
    const counted = await this.#read().catch(() => null);
    if (counted) this.#take(counted, true);
  }

  /** @param {Counters} counted  @param {boolean} isNews  whether what has grown is worth telling */
  #take({ packets, frames }, isNews) {
    if (this.#stopped) return;
    const heard = packets > this.#packets;
    const moved = frames > this.#frames;
    this.#packets = packets;
    this.#frames = frames;
    this.#stale = false;
    if (isNews && heard) this.#tell('heard');
    if (isNews && moved && !this.#stopped) this.#tell('frame');
  }

  #awaitShown() {
    this.#callback = this.#video?.requestVideoFrameCallback?.(() => {
      if (this.#stopped) return;
      this.#shown = true;
      this.#awaitShown();
      this.#tell('heard');
      if (!this.#stopped) this.#tell('frame');
    }) ?? 0;
  }

  #wait() {
    const began = this.#platform.now();
    this.#timer = this.#platform.setTimeout(async () => {
      const isLate = this.#platform.now() - began > 2 * INTERVAL;
      if (this.#shown) {
        this.#shown = false;
        this.#stale = true;
      } else {
        const counted = await this.#read().catch(() => null);
        if (counted) this.#take(counted, !this.#stale || isLate);
      }
      if (!this.#stopped) this.#wait();
    }, INTERVAL);
  }
}

/**
 * What the camera has sent, counted from the beginning.
 *
 * @typedef {object} Counters
 * @property {number} packets  RTP, RTCP and data; not the checks of the path, which other paths answer too
 * @property {number} frames   decoded pictures
 */

/**
 * @param {ReadonlyMap<string, any>} report  an RTCStatsReport
 * @returns {Counters}
 */
export function readCounters(report) {
  const counted = { packets: 0, frames: 0 };
  for (const entry of report.values()) {
    // Which of these there are differs between browsers; together they grow with whatever comes.
    if (entry.type === 'transport') counted.packets += entry.packetsReceived ?? 0;
    else if (entry.type === 'candidate-pair') counted.packets += entry.packetsReceived ?? 0;
    else if (entry.type === 'inbound-rtp') {
      counted.packets += entry.packetsReceived ?? 0;
      counted.frames += entry.framesDecoded ?? 0;
    }
  }
  return counted;
}

/**
 * Camera, microphone and screen of a call: opened when it begins, and let go of when it is over.
 *
 * @typedef {'media-refused' | 'screen-refused' | 'media-missing' | 'media-in-use' | 'media-insecure' | 'media-failed'} CallMediaProblem
 */

export class CallMediaError extends Error {
  /** @param {CallMediaProblem} id  @param {unknown} cause */
  constructor(id, cause) {
    super(`${id}: ${cause instanceof Error ? cause.message : cause}`);
    this.name = 'CallMediaError';
    this.id = id;
  }
}

/**
 * Why the browser gave no picture or sound.
 *
 * @param {unknown} error  what getUserMedia or getDisplayMedia rejected with
 * @param {boolean} [screen]
 */
export function callMediaError(error, screen = false) {
  switch (/** @type {{name?: string} | null} */ (error)?.name) {
    case 'NotAllowedError':
    case 'SecurityError':
      return new CallMediaError(screen ? 'screen-refused' : 'media-refused', error);
    case 'NotFoundError':
    case 'OverconstrainedError': // the chosen device is no longer there
      return new CallMediaError('media-missing', error);
    case 'NotReadableError':
    case 'AbortError':
      return new CallMediaError('media-in-use', error);
    default:
      return new CallMediaError('media-failed', error);
  }
}

const SOUND = { echoCancellation: true, noiseSuppression: true, autoGainControl: true };
const PICTURE = { width: { ideal: 1280 }, height: { ideal: 720 }, frameRate: { ideal: 30 } };

export class CallMedia {
  /** What is sent; null while there is no call. @type {MediaStream | null} */
  stream = null;
  muted = false;
  cameraOff = false;
  camera = '';
  microphone = '';
  /** @type {MediaStreamTrack | null} */
  #screen = null;
  /** Whether the camera is to come back after the screen. */
  #hadCamera = false;
  #platform;
  #changed;
  #lost;
  /** How many questions of the browser are not answered, whether it shows them or answers by itself. */
  #asked = 0;
  /** Counts opening and closing: what was asked for before the last of them is let go of when it comes. */
  #generation = 0;

  /**
   * @param {object} options
   * @param {import('./timers.js').Platform} options.platform
   * @param {() => void} options.changed  the screen is no longer shared: the person ended it in the browser
   * @param {(kind: 'audio' | 'video') => void} options.lost  camera or microphone ended by itself: unplugged, or taken away
   */
  constructor({ platform, changed, lost }) {
    this.#platform = platform;
    this.#changed = changed;
    this.#lost = lost;
  }

  /** Whether the browser waits for a person to allow camera and microphone, also of a call that is over by now. */
  get isAsking() {
    return this.#asked > 0;
  }

  get isSharing() {
    return this.#screen !== null;
  }

  get canShare() {
    return typeof this.#devices?.getDisplayMedia === 'function';
  }

  get hasPicture() {
    return (this.stream?.getVideoTracks().length ?? 0) > 0;
  }

  get hasSound() {
    return (this.stream?.getAudioTracks().length ?? 0) > 0;
  }

  /** @returns {import('./call_peer.js').Sending} */
  get sending() {
    const picture = this.isSharing ? 'screen' : this.hasPicture && !this.cameraOff ? 'camera' : null;
    return { sound: this.hasSound && !this.muted, picture };
  }

  /**
   * Camera and microphone; one of them where there is only one.
   *
   * @returns {Promise<boolean>} false: the call was over before. Rejects with a CallMediaError
   */
  async open() {
    const mine = ++this.#generation;
    this.muted = this.cameraOff = false;
    const stream = await this.#openBoth();
    if (mine !== this.#generation) {
      stop(stream.getTracks());
      return false;
    }
    this.stream = stream;
    return true;
  }

  /** All tracks end: the camera's light goes out. Safe to call again. */
  close() {
    this.#generation += 1;
    this.#screen = null;
    if (this.stream) stop(this.stream.getTracks());
    this.stream = null;
  }

  /** @param {boolean} muted */
  setMuted(muted) {
    this.muted = muted;
    for (const track of this.stream?.getAudioTracks() ?? []) track.enabled = !muted;
  }

  /** @param {boolean} off */
  setCameraOff(off) {
    this.cameraOff = off;
    if (!this.isSharing) for (const track of this.stream?.getVideoTracks() ?? []) track.enabled = !off;
  }

  /**
   * Another camera or microphone, now or for the next call.
   *
   * @param {'audio' | 'video'} kind  @param {string} deviceId
   * @returns {Promise<MediaStreamTrack | null>} the one that took the place of the one before; null: none did
   */
  async choose(kind, deviceId) {
    const before = kind === 'audio' ? this.microphone : this.camera;
    if (kind === 'audio') this.microphone = deviceId;
    else this.camera = deviceId;
    if (!this.stream || (kind === 'video' && this.isSharing)) return null;
    try {
      return await this.#swap(kind, () => this.#open(kind === 'audio', kind === 'video'));
    } catch (error) {
      if (kind === 'audio') this.microphone = before;
      else this.camera = before;
      throw error;
    }
  }

  /** @returns {Promise<MediaStreamTrack | null>} the screen, or what took its place */
  async share(on = true) {
    if (!this.stream || on === this.isSharing) return null;
    if (!on) {
      const screen = this.#screen;
      this.#screen = null;
      if (!this.#hadCamera) {
        if (screen) this.#remove(screen);
        return null;
      }
      try {
        return await this.#swap('video', () => this.#open(false, true));
      } catch (error) {
        if (screen) this.#remove(screen);
        throw error;
      }
    }
    const hadCamera = this.hasPicture;
    const track = await this.#swap('video', async () => {
      if (!this.#devices?.getDisplayMedia) throw new CallMediaError('media-insecure', 'no screen');
      try {
        return await this.#devices.getDisplayMedia({ video: { frameRate: { ideal: 15 } }, audio: false });
      } catch (error) {
        throw callMediaError(error, true);
      }
    });
    if (!track) return null;
    track.contentHint = 'detail'; // text must stay readable, at fewer frames if need be
    track.enabled = true;
    this.#screen = track;
    this.#hadCamera = hadCamera;
    track.addEventListener('ended', () => {
      if (this.#screen === track) this.#changed();
    });
    return track;
  }

  /** @param {'audioinput' | 'videoinput'} kind  without a permission devices have no names */
  async devices(kind) {
    const all = await this.#devices?.enumerateDevices().catch(() => []) ?? [];
    return all.filter((device) => device.kind === kind && device.deviceId !== '');
  }

  /** @returns {MediaDevices | undefined} there are none over plain HTTP */
  get #devices() {
    return this.#platform.navigator?.mediaDevices;
  }

  async #openBoth() {
    try {
      return await this.#open(true, true);
    } catch (error) {
      if (!(error instanceof CallMediaError) || error.id !== 'media-missing') throw error;
    }
    // One of the two is not there, or the one that was chosen.
    this.camera = this.microphone = '';
    let missing;
    for (const [audio, video] of [[true, true], [true, false], [false, true]]) {
      try {
        return await this.#open(audio === true, video === true);
      } catch (error) {
        if (!(error instanceof CallMediaError) || error.id !== 'media-missing') throw error;
        missing = error;
      }
    }
    throw missing;
  }

  /** @param {boolean} audio  @param {boolean} video */
  async #open(audio, video) {
    if (!this.#devices) throw new CallMediaError('media-insecure', 'no media devices');
    this.#asked += 1;
    try {
      const stream = await this.#devices.getUserMedia({
        audio: audio && { ...SOUND, ...(this.microphone ? { deviceId: { exact: this.microphone } } : {}) },
        video: video && { ...PICTURE, ...(this.camera ? { deviceId: { exact: this.camera } } : { facingMode: 'user' }) },
      });
      // `ended` does not come of our own stopping.
      for (const track of stream.getTracks()) track.addEventListener('ended', () => this.#ended(track));
      return stream;
    } catch (error) {
      throw callMediaError(error);
    } finally {
      this.#asked -= 1;
    }
  }

  /** @param {MediaStreamTrack} track */
  #ended(track) {
    if (!this.stream?.getTracks().includes(track)) return;
    this.#remove(track);
    this.#lost(track.kind === 'audio' ? 'audio' : 'video');
  }

  /** @param {'audio' | 'video'} kind  @param {() => Promise<MediaStream>} open */
  async #swap(kind, open) {
    const mine = this.#generation;
    const opened = await open();
    if (mine !== this.#generation || !this.stream) {
      stop(opened.getTracks());
      return null;
    }
    const track = opened.getTracks().find((one) => one.kind === kind) ?? null;
    for (const before of this.stream.getTracks()) if (before.kind === kind) this.#remove(before);
    if (track) {
      this.stream.addTrack(track);
      track.enabled = kind === 'audio' ? !this.muted : !this.cameraOff;
    }
    return track;
  }

  /** @param {MediaStreamTrack} track */
  #remove(track) {
    track.stop();
    this.stream?.removeTrack(track);
  }
}

/** @param {MediaStreamTrack[]} tracks */
function stop(tracks) {
  for (const track of tracks) track.stop();
}

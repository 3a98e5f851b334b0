/**
 * Camera, screen and microphone of the broadcast page: opened when asked for, and let go of when not.
 *
 * @typedef {'refused' | 'screen-refused' | 'missing' | 'in-use' | 'insecure' | 'other'} MediaProblem
 *
 * @typedef {object} Wanted
 * @property {'camera' | 'screen'} source
 * @property {string} device       a camera's id; empty: the standard one
 * @property {boolean} microphone
 */

export class MediaError extends Error {
  /** @param {MediaProblem} problem  @param {unknown} cause */
  constructor(problem, cause) {
    super(`${problem}: ${cause instanceof Error ? cause.message : cause}`);
    this.name = 'MediaError';
    this.problem = problem;
  }
}

/**
 * Why the browser gave no picture or sound.
 *
 * @param {unknown} error
 * @param {'camera' | 'screen' | 'microphone'} what
 * @returns {MediaError}
 */
export function mediaError(error, what) {
  switch (error instanceof Error || error instanceof DOMException ? error.name : '') {
    case 'NotAllowedError':
    case 'SecurityError':
      return new MediaError(what === 'screen' ? 'screen-refused' : 'refused', error);
    case 'NotFoundError':
    case 'OverconstrainedError': // the chosen device is no longer there
      return new MediaError('missing', error);
    case 'NotReadableError':
    case 'AbortError':
      return new MediaError('in-use', error);
    default:
      return new MediaError('other', error);
  }
}

/** The tracks that are open, and the stream that has them. */
export class MediaSource {
  stream = new MediaStream();
  #media;
  #ended;

  /**
   * @param {object} options
   * @param {MediaDevices | undefined} options.media  navigator.mediaDevices; there is none over plain HTTP
   * @param {() => void} options.ended  the picture ended by itself: unplugged, or no longer shared
   */
  constructor({ media, ended }) {
    this.#media = media;
    this.#ended = ended;
  }

  /** Phones cannot share their screen. */
  get canShareScreen() {
    return typeof this.#media?.getDisplayMedia === 'function';
  }

  get hasSound() {
    return this.stream.getAudioTracks().length > 0;
  }

  /** The cameras there are; without a permission they have no names, and some browsers hide them. */
  async cameras() {
    const devices = await this.#media?.enumerateDevices().catch(() => []) ?? [];
    return devices.filter(({ kind, deviceId }) => kind === 'videoinput' && deviceId !== '');
  }

  /**
   * Another picture, in place of the one before, which goes on when this fails.
   *
   * @param {Pick<Wanted, 'source' | 'device'>} wanted
   */
  async openPicture({ source, device }) {
    if (!this.#media) throw new MediaError('insecure', 'no media devices');
    let opened;
    try {
      opened = source === 'screen'
        ? await this.#media.getDisplayMedia({ video: { frameRate: { ideal: 30 } }, audio: false })
        : await this.#media.getUserMedia({ video: camera(device) });
    } catch (error) {
      throw mediaError(error, source);
    }
    const [track] = opened.getVideoTracks();
    if (!track) throw new MediaError('missing', 'no video track');
    if (source === 'screen') track.contentHint = 'detail'; // text must stay readable, at fewer frames if need be
    track.addEventListener('ended', () => {
      if (this.stream.getVideoTracks().includes(track)) this.#ended();
    });
    this.#replace(this.stream.getVideoTracks(), track);
  }

  /** @param {boolean} on */
  async openMicrophone(on) {
    if (!on) return this.#replace(this.stream.getAudioTracks(), null);
    if (this.hasSound) return;
    if (!this.#media) throw new MediaError('insecure', 'no media devices');
    try {
      const opened = await this.#media.getUserMedia({ audio: true });
      this.#replace(this.stream.getAudioTracks(), opened.getAudioTracks()[0] ?? null);
    } catch (error) {
      throw mediaError(error, 'microphone');
    }
  }

  /** The camera's light goes out. */
  close() {
    this.#replace(this.stream.getTracks(), null);
  }

  /** @param {MediaStreamTrack[]} before  @param {MediaStreamTrack | null} after */
  #replace(before, after) {
    for (const track of before) {
      this.stream.removeTrack(track);
      track.stop();
    }
    if (after) this.stream.addTrack(after);
  }
}

/** @param {string} device  @returns {MediaTrackConstraints} */
function camera(device) {
  return {
    ...(device ? { deviceId: { exact: device } } : { facingMode: { ideal: 'environment' } }),
    width: { ideal: 1280 },
    height: { ideal: 720 },
    frameRate: { ideal: 30 },
  };
}

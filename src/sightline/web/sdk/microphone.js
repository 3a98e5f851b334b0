/**
 * The viewer's microphone: asked for when somebody wants to talk, let go of when he has finished.
 */
export class Microphone {
  /** @type {MediaStream | null} */
  #stream = null;
  #mediaDevices;
  #wanted = false;

  /** @param {Pick<MediaDevices, 'getUserMedia'> | undefined} mediaDevices  undefined where pages may not use any */
  constructor(mediaDevices) {
    this.#mediaDevices = mediaDevices;
  }

  /** @returns {MediaStreamTrack | null} */
  get track() {
    return this.#stream?.getAudioTracks()[0] ?? null;
  }

  /**
   * Asks for the microphone, which may make the browser ask the person.
   *
   * @returns {Promise<MediaStreamTrack | null>} null when it was let go of meanwhile; rejects as getUserMedia does
   */
  async open() {
    this.#wanted = true;
    if (!this.#mediaDevices) throw new DOMException('This page may not use the microphone.', 'NotAllowedError');
    const stream = await this.#mediaDevices.getUserMedia({
      audio: { echoCancellation: true, noiseSuppression: true, autoGainControl: true },
    });
    if (!this.#wanted || this.#stream) stop(stream);
    else this.#stream = stream;
    return this.track;
  }

  /** Stops the tracks: the browser's sign that the page listens goes out. Safe to call again. */
  close() {
    this.#wanted = false;
    if (this.#stream) stop(this.#stream);
    this.#stream = null;
  }
}

/** @param {MediaStream} stream */
function stop(stream) {
  for (const track of stream.getTracks()) track.stop();
}

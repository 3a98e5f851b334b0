/** The ring of an incoming call: two notes, a pause, again. Without a sound where the browser wants a click first. */
export class Ring {
  /** @type {AudioContext | null} */
  #context = null;
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #timer;

  /** Called from a click, so that a later ring may be heard. */
  prepare() {
    try {
      this.#context ??= new AudioContext();
      void this.#context.resume().catch(() => {});
    } catch { /* then it rings without a sound */ }
  }

  start() {
    this.stop();
    this.#play();
    this.#timer = setInterval(() => this.#play(), 3_000);
  }

  stop() {
    clearInterval(this.#timer);
    this.#timer = undefined;
    navigator.vibrate?.(0);
  }

  #play() {
    if (navigator.userActivation?.hasBeenActive) navigator.vibrate?.([300, 150, 300]);
    const context = this.#context;
    if (context?.state !== 'running') return;
    for (const [after, pitch] of /** @type {const} */ ([[0, 660], [0.35, 880], [0.9, 660], [1.25, 880]])) {
      const tone = context.createOscillator();
      const volume = context.createGain();
      const from = context.currentTime + after;
      tone.frequency.value = pitch;
      volume.gain.setValueAtTime(0, from);
      volume.gain.linearRampToValueAtTime(0.15, from + 0.03);
      volume.gain.exponentialRampToValueAtTime(0.001, from + 0.32);
      tone.connect(volume).connect(context.destination);
      tone.start(from);
      tone.stop(from + 0.33);
    }
  }
}

import { sessionFromService } from './session.js';
import { Viewer } from './viewer.js';
import { persistent, retryOnce } from './viewer_session.js';

/** Node and workers have no elements, and load this module as part of the SDK all the same. */
const Base = /** @type {typeof HTMLElement} */ (globalThis.HTMLElement ?? class {});

const STYLE = `
  :host { display: block; position: relative; aspect-ratio: 16 / 9; background: #0b0e13; color: #e8ecf2; overflow: hidden;
    font: 0.9375rem/1.4 system-ui, sans-serif; }
  :host([hidden]) { display: none; }
  video { display: block; width: 100%; height: 100%; object-fit: contain; }
  p { position: absolute; inset: auto 0 0; margin: 0; padding: 0.6em 0.9em; background: rgb(11 14 19 / 80%); }
  p:empty { display: none; }
`;

/**
 * A camera in any page: `<sightline-camera channel="porch" token="…"></sightline-camera>`.
 *
 * | attribute    |                                                                                               |
 * |--------------|-----------------------------------------------------------------------------------------------|
 * | `channel`    | which camera                                                                                  |
 * | `token`      | a link's token (`sightline link`); not needed on pages of the service's own loopback listener |
 * | `service`    | origin of the service; the page's own when left out                                           |
 * | `muted`      | `false` plays sound, where the browser lets it                                                |
 * | `persistent` | for a display on a wall: never gives up                                                       |
 * | `commands`   | for `element.viewer.command(…)`: commands to the device                                       |
 *
 * It watches while it is in a document. `element.viewer` is the `Viewer`; its `statechange`, `notice` and `failed` come
 * from the element too. Browsers let a page of another origin load modules and ask for sessions only where the service
 * allows it (CORS), which Sightline's does not by itself: serve page and service under one origin.
 */
export class SightlineCamera extends Base {
  static observedAttributes = ['channel', 'token', 'service'];

  /** @type {Viewer | null} */
  viewer = null;
  /** @type {HTMLVideoElement} */
  #video;
  /** @type {HTMLElement} */
  #words;

  constructor() {
    super();
    const root = this.attachShadow({ mode: 'open' });
    const sheet = new CSSStyleSheet(); // pages may forbid <style>
    sheet.replaceSync(STYLE);
    root.adoptedStyleSheets = [sheet];
    this.#video = document.createElement('video');
    this.#video.autoplay = this.#video.playsInline = this.#video.muted = true;
    this.#words = document.createElement('p');
    this.#words.setAttribute('role', 'status');
    root.append(this.#video, this.#words);
  }

  connectedCallback() {
    this.#open();
  }

  disconnectedCallback() {
    this.#close();
  }

  attributeChangedCallback() {
    if (!this.viewer) return;
    this.#close();
    this.#open();
  }

  #open() {
    const channel = this.getAttribute('channel');
    if (!channel || this.viewer) return;
    this.#video.muted = this.getAttribute('muted') !== 'false';
    this.#video.setAttribute('aria-label', channel);
    const viewer = new Viewer({
      session: sessionFromService({
        channel,
        token: this.getAttribute('token') ?? undefined,
        service: this.getAttribute('service') ?? undefined,
      }),
      video: this.#video,
      commands: this.hasAttribute('commands'),
      policy: this.hasAttribute('persistent') ? persistent() : retryOnce(),
    });
    this.viewer = viewer;
    viewer.on('statechange', (detail) => {
      if (detail.state === 'watching') this.#words.textContent = '';
      this.dispatchEvent(new CustomEvent('statechange', { detail }));
    });
    viewer.on('notice', (detail) => {
      this.#words.textContent = detail?.message ?? '';
      this.dispatchEvent(new CustomEvent('notice', { detail }));
    });
    viewer.on('failed', (detail) => {
      this.#words.textContent = detail.message;
      this.dispatchEvent(new CustomEvent('failed', { detail }));
    });
    viewer.open();
  }

  #close() {
    this.viewer?.close();
    this.viewer = null;
    this.#words.textContent = '';
  }
}

globalThis.customElements?.define('sightline-camera', SightlineCamera);

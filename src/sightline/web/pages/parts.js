import { hasText, text } from './language.js';

// What the pages of Sightline do alike.

/**
 * An element that the page's scripts write to. A missing one is a mistake in the page: say so at once.
 *
 * @template {HTMLElement} Kind
 * @param {string} id
 * @param {new () => Kind} kind
 * @returns {Kind}
 */
export function element(id, kind) {
  const found = document.getElementById(id);
  if (!(found instanceof kind)) throw new Error(`the page has no ${kind.name} #${id}`);
  return found;
}

/**
 * A button whose words say what a click does, and whose look says how it is.
 *
 * @param {HTMLElement} button
 * @param {boolean} isOn
 * @param {HTMLElement} label
 * @param {string} words
 */
export function press(button, isOn, label, words) {
  button.dataset.on = String(isOn);
  if (label.textContent !== words) label.textContent = words;
}

/**
 * iPhones put only videos on the full screen.
 *
 * @param {HTMLElement} frame
 * @param {HTMLVideoElement & {webkitEnterFullscreen?: () => void}} video
 */
export async function toggleFullScreen(frame, video) {
  if (document.fullscreenElement) await document.exitFullscreen();
  else if (frame.requestFullscreen) await frame.requestFullscreen();
  else video.webkitEnterFullscreen?.();
}

/**
 * Writes into a page's error panel what happened, what it means and what to do. Of a reason without a text here, the
 * service's own sentence says more than ours could.
 *
 * @param {{errorWhat: HTMLElement, errorMeans: HTMLElement, errorDo: HTMLElement, errorId: HTMLElement}} panel
 * @param {{id: string, message: string}} failure
 * @param {Record<string, string>} values   what the texts' `{name}` stands for
 * @param {string} [page]                   the page, where it has texts of its own: `PAGE.error.ID.what`
 */
export function writeError(panel, { id, message }, values, page) {
  const own = page ? `${page}.error` : 'error';
  const known = [`${own}.${id}`, `error.${id}`].find((one) => hasText(`${one}.what`));
  const key = known ?? `${own}.unknown`;
  panel.errorWhat.textContent = text(`${key}.what`, values);
  panel.errorMeans.textContent = known || !message ? text(`${key}.means`, values) : message;
  panel.errorDo.textContent = text(`${key}.do`, values);
  panel.errorId.textContent = id;
}

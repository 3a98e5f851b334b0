import * as format from './format.js';
import { hasText, language, text } from './language.js';
import { elements } from './view_elements.js';
import { waterfall } from './waterfall.js';

/** @typedef {import('../sdk/viewer.js').FirstFrame} FirstFrame */

/** @param {import('../sdk/stats.js').ViewerStats} stats */
export function showDetails(stats) {
  elements.codec.textContent = stats.codec ?? '–';
  elements.path.textContent = stats.path && hasText(`path.${stats.path}`)
    ? `${text(`path.${stats.path}`)}, ${stats.protocol?.toUpperCase()}` : '–';
  elements.roundTrip.textContent = format.milliseconds(stats.roundTrip, language);
  elements.lost.textContent = stats.packetsLost.toLocaleString(language);
}

/** A new attempt: what was measured belongs to the one before. */
export function clearDetails() {
  elements.firstFrame.textContent = '';
  elements.stages.replaceChildren();
}

/**
 * The way to the first picture: for people as bars, for benchmarks as JSON.
 *
 * @param {FirstFrame} timings
 * @param {boolean} isFirst  whether the way began with the page itself
 */
export function showFirstFrame(timings, isFirst) {
  const stages = waterfall(timings, isFirst);
  const all = Math.max(1, ...stages.map(({ to }) => to));
  elements.stages.replaceChildren(...stages.map((stage) => row(stage, all)));
  elements.firstFrame.textContent = JSON.stringify(timings);
}

const SVG = 'http://www.w3.org/2000/svg';

/** @param {{id: string, from: number, to: number}} stage  @param {number} all  milliseconds from end to end */
function row({ id, from, to }, all) {
  const item = document.createElement('li');
  const bar = document.createElementNS(SVG, 'svg');
  bar.setAttribute('viewBox', '0 0 100 1');
  bar.setAttribute('preserveAspectRatio', 'none');
  bar.setAttribute('aria-hidden', 'true');
  const rectangle = document.createElementNS(SVG, 'rect');
  const width = Math.max(0.6, ((to - from) / all) * 100); // never too thin to be seen
  rectangle.setAttribute('x', String(Math.min((from / all) * 100, 100 - width)));
  rectangle.setAttribute('width', String(width));
  rectangle.setAttribute('height', '1');
  bar.append(rectangle);
  item.append(span(text(`stage.${id}`)), bar, span(format.milliseconds((to - from) / 1000, language)));
  return item;
}

/** @param {string} words */
function span(words) {
  const element = document.createElement('span');
  element.textContent = words;
  return element;
}

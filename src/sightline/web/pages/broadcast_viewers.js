import { elements } from './broadcast_elements.js';
import * as format from './format.js';
import { hasText, language, text } from './language.js';

// Who watches: one row for each, which stays the same element as long as the viewer does.

/** @typedef {import('../sdk/registry_roster.js').RegisteredViewer} RegisteredViewer */

/** @type {Map<string, {row: HTMLLIElement, how: HTMLElement, since: HTMLElement, bitrate: HTMLElement, path: HTMLElement}>} */
const rows = new Map();
const time = new Intl.DateTimeFormat(language, { hour: '2-digit', minute: '2-digit', second: '2-digit' });

/**
 * @param {RegisteredViewer[]} viewers  those who connect, too
 * @param {boolean} isOff  nothing is being sent
 */
export function showViewers(viewers, isOff) {
  const here = new Set(viewers.map(({ clientId }) => clientId));
  for (const [clientId, { row }] of rows) {
    if (here.has(clientId)) continue;
    row.remove();
    rows.delete(clientId);
  }
  for (const viewer of viewers) showViewer(viewer);
  const count = viewers.filter(({ connectionState }) => connectionState === 'connected').length;
  write(elements.count, viewers.length ? text('broadcast.watching', { count: String(count) }) : '');
  write(elements.nobody, viewers.length ? '' : text(isOff ? 'broadcast.nobody-off' : 'broadcast.nobody'));
  elements.nobody.hidden = viewers.length > 0;
}

/** @param {RegisteredViewer} viewer */
function showViewer(viewer) {
  const { clientId, connectionState, since, bitrate, candidateType } = viewer;
  const shown = rows.get(clientId) ?? newRow(clientId);
  shown.row.dataset.viewer = connectionState;
  write(shown.how, text(`broadcast.viewer-${connectionState}`));
  write(shown.since, text('broadcast.since', { time: time.format(since * 1000) }));
  write(shown.bitrate, bitrate === null ? '' : format.bitrate(bitrate, language));
  write(shown.path, candidateType && hasText(`path.${candidateType}`) ? text(`path.${candidateType}`) : '');
}

/** @param {string} clientId */
function newRow(clientId) {
  const row = document.createElement('li');
  const [dot, who, how, about, since, bitrate, path] = Array.from({ length: 7 }, () => document.createElement('span'));
  if (!dot || !who || !how || !about || !since || !bitrate || !path) throw new Error('no elements');
  dot.className = 'dot';
  dot.ariaHidden = 'true';
  who.className = 'who';
  who.textContent = clientId;
  how.className = 'how';
  about.className = 'about';
  bitrate.dataset.testid = 'bitrate';
  path.dataset.testid = 'path';
  about.append(since, bitrate, path);
  row.append(dot, who, how, about);
  elements.viewers.append(row);
  const shown = { row, how, since, bitrate, path };
  rows.set(clientId, shown);
  return shown;
}

/** Only what is new: a screen reader would say the same again. @param {HTMLElement} element  @param {string} words */
function write(element, words) {
  if (element.textContent !== words) element.textContent = words;
}

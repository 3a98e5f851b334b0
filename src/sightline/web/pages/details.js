import * as format from './format.js';
import { hasText, language, text } from './language.js';
import { elements } from './view_elements.js';

/** @param {import('../sdk/stats.js').ViewerStats} stats */
export function showDetails(stats) {
  elements.codec.textContent = stats.codec ?? '–';
  elements.path.textContent = stats.path && hasText(`path.${stats.path}`)
    ? `${text(`path.${stats.path}`)}, ${stats.protocol?.toUpperCase()}` : '–';
  elements.roundTrip.textContent = format.milliseconds(stats.roundTrip, language);
  elements.lost.textContent = stats.packetsLost.toLocaleString(language);
}

/**
 * The stages of the first picture: as rows for people, as JSON for benchmarks.
 *
 * @param {import('../sdk/viewer.js').FirstFrame} timings
 */
export function showFirstFrame(timings) {
  const { startedAt, ...stages } = timings;
  const reached = Object.entries(stages).sort(([, a], [, b]) => a - b);
  elements.stages.replaceChildren(...reached.map(([stage, ms]) => row(text(`stage.${stage}`), format.milliseconds(ms / 1000, language))));
  elements.firstFrame.textContent = JSON.stringify(timings);
}

/** @param {string} name  @param {string} value */
function row(name, value) {
  const group = document.createElement('div');
  const term = document.createElement('dt');
  const description = document.createElement('dd');
  term.textContent = name;
  description.textContent = value;
  group.append(term, description);
  return group;
}

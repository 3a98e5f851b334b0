import { CHECKS, Visit, examine } from './diagnose.js';
import { DIAGNOSE_MESSAGES } from './diagnose_messages.js';
import { addMessages, hasText, text } from './language.js';
import { elements } from './view_elements.js';

addMessages(DIAGNOSE_MESSAGES);

/** @type {Record<import('./diagnose.js').Mark, string>} what the colours say, for those who do not see them */
const SIGNS = { ok: '✓', warning: '!', failed: '✕', skipped: '' };

let isRunning = false;

/**
 * Makes the checks and shows them as they come.
 *
 * @param {Omit<ConstructorParameters<typeof Visit>[0], 'surroundings'>} about
 */
export async function showDiagnosis(about) {
  if (isRunning) return;
  isRunning = true;
  const { heading, verdict, again, rows } = build(about.channel);
  again.disabled = true;
  heading.focus();
  elements.diagnosis.scrollIntoView({ block: 'start', behavior: 'smooth' });
  const isFine = await examine(new Visit(about), (id, found) => rows.get(id)?.show(found));
  verdict.textContent = text(isFine ? 'diagnose.fine' : 'diagnose.faulty');
  again.disabled = false;
  again.addEventListener('click', () => void showDiagnosis(about));
  isRunning = false;
}

/** @param {string} channel */
function build(channel) {
  const heading = make('h2', text('diagnose.heading'));
  heading.tabIndex = -1;
  const again = /** @type {HTMLButtonElement} */ (make('button', text('diagnose.again'), 'secondary'));
  again.type = 'button';
  again.dataset.testid = 'diagnose-again';
  const verdict = make('p', text('diagnose.running'), 'verdict');
  verdict.setAttribute('role', 'status');
  verdict.dataset.testid = 'diagnose-verdict';
  const header = make('header', '');
  header.append(heading, again);
  const list = make('ol', '', 'checks');
  const rows = new Map(CHECKS.map(({ id }) => [id, makeRow(id, channel)]));
  list.append(...[...rows.values()].map(({ item }) => item));
  elements.diagnosis.replaceChildren(header, verdict, list);
  elements.diagnosis.hidden = false;
  return { heading, verdict, again, rows };
}

/** @param {string} id  of a check  @param {string} channel */
function makeRow(id, channel) {
  const item = make('li', '', 'check');
  item.dataset.check = id;
  item.dataset.testid = `check-${id}`;

  /** @param {import('./diagnose.js').Verdict | null} found  null: under way */
  function show(found) {
    const mark = found?.mark ?? 'running';
    item.dataset.mark = mark;
    const sign = make('span', found ? SIGNS[found.mark] : '', 'mark');
    sign.setAttribute('role', 'img');
    sign.setAttribute('aria-label', text(`diagnose.mark-${mark}`));
    item.replaceChildren(sign, make('span', text(`check.${id}`), 'name'), make('span', found ? say(found) : '…', 'measured'));
    for (const detail of found?.details ?? []) item.append(make('p', say(detail), 'meaning'));
    if (found?.reason) item.append(...explain(found.reason, channel));
  }

  item.append(make('span', '', 'mark'), make('span', text(`check.${id}`), 'name'));
  return { item, show };
}

/** What it means and what to do. @param {string} reason  @param {string} channel */
function explain(reason, channel) {
  const key = hasText(`error.${reason}.what`) ? reason : 'unknown';
  const meaning = make('p', `${text(`error.${key}.means`, { channel })} ${text(`error.${key}.do`, { channel })} `, 'meaning');
  meaning.append(make('code', reason));
  return [meaning];
}

/** @param {{said: string, values?: Record<string, string | number>}} found */
function say({ said, values = {} }) {
  return text(said, Object.fromEntries(Object.entries(values).map(([name, value]) => [name, String(value)])));
}

/** @param {string} tag  @param {string} words  @param {string} [className] */
function make(tag, words, className = '') {
  const element = document.createElement(tag);
  element.textContent = words;
  if (className) element.className = className;
  return element;
}

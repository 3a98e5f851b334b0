import { MESSAGES } from './messages.js';

/**
 * @typedef {'en' | 'ko'} Language
 * @typedef {Readonly<Record<string, Record<Language, string>>>} Messages  texts by id
 */

/** @type {Messages[]} */
const tables = [MESSAGES];

/**
 * Adds the texts of a part that not every page has: such a part brings its own table.
 *
 * @param {Messages} table
 */
export function addMessages(table) {
  if (!tables.includes(table)) tables.push(table);
}

/**
 * The first language of the person that the pages speak; English when there is none.
 *
 * @param {readonly string[]} preferred  BCP 47 tags, most wanted first
 * @returns {Language}
 */
export function chooseLanguage(preferred) {
  for (const tag of preferred) {
    const language = tag.toLowerCase().split('-')[0];
    if (language === 'en' || language === 'ko') return language;
  }
  return 'en';
}

/** @type {Language} */
export const language = chooseLanguage(globalThis.navigator?.languages ?? []);

/**
 * The text of an id in the page's language. An unknown id throws: a test finds it before a person does.
 *
 * @param {string} id
 * @param {Record<string, string>} [values]  what `{name}` stands for
 * @param {Language} [inLanguage]
 */
export function text(id, values = {}, inLanguage = language) {
  const message = find(id);
  if (!message) throw new Error(`no message ${id}`);
  return message[inLanguage].replace(/\{(\w+)\}/g, (_, name) => values[name] ?? '');
}

/** @param {string} id */
export function hasText(id) {
  return find(id) !== undefined;
}

/** @param {string} id */
function find(id) {
  return tables.find((table) => Object.hasOwn(table, id))?.[id];
}

/**
 * Puts the page's language into the document: `html lang`, the content of elements with `data-text="id"`, and the
 * `aria-label` of those with `data-label="id"`. The English in the HTML is only for browsers without JavaScript.
 *
 * @param {Record<string, string>} [values]
 */
export function applyLanguage(values = {}) {
  document.documentElement.lang = language;
  for (const element of document.querySelectorAll('[data-text]')) {
    element.textContent = text(element.getAttribute('data-text') ?? '', values);
  }
  for (const element of document.querySelectorAll('[data-label]')) {
    element.setAttribute('aria-label', text(element.getAttribute('data-label') ?? '', values));
  }
}

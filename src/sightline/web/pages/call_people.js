import { text } from './language.js';

/**
 * Who is there, each with a button to call. Whoever stays keeps the button: a finger may be down on it, the keyboard or a
 * screen reader at it, while in a busy room others come and go several times a second.
 */
export class PeopleList {
  #list;
  #chosen;
  /** @type {Map<string, {item: HTMLLIElement, button: HTMLButtonElement, does: HTMLSpanElement}>} */
  #people = new Map();

  /** @param {HTMLElement} list  @param {(user: string) => void} chosen  somebody is to be called */
  constructor(list, chosen) {
    this.#list = list;
    this.#chosen = chosen;
  }

  /**
   * @param {string[]} users
   * @param {boolean} isFree      nobody is called yet
   * @param {string | null} peer  of this call
   * @param {boolean} isOnline    whether somebody can be called
   */
  show(users, isFree, peer, isOnline) {
    const there = new Set(users);
    for (const [user, { item }] of this.#people) if (!there.has(user)) this.#remove(user, item);
    let next = this.#list.firstElementChild;
    for (const user of users) {
      const { item, button, does } = this.#person(user);
      button.setAttribute('aria-disabled', String(!isFree || !isOnline));
      const words = text(!isFree && user === peer ? 'call.talking-to' : isFree ? 'call.place' : 'call.one-at-a-time');
      if (does.textContent !== words) does.textContent = words;
      if (item === next) next = next.nextElementSibling;
      else this.#list.insertBefore(item, next);
    }
  }

  /** @param {string} user */
  #person(user) {
    const known = this.#people.get(user);
    if (known) return known;
    const item = document.createElement('li');
    const button = document.createElement('button');
    const who = span('who', user);
    const does = span('do', '');
    who.dir = 'auto';
    button.type = 'button';
    button.className = 'person';
    button.dataset.user = user;
    button.dataset.testid = 'person';
    button.append(who, does);
    button.addEventListener('click', () => this.#chosen(user));
    item.append(button);
    const person = { item, button, does };
    this.#people.set(user, person);
    return person;
  }

  /** Whoever is there with the keyboard goes on at the next one. @param {string} user  @param {HTMLLIElement} item */
  #remove(user, item) {
    const neighbour = item.contains(document.activeElement) ? item.nextElementSibling ?? item.previousElementSibling : null;
    this.#people.delete(user);
    item.remove();
    neighbour?.querySelector('button')?.focus({ preventScroll: true });
  }
}

/** @param {string} className  @param {string} words */
function span(className, words) {
  const element = document.createElement('span');
  element.className = className;
  element.textContent = words;
  return element;
}

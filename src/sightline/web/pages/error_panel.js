import { hasText, text } from './language.js';
import { writeError } from './parts.js';
import { elements } from './view_elements.js';

/** Whoever retried from the keyboard finds the button again where it was. */
let hadFocus = false;

/**
 * Shows what happened, what it means and what to do, in the place of the picture.
 *
 * @param {import('../sdk/viewer.js').ViewerFailure} failure
 * @param {string} channel
 */
export function showError({ id, message, tried }, channel) {
  writeError(elements, { id, message }, { channel });
  elements.errorTried.hidden = !tried;
  if (tried) elements.errorTried.textContent = text('view.tried', { local: kinds(tried.local), remote: kinds(tried.remote) });
  if (document.fullscreenElement) void document.exitFullscreen().catch(() => {});
  elements.frame.hidden = true;
  elements.error.hidden = false;
  if (hadFocus && document.activeElement === document.body) elements.retry.focus();
}

export function hideError() {
  hadFocus = elements.error.contains(document.activeElement);
  elements.error.hidden = true;
  elements.frame.hidden = false;
}

/** @param {string[]} types  of candidates */
function kinds(types) {
  return types.filter((type) => hasText(`path.${type}`)).map((type) => text(`path.${type}`)).join(', ') || '–';
}

import { applyLanguage, text } from './language.js';

// The start page. Only the loopback listener serves viewers without a link, so only there is a channel asked for.

applyLanguage();
document.title = text('index.title');

const isLoopback = ['localhost', '127.0.0.1', '[::1]'].includes(location.hostname) && location.protocol === 'http:';
const form = document.getElementById('watch');
const input = document.getElementById('channel-name');
show('watch', isLoopback);
show('call', isLoopback);
show('call-link-needed', !isLoopback);
show('operator', isLoopback);
show('link-needed', !isLoopback);

form?.addEventListener('submit', (event) => {
  event.preventDefault();
  if (input instanceof HTMLInputElement) location.assign(`/view/${encodeURIComponent(input.value)}`);
});

document.getElementById('broadcast')?.addEventListener('click', () => {
  if (!(form instanceof HTMLFormElement) || !(input instanceof HTMLInputElement) || !form.reportValidity()) return;
  location.assign(`/broadcast/${encodeURIComponent(input.value)}`);
});

document.getElementById('call')?.addEventListener('submit', (event) => {
  event.preventDefault();
  const room = document.getElementById('room-name');
  if (room instanceof HTMLInputElement) location.assign(`/call?room=${encodeURIComponent(room.value)}`);
});

/** @param {string} id  @param {boolean} visible */
function show(id, visible) {
  const element = document.getElementById(id);
  if (element) element.hidden = !visible;
}

import { elements } from './view_elements.js';

/**
 * Tells the person what is the matter, over the picture.
 *
 * @param {string} words
 * @param {{canReconnect?: boolean, isRemark?: boolean}} [options]  canReconnect: offers to do now what happens by itself
 *   soon; isRemark: passes, and gives way to anything else
 */
export function showBanner(words, { canReconnect = false, isRemark = false } = {}) {
  elements.banner.dataset.remark = String(isRemark);
  // Written only when it changes: a screen reader would read it out again.
  if (elements.bannerText.textContent !== words) elements.bannerText.textContent = words;
  elements.reconnect.hidden = !canReconnect;
  elements.banner.hidden = false;
}

export function hideBanner() {
  elements.banner.hidden = true;
  elements.bannerText.textContent = '';
}

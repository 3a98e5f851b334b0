/** Figures as people read them. Each takes the language of the page; `–` stands for "not known yet". */

const UNKNOWN = '–';

/** @param {number} value  @param {number} digits  @param {string} language */
function number(value, digits, language) {
  return value.toLocaleString(language, { maximumFractionDigits: digits, minimumFractionDigits: 0 });
}

/** @param {number | null} width  @param {number | null} height */
export function resolution(width, height) {
  return width && height ? `${width} × ${height}` : UNKNOWN;
}

/** @param {number | null} perSecond  @param {string} language */
export function frameRate(perSecond, language) {
  return perSecond === null ? UNKNOWN : `${number(perSecond, perSecond < 10 ? 1 : 0, language)} fps`;
}

/** @param {number | null} bitsPerSecond  @param {string} language */
export function bitrate(bitsPerSecond, language) {
  if (bitsPerSecond === null) return UNKNOWN;
  if (bitsPerSecond >= 1_000_000) return `${number(bitsPerSecond / 1_000_000, 1, language)} Mbit/s`;
  return `${number(bitsPerSecond / 1_000, 0, language)} kbit/s`;
}

/** @param {number | null} seconds  @param {string} language */
export function milliseconds(seconds, language) {
  return seconds === null ? UNKNOWN : `${number(seconds * 1000, seconds < 0.01 ? 1 : 0, language)} ms`;
}

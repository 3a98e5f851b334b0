/**
 * What took from when to when, in milliseconds since the page was asked for, or since the attempt began when it was not
 * the page's first. Some of it happens at the same time.
 *
 * @param {import('../sdk/attempt.js').FirstFrame} timings
 * @param {boolean} [isFirst]
 * @returns {{id: string, from: number, to: number}[]}
 */
export function waterfall(timings, isFirst = true) {
  const { startedAt, session = 0, offerReady = 0, socket = 0, offerSent = 0, answer = 0, connected = 0, firstFrame = 0 } = timings;
  const began = isFirst ? startedAt : 0;
  return [
    ...(isFirst ? [{ id: 'page', from: -began, to: 0 }] : []),
    { id: 'session', from: 0, to: session },
    { id: 'offerReady', from: session, to: offerReady },
    { id: 'socket', from: session, to: socket },
    { id: 'answer', from: offerSent, to: answer },
    { id: 'connected', from: answer, to: connected },
    { id: 'firstFrame', from: connected, to: firstFrame },
  ].map(({ id, from, to }) => ({ id, from: began + from, to: began + Math.max(from, to) }));
}

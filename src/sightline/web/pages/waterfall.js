/**
 * What took from when to when, in milliseconds since the page was asked for. Some of it happens at the same time.
 *
 * @param {import('../sdk/attempt.js').FirstFrame} timings
 * @returns {{id: string, from: number, to: number}[]}
 */
export function waterfall({ startedAt, session = 0, offerReady = 0, socket = 0, offerSent = 0, answer = 0, connected = 0, firstFrame = 0 }) {
  return [
    { id: 'page', from: -startedAt, to: 0 },
    { id: 'session', from: 0, to: session },
    { id: 'offerReady', from: session, to: offerReady },
    { id: 'socket', from: session, to: socket },
    { id: 'answer', from: offerSent, to: answer },
    { id: 'connected', from: answer, to: connected },
    { id: 'firstFrame', from: connected, to: firstFrame },
  ].map(({ id, from, to }) => ({ id, from: startedAt + from, to: startedAt + Math.max(from, to) }));
}

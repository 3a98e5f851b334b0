/**
 * Sightline's browser SDK: plain ES modules, no build step, no dependencies.
 *
 *   import { Viewer, sessionFromService } from '/sdk/sightline.js';
 *   const viewer = new Viewer({ session: sessionFromService({ channel: 'demo' }), video });
 *   viewer.on('failed', ({ id, message }) => console.error(id, message));
 *   viewer.open();
 *
 * (A Sightline service serves this file as /sdk/sightline.js; elsewhere copy the folder and import index.js.)
 *
 * With AWS (or anything else on the KVS wire), `session` is your own function: it returns the presigned URL, the
 * ICE servers and the client id.
 */
export { FAILURES, SightlineError } from './errors.js';
export { sessionFromService } from './session.js';
export { SignalingClient } from './signaling.js';
export { DEADLINES } from './timers.js';
export { Viewer } from './viewer.js';

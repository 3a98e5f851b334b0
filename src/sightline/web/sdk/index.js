/**
 * Sightline's browser SDK: plain ES modules, no build step, no dependencies.
 *
 *   <script type="module" src="/sdk/sightline.js"></script>
 *   <sightline-camera channel="demo"></sightline-camera>
 *
 * or, for a program of your own:
 *
 *   import { Viewer, sessionFromService } from '/sdk/sightline.js';
 *   const viewer = new Viewer({ session: sessionFromService({ channel: 'demo' }), video });
 *   viewer.on('notice', (notice) => console.info(notice?.id));
 *   viewer.on('failed', ({ id, message }) => console.error(id, message));
 *   viewer.open();
 *
 * `Master` is the other end: a camera in the browser. `Call` is for two people:
 *
 *   const call = new Call({ session: lobbyFromService({ room: 'family' }) });
 *   call.on('stream', (stream) => { video.srcObject = stream; });
 *   call.join('Ann');   // then call('Bob'); or accept() when the state is `ringing`
 *
 * (A Sightline service serves this file as /sdk/sightline.js; elsewhere copy the folder and import index.js.)
 *
 * With AWS (or anything else on the KVS wire), `session` is your own function: it returns the presigned URL, the
 * ICE servers and the client id.
 */
export { Call } from './call.js';
export { SightlineCamera } from './camera_element.js';
export { checkClientId, freshClientId } from './client_id.js';
export { CommandError } from './commands.js';
export { SightlineError } from './errors.js';
export { LobbyClient } from './lobby.js';
export { lobbyFromService } from './lobby_session.js';
export { Master } from './master.js';
export { REASONS } from './reasons.js';
export { sessionFromService } from './session.js';
export { SignalingClient } from './signaling.js';
export { Viewer } from './viewer.js';
export { VIEWER_OPTIONS, persistent, retryOnce } from './viewer_session.js';

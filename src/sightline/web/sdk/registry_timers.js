/**
 * The master's timers in seconds: the `viewer_…` ones of src/sightline/timers.py, by the same names and with the same
 * values (a test compares them). All can be replaced: `new Master({ timers })`.
 *
 * @typedef {object} MasterTimers
 * @property {number} viewerConnect       answer -> connected; then nobody is there
 * @property {number} viewerDisconnected  silence after which a viewer is `disconnected`
 * @property {number} viewerFailed        silence after which it is `failed` and out of the registry
 * @property {number} viewerFailedWithoutSignaling  the same for one whose signaling socket closed as well
 * @property {number} viewerSleep         how long the keys of a `failed` one are kept for a late ICE restart
 * @property {number} sessionMemory       how long it is known under which certificate a session was answered
 * @property {number} presence            between two reports to the service while only figures change
 * @property {number} presenceSpacing     between two reports at the least
 * @property {number} iceServers          relay credentials are fetched anew that often
 */

/** @type {Readonly<MasterTimers>} */
export const MASTER_TIMERS = Object.freeze({
  viewerConnect: 30,
  viewerDisconnected: 3,
  viewerFailed: 10,
  viewerFailedWithoutSignaling: 3,
  viewerSleep: 60,
  sessionMemory: 86_400,
  presence: 5,
  presenceSpacing: 0.25,
  iceServers: 240,
});

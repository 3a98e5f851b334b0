/** Whether STUN and TURN servers do what they are there for: what the browser gathers with one of them tells. */

/** @typedef {Pick<import('../sdk/timers.js').Platform, 'RTCPeerConnection' | 'setTimeout' | 'clearTimeout'>} Surroundings */

/**
 * Gathers with some servers only.
 *
 * @param {Surroundings} surroundings
 * @param {RTCConfiguration} configuration
 * @param {string} wanted  type of a candidate that ends it
 * @param {number} ms
 * @returns {Promise<{found: boolean, complete: boolean, code: number}>} `code` of an error, or 0
 */
async function gather({ RTCPeerConnection, setTimeout, clearTimeout }, configuration, wanted, ms) {
  const connection = new RTCPeerConnection(configuration);
  const seen = { found: false, complete: false, code: 0 };
  try {
    connection.createDataChannel('');
    await new Promise((resolve, reject) => {
      const timer = setTimeout(() => resolve(null), ms);
      const end = () => {
        clearTimeout(timer);
        resolve(null);
      };
      connection.onicecandidateerror = ({ errorCode }) => { seen.code = errorCode; };
      connection.onicecandidate = ({ candidate }) => {
        seen.found ||= candidate?.type === wanted;
        seen.complete ||= candidate === null;
        if (seen.found || seen.complete) end();
      };
      connection.createOffer().then((offer) => connection.setLocalDescription(offer)).catch(reject);
    });
  } finally {
    connection.close();
  }
  return seen;
}

/**
 * @param {Surroundings} surroundings
 * @param {string[]} urls
 * @param {number} ms
 * @returns {Promise<'reflexive' | 'direct' | 'silent'>} direct: it answered, and there is no NAT between
 */
export async function stunAnswers(surroundings, urls, ms) {
  const { found, complete, code } = await gather(surroundings, { iceServers: [{ urls }] }, 'srflx', ms);
  if (found) return 'reflexive';
  // Browsers leave out a reflexive address that is the device's own. An unanswered question takes longer than this.
  return complete && code === 0 ? 'direct' : 'silent';
}

/**
 * @param {Surroundings} surroundings
 * @param {RTCIceServer & {urls: string}} server
 * @param {number} ms
 */
export async function relayAllocates(surroundings, server, ms) {
  const { found, code } = await gather(surroundings, { iceServers: [server], iceTransportPolicy: 'relay' }, 'relay', ms);
  return { url: server.urls, allocated: found, code };
}

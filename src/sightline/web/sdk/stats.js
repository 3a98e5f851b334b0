/**
 * One reading of a viewer's statistics, fit to show to a person.
 *
 * @typedef {object} ViewerStats
 * @property {string} connectionState
 * @property {number | null} width        pixels
 * @property {number | null} height       pixels
 * @property {number} frameRate           decoded frames per second since the reading before
 * @property {number} bitrate             received video and audio, bits per second, since the reading before
 * @property {number} framesDecoded       since the connection began
 * @property {number} packetsLost         video packets, since the connection began
 * @property {string | null} codec        for instance `H264`
 * @property {number | null} roundTrip    seconds, of the path in use
 * @property {number | null} delay        seconds from the camera's sending a picture to its being ready to be shown: half
 *   a round trip, waiting for missing packets, smoothing, decoding. What the camera itself takes is not in it
 * @property {string | null} path         `host`, `srflx`, `prflx` or `relay`: the local candidate's type
 * @property {string | null} protocol     `udp` or `tcp`
 *
 * @typedef {Record<string, any> & {id: string, type: string, timestamp: number}} Entry
 */

/** Turns `getStats()` reports, which count from the beginning, into figures per second. */
export class StatsReader {
  /** @type {{at: number, bytes: number, frames: number, spent: number} | null} */
  #before = null;

  /**
   * @param {ReadonlyMap<string, any>} report  an RTCStatsReport
   * @param {string} connectionState
   * @returns {ViewerStats}
   */
  read(report, connectionState) {
    /** @type {Entry[]} */
    const entries = [...report.values()];
    const inbound = entries.filter((entry) => entry.type === 'inbound-rtp');
    const video = inbound.find((entry) => entry.kind === 'video');
    const pair = selectedPair(entries, report);
    const local = pair ? report.get(pair.localCandidateId) : undefined;
    const now = {
      at: video?.timestamp ?? 0,
      bytes: inbound.reduce((sum, entry) => sum + (entry.bytesReceived ?? 0), 0),
      frames: video?.framesDecoded ?? 0,
      spent: timeSpent(video),
    };
    const before = this.#before ?? now;
    const seconds = (now.at - before.at) / 1000;
    const frames = now.frames - before.frames;
    const roundTrip = pair?.currentRoundTripTime ?? null;
    this.#before = now;
    return {
      connectionState,
      width: video?.frameWidth ?? null,
      height: video?.frameHeight ?? null,
      frameRate: seconds > 0 ? frames / seconds : 0,
      bitrate: seconds > 0 ? ((now.bytes - before.bytes) * 8) / seconds : 0,
      framesDecoded: now.frames,
      packetsLost: Math.max(0, video?.packetsLost ?? 0),
      codec: codecName(video?.codecId ? report.get(video.codecId)?.mimeType : undefined),
      roundTrip,
      delay: frames > 0 && roundTrip !== null ? roundTrip / 2 + Math.max(0, now.spent - before.spent) / frames : null,
      path: local?.candidateType ?? null,
      protocol: local?.protocol ?? null,
    };
  }
}

/**
 * Seconds that all frames together took from their first packet to being decoded; older browsers tell the two parts.
 *
 * @param {Entry | undefined} video
 */
function timeSpent(video) {
  return video?.totalProcessingDelay ?? (video?.jitterBufferDelay ?? 0) + (video?.totalDecodeTime ?? 0);
}

/**
 * The candidate pair in use. Firefox has no transport entry, but marks the pair itself.
 *
 * @param {Entry[]} entries
 * @param {ReadonlyMap<string, any>} report
 * @returns {Entry | undefined}
 */
function selectedPair(entries, report) {
  const transport = entries.find((entry) => entry.type === 'transport' && entry.selectedCandidatePairId);
  if (transport) return report.get(transport.selectedCandidatePairId);
  const pairs = entries.filter((entry) => entry.type === 'candidate-pair');
  return pairs.find((pair) => pair.selected) ?? pairs.find((pair) => pair.nominated && pair.state === 'succeeded');
}

/** @param {string | undefined} mimeType */
function codecName(mimeType) {
  return mimeType?.split('/')[1] ?? null;
}

/**
 * What the statistics of a master's peer connection say: whether anything came from the viewer, over which path, and
 * how much is sent.
 *
 * @typedef {Record<string, any> & {id: string, type: string, timestamp: number}} Entry
 *
 * @typedef {object} Reading
 * @property {boolean} heard        something came since the reading before: media, RTCP, or a check of the path
 * @property {Set<string> | null} answered  our ufrags of the ICE generations in which a check was answered; null where
 *   the browser does not tell generations apart
 * @property {Figures} figures
 *
 * @typedef {Pick<import('./registry_roster.js').RegisteredViewer,
 *   'candidatePair' | 'candidateType' | 'roundTripTime' | 'loss' | 'bitrate'>} Figures
 */

/** Milliseconds over which a bitrate is measured at the least. */
const WINDOW = 1_000;

export class MasterStatsReader {
  /** @type {Map<string, number>} what each part of the report had counted */
  #counted = new Map();
  /** @type {{at: number, bytes: number} | null} */
  #base = null;
  /** @type {number | null} */
  #bitrate = null;

  /** @param {ReadonlyMap<string, any>} report  an RTCStatsReport  @returns {Reading} */
  read(report) {
    /** @type {Entry[]} */
    const entries = [...report.values()];
    const pair = selectedPair(entries, report);
    const local = pair ? report.get(pair.localCandidateId) : undefined;
    const remote = pair ? report.get(pair.remoteCandidateId) : undefined;
    const video = entries.find((entry) => entry.type === 'remote-inbound-rtp' && entry.kind === 'video');
    return {
      heard: this.#hasGrown(entries),
      answered: answeredGenerations(entries, report),
      figures: {
        candidatePair: pair ? `${end(local)} -> ${end(remote)}` : null,
        candidateType: local?.candidateType ?? null,
        roundTripTime: pair?.currentRoundTripTime ?? video?.roundTripTime ?? null,
        loss: video?.fractionLost ?? null,
        bitrate: this.#rate(entries),
      },
    };
  }

  /**
   * Compared one by one: a sum falls when the browser drops a path.
   *
   * @param {Entry[]} entries
   */
  #hasGrown(entries) {
    let grown = false;
    /** @type {Map<string, number>} */
    const counted = new Map();
    for (const entry of entries) {
      if (entry.type !== 'candidate-pair' && entry.type !== 'transport' && entry.type !== 'inbound-rtp') continue;
      // Which of these there are differs between browsers; together they grow with whatever comes.
      const count = (entry.packetsReceived ?? 0) + (entry.bytesReceived ?? 0) + (entry.responsesReceived ?? 0)
        + (entry.requestsReceived ?? 0);
      counted.set(entry.id, count);
      if (count > (this.#counted.get(entry.id) ?? 0)) grown = true;
    }
    this.#counted = counted;
    return grown;
  }

  /** @param {Entry[]} entries */
  #rate(entries) {
    const outbound = entries.filter((entry) => entry.type === 'outbound-rtp');
    if (outbound.length === 0) return this.#bitrate;
    const now = {
      at: Math.max(...outbound.map(({ timestamp }) => timestamp)),
      bytes: outbound.reduce((sum, entry) => sum + (entry.bytesSent ?? 0), 0),
    };
    this.#base ??= now;
    const ms = now.at - this.#base.at;
    if (ms >= WINDOW) {
      this.#bitrate = Math.max(0, (now.bytes - this.#base.bytes) * 8000 / ms);
      this.#base = now;
    }
    return this.#bitrate;
  }
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

/**
 * @param {Entry[]} entries
 * @param {ReadonlyMap<string, any>} report
 */
function answeredGenerations(entries, report) {
  /** @type {Set<string>} */
  const answered = new Set();
  for (const pair of entries) {
    if (pair.type !== 'candidate-pair' || !(pair.responsesReceived > 0)) continue;
    const ufrag = report.get(pair.localCandidateId)?.usernameFragment;
    if (!ufrag) return null;
    answered.add(ufrag);
  }
  return answered;
}

/** One end of a path, for people. A browser hides some addresses. @param {Entry | undefined} candidate */
function end(candidate) {
  if (!candidate) return '?';
  const address = candidate.address ? ` ${candidate.address}:${candidate.port}` : '';
  return `${candidate.candidateType ?? '?'}${address}`;
}

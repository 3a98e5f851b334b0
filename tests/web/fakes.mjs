// Stand-ins for the browser, for tests that drive the SDK without one. Time moves only when a test says so.

export class FakeClock {
  #now = 1000;
  #timers = new Map();
  #next = 1;

  now = () => this.#now;
  setTimeout = (callback, ms) => {
    this.#timers.set(this.#next, { at: this.#now + ms, callback });
    return this.#next++;
  };
  clearTimeout = (handle) => void this.#timers.delete(handle);

  get pending() {
    return this.#timers.size;
  }

  /** Lets `ms` pass: timers fire in order, promises settle in between. */
  async pass(ms) {
    const end = this.#now + ms;
    await settle();
    for (;;) {
      const due = [...this.#timers].filter(([, timer]) => timer.at <= end).sort(([, a], [, b]) => a.at - b.at)[0];
      if (!due) break;
      this.#timers.delete(due[0]);
      this.#now = due[1].at;
      due[1].callback();
      await settle();
    }
    this.#now = end;
  }
}

/** Lets everything that waits for a promise go on. */
export const settle = () => new Promise((resolve) => setImmediate(resolve));

/** A class of sockets that remembers its instances in `all`. */
export function fakeWebSocket(journal = []) {
  return class FakeWebSocket {
    static all = [];
    readyState = 0;
    sent = [];

    constructor(url) {
      if (!/^wss?:/.test(url)) throw new SyntaxError(`not a WebSocket URL: ${url}`);
      this.url = url;
      this.constructor.all.push(this);
    }
    send(text) {
      this.sent.push(JSON.parse(text));
    }
    close(code) {
      this.readyState = 3;
      this.closedWith = code;
      journal.push('signaling');
    }
    // What the network does:
    open() {
      this.readyState = 1;
      this.onopen?.({});
    }
    /** A Sightline says at once how its camera is. */
    accept({ present = true, ours = true } = {}) {
      this.open();
      if (this.url.includes('Sightline')) this.deliver('sightline/master', { present, ours });
    }
    receive(data) {
      this.onmessage?.({ data });
    }
    deliver(messageType, payload, more = {}) {
      this.receive(JSON.stringify({ messageType, messagePayload: btoa(JSON.stringify(payload)), ...more }));
    }
    drop(code = 1006, reason = '') {
      this.readyState = 3;
      this.onerror?.({});
      this.onclose?.({ code, reason });
    }
    payloads(action) {
      return this.sent.filter((frame) => frame.action === action).map((frame) => JSON.parse(atob(frame.messagePayload)));
    }
  };
}

/** A class of peer connections that remembers its instances in `all`. */
export function fakePeerConnection(journal = []) {
  return class FakePeerConnection {
    static all = [];
    connectionState = 'new';
    transceivers = [];
    remoteCandidates = [];
    framesDecoded = 0;
    packetsReceived = 0;
    answerError = null;
    /** A promise for which taking an answer waits. */
    answerTaken = null;
    restarts = 0;
    /** The ICE servers of each gathering, the latest first. */
    gathered = [];

    constructor(configuration) {
      this.configuration = configuration;
      this.constructor.all.push(this);
    }
    addTransceiver(kind, { direction }) {
      const sender = {
        track: { kind },
        replaceTrack: async (track) => { sender.track = track; },
      };
      const transceiver = { kind, direction, currentDirection: null, sender, stop: () => journal.push(`stop ${kind}`) };
      this.transceivers.push(transceiver);
      return transceiver;
    }
    createDataChannel() {}
    getTransceivers() {
      return this.transceivers;
    }
    getSenders() {
      return this.transceivers.map(({ sender }) => sender);
    }
    removeTrack(sender) {
      journal.push(`remove ${sender.track.kind}`);
    }
    setConfiguration(configuration) {
      this.configuration = configuration;
    }
    async createOffer(options) {
      const number = options?.iceRestart ? ++this.restarts : 0;
      return { type: 'offer', sdp: number ? `v=0 restart ${number}` : 'v=0 offer' };
    }
    async setLocalDescription(description) {
      this.localDescription = description;
      this.gathered = [this.configuration.iceServers, ...this.gathered];
      this.gather('candidate:1');
    }
    async setRemoteDescription(description) {
      if (this.answerError) throw this.answerError;
      this.remoteDescription = description;
      await this.answerTaken;
    }
    async addIceCandidate(candidate) {
      if (!this.remoteDescription) throw new Error('InvalidStateError');
      if (candidate.candidate === 'rubbish') throw new Error('OperationError');
      this.remoteCandidates.push(candidate.candidate);
    }
    async getStats() {
      const video = { id: 'v', type: 'inbound-rtp', kind: 'video', timestamp: 0, framesDecoded: this.framesDecoded, packetsReceived: this.packetsReceived };
      return new Map([['v', video]]);
    }
    close() {
      this.isClosed = true;
      journal.push('peer connection');
    }
    // What the browser does:
    gather(candidate) {
      this.onicecandidate?.({ candidate: { candidate, toJSON: () => ({ candidate, sdpMid: '0', sdpMLineIndex: 0 }) } });
    }
    become(state) {
      this.connectionState = state;
      this.onconnectionstatechange?.();
    }
    refuseCandidate(errorCode) {
      this.onicecandidateerror?.({ errorCode, url: 'turn:host' });
    }
    addRemote(track) {
      this.ontrack?.({ track, streams: [] });
    }
  };
}

/** The platform's word about the network. */
export class FakeNetwork {
  window = new EventTarget();
  navigator = { onLine: true, connection: Object.assign(new EventTarget(), { type: 'wifi' }), mediaDevices: undefined };

  go(online) {
    this.navigator.onLine = online;
    this.window.dispatchEvent(new Event(online ? 'online' : 'offline'));
  }
  become(type, { silently = false } = {}) {
    this.navigator.connection.type = type;
    if (!silently) this.navigator.connection.dispatchEvent(new Event('change'));
  }
}

/** A microphone: `tracks` are all that were ever given out. */
export class FakeMicrophone {
  tracks = [];
  error = null;

  getUserMedia = async () => {
    if (this.error) throw this.error;
    const track = { kind: 'audio', readyState: 'live', stop: () => { track.readyState = 'ended'; } };
    this.tracks.push(track);
    return { getTracks: () => [track], getAudioTracks: () => [track] };
  };
}

export class FakeMediaStream {
  tracks = [];
  addTrack(track) {
    this.tracks.push(track);
  }
}

export class FakeVideo {
  srcObject = null;
  #callback = null;
  playError = null;

  async play() {
    if (this.playError) throw this.playError;
  }
  requestVideoFrameCallback(callback) {
    this.#callback = callback;
    return 1;
  }
  cancelVideoFrameCallback() {
    this.#callback = null;
  }
  show() {
    const callback = this.#callback;
    this.#callback = null;
    callback?.();
  }
  get isWatched() {
    return this.#callback !== null;
  }
}

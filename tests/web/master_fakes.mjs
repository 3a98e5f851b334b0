// Stand-ins for what a master needs beyond fakes.mjs. Nothing moves by itself.

import { FakeClock, fakeWebSocket, settle } from './fakes.mjs';

/** An offer as browsers make them, as far as a master reads it. */
export function offerSdp({ id = '1', fingerprint = 'AA:01', ufrag = 'u1', password = 'p1', media = 'video 9' } = {}) {
  return [`v=0`, `o=- ${id} 2 IN IP4 127.0.0.1`, 's=-', `a=fingerprint:sha-256 ${fingerprint}`, `m=${media} UDP/TLS/RTP/SAVPF 96`,
    `a=ice-ufrag:${ufrag}`, `a=ice-pwd:${password}`, ''].join('\r\n');
}

class FakeSender {
  track = null;
  constructor(transport) {
    this.transport = transport;
  }
  async replaceTrack(track) {
    this.track = track;
  }
  setStreams(stream) {
    this.stream = stream;
  }
}

/** A class of peer connections that answer; remembers its instances in `all`, and those not closed in `open`. */
export function fakeAnsweringPeerConnection() {
  return class FakeAnsweringPeerConnection {
    static all = [];
    static open = new Set();
    static certificates = 0;
    static async generateCertificate() {
      return { number: FakeAnsweringPeerConnection.certificates++ };
    }

    connectionState = 'new';
    iceConnectionState = 'new';
    sctp = null;
    remoteCandidates = [];
    transceivers = [];
    dtls = { state: 'new', onstatechange: null };
    report = new Map();
    offerError = null;
    answerPort = 9;
    generation = 0;

    constructor(configuration) {
      this.configuration = configuration;
      FakeAnsweringPeerConnection.all.push(this);
      FakeAnsweringPeerConnection.open.add(this);
    }
    setConfiguration(configuration) {
      if (configuration.certificates !== this.configuration.certificates) throw new Error('InvalidModificationError');
      this.configuration = configuration;
    }
    async setRemoteDescription(description) {
      if (this.offerError) throw this.offerError;
      this.remoteDescription = description;
      if (this.transceivers.length === 0) {
        for (const kind of ['video', 'audio']) {
          this.transceivers.push({ direction: 'recvonly', receiver: { track: { kind } }, sender: new FakeSender(this.dtls) });
        }
      }
    }
    async createAnswer() {
      return { type: 'answer', sdp: `v=0\r\nm=video ${this.answerPort} UDP/TLS/RTP/SAVPF 96\r\na=ice-ufrag:mine${++this.generation}\r\n` };
    }
    async setLocalDescription(description) {
      this.localDescription = description;
      this.gather(`candidate:${this.generation}`);
    }
    async addIceCandidate(candidate) {
      if (!this.remoteDescription) throw new Error('InvalidStateError');
      this.remoteCandidates.push(candidate.candidate);
    }
    getTransceivers() {
      return this.transceivers;
    }
    async getStats() {
      return this.report;
    }
    close() {
      this.isClosed = true;
      FakeAnsweringPeerConnection.open.delete(this);
    }
    // What the browser does:
    gather(candidate) {
      this.onicecandidate?.({ candidate: { candidate, toJSON: () => ({ candidate, sdpMid: '0', sdpMLineIndex: 0 }) } });
    }
    ice(state) {
      this.iceConnectionState = state;
      this.oniceconnectionstatechange?.();
    }
    keys(state = 'connected') {
      this.dtls.state = state;
      this.dtls.onstatechange?.();
    }
    /** Something came over the path of that generation. */
    packet(generation = this.generation) {
      const count = (this.report.get('pair')?.responsesReceived ?? 0) + 1;
      this.report = new Map([
        ['pair', { id: 'pair', type: 'candidate-pair', selected: true, localCandidateId: 'l', remoteCandidateId: 'r', responsesReceived: count, currentRoundTripTime: 0.02 }],
        ['l', { id: 'l', type: 'local-candidate', candidateType: 'host', address: '192.0.2.1', port: 5000, usernameFragment: `mine${generation}` }],
        ['r', { id: 'r', type: 'remote-candidate', candidateType: 'srflx', address: '198.51.100.7', port: 6000 }],
      ]);
    }
    get tracks() {
      return this.transceivers.map(({ sender }) => sender.track);
    }
  };
}

export function fakeStream(...kinds) {
  const tracks = kinds.map((kind) => ({ kind }));
  return {
    getVideoTracks: () => tracks.filter(({ kind }) => kind === 'video'),
    getAudioTracks: () => tracks.filter(({ kind }) => kind === 'audio'),
    getTracks: () => tracks,
  };
}

export const SESSION = { url: 'wss://host/master?X-Sightline-Extras=1', iceServers: [{ urls: ['stun:host'] }], clientId: null };

/** A master in a fake browser, and everything that it tells. */
export async function studio(Master, options = {}) {
  const clock = new FakeClock();
  const WebSocket = fakeWebSocket();
  const RTCPeerConnection = fakeAnsweringPeerConnection();
  const sessions = [];
  const asleep = { ms: 0 };
  const master = new Master({
    session: async (signal) => (sessions.push(signal), options.answer?.() ?? SESSION),
    stream: fakeStream('video', 'audio'),
    random: () => 1,
    platform: { ...clock, now: () => clock.now() + asleep.ms, WebSocket, RTCPeerConnection },
    ...options,
  });
  const told = [];
  for (const name of ['statechange', 'joined', 'changed', 'left', 'lost', 'failed', 'refused', 'track', 'figures']) {
    master.on(name, (detail) => told.push([name, detail]));
  }
  return {
    master, clock, WebSocket, RTCPeerConnection, sessions, told,
    get socket() { return WebSocket.all.at(-1); },
    get peer() { return RTCPeerConnection.all.at(-1); },
    /** Time passes while the browser runs nothing of the page. */
    sleep(seconds) {
      asleep.ms += seconds * 1000;
    },
    of: (name) => told.filter(([kind]) => kind === name).map(([, detail]) => detail),
    states: () => told.filter(([name]) => name === 'statechange').map(([, { state }]) => state),
    async online() {
      master.open();
      await settle();
      await settle();
      this.socket.accept();
      await settle();
    },
    async offer(id, fields = {}, { extras = true } = {}) {
      if (extras !== null) this.socket.deliver('sightline/viewer', { open: true, extras }, { senderClientId: id });
      this.socket.deliver('SDP_OFFER', { type: 'offer', sdp: offerSdp(fields) }, { senderClientId: id });
      await settle();
      await settle();
    },
    /** A viewer that watches. */
    async watch(id, fields = {}) {
      await this.offer(id, fields);
      const { peer } = this;
      peer.ice('connected');
      peer.keys();
      await settle();
      return peer;
    },
    /** Time passes, and something comes from those viewers all the while. */
    async pass(seconds, ...alive) {
      for (let ms = 0; ms < seconds * 1000; ms += 250) {
        for (const peer of alive) peer.packet();
        await clock.pass(250);
      }
    },
  };
}

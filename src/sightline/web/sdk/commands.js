import { SightlineError } from './errors.js';

/** Label of the data channel on which viewers send commands. */
export const COMMANDS = 'sightline/commands';

/** How many seconds a command may take, with the wait for a connection, unless the caller says otherwise. */
const PATIENCE = 10;

/** Bytes that every WebRTC implementation takes in one message (RFC 8841 §6.1). */
const MAX_MESSAGE = 65_536;

/**
 * Why a command was not carried out, or why nobody knows: docs/topics/commands.md has them as a table.
 *
 * @typedef {'unknown-command' | 'not-allowed' | 'refused' | 'failed' | 'too-slow' | 'too-many' | 'bad-request'
 *   | 'not-connected' | 'not-sent' | 'no-answer' | 'connection-lost'} CommandReason
 */

/** A device did not carry out a command, or did not say that it has; `message` is a sentence for a person. */
export class CommandError extends SightlineError {
  /**
   * @param {CommandReason | string} reason  a newer camera may know others
   * @param {string} message
   */
  constructor(reason, message) {
    super(`command/${reason}`, message);
    this.name = 'CommandError';
    this.reason = reason;
  }
}

/**
 * Sends commands over the data channel of the connection of the moment. A command belongs to one connection and fails
 * with it: nothing is ever sent twice.
 */
export class Commands {
  #platform;
  /** @type {RTCDataChannel | null} */
  #channel = null;
  #nextId = 1;
  /** Sent, and not answered yet. @type {Map<string, Pending>} */
  #pending = new Map();
  /** For the channel to open. @type {Set<Pending>} */
  #waiting = new Set();

  /** @param {import('./timers.js').Platform} platform */
  constructor(platform) {
    this.#platform = platform;
  }

  /** The connection of now has this channel. @param {RTCDataChannel | null} channel */
  attach(channel) {
    this.lost();
    this.#channel = channel;
    if (!channel) return;
    channel.onopen = () => this.#sendWaiting();
    channel.onmessage = ({ data }) => this.#receive(data);
    channel.onclose = () => {
      if (channel === this.#channel) this.lost();
    };
  }

  /** The connection is given up: of what was sent nobody will learn any more. What still waits goes on waiting. */
  lost() {
    const channel = this.#channel;
    this.#channel = null;
    if (channel) channel.onopen = channel.onmessage = channel.onclose = null;
    for (const pending of [...this.#pending.values()]) pending.fail('connection-lost');
  }

  /** There will be no other connection. */
  end() {
    this.lost();
    for (const pending of [...this.#waiting]) pending.fail('not-connected');
  }

  /**
   * See `Viewer.command`.
   *
   * @param {string} name
   * @param {unknown} value
   * @param {number} [timeout]  seconds
   * @returns {Promise<unknown>}
   */
  send(name, value, timeout = PATIENCE) {
    const id = String(this.#nextId++);
    /** @type {string} */
    let text;
    try {
      if (typeof name !== 'string' || !name) throw new TypeError('the name of a command is text');
      text = JSON.stringify({ id, request: { command: name, value: value === undefined ? null : value } });
    } catch (error) {
      return Promise.reject(new CommandError('bad-request', `“${name}” cannot be sent: ${error instanceof Error ? error.message : error}`));
    }
    return new Promise((resolve, reject) => {
      /** @param {() => void} settle */
      const end = (settle) => {
        this.#platform.clearTimeout(timer);
        this.#pending.delete(id);
        this.#waiting.delete(pending);
        settle();
      };
      /** @type {Pending} */
      const pending = {
        id,
        text,
        succeed: (reply) => end(() => resolve(reply)),
        fail: (reason, message) => end(() => reject(new CommandError(reason, message || sentence(reason, name, timeout)))),
      };
      const timer = this.#platform.setTimeout(
        () => pending.fail(this.#pending.has(id) ? 'no-answer' : 'not-connected'),
        timeout * 1000,
      );
      if (this.#channel?.readyState === 'open') this.#send(pending);
      else this.#waiting.add(pending);
    });
  }

  #sendWaiting() {
    for (const pending of [...this.#waiting]) this.#send(pending);
  }

  /** @param {Pending} pending */
  #send(pending) {
    this.#waiting.delete(pending);
    try {
      if (new TextEncoder().encode(pending.text).length > MAX_MESSAGE) throw new RangeError();
      this.#channel?.send(pending.text);
      this.#pending.set(pending.id, pending);
    } catch {
      pending.fail('not-sent'); // too long, or the buffer is full
    }
  }

  /** @param {unknown} data */
  #receive(data) {
    const answer = read(data);
    const pending = answer && this.#pending.get(answer.id);
    if (!pending) return; // too late, or nothing that was asked
    if (answer.error === undefined) pending.succeed(answer.reply);
    else pending.fail(answer.code ?? 'refused', String(answer.error));
  }
}

/**
 * For a camera whose device takes no commands: who sends one learns it at once. Other channels are left alone.
 *
 * @param {RTCDataChannel} channel
 */
export function refuseCommands(channel) {
  if (channel.label !== COMMANDS) return;
  channel.onmessage = ({ data }) => {
    const id = read(data)?.id;
    if (id === undefined || channel.readyState !== 'open') return;
    channel.send(JSON.stringify({ id, error: 'This camera takes no commands.', code: 'unknown-command' }));
  };
}

/**
 * @typedef {object} Pending
 * @property {string} id
 * @property {string} text
 * @property {(reply: unknown) => void} succeed
 * @property {(reason: string, message?: string) => void} fail
 */

/**
 * @param {unknown} data
 * @returns {{id: string, reply?: unknown, error?: unknown, code?: string} | null}
 */
function read(data) {
  try {
    const message = typeof data === 'string' ? JSON.parse(data) : null;
    return typeof message?.id === 'string' && (message.code === undefined || typeof message.code === 'string') ? message : null;
  } catch {
    return null;
  }
}

/** What a person is told where it is not the camera that says why. @param {string} reason  @param {string} name  @param {number} timeout */
function sentence(reason, name, timeout) {
  switch (reason) {
    case 'not-connected':
      return `There is no connection to the camera, or it takes no commands: “${name}” was not sent.`;
    case 'not-sent':
      return `“${name}” could not be sent: it is too long, or too much waits to be sent.`;
    case 'no-answer':
      return `The camera did not answer “${name}” within ${timeout} s. It may have carried it out, or not.`;
    case 'connection-lost':
      return `The connection was lost before the camera had answered “${name}”. It may have carried it out, or not; it is not sent again.`;
    default:
      return `The camera did not carry out “${name}”.`;
  }
}

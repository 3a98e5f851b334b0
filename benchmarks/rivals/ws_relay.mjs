// The same relay on Node.js and `ws`: node ws_relay.mjs PORT TLS_PORT CERTIFICATE_AND_KEY.pem
// A message is parsed, checked (action, payload, recipient), wrapped anew and sent on. No limits, logs or signatures.
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { WebSocketServer } from 'ws';

const [port, tlsPort, pem] = process.argv.slice(2);
const actions = new Set(['SDP_OFFER', 'SDP_ANSWER', 'ICE_CANDIDATE']);
const master = '';
/** @type {Map<string, Map<string, import('ws').WebSocket>>} members of each channel by id, the master under '' */
const channels = new Map();

const sockets = new WebSocketServer({ noServer: true, perMessageDeflate: false, maxPayload: 64 * 1024 });

// Paths: /CHANNEL/VIEWER for a viewer, /CHANNEL for its master.
sockets.on('connection', (socket, request) => {
  const [, channel, id = master] = request.url.split('/');
  if (!channels.has(channel)) channels.set(channel, new Map());
  const members = channels.get(channel);
  members.set(id, socket);
  socket.on('message', (data, isBinary) => {
    if (!isBinary) relay(members, id, data);
  });
  socket.on('close', () => {
    if (members.get(id) === socket) members.delete(id);
  });
  socket.on('error', () => socket.terminate());
});

function relay(members, sender, data) {
  let message;
  try {
    message = JSON.parse(data);
  } catch {
    return;
  }
  if (message === null || !actions.has(message.action) || typeof message.messagePayload !== 'string') return;
  const recipient = sender === master ? message.recipientClientId : master;
  const peer = members.get(recipient);
  if (peer === undefined) return;
  const relayed = { messagePayload: message.messagePayload, messageType: message.action };
  if (sender !== master) relayed.senderClientId = sender;
  peer.send(JSON.stringify(relayed));
}

const key = readFileSync(pem);
for (const [server, number] of [
  [createServer(), port],
  [createTlsServer({ key, cert: key }), tlsPort],
]) {
  server.on('upgrade', (request, socket, head) => {
    sockets.handleUpgrade(request, socket, head, (client) => sockets.emit('connection', client, request));
  });
  server.listen(Number(number), '127.0.0.1');
}

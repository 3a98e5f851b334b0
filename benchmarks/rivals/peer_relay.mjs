// The npm package `peer` (the PeerJS server) with its own relay: node peer_relay.mjs PORT TLS_PORT CERTIFICATE_AND_KEY.pem
import { readFileSync } from 'node:fs';
import { PeerServer } from 'peer';

const [port, tlsPort, pem] = process.argv.slice(2);
const key = readFileSync(pem);
const options = { host: '127.0.0.1', path: '/' };
PeerServer({ ...options, port: Number(port) });
PeerServer({ ...options, port: Number(tlsPort), ssl: { key, cert: key } });

"""A browser page in a room that does what MDN's published sample does, and nothing that Sightline's own page adds."""

from __future__ import annotations

from playwright.sync_api import Page

MDN = """async ([url, name]) => {
  // What the published sample does, by MDN_CALL.md: no question, an answer at once, and an offer of its own with it.
  let connection = null;
  let peer = null;
  let id = null;
  const socket = globalThis.mdn = new WebSocket(url, 'json');
  const send = (message) => socket.send(JSON.stringify(message));
  globalThis.ended = 0;
  const close = () => {
    connection?.getTransceivers().forEach((one) => one.stop());
    connection?.close();
    connection = peer = null;
  };
  const make = () => {
    connection = globalThis.connection = new RTCPeerConnection();
    connection.onicecandidate = ({ candidate }) => {
      if (candidate) send({ type: 'new-ice-candidate', target: peer, candidate });
    };
    connection.ontrack = ({ streams }) => {
      const video = document.querySelector('#remote') ?? document.createElement('video');
      Object.assign(video, { id: 'remote', autoplay: true, srcObject: streams[0] });
      document.body.append(video);
    };
    connection.onnegotiationneeded = async () => {
      const offer = await connection.createOffer();
      if (connection.signalingState !== 'stable') return;
      await connection.setLocalDescription(offer);
      send({ type: 'video-offer', name, target: peer, sdp: connection.localDescription });
    };
  };
  const add = async () => {
    const stream = await navigator.mediaDevices.getUserMedia({ audio: true, video: { width: 320, height: 180 } });
    stream.getTracks().forEach((track) => connection.addTransceiver(track, { streams: [stream] }));
  };
  globalThis.invite = async (who) => {
    peer = who;
    make();
    await add();
  };
  globalThis.hangUp = () => {
    close();
    send({ type: 'hang-up', name, target: peer });
  };
  socket.onmessage = async ({ data }) => {
    const message = JSON.parse(data);
    if (message.type === 'id') {
      id = message.id;
      send({ type: 'username', name, id, date: Date.now() });
    } else if (message.type === 'video-offer') {
      peer = message.name;
      if (!connection) make();
      if (connection.signalingState !== 'stable') {
        await Promise.all([
          connection.setLocalDescription({ type: 'rollback' }),
          connection.setRemoteDescription(message.sdp),
        ]);
        return;
      }
      await connection.setRemoteDescription(message.sdp);
      if (connection.getSenders().every(({ track }) => !track)) await add();
      await connection.setLocalDescription(await connection.createAnswer());
      send({ type: 'video-answer', name, target: peer, sdp: connection.localDescription });
    } else if (message.type === 'video-answer') await connection.setRemoteDescription(message.sdp);
    else if (message.type === 'new-ice-candidate') await connection?.addIceCandidate(message.candidate).catch(() => {});
    else if (message.type === 'hang-up') {
      ended += 1;
      close();
    }
  };
}"""
"""The script of such a page: the address of the lobby, and the name to come with."""


def lobby_url(page: Page, room: str) -> str:
    """Where the lobby's socket of a room is."""
    url: str = page.evaluate(
        "async (room) => (await (await import('/sdk/lobby_session.js')).lobbyFromService({ room })()).url", room
    )
    return url

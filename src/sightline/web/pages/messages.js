/**
 * All texts of the pages, by id, in every language that the pages speak. `{name}` is filled in.
 *
 * For each reason why there is no picture there are three: what happened, what it means, what to do. The ids after
 * `error.` are those of `sdk/reasons.js`; `error.unknown` stands in for any other.
 *
 * @type {Readonly<Record<string, {en: string, ko: string}>>}
 */
export const MESSAGES = Object.freeze({
  'brand': { en: 'Sightline', ko: 'Sightline' },
  'home': { en: 'Sightline, start page', ko: 'Sightline 시작 페이지' },

  'view.title': { en: '{channel} – Sightline', ko: '{channel} – Sightline' },
  'view.camera': { en: 'Camera', ko: '카메라' },
  'view.picture': { en: 'Live picture of the camera {channel}', ko: '{channel} 카메라의 실시간 화면' },
  'view.figures': { en: 'Picture figures', ko: '화면 정보' },
  'view.resolution': { en: 'Resolution', ko: '해상도' },
  'view.frame-rate': { en: 'Frame rate', ko: '프레임 속도' },
  'view.bitrate': { en: 'Bitrate', ko: '비트레이트' },
  'view.actions': { en: 'What you can do', ko: '사용할 수 있는 기능' },
  'view.sound-on': { en: 'Unmute', ko: '소리 켜기' },
  'view.sound-off': { en: 'Mute', ko: '소리 끄기' },
  'view.talk': { en: 'Talk', ko: '말하기' },
  'view.talk-stop': { en: 'Stop talking', ko: '말하기 종료' },
  'view.snapshot': { en: 'Snapshot', ko: '사진 저장' },
  'view.full-screen': { en: 'Full screen', ko: '전체 화면' },
  'view.full-screen-leave': { en: 'Exit full screen', ko: '전체 화면 종료' },
  'view.diagnose': { en: 'Diagnose', ko: '진단' },
  'view.play': { en: 'Play', ko: '재생' },
  'view.retry': { en: 'Retry', ko: '다시 시도' },
  'view.reconnect': { en: 'Reconnect now', ko: '지금 다시 연결' },
  'view.code': { en: 'Error code', ko: '오류 코드' },
  'view.tried': { en: 'Tried here: {local}. At the camera: {remote}.', ko: '시도한 경로 – 이 기기: {local}, 카메라: {remote}.' },
  'view.paused': { en: 'The browser has paused the picture.', ko: '브라우저가 영상을 일시 중지했습니다.' },
  'view.talking': { en: 'The camera hears you.', ko: '카메라로 음성을 보내고 있습니다.' },
  'view.talk-deaf': {
    en: 'This camera plays no sound, so it cannot be talked to, or not with this link.',
    ko: '이 카메라는 소리를 재생하지 않거나 이 링크로는 말할 수 없습니다.',
  },
  'view.talk-denied': {
    en: 'The microphone was not allowed. Permit it in the browser’s settings for this page, then press Talk again.',
    ko: '마이크 사용이 허용되지 않았습니다. 브라우저의 페이지 설정에서 허용한 뒤 말하기를 다시 누르십시오.',
  },
  'view.talk-missing': { en: 'No microphone was found on this device.', ko: '이 기기에서 마이크를 찾을 수 없습니다.' },
  'view.talk-failed': {
    en: 'The microphone cannot be used: another program may have it.',
    ko: '마이크를 사용할 수 없습니다. 다른 프로그램이 사용 중일 수 있습니다.',
  },
  'view.no-script': {
    en: 'This page needs JavaScript to show the camera.',
    ko: '카메라를 보려면 JavaScript가 필요합니다.',
  },

  // What goes on: one line each, in the place where the picture will be, and beside it.
  'state.idle': { en: 'Starting…', ko: '시작하는 중…' },
  'state.opening': { en: 'Contacting the service…', ko: '서비스에 접속하는 중…' },
  'state.offering': { en: 'Waiting for the camera to answer…', ko: '카메라의 응답을 기다리는 중…' },
  'state.connecting': { en: 'Connecting to the camera…', ko: '카메라에 연결하는 중…' },
  'state.watching': { en: 'Live', ko: '실시간' },
  'state.stalled': { en: 'The picture has stopped', ko: '화면이 멈췄습니다' },
  'state.recovering': { en: 'Reconnecting…', ko: '다시 연결하는 중…' },
  'state.absent': { en: 'Waiting for the camera…', ko: '카메라를 기다리는 중…' },
  'state.waiting': { en: 'Trying again in a moment…', ko: '잠시 후 다시 시도합니다…' },
  'state.failed': { en: 'Not connected', ko: '연결되지 않음' },
  'state.closed': { en: 'Closed', ko: '종료됨' },

  // What is the matter meanwhile, and what is being done about it: the banner. Nothing in it needs to be clicked.
  'notice.network-changed': { en: 'Your network changed. Reconnecting to keep watching…', ko: '네트워크가 변경되었습니다. 계속 시청할 수 있도록 다시 연결하고 있습니다…' },
  'notice.connection-lost': { en: 'The picture has stopped: nothing arrives from the camera. Reconnecting…', ko: '카메라에서 데이터가 오지 않아 화면이 멈췄습니다. 다시 연결하고 있습니다…' },
  'notice.offline': { en: 'This device has no network. The picture comes by itself as soon as there is one.', ko: '이 기기가 네트워크에 연결되어 있지 않습니다. 연결되면 화면이 자동으로 나타납니다.' },
  'notice.camera-offline': { en: 'The camera is switched off or not connected. The picture comes by itself as soon as it is back.', ko: '카메라가 꺼져 있거나 연결되어 있지 않습니다. 카메라가 돌아오면 화면이 자동으로 나타납니다.' },
  'notice.camera-silent': { en: 'The camera does not react: it may have lost its power or its network. The picture comes by itself as soon as it is back.', ko: '카메라가 반응하지 않습니다. 전원이나 네트워크가 끊겼을 수 있습니다. 카메라가 돌아오면 화면이 자동으로 나타납니다.' },
  'notice.no-media': { en: 'The camera is connected, but sends no picture at the moment. It comes by itself as soon as there is one.', ko: '카메라에 연결되었지만 지금은 영상이 오지 않습니다. 영상이 오면 화면이 자동으로 나타납니다.' },
  'notice.source-lost': { en: 'The camera has lost its picture source: a cable, a device or its network. The picture goes on by itself as soon as it is back.', ko: '카메라의 영상 입력(케이블, 장치 또는 네트워크)이 끊어졌습니다. 복구되면 화면이 자동으로 이어집니다.' },
  'notice.other': { en: '{what}. Trying again…', ko: '{what}. 다시 시도하고 있습니다…' },

  'details.title': { en: 'Connection details', ko: '연결 세부 정보' },
  'details.client': { en: 'Viewer ID', ko: '시청자 ID' },
  'details.codec': { en: 'Video codec', ko: '비디오 코덱' },
  'details.path': { en: 'Network path', ko: '네트워크 경로' },
  'details.round-trip': { en: 'Round trip', ko: '왕복 시간' },
  'details.delay': { en: 'Picture delay', ko: '화면 지연' },
  'details.lost': { en: 'Packets lost', ko: '손실된 패킷' },
  'details.first-frame': { en: 'Time to the first picture', ko: '첫 화면까지 걸린 시간' },
  'path.host': { en: 'Direct', ko: '직접 연결' },
  'path.srflx': { en: 'Direct, through NAT', ko: '직접 연결(NAT 통과)' },
  'path.prflx': { en: 'Direct, through NAT', ko: '직접 연결(NAT 통과)' },
  'path.relay': { en: 'Relayed (TURN)', ko: '중계(TURN)' },
  'stage.page': { en: 'Page loaded', ko: '페이지 불러오기' },
  'stage.session': { en: 'Session received', ko: '세션 수신' },
  'stage.offerReady': { en: 'Offer prepared', ko: '제안(offer) 준비' },
  'stage.socket': { en: 'Signaling opened', ko: '시그널링 연결' },
  'stage.answer': { en: 'Camera answered', ko: '카메라 응답' },
  'stage.connected': { en: 'Path and keys', ko: '경로와 암호 키' },
  'stage.firstFrame': { en: 'First picture', ko: '첫 화면' },

  // Why there is no picture: the ids of sdk/reasons.js. What happened, what it means, what to do.
  'error.webrtc-unsupported.what': { en: 'This browser cannot show live video', ko: '이 브라우저에서는 실시간 영상을 볼 수 없습니다' },
  'error.webrtc-unsupported.means': { en: 'It has no WebRTC, or WebRTC is switched off in its settings.', ko: '브라우저에 WebRTC가 없거나 설정에서 꺼져 있습니다.' },
  'error.webrtc-unsupported.do': { en: 'Open this page in a current Chrome, Edge, Firefox or Safari.', ko: '최신 Chrome, Edge, Firefox 또는 Safari에서 이 페이지를 여십시오.' },

  'error.service-unreachable.what': { en: 'The service does not reply', ko: '서비스가 응답하지 않습니다' },
  'error.service-unreachable.means': { en: 'The computer that runs Sightline cannot be reached from here, or Sightline has been stopped.', ko: 'Sightline이 실행되는 컴퓨터에 연결할 수 없거나 Sightline이 중지되었습니다.' },
  'error.service-unreachable.do': { en: 'Check your network connection and that Sightline is running, then retry.', ko: '네트워크 연결과 Sightline의 실행 상태를 확인한 뒤 다시 시도하십시오.' },

  'error.signaling-refused.what': { en: 'The signaling connection was refused', ko: '시그널링 연결이 거부되었습니다' },
  'error.signaling-refused.means': { en: 'The service replied, but the connection to the camera’s channel did not come about: something between you and the service may block WebSocket connections.', ko: '서비스가 응답했지만 카메라 채널에 연결할 수 없었습니다. 중간에서 WebSocket 연결이 차단되었을 수 있습니다.' },
  'error.signaling-refused.do': { en: 'Wait a moment and retry. If it keeps happening, try another network.', ko: '잠시 후 다시 시도하십시오. 계속되면 다른 네트워크에서 시도하십시오.' },

  'error.signaling-lost.what': { en: 'The connection to the service was cut', ko: '서비스와의 연결이 끊어졌습니다' },
  'error.signaling-lost.means': { en: 'It ended before the camera had answered, for instance because the service was restarted or your network changed.', ko: '카메라가 응답하기 전에 연결이 끝났습니다. 서비스가 다시 시작되었거나 네트워크가 바뀌었을 수 있습니다.' },
  'error.signaling-lost.do': { en: 'Retry.', ko: '다시 시도하십시오.' },

  'error.source-lost.what': { en: 'The camera has lost its picture source', ko: '카메라의 영상 입력이 끊어졌습니다' },
  'error.source-lost.means': { en: 'Its program runs, but the device behind it was unplugged or is out of reach.', ko: '카메라 프로그램은 실행 중이지만, 연결된 장치가 분리되었거나 응답하지 않습니다.' },
  'error.source-lost.do': { en: 'Check the device; the picture comes by itself as soon as it is back.', ko: '장치를 확인하십시오. 장치가 돌아오면 영상이 자동으로 다시 나옵니다.' },

  'error.no-answer.what': { en: 'The camera did not answer', ko: '카메라가 응답하지 않습니다' },
  'error.no-answer.means': { en: 'The service is running, but the camera of channel “{channel}” is switched off, not connected, or busy.', ko: '서비스는 정상이지만 “{channel}” 채널의 카메라가 꺼져 있거나, 연결되지 않았거나, 응답할 수 없는 상태입니다.' },
  'error.no-answer.do': { en: 'Check that the camera is on and its program is running, and that the channel name is right. Then retry.', ko: '카메라 전원과 프로그램 실행 상태, 채널 이름을 확인한 뒤 다시 시도하십시오.' },

  'error.bad-answer.what': { en: 'The camera’s answer cannot be used', ko: '카메라의 응답을 사용할 수 없습니다' },
  'error.bad-answer.means': { en: 'Camera and browser do not agree on a format; often they have no video codec in common.', ko: '카메라와 브라우저가 서로 맞는 형식을 찾지 못했습니다. 공통 비디오 코덱이 없는 경우가 많습니다.' },
  'error.bad-answer.do': { en: 'Try another browser, or set the camera to H.264 or VP8.', ko: '다른 브라우저를 사용하거나 카메라를 H.264 또는 VP8로 설정하십시오.' },

  'error.no-path.what': { en: 'No network path to the camera', ko: '카메라까지의 네트워크 경로가 없습니다' },
  'error.no-path.means': { en: 'The camera answered, but no video connection could be made: a firewall or the kind of network blocks it.', ko: '카메라가 응답했지만 영상 연결을 만들 수 없었습니다. 방화벽이나 네트워크 환경이 막고 있습니다.' },
  'error.no-path.do': { en: 'Try the network that the camera is in, or ask the operator to set up a TURN server. Then retry.', ko: '카메라와 같은 네트워크에서 시도하거나, 운영자에게 TURN 서버 설정을 요청한 뒤 다시 시도하십시오.' },

  'error.no-media.what': { en: 'Connected, but no picture arrives', ko: '연결되었지만 영상이 오지 않습니다' },
  'error.no-media.means': { en: 'The path to the camera is open, but it sends no video that this browser can decode.', ko: '카메라까지의 경로는 열려 있지만, 이 브라우저가 재생할 수 있는 영상이 오지 않습니다.' },
  'error.no-media.do': { en: 'Check the camera’s video source, then retry.', ko: '카메라의 영상 입력을 확인한 뒤 다시 시도하십시오.' },

  'error.connection-lost.what': { en: 'The connection to the camera was lost', ko: '카메라와의 연결이 끊어졌습니다' },
  'error.connection-lost.means': { en: 'The camera was switched off, or the network between you and it failed.', ko: '카메라가 꺼졌거나 중간의 네트워크에 문제가 생겼습니다.' },
  'error.connection-lost.do': { en: 'Check your network and the camera, then retry.', ko: '네트워크와 카메라를 확인한 뒤 다시 시도하십시오.' },

  'error.link-required.what': { en: 'This page needs a link', ko: '시청 링크가 필요합니다' },
  'error.link-required.means': { en: 'The address has no viewing permission in it (the part after “#”).', ko: '주소에 시청 권한(“#” 뒤의 부분)이 들어 있지 않습니다.' },
  'error.link-required.do': { en: 'Open the complete link that you were given, or ask the operator for one (“sightline link {channel}”).', ko: '받은 링크 전체를 여시거나, 운영자에게 링크를 요청하십시오(“sightline link {channel}”).' },

  'error.link-invalid.what': { en: 'This link is not valid', ko: '유효하지 않은 링크입니다' },
  'error.link-invalid.means': { en: 'It is damaged or incomplete, or it was made by another service.', ko: '링크가 손상되었거나 잘렸거나, 다른 서비스에서 만들어졌습니다.' },
  'error.link-invalid.do': { en: 'Copy the whole link again, or ask the operator for a new one.', ko: '링크 전체를 다시 복사하거나, 운영자에게 새 링크를 요청하십시오.' },

  'error.link-expired.what': { en: 'This link has expired', ko: '링크가 만료되었습니다' },
  'error.link-expired.means': { en: 'Links are valid for a limited time only.', ko: '링크는 정해진 시간 동안만 유효합니다.' },
  'error.link-expired.do': { en: 'Ask the operator for a new link (“sightline link {channel}”).', ko: '운영자에게 새 링크를 요청하십시오(“sightline link {channel}”).' },

  'error.link-revoked.what': { en: 'This link was withdrawn', ko: '취소된 링크입니다' },
  'error.link-revoked.means': { en: 'The operator has ended the permission that it gave.', ko: '운영자가 이 링크의 시청 권한을 해제했습니다.' },
  'error.link-revoked.do': { en: 'Ask the operator if you should still be able to watch.', ko: '계속 시청해야 한다면 운영자에게 문의하십시오.' },

  'error.link-scope.what': { en: 'This link is for something else', ko: '다른 용도의 링크입니다' },
  'error.link-scope.means': { en: 'It does not permit watching channel “{channel}”.', ko: '이 링크로는 “{channel}” 채널을 볼 수 없습니다.' },
  'error.link-scope.do': { en: 'Open the link unchanged, as you were given it, or ask the operator for one for this channel.', ko: '받은 링크를 그대로 여시거나, 이 채널의 링크를 운영자에게 요청하십시오.' },

  'error.unknown-channel.what': { en: 'There is no channel “{channel}”', ko: '“{channel}” 채널이 없습니다' },
  'error.unknown-channel.means': { en: 'No camera has been set up under this name on this service. Capital and small letters differ.', ko: '이 서비스에 그 이름으로 등록된 카메라가 없습니다. 대문자와 소문자는 구분됩니다.' },
  'error.unknown-channel.do': { en: 'Check the name in the address, or start the camera first, then retry.', ko: '주소의 이름을 확인하거나 카메라를 먼저 시작한 뒤 다시 시도하십시오.' },

  'error.bad-client-id.what': { en: 'The viewer ID was refused', ko: '시청자 ID가 거부되었습니다' },
  'error.bad-client-id.means': { en: 'IDs have at most 256 of the characters A–Z, a–z, 0–9, dot, hyphen and underscore, and do not begin with AWS_.', ko: 'ID에는 영문자, 숫자, 점, 하이픈, 밑줄만 256자까지 쓸 수 있으며 AWS_로 시작할 수 없습니다.' },
  'error.bad-client-id.do': { en: 'Use another viewer ID.', ko: '다른 시청자 ID를 사용하십시오.' },

  'error.foreign-origin.what': { en: 'This address may not be used to watch', ko: '이 주소로는 시청할 수 없습니다' },
  'error.foreign-origin.means': { en: 'Without a link, cameras can be watched only from pages opened under “localhost” on the service’s own computer.', ko: '링크가 없으면 서비스가 실행되는 컴퓨터에서 “localhost”로 연 페이지에서만 볼 수 있습니다.' },
  'error.foreign-origin.do': { en: 'Open the page under http://localhost, or use a link (“sightline link {channel}”).', ko: 'http://localhost 주소로 열거나 링크를 사용하십시오(“sightline link {channel}”).' },

  'error.too-many-requests.what': { en: 'Too many attempts', ko: '요청이 너무 많습니다' },
  'error.too-many-requests.means': { en: 'The service limits how often it can be asked in a short time.', ko: '서비스는 짧은 시간 동안 받을 수 있는 요청 수를 제한합니다.' },
  'error.too-many-requests.do': { en: 'Wait a minute, then retry.', ko: '1분 정도 기다린 뒤 다시 시도하십시오.' },

  'error.bad-request.what': { en: 'The service did not understand the request', ko: '서비스가 요청을 이해하지 못했습니다' },
  'error.bad-request.means': { en: 'The channel name in the address may be wrong, or this page is older than the service.', ko: '주소의 채널 이름이 잘못되었거나, 이 페이지가 서비스보다 오래된 버전일 수 있습니다.' },
  'error.bad-request.do': { en: 'Check the address and reload the page.', ko: '주소를 확인하고 페이지를 새로 고치십시오.' },

  'error.camera-offline.what': { en: 'The camera is not there', ko: '카메라가 연결되어 있지 않습니다' },
  'error.camera-offline.means': { en: 'The service is running, but the camera of channel “{channel}” is not connected to it: it is switched off, or its program or its network is down.', ko: '서비스는 정상이지만 “{channel}” 채널의 카메라가 연결되어 있지 않습니다. 카메라나 프로그램이 꺼져 있거나 네트워크가 끊겼습니다.' },
  'error.camera-offline.do': { en: 'Switch the camera on and check that its program is running, then retry.', ko: '카메라를 켜고 프로그램이 실행 중인지 확인한 뒤 다시 시도하십시오.' },

  'error.camera-silent.what': { en: 'The camera does not react', ko: '카메라가 반응하지 않습니다' },
  'error.camera-silent.means': { en: 'It was connected a moment ago and does not reply any more: it has probably lost its power or its network.', ko: '조금 전까지 연결되어 있던 카메라가 응답하지 않습니다. 전원이나 네트워크가 끊겼을 가능성이 큽니다.' },
  'error.camera-silent.do': { en: 'Check the camera’s power and network, then retry.', ko: '카메라의 전원과 네트워크를 확인한 뒤 다시 시도하십시오.' },

  'error.no-common-codec.what': { en: 'No video format in common', ko: '공통으로 지원하는 영상 형식이 없습니다' },
  'error.no-common-codec.means': { en: 'The camera sends a format that this browser cannot decode.', ko: '카메라가 보내는 영상 형식을 이 브라우저가 재생할 수 없습니다.' },
  'error.no-common-codec.do': { en: 'Try another browser, or set the camera to H.264 or VP8.', ko: '다른 브라우저를 사용하거나 카메라를 H.264 또는 VP8로 설정하십시오.' },

  'error.bad-offer.what': { en: 'The camera cannot use this browser’s offer', ko: '카메라가 이 브라우저의 제안(offer)을 사용할 수 없습니다' },
  'error.bad-offer.means': { en: 'What the browser proposed is malformed, or asks for nothing that the camera sends.', ko: '브라우저의 제안이 잘못되었거나, 카메라가 보내는 것을 요청하지 않았습니다.' },
  'error.bad-offer.do': { en: 'Try a current Chrome, Edge, Firefox or Safari. If that does not help, update the camera’s program.', ko: '최신 Chrome, Edge, Firefox 또는 Safari를 사용하십시오. 그래도 안 되면 카메라의 프로그램을 업데이트하십시오.' },

  'error.session-gone.what': { en: 'The camera has forgotten this connection', ko: '카메라에 이 연결이 남아 있지 않습니다' },
  'error.session-gone.means': { en: 'It was interrupted for too long. A new connection is needed.', ko: '연결이 너무 오래 끊겨 있었습니다. 새 연결이 필요합니다.' },
  'error.session-gone.do': { en: 'Retry.', ko: '다시 시도하십시오.' },

  'error.viewer-limit.what': { en: 'Too many people are watching', ko: '시청자가 너무 많습니다' },
  'error.viewer-limit.means': { en: 'The camera or its channel serves only a limited number of viewers at a time.', ko: '카메라나 채널이 한 번에 받을 수 있는 시청자 수가 정해져 있습니다.' },
  'error.viewer-limit.do': { en: 'Retry when somebody has left, or ask the operator to raise the limit.', ko: '다른 사람이 나간 뒤 다시 시도하거나, 운영자에게 제한을 늘려 달라고 요청하십시오.' },

  'error.client-id-in-use.what': { en: 'Somebody else watches under this viewer ID', ko: '같은 시청자 ID로 다른 곳에서 보고 있습니다' },
  'error.client-id-in-use.means': { en: 'Another window or program connected with the same ID and took this one’s place.', ko: '다른 창이나 프로그램이 같은 ID로 연결하여 이 연결을 대신했습니다.' },
  'error.client-id-in-use.do': { en: 'Close the other one, or give each viewer an ID of its own, then retry.', ko: '다른 쪽을 닫거나 시청자마다 다른 ID를 사용한 뒤 다시 시도하십시오.' },

  'error.wrong-key.what': { en: 'The key was refused', ko: '키가 거부되었습니다' },
  'error.wrong-key.means': { en: 'The service does not accept the key with which this page was signed in: it is unknown, revoked, expired or wrong.', ko: '이 페이지가 사용하는 키를 서비스가 받아들이지 않습니다. 알 수 없거나, 취소·만료되었거나, 잘못된 키입니다.' },
  'error.wrong-key.do': { en: 'Reload the page. If it happens again, ask the operator for a new link.', ko: '페이지를 새로 고치십시오. 다시 발생하면 운영자에게 새 링크를 요청하십시오.' },

  'error.clock-skew.what': { en: 'The clocks do not agree', ko: '시계가 서로 맞지 않습니다' },
  'error.clock-skew.means': { en: 'The time of the signature is more than five minutes away from the service’s clock.', ko: '서명 시각이 서비스의 시계와 5분 이상 차이가 납니다.' },
  'error.clock-skew.do': { en: 'Set the clock of this device and of the service’s computer, then reload the page.', ko: '이 기기와 서비스 컴퓨터의 시계를 맞춘 뒤 페이지를 새로 고치십시오.' },

  'error.wrong-region.what': { en: 'The region is wrong', ko: '리전이 잘못되었습니다' },
  'error.wrong-region.means': { en: 'The request was signed for another region than the service’s.', ko: '요청이 서비스와 다른 리전으로 서명되었습니다.' },
  'error.wrong-region.do': { en: 'Set the region that the service names, then retry.', ko: '서비스의 리전으로 설정한 뒤 다시 시도하십시오.' },

  'error.not-allowed.what': { en: 'You may not watch this camera', ko: '이 카메라를 볼 권한이 없습니다' },
  'error.not-allowed.means': { en: 'The link or key does not permit it, or not any more.', ko: '링크나 키에 권한이 없거나 권한이 해제되었습니다.' },
  'error.not-allowed.do': { en: 'Ask the operator for a link for channel “{channel}”.', ko: '운영자에게 “{channel}” 채널의 링크를 요청하십시오.' },

  'error.offline.what': { en: 'This device has no network', ko: '이 기기가 네트워크에 연결되어 있지 않습니다' },
  'error.offline.means': { en: 'Wi-Fi, mobile data or the cable is off or disconnected.', ko: 'Wi-Fi, 모바일 데이터 또는 케이블이 꺼져 있거나 분리되어 있습니다.' },
  'error.offline.do': { en: 'Connect it to a network, then retry.', ko: '네트워크에 연결한 뒤 다시 시도하십시오.' },

  'error.ice-expired.what': { en: 'The relay refused its credentials', ko: '중계 서버가 인증 정보를 거부했습니다' },
  'error.ice-expired.means': { en: 'Credentials for the TURN server are valid for some minutes only, and these have expired.', ko: 'TURN 서버의 인증 정보는 몇 분 동안만 유효하며, 이미 만료되었습니다.' },
  'error.ice-expired.do': { en: 'Retry: a new connection gets fresh ones. If it happens again, check that the clocks of the service and the TURN server agree.', ko: '다시 시도하면 새 인증 정보를 받습니다. 다시 발생하면 서비스와 TURN 서버의 시계가 맞는지 확인하십시오.' },

  'error.network-changed.what': { en: 'Your network changed while connecting', ko: '연결하는 동안 네트워크가 변경되었습니다' },
  'error.network-changed.means': { en: 'The connection was being made over a network that is no longer in use.', ko: '더 이상 사용하지 않는 네트워크로 연결하고 있었습니다.' },
  'error.network-changed.do': { en: 'Retry over the new network.', ko: '새 네트워크에서 다시 시도하십시오.' },

  'error.internal.what': { en: 'Something went wrong in this page', ko: '페이지에서 오류가 발생했습니다' },
  'error.internal.means': { en: 'This is a fault in Sightline and not in the camera.', ko: '카메라가 아니라 Sightline의 오류입니다.' },
  'error.internal.do': { en: 'Reload the page. If it happens again, report it with the error code.', ko: '페이지를 새로 고치십시오. 다시 발생하면 오류 코드와 함께 알려 주십시오.' },

  'error.unknown.what': { en: 'The camera cannot be shown', ko: '카메라를 표시할 수 없습니다' },
  'error.unknown.means': { en: 'The service gave a reason that this page does not know.', ko: '서비스가 이 페이지가 모르는 이유를 알려 왔습니다.' },
  'error.unknown.do': { en: 'Reload the page and retry. If it happens again, report it with the error code.', ko: '페이지를 새로 고치고 다시 시도하십시오. 다시 발생하면 오류 코드와 함께 알려 주십시오.' },

  'index.title': { en: 'Sightline', ko: 'Sightline' },
  'index.heading': { en: 'Sightline is running', ko: 'Sightline이 실행 중입니다' },
  'index.what': {
    en: 'Live cameras over WebRTC, on your own machine. Pictures go directly from the camera to the people who watch.',
    ko: '내 컴퓨터에서 운영하는 WebRTC 실시간 카메라 서비스입니다. 영상은 카메라에서 시청자에게 직접 전달됩니다.',
  },
  'index.watch': { en: 'Watch a camera', ko: '카메라 보기' },
  'index.channel': { en: 'Channel name', ko: '채널 이름' },
  'index.channel-rule': { en: 'Letters, digits, dot, hyphen and underscore; for instance “demo”.', ko: '영문자, 숫자, 점, 하이픈, 밑줄을 사용합니다. 예: “demo”.' },
  'index.open': { en: 'Watch', ko: '보기' },
  'index.broadcast': { en: 'Broadcast', ko: '방송하기' },
  'index.link-needed': {
    en: 'To watch a camera from here you need a link. Ask the person who runs this service for one and open it as it is.',
    ko: '여기에서 카메라를 보려면 링크가 필요합니다. 서비스 운영자에게 링크를 받아 그대로 여십시오.',
  },
  'index.call': { en: 'Call somebody', ko: '영상 통화하기' },
  'index.room': { en: 'Room', ko: '방 이름' },
  'index.enter': { en: 'Enter', ko: '들어가기' },
  'index.room-rule': {
    en: 'All who enter the same room see each other’s names; for instance “family”. Without a link, rooms are open when the service was started with --open-lobby.',
    ko: '같은 방에 들어온 사람끼리 이름을 보고 전화할 수 있습니다. 예: “family”. 링크 없이 들어가려면 서비스를 --open-lobby로 시작해야 합니다.',
  },
  'index.call-link-needed': {
    en: 'To call from here you need a link to a room. Ask the person who runs this service for one and open it as it is.',
    ko: '여기에서 통화하려면 방 링크가 필요합니다. 서비스 운영자에게 링크를 받아 그대로 여십시오.',
  },
  'index.share-room': { en: 'The same for a room in which people call each other:', ko: '사람들이 서로 통화하는 방의 링크도 같은 방법으로 출력합니다.' },
  'index.share': { en: 'Let others watch', ko: '다른 사람과 공유하기' },
  'index.share-how': {
    en: 'On the computer that runs Sightline, print a link with a QR code for a phone. It permits watching one channel, for at most 24 hours, and can be withdrawn.',
    ko: 'Sightline이 실행되는 컴퓨터에서 휴대전화용 QR 코드가 있는 링크를 출력하십시오. 링크로는 한 채널만 최대 24시간 동안 볼 수 있으며, 언제든지 취소할 수 있습니다.',
  },
  'index.camera': { en: 'Start a camera', ko: '카메라 시작하기' },
  'index.camera-how': { en: 'Send a video file or the built-in test picture to a channel:', ko: '동영상 파일이나 내장 시험 화면을 채널로 보냅니다.' },

  'not-found.title': { en: 'Page not found – Sightline', ko: '페이지를 찾을 수 없음 – Sightline' },
  'not-found.heading': { en: 'There is no page here', ko: '페이지를 찾을 수 없습니다' },
  'not-found.means': { en: 'The address is mistyped or incomplete. Cameras are at /view/ followed by the channel name.', ko: '주소가 잘못되었거나 잘렸습니다. 카메라 주소는 /view/ 뒤에 채널 이름을 붙인 것입니다.' },
  'not-found.home': { en: 'Go to the start page', ko: '시작 페이지로 이동' },
});

/**
 * All texts of the pages, by id, in every language that the pages speak. `{name}` is filled in.
 *
 * For each failure there are three: what happened, what it means, what to do. The ids after `error.` are those of
 * the SDK (`sdk/errors.js`) and of the service's session request; `error.unknown` stands in for any other.
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
  'view.sound-on': { en: 'Turn sound on', ko: '소리 켜기' },
  'view.sound-off': { en: 'Turn sound off', ko: '소리 끄기' },
  'view.play': { en: 'Play', ko: '재생' },
  'view.retry': { en: 'Retry', ko: '다시 시도' },
  'view.code': { en: 'Error code', ko: '오류 코드' },
  'view.stalled': {
    en: 'The picture has stopped. No new picture is arriving; it will continue by itself as soon as one does.',
    ko: '화면이 멈췄습니다. 새 영상이 오지 않고 있으며, 다시 오면 자동으로 이어집니다.',
  },
  'view.paused': { en: 'The browser has paused the picture.', ko: '브라우저가 영상을 일시 중지했습니다.' },
  'view.no-script': {
    en: 'This page needs JavaScript to show the camera.',
    ko: '카메라를 보려면 JavaScript가 필요합니다.',
  },

  'state.idle': { en: 'Starting…', ko: '시작하는 중…' },
  'state.opening': { en: 'Contacting the service…', ko: '서비스에 접속하는 중…' },
  'state.offering': { en: 'Waiting for the camera to answer…', ko: '카메라의 응답을 기다리는 중…' },
  'state.connecting': { en: 'Connecting to the camera…', ko: '카메라에 연결하는 중…' },
  'state.watching': { en: 'Live', ko: '실시간' },
  'state.stalled': { en: 'The picture has stopped', ko: '화면이 멈췄습니다' },
  'state.failed': { en: 'Not connected', ko: '연결되지 않음' },
  'state.closed': { en: 'Closed', ko: '종료됨' },

  'details.title': { en: 'Connection details', ko: '연결 세부 정보' },
  'details.client': { en: 'Viewer ID', ko: '시청자 ID' },
  'details.codec': { en: 'Video codec', ko: '비디오 코덱' },
  'details.path': { en: 'Network path', ko: '네트워크 경로' },
  'details.round-trip': { en: 'Round trip', ko: '왕복 시간' },
  'details.lost': { en: 'Packets lost', ko: '손실된 패킷' },
  'details.first-frame': { en: 'Time to the first picture', ko: '첫 화면까지 걸린 시간' },
  'path.host': { en: 'Direct', ko: '직접 연결' },
  'path.srflx': { en: 'Direct, through NAT', ko: '직접 연결(NAT 통과)' },
  'path.prflx': { en: 'Direct, through NAT', ko: '직접 연결(NAT 통과)' },
  'path.relay': { en: 'Relayed (TURN)', ko: '중계(TURN)' },
  'stage.session': { en: 'Session received', ko: '세션 수신' },
  'stage.offerReady': { en: 'Offer prepared', ko: '제안(offer) 준비' },
  'stage.socket': { en: 'Signaling open', ko: '시그널링 연결' },
  'stage.offerSent': { en: 'Offer sent', ko: '제안(offer) 전송' },
  'stage.answer': { en: 'Camera answered', ko: '카메라 응답' },
  'stage.connected': { en: 'Connected', ko: '연결 완료' },
  'stage.firstFrame': { en: 'First picture', ko: '첫 화면' },

  'error.webrtc-unsupported.what': { en: 'This browser cannot show live video', ko: '이 브라우저에서는 실시간 영상을 볼 수 없습니다' },
  'error.webrtc-unsupported.means': { en: 'It has no WebRTC, or WebRTC is switched off in its settings.', ko: '브라우저에 WebRTC가 없거나 설정에서 꺼져 있습니다.' },
  'error.webrtc-unsupported.do': { en: 'Open this page in a current Chrome, Edge, Firefox or Safari.', ko: '최신 Chrome, Edge, Firefox 또는 Safari에서 이 페이지를 여십시오.' },

  'error.service-unreachable.what': { en: 'The service does not reply', ko: '서비스가 응답하지 않습니다' },
  'error.service-unreachable.means': { en: 'The computer that runs Sightline cannot be reached from here, or Sightline has been stopped.', ko: 'Sightline이 실행되는 컴퓨터에 연결할 수 없거나 Sightline이 중지되었습니다.' },
  'error.service-unreachable.do': { en: 'Check your network connection and that Sightline is running, then retry.', ko: '네트워크 연결과 Sightline의 실행 상태를 확인한 뒤 다시 시도하십시오.' },

  'error.signaling-refused.what': { en: 'The signaling connection was refused', ko: '시그널링 연결이 거부되었습니다' },
  'error.signaling-refused.means': { en: 'The service replied, but did not accept this viewer: too many people may be watching, or something between you and the service blocks WebSocket connections.', ko: '서비스가 응답했지만 이 시청자를 받아들이지 않았습니다. 시청자가 너무 많거나, 중간에서 WebSocket 연결이 차단되었을 수 있습니다.' },
  'error.signaling-refused.do': { en: 'Wait a moment and retry. If it keeps happening, try another network.', ko: '잠시 후 다시 시도하십시오. 계속되면 다른 네트워크에서 시도하십시오.' },

  'error.signaling-lost.what': { en: 'The connection to the service was cut', ko: '서비스와의 연결이 끊어졌습니다' },
  'error.signaling-lost.means': { en: 'It ended before the camera had answered, for instance because the service was restarted or your network changed.', ko: '카메라가 응답하기 전에 연결이 끝났습니다. 서비스가 다시 시작되었거나 네트워크가 바뀌었을 수 있습니다.' },
  'error.signaling-lost.do': { en: 'Retry.', ko: '다시 시도하십시오.' },

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
  'index.link-needed': {
    en: 'To watch a camera from here you need a link. Ask the person who runs this service for one and open it as it is.',
    ko: '여기에서 카메라를 보려면 링크가 필요합니다. 서비스 운영자에게 링크를 받아 그대로 여십시오.',
  },
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

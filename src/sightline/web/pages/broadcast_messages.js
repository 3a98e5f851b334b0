/**
 * The texts of the broadcast page, by id; those that it shares with the others are in messages.js. For each failure
 * there are three: what happened, what it means, what to do. `{name}` is filled in.
 *
 * @type {import('./language.js').Messages}
 */
export const BROADCAST_MESSAGES = Object.freeze({
  'broadcast.title': { en: '{channel}, broadcast – Sightline', ko: '{channel} 방송 – Sightline' },
  'broadcast.camera': { en: 'Broadcast to', ko: '방송 채널' },
  'broadcast.preview': { en: 'Preview: what the viewers see', ko: '미리 보기: 시청자에게 보이는 화면' },
  'broadcast.cover-off': { en: 'Nothing is being sent.', ko: '아직 아무것도 보내지 않습니다.' },
  'broadcast.cover-starting': { en: 'If the browser asks, allow it to use the camera.', ko: '브라우저가 물으면 카메라 사용을 허용하십시오.' },

  'broadcast.source': { en: 'What to send', ko: '보낼 화면' },
  'broadcast.source-camera': { en: 'Camera', ko: '카메라' },
  'broadcast.source-screen': { en: 'Screen', ko: '화면 공유' },
  'broadcast.device': { en: 'Which camera', ko: '카메라 선택' },
  'broadcast.device-default': { en: 'Standard camera', ko: '기본 카메라' },
  'broadcast.device-number': { en: 'Camera {number}', ko: '카메라 {number}' },
  'broadcast.microphone': { en: 'Send sound from the microphone', ko: '마이크 소리 보내기' },
  'broadcast.start': { en: 'Start', ko: '방송 시작' },
  'broadcast.stop': { en: 'Stop', ko: '방송 종료' },

  'broadcast.air-off': { en: 'Off', ko: '꺼짐' },
  'broadcast.air-starting': { en: 'Starting…', ko: '시작하는 중…' },
  'broadcast.air-opening': { en: 'Contacting the service…', ko: '서비스에 접속하는 중…' },
  'broadcast.air-online': { en: 'On air', ko: '방송 중' },
  'broadcast.air-waiting': { en: 'On air, service away', ko: '방송 중, 서비스 연결 끊김' },
  'broadcast.air-replaced': { en: 'Replaced by another camera', ko: '다른 카메라로 교체됨' },
  'broadcast.air-failed': { en: 'Not on air', ko: '방송하지 못함' },

  'broadcast.waiting': {
    en: 'The connection to the service is interrupted. Who watches goes on watching; new viewers can come as soon as it is back, which happens by itself.',
    ko: '서비스와의 연결이 끊어졌습니다. 지금 보고 있는 사람은 계속 볼 수 있습니다. 연결은 자동으로 복구되며, 그 뒤 새 시청자가 들어올 수 있습니다.',
  },
  'broadcast.reconnect': { en: 'Reconnect now', ko: '지금 다시 연결' },
  'broadcast.replaced': {
    en: 'Another camera has started on this channel, and new viewers see that one. Who watched here before still does.',
    ko: '이 채널에서 다른 카메라가 방송을 시작했습니다. 새 시청자에게는 그 카메라가 보이며, 기존 시청자는 계속 이 화면을 봅니다.',
  },
  'broadcast.take-back': { en: 'Take the channel back', ko: '채널 되찾기' },
  'broadcast.switch-failed': { en: 'The change was not possible: {reason}. Everything goes on as before.', ko: '변경할 수 없습니다: {reason}. 이전 상태로 계속됩니다.' },
  'broadcast.no-microphone': { en: 'Sending without sound: {reason}.', ko: '소리 없이 보냅니다: {reason}.' },
  'broadcast.reason-refused': { en: 'the browser does not allow it', ko: '브라우저가 허용하지 않습니다' },
  'broadcast.reason-missing': { en: 'there is no such device', ko: '해당 장치가 없습니다' },
  'broadcast.reason-in-use': { en: 'another program uses the device', ko: '다른 프로그램이 장치를 사용하고 있습니다' },
  'broadcast.reason-other': { en: 'the browser cannot do it', ko: '브라우저에서 처리할 수 없습니다' },

  'broadcast.viewers': { en: 'Viewers', ko: '시청자' },
  'broadcast.nobody': { en: 'Nobody is watching yet.', ko: '아직 보는 사람이 없습니다.' },
  'broadcast.nobody-off': { en: 'As soon as you have started, whoever watches is listed here.', ko: '방송을 시작하면 시청자가 여기에 표시됩니다.' },
  'broadcast.watching': { en: '{count} watching', ko: '{count}명 시청 중' },
  'broadcast.since': { en: 'since {time}', ko: '{time}부터' },
  'broadcast.viewer-new': { en: 'Calling', ko: '요청 중' },
  'broadcast.viewer-connecting': { en: 'Connecting…', ko: '연결하는 중…' },
  'broadcast.viewer-connected': { en: 'Watching', ko: '시청 중' },
  'broadcast.viewer-disconnected': { en: 'Interrupted', ko: '일시 끊김' },
  'broadcast.viewer-failed': { en: 'Lost', ko: '연결 끊김' },
  'broadcast.viewer-closed': { en: 'Left', ko: '나감' },

  'broadcast.share': { en: 'Let others watch', ko: '다른 사람과 공유하기' },
  'broadcast.link': { en: 'Address of the picture', ko: '시청 주소' },
  'broadcast.copy': { en: 'Copy', ko: '복사' },
  'broadcast.copied': { en: 'Copied', ko: '복사됨' },
  'broadcast.share-local': {
    en: 'Works on this computer. For a phone or another computer, print a link with its permission here:',
    ko: '이 컴퓨터에서 열 수 있는 주소입니다. 휴대전화나 다른 컴퓨터에서 보려면 여기에서 시청 권한이 담긴 링크를 출력하십시오.',
  },
  'broadcast.share-link': {
    en: 'Opening it needs a permission to watch. Whoever runs the service prints a link that contains it:',
    ko: '이 주소를 열려면 시청 권한이 필요합니다. 권한이 담긴 링크는 서비스 운영자가 출력할 수 있습니다.',
  },

  'broadcast.error.refused.what': { en: 'The browser may not use the camera', ko: '브라우저가 카메라를 사용할 수 없습니다' },
  'broadcast.error.refused.means': { en: 'The permission was refused, now or earlier, or this device’s settings forbid it.', ko: '카메라 사용 권한이 거부되었거나 기기 설정에서 막혀 있습니다.' },
  'broadcast.error.refused.do': { en: 'Click the symbol beside the address, allow camera and microphone for this page, and start again.', ko: '주소 옆의 아이콘을 눌러 이 페이지의 카메라와 마이크를 허용한 뒤 다시 시작하십시오.' },

  'broadcast.error.screen-refused.what': { en: 'No screen was shared', ko: '공유된 화면이 없습니다' },
  'broadcast.error.screen-refused.means': { en: 'The choice was cancelled, or this device’s settings forbid sharing its screen.', ko: '화면 선택이 취소되었거나 기기 설정에서 화면 공유가 막혀 있습니다.' },
  'broadcast.error.screen-refused.do': { en: 'Start again and choose a screen, a window or a tab.', ko: '다시 시작하여 전체 화면, 창 또는 탭을 선택하십시오.' },

  'broadcast.error.missing.what': { en: 'There is no camera', ko: '카메라가 없습니다' },
  'broadcast.error.missing.means': { en: 'The browser found none, or the chosen one has been unplugged.', ko: '브라우저가 카메라를 찾지 못했거나 선택한 카메라가 분리되었습니다.' },
  'broadcast.error.missing.do': { en: 'Connect a camera and start again, or share your screen instead.', ko: '카메라를 연결하고 다시 시작하거나, 대신 화면을 공유하십시오.' },

  'broadcast.error.in-use.what': { en: 'The camera is in use', ko: '카메라가 사용 중입니다' },
  'broadcast.error.in-use.means': { en: 'Another program or page has it, or it does not react.', ko: '다른 프로그램이나 페이지가 카메라를 사용하고 있거나 카메라가 응답하지 않습니다.' },
  'broadcast.error.in-use.do': { en: 'Close what uses it (a video call, another tab) and start again.', ko: '카메라를 쓰는 프로그램(화상 통화, 다른 탭)을 닫고 다시 시작하십시오.' },

  'broadcast.error.insecure.what': { en: 'The browser gives this page no camera', ko: '이 페이지에서는 카메라를 사용할 수 없습니다' },
  'broadcast.error.insecure.means': { en: 'Browsers do so only over https, or at http://localhost on the computer itself.', ko: '브라우저는 https 주소나 해당 컴퓨터의 http://localhost에서만 카메라를 허용합니다.' },
  'broadcast.error.insecure.do': { en: 'Open this page under its https address.', ko: '이 페이지를 https 주소로 여십시오.' },

  'broadcast.error.ended.what': { en: 'The picture has ended', ko: '영상이 중단되었습니다' },
  'broadcast.error.ended.means': { en: 'The sharing was stopped in the browser, or the camera was unplugged. Nothing is being sent any more.', ko: '브라우저에서 공유를 중지했거나 카메라가 분리되었습니다. 이제 아무것도 보내지 않습니다.' },
  'broadcast.error.ended.do': { en: 'Start again to send a picture.', ko: '영상을 보내려면 다시 시작하십시오.' },

  'broadcast.error.link-required.what': { en: 'This page needs a link', ko: '이 페이지를 열려면 링크가 필요합니다' },
  'broadcast.error.link-required.means': { en: 'The address has no permission in it to be the camera of this channel (the part after “#”).', ko: '주소에 이 채널의 카메라가 될 권한(“#” 뒤의 부분)이 들어 있지 않습니다.' },
  'broadcast.error.link-required.do': { en: 'Ask the operator for a link (“sightline link {channel} --role master”).', ko: '운영자에게 링크를 요청하십시오(“sightline link {channel} --role master”).' },

  'broadcast.error.link-scope.what': { en: 'This link is for something else', ko: '다른 용도의 링크입니다' },
  'broadcast.error.link-scope.means': { en: 'It does not permit being the camera of channel “{channel}”; most links permit watching only.', ko: '이 링크로는 “{channel}” 채널의 카메라가 될 수 없습니다. 대부분의 링크는 시청만 허용합니다.' },
  'broadcast.error.link-scope.do': { en: 'Ask the operator for a link for the camera (“sightline link {channel} --role master”).', ko: '운영자에게 카메라용 링크를 요청하십시오(“sightline link {channel} --role master”).' },

  'broadcast.error.foreign-origin.what': { en: 'This address may not be used to broadcast', ko: '이 주소로는 방송할 수 없습니다' },
  'broadcast.error.foreign-origin.means': { en: 'Without a link, only pages opened under “localhost” on the service’s own computer may be a camera.', ko: '링크가 없으면 서비스가 실행되는 컴퓨터에서 “localhost”로 연 페이지에서만 방송할 수 있습니다.' },
  'broadcast.error.foreign-origin.do': { en: 'Open the page under http://localhost, or use a link (“sightline link {channel} --role master”).', ko: 'http://localhost 주소로 열거나 링크를 사용하십시오(“sightline link {channel} --role master”).' },

  'broadcast.error.unknown-channel.what': { en: 'There is no channel “{channel}”', ko: '“{channel}” 채널이 없습니다' },
  'broadcast.error.unknown-channel.means': { en: 'A channel is made before a camera can send to it. Capital and small letters differ.', ko: '카메라로 보내려면 먼저 채널을 만들어야 합니다. 대문자와 소문자는 구분됩니다.' },
  'broadcast.error.unknown-channel.do': { en: 'Check the name in the address, or make the channel (“sightline channel create {channel}”), then start again.', ko: '주소의 이름을 확인하거나 채널을 만든 뒤(“sightline channel create {channel}”) 다시 시작하십시오.' },

  'broadcast.error.webrtc-unsupported.what': { en: 'This browser cannot send live video', ko: '이 브라우저에서는 실시간 영상을 보낼 수 없습니다' },
  'broadcast.error.webrtc-unsupported.means': { en: 'It has no WebRTC, or WebRTC is switched off in its settings.', ko: '브라우저에 WebRTC가 없거나 설정에서 꺼져 있습니다.' },
  'broadcast.error.webrtc-unsupported.do': { en: 'Open this page in a current Chrome, Edge, Firefox or Safari.', ko: '최신 Chrome, Edge, Firefox 또는 Safari에서 이 페이지를 여십시오.' },

  'broadcast.error.unknown.what': { en: 'Broadcasting is not possible', ko: '방송할 수 없습니다' },
  'broadcast.error.unknown.means': { en: 'Something happened that this page has no words for.', ko: '이 페이지가 설명할 수 없는 문제가 발생했습니다.' },
  'broadcast.error.unknown.do': { en: 'Reload the page and start again. If it happens again, report it with the error code.', ko: '페이지를 새로 고치고 다시 시작하십시오. 다시 발생하면 오류 코드와 함께 알려 주십시오.' },
});

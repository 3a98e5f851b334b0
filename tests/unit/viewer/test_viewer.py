"""The viewer against a camera that the test plays."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import AsyncIterator
from typing import Any

import pytest

from sightline import Viewer, ViewerFailed
from sightline.client.refusals import UnknownChannel
from sightline.errors import ConfigError, InvalidClientId, ServiceUnreachable
from sightline.media.bar_code import read_bar_code
from sightline.rtc.data_requests import Json
from sightline.rtc.datachannel import RequestFailed
from sightline.rtc.peer import ConnectionState
from sightline.sessions.viewer import Persistent, RetryOnce, ViewerOptions
from sightline.viewer import Message, NoticeGiven, StateChanged, ViewerEvent, ViewerState
from tests.unit.media.received_frames import pictures, sounds
from tests.unit.viewer.camera import QUICK, Camera, eventually

pytestmark = pytest.mark.realtime

HASTY: dict[str, Any] = {"policy": RetryOnce(pause=0.05), "options": QUICK}


@pytest.fixture
async def camera() -> AsyncIterator[Camera]:
    async with Camera() as camera:
        yield camera


async def watching(viewer: Viewer) -> None:
    async with asyncio.timeout(30):
        await viewer.wait_watching()


def no_haste(viewer: Viewer) -> None:
    """As if the socket had been opened long ago."""
    assert viewer._attempt is not None
    viewer._attempt._opened_at = float("-inf")


async def test_from_the_offer_to_pictures(camera: Camera) -> None:
    happened: list[ViewerEvent] = []
    async with camera.viewer(on_event=happened.append) as viewer:
        video = viewer.video
        peer = await camera.connect()
        for number, frame in enumerate(pictures(3)):
            peer.show(frame)
            picture = await asyncio.wait_for(anext(video), 30)
            assert read_bar_code(picture.to_ndarray()) == number
        assert viewer.state is ViewerState.WATCHING
        figures = viewer.statistics()
        assert (figures.width, figures.height, figures.codec, figures.pictures) == (320, 180, "H264", 3)
        assert (figures.client_id, figures.candidate_pair, figures.connections) == ("alice", "host a -> host b", 1)
        assert figures.first_picture is not None
    states = [event.after for event in happened if isinstance(event, StateChanged)]
    assert states == ["opening", "offering", "connecting", "watching", "closed"]
    with pytest.raises(StopAsyncIteration):
        await anext(video)


async def test_what_nobody_looks_at_is_not_decoded(camera: Camera) -> None:
    async with camera.viewer() as viewer:
        frames = list(pictures(12, keyframes=6))
        peer = await camera.connect(*frames[:6])
        await watching(viewer)
        assert "sightline-decoder" not in {thread.name for thread in threading.enumerate()}
        assert viewer.statistics().decoded == 0
        assert viewer.statistics().width == 320
        wanted = asyncio.create_task(viewer.picture())
        await asyncio.sleep(0)
        peer.show(*frames[3:5])  # not a beginning
        assert peer.keyframes == 1
        peer.show(frames[6])
        assert read_bar_code((await asyncio.wait_for(wanted, 30)).to_ndarray()) == 6
        peer.show(*frames[7:])
        assert viewer.statistics().decoded == 1, "the reader is gone, and so is the work"


async def test_a_slow_reader_gets_the_newest_picture(camera: Camera) -> None:
    async with camera.viewer() as viewer:
        video = viewer.video
        await camera.connect(*pictures(20))
        await eventually(lambda: viewer.statistics().decoded == 20)
        assert read_bar_code((await anext(video)).to_ndarray()) == 19
        assert video.missed == 19


async def test_sound_and_data(camera: Camera) -> None:
    happened: list[ViewerEvent] = []
    async with camera.viewer(data_channels=["chat"], on_event=happened.append) as viewer:
        assert not viewer.send("too early")
        audio = viewer.audio
        peer = await camera.connect(*pictures(1), *sounds(0.1))
        assert (await asyncio.wait_for(anext(audio), 30)).to_ndarray().shape == (960, 2)
        assert viewer.send("hello", label="chat")
        assert peer.channels.sent == [("hello", "chat")]
        peer.channels.on_message("chat", "welcome")
        assert Message("chat", "welcome") in happened
        question: Json = {"battery": True}
        assert await viewer.request(question, label="chat") == {"asked": question}
    with pytest.raises(RequestFailed):
        await viewer.request(1, label="chat")


async def test_candidates_go_after_the_offer_and_an_answer_is_taken_once(camera: Camera) -> None:
    async with camera.viewer() as viewer:
        await camera.until("SDP_OFFER")
        peer = camera.peer
        assert peer.on_candidate is not None
        peer.on_candidate({"candidate": "candidate:1"})
        assert (await camera.next())["action"] == "ICE_CANDIDATE"
        await camera.say("ICE_CANDIDATE", {"candidate": "candidate:early"})
        await camera.say("SDP_ANSWER", {"sdp": "first"})
        await camera.say("SDP_ANSWER", {"sdp": "second"})
        await camera.say("ICE_CANDIDATE", None)
        await camera.say("ICE_CANDIDATE", {"candidate": "candidate:late"})
        await eventually(lambda: len(peer.candidates) == 2)
        assert peer.accepted == ["first"]
        assert viewer.state is ViewerState.CONNECTING


async def test_a_camera_that_comes_late_gets_the_offer_again_with_its_candidates(camera: Camera) -> None:
    async with camera.viewer() as viewer:
        await camera.until("SDP_OFFER")
        await camera.say("sightline/master", {"present": False})
        peer = camera.peer
        assert peer.on_candidate is not None
        peer.on_candidate({"candidate": "candidate:1"})
        await camera.until("ICE_CANDIDATE")
        await eventually(lambda: viewer.notice is not None and viewer.notice.reason == "camera-offline")
        await camera.say("sightline/master", {"present": True, "ours": True})
        assert (await camera.next())["action"] == "SDP_OFFER"
        assert (await camera.next())["action"] == "ICE_CANDIDATE"
        await camera.say("SDP_ANSWER", {"sdp": "answer"})
        await eventually(lambda: viewer.state is ViewerState.CONNECTING)
        assert viewer.notice is None


async def test_no_answer_is_tried_once_more_and_then_told(camera: Camera) -> None:
    happened: list[ViewerEvent] = []
    async with camera.viewer(on_event=happened.append, **HASTY) as viewer:
        with pytest.raises(ViewerFailed) as failed:
            await asyncio.wait_for(viewer.picture(), 10)
        assert failed.value.reason == "no-answer"
        assert "did not answer" in str(failed.value)
        assert viewer.failure is failed.value
        with pytest.raises(ViewerFailed):
            await viewer.wait_closed()
        with pytest.raises(ViewerFailed):
            await anext(viewer.video)
        events = viewer.events()
        with pytest.raises(ViewerFailed):
            await anext(events)
    # A camera that has not shown itself as ours may refuse an id that it knows.
    assert camera.client_ids == ["alice", "alice-2"]
    assert [peer.closed for peer in camera.peers] == [1, 1]
    assert [event.reason for event in happened if isinstance(event, NoticeGiven)][-1] == "no-answer"


async def test_a_camera_of_ours_is_asked_under_the_same_id(camera: Camera) -> None:
    async with camera.viewer(policy=RetryOnce(pause=0.05), options=ViewerOptions(silence=60, stall=60, answer=2.0)):
        await camera.until("SDP_OFFER")
        await camera.say("sightline/master", {"present": True, "ours": True})
        await camera.open_sockets(2)
    assert camera.client_ids == ["alice", "alice"]


@pytest.mark.parametrize(
    ("error", "reason"),
    [(UnknownChannel("There is no channel 'porch'.", status=404), "unknown-channel")],
)
async def test_a_refusal_that_waiting_does_not_cure_ends_at_once(camera: Camera, error: Exception, reason: str) -> None:
    camera.error = error
    async with camera.viewer() as viewer:
        with pytest.raises(ViewerFailed, match="no channel") as failed:
            await asyncio.wait_for(viewer.picture(), 30)
    assert failed.value.reason == reason
    assert len(camera.client_ids) == 1


async def test_a_persistent_viewer_goes_on(camera: Camera) -> None:
    camera.error = ServiceUnreachable("Nothing answers.")
    async with camera.viewer(policy=Persistent(roll=lambda: 0.0, first=0.05)) as viewer:
        await eventually(lambda: len(camera.client_ids) > 2)
        camera.error = None
        await camera.connect(*pictures(2))
        await watching(viewer)


REFUSALS: dict[str, tuple[int, dict[str, Any], dict[str, str], str]] = {
    "a wrong key": (403, {"__type": "UnrecognizedClientException"}, {}, "wrong-key"),
    "by header": (403, {}, {"x-amzn-ErrorType": "InvalidSignatureException:http"}, "wrong-key"),
    "an old signature": (
        403,
        {"__type": "a#InvalidSignatureException", "Message": "Signature expired"},
        {},
        "clock-skew",
    ),
    "too many": (400, {"__type": "ClientLimitExceededException", "Message": "20 viewers"}, {}, "viewer-limit"),
    "not allowed": (403, {"message": "no"}, {}, "not-allowed"),
    "a bad id": (400, {"__type": "InvalidArgumentException", "Message": "The client id is…"}, {}, "bad-client-id"),
    "gone": (404, {}, {}, "unknown-channel"),
}


@pytest.mark.parametrize(("status", "body", "headers", "reason"), REFUSALS.values(), ids=REFUSALS.keys())
async def test_a_refused_upgrade_is_told_by_its_reason(
    camera: Camera, status: int, body: dict[str, Any], headers: dict[str, str], reason: str
) -> None:
    camera.status, camera.refusal, camera.refusal_headers = status, body, headers
    async with camera.viewer() as viewer:
        with pytest.raises(ViewerFailed) as failed:
            await asyncio.wait_for(viewer.wait_closed(), 30)
    assert failed.value.reason == reason


async def test_a_final_notice_ends_it_and_the_close_code_stands_in_for_a_lost_one(camera: Camera) -> None:
    for play in (
        lambda: camera.say("sightline/notice", {"reason": "not-allowed", "message": "Not you."}),
        lambda: camera.socket.close(code=4403),
    ):
        async with camera.viewer() as viewer:
            await camera.until("SDP_OFFER")
            await play()
            with pytest.raises(ViewerFailed) as failed:
                await asyncio.wait_for(viewer.wait_closed(), 30)
        assert failed.value.reason == "not-allowed"


async def test_a_socket_that_is_closed_at_once_is_not_opened_without_a_pause(camera: Camera) -> None:
    async with camera.viewer() as viewer:
        await camera.until("SDP_OFFER")
        await camera.say("sightline/notice", {"reason": "too-many-requests"})
        await camera.socket.close(code=4420)
        await eventually(lambda: viewer.notice is not None and viewer.notice.reason == "too-many-requests")
        await asyncio.sleep(0.15)
        assert len(camera.sockets) == 1


async def test_when_the_service_goes_away_the_new_socket_is_there_before_the_old_one_closes(camera: Camera) -> None:
    async with camera.viewer() as viewer:
        await camera.connect(*pictures(2))
        await watching(viewer)
        no_haste(viewer)
        old = camera.socket
        await camera.say("GO_AWAY")
        # What the service says of the id now is about this viewer's own next socket.
        await camera.say("sightline/notice", {"reason": "client-id-in-use"})
        await eventually(lambda: old.closed)
        assert camera.open_before == [0, 1]
        await camera.say("sightline/notice", {"reason": "camera-silent"})  # the new one is heard
        assert viewer.state is ViewerState.WATCHING
        assert camera.client_ids == ["alice"], "the session was fresh enough"


async def test_a_socket_that_cannot_be_had_again_costs_nothing_while_the_old_one_works(camera: Camera) -> None:
    async with camera.viewer() as viewer:
        await camera.connect(*pictures(2))
        await watching(viewer)
        no_haste(viewer)
        camera.status, camera.refusal = 403, {"__type": "UnrecognizedClientException"}
        await camera.say("GO_AWAY")
        await eventually(lambda: camera.refused == 2)  # with the session at hand, and with a new one
        await asyncio.sleep(0.05)
        assert viewer.state is ViewerState.WATCHING
        assert not camera.socket.closed


async def test_a_lost_path_is_restarted_over_the_living_socket(camera: Camera) -> None:
    async with camera.viewer() as viewer:
        frames = list(pictures(4))
        peer = await camera.connect(*frames[:2])
        await watching(viewer)
        peer.become(ConnectionState.DISCONNECTED)
        assert viewer.state is ViewerState.RECOVERING
        offer = await camera.until("SDP_OFFER")
        assert offer
        assert peer.offers == 2
        await camera.until("sightline/ask")
        await camera.say("sightline/master", {"present": True, "ours": True})
        await camera.say("SDP_ANSWER", {"sdp": "for the restart"})
        await eventually(lambda: "for the restart" in peer.accepted)
        await asyncio.sleep(0.1)
        peer.show(*frames[2:])
        assert viewer.state is ViewerState.WATCHING
        assert viewer.notice is None
        assert peer.closed == 0
        assert peer.restarted_with == ()


async def test_silence_is_seen_and_a_connection_that_cannot_restart_is_made_anew(camera: Camera) -> None:
    async with camera.viewer(options=ViewerOptions(silence=2.0)) as viewer:
        peer = await camera.connect(*pictures(2), can_restart=False)
        await watching(viewer)
        await camera.open_sockets(2)
        assert viewer.notice is not None
        await camera.connect(*pictures(2))
        await watching(viewer)
        assert peer.closed == 1
        assert viewer.statistics().connections == 2


async def test_another_network_is_recovered_from_at_once(camera: Camera) -> None:
    async with camera.viewer() as viewer:
        peer = await camera.connect(*pictures(2))
        await watching(viewer)
        viewer._network_changed(True)
        assert viewer.state is ViewerState.RECOVERING
        await camera.until("SDP_OFFER")
        assert peer.offers == 2


async def test_a_camera_may_look_for_another_path_too(camera: Camera) -> None:
    async with camera.viewer() as viewer:
        await camera.connect(*pictures(2))
        await watching(viewer)
        await camera.say("SDP_OFFER", {"sdp": "broken"})
        await camera.say("SDP_OFFER", {"sdp": "theirs"})
        assert (await camera.until("SDP_ANSWER"))["messagePayload"]


async def test_other_relays_are_used_when_the_service_says_so(camera: Camera) -> None:
    async with camera.viewer() as viewer:
        peer = await camera.connect(*pictures(2))
        await watching(viewer)
        await camera.say("RECONNECT_ICE_SERVER")
        await camera.until("SDP_OFFER")
        assert peer.offers == 2
        assert camera.client_ids == ["alice", "alice"]
        assert viewer.state is ViewerState.WATCHING


async def test_a_broken_answer_is_told(camera: Camera) -> None:
    async with camera.viewer(policy=RetryOnce(retries=0)) as viewer:
        await camera.until("SDP_OFFER")
        await camera.say("SDP_ANSWER", {"sdp": "broken"})
        with pytest.raises(ViewerFailed) as failed:
            await asyncio.wait_for(viewer.wait_closed(), 30)
    assert failed.value.reason == "bad-answer"


async def test_expired_relay_credentials_are_told_when_there_is_no_path(camera: Camera) -> None:
    options = ViewerOptions(silence=60, stall=60, answer=60, path=0.3)
    async with camera.viewer(policy=RetryOnce(retries=0), options=options) as viewer:
        await camera.until("SDP_OFFER")
        camera.peer.turn_refused = True
        await camera.say("SDP_ANSWER", {"sdp": "answer"})
        with pytest.raises(ViewerFailed) as failed:
            await asyncio.wait_for(viewer.wait_closed(), 30)
    assert failed.value.reason == "ice-expired"


async def test_the_person_may_reconnect(camera: Camera) -> None:
    async with camera.viewer() as viewer:
        await camera.connect(*pictures(2))
        viewer.reconnect()
        await camera.connect(*pictures(2))
        await watching(viewer)
    assert [peer.closed for peer in camera.peers] == [1, 1]


async def test_leaving_is_told(camera: Camera) -> None:
    async with camera.viewer():
        await camera.until("SDP_OFFER")
    assert await camera.until("sightline/farewell")


async def test_kvs_is_told_nothing_more_than_it_knows(camera: Camera) -> None:
    camera.is_sightline = False
    async with camera.viewer() as viewer:
        peer = await camera.connect(*pictures(2))
        await watching(viewer)
        peer.become(ConnectionState.DISCONNECTED)
        await camera.until("SDP_OFFER")
    await asyncio.sleep(0.05)
    said = [camera.received.get_nowait()["action"] for _ in range(camera.received.qsize())]
    assert not [action for action in said if action.startswith("sightline/")]


async def test_closing_is_safe_from_every_state_and_twice(camera: Camera) -> None:
    viewer = camera.viewer()
    await viewer.aclose()
    for steps in range(4):
        async with camera.viewer() as viewer:
            if steps > 0:
                await camera.until("SDP_OFFER")
            if steps > 1:
                await camera.say("SDP_ANSWER", {"sdp": "answer"})
                await eventually(lambda: camera.peer.accepted != [])
            if steps > 2:
                camera.peer.become(ConnectionState.CONNECTED)
                camera.peer.show(*pictures(2))
                await watching(viewer)
            await asyncio.gather(viewer.aclose(), viewer.aclose())
        assert viewer.state is ViewerState.CLOSED
    assert all(peer.closed == 1 for peer in camera.peers)


async def test_two_hundred_rounds_leave_nothing_behind(camera: Camera) -> None:
    """Connections, sockets, tasks, threads: as many as before."""
    frames = list(pictures(2))
    async with camera.viewer() as viewer:
        await camera.connect(*frames)

        async def round() -> None:
            viewer.reconnect()
            await camera.connect(*frames)
            await eventually(lambda: viewer.state is ViewerState.WATCHING)

        for _ in range(5):
            await round()
        gc.collect()
        before = len(asyncio.all_tasks()), threading.active_count(), len(gc.get_objects())
        for _ in range(200):
            await round()
        camera.sockets[:-1] = []
        camera.frame_types.clear()
        camera.queries.clear()
        camera.client_ids.clear()
        assert all(peer.closed == 1 for peer in camera.peers[:-1])
        camera.peers[:-1] = []
        await eventually(lambda: len(asyncio.all_tasks()) <= before[0])
        gc.collect()
        assert threading.active_count() <= before[1]
        assert len(gc.get_objects()) - before[2] < 2000, "fewer than ten objects a round"


@pytest.mark.parametrize("name", ["", "a b", "a/b", "AWS_me", "x" * 257])
def test_a_name_that_cannot_be_is_refused_before_anything_is_sent(name: str) -> None:
    with pytest.raises(InvalidClientId):
        Viewer("porch", client_id=name)


async def test_speaking_needs_to_be_asked_for(camera: Camera) -> None:
    async with camera.viewer() as viewer:
        with pytest.raises(ConfigError, match="talk=True"):
            await viewer.speak("test")


async def test_speaking(camera: Camera) -> None:
    async with camera.viewer(talk=True) as viewer:
        peer = await camera.connect(*pictures(2))
        await viewer.speak("test:160x90@1")
        await eventually(lambda: len(peer.said) > 2)
        await viewer.speak(None)
        said = len(peer.said)
        await asyncio.sleep(0.1)
        assert len(peer.said) == said


async def test_a_try_that_comes_through_late_takes_the_place_only_for_a_moment(camera: Camera) -> None:
    """Over a line that came back, the service hears of sockets that this viewer has given up long since."""
    async with camera.viewer() as viewer:
        await camera.connect(*pictures(2))
        await watching(viewer)
        assert viewer._attempt is not None
        for told in (False, True):
            viewer._late_tries.gave_up()
            no_haste(viewer)
            count = len(camera.sockets)
            await camera.say("sightline/master", {"present": True, "ours": True})
            if told:
                await camera.say("sightline/notice", {"reason": "client-id-in-use"})
            await camera.socket.close(code=4409)
            await camera.open_sockets(count + 1)
            assert viewer.state is ViewerState.WATCHING
        viewer._late_tries._given_up_at -= 100
        await camera.say("sightline/master", {"present": True, "ours": True})
        await camera.say("sightline/notice", {"reason": "client-id-in-use"})
        with pytest.raises(ViewerFailed) as failed:
            await asyncio.wait_for(viewer.wait_closed(), 30)
        assert failed.value.reason == "client-id-in-use"


@pytest.mark.parametrize("refusal", ["a notice", "a close code", "HTTP"])
async def test_a_session_that_was_used_again_and_is_refused_is_no_failure(camera: Camera, refusal: str) -> None:
    """The service was started anew, and knows nothing of the addresses that it gave."""
    async with camera.viewer() as viewer:
        await camera.connect(*pictures(2))
        await watching(viewer)
        no_haste(viewer)
        if refusal == "HTTP":
            camera.status, camera.refuse_once = 403, True
            camera.refusal = {"__type": "UnrecognizedClientException"}
        await camera.socket.close()
        if refusal != "HTTP":
            await camera.open_sockets(2)
            if refusal == "a notice":
                await camera.say("sightline/notice", {"reason": "wrong-key", "message": "No key with that id."})
            await camera.socket.close(code=4401)
        await eventually(lambda: len(camera.client_ids) > 1)
        await eventually(lambda: camera.open_before[-1] == 0 and not camera.socket.closed)
        await camera.say("sightline/master", {"present": True, "ours": True})
        await camera.say("sightline/notice", {"reason": "not-allowed"})  # now that counts
        with pytest.raises(ViewerFailed) as failed:
            await asyncio.wait_for(viewer.wait_closed(), 30)
        assert failed.value.reason == "not-allowed"


def test_a_viewer_that_asks_for_nothing_is_refused_before_anything_is_sent() -> None:
    with pytest.raises(ConfigError, match="asks for nothing"):
        Viewer("porch", video=False, audio=False)

"""What our SCTP uses of aiortc beyond its documentation. When this fails: read the new source, then pin it."""

from __future__ import annotations

import importlib.metadata
import inspect

import aiortc
import pytest
from aiortc.rtcdatachannel import RTCDataChannel
from aiortc.rtcsctptransport import InboundStream, RTCSctpTransport

from sightline.rtc.sctp import HOOKS, _Below

pytestmark = pytest.mark.realtime


def test_the_version_is_the_one_whose_source_was_read() -> None:
    assert importlib.metadata.version("aiortc") == aiortc.__version__ == "1.16.0"


async def test_the_attributes_are_there() -> None:
    sctp = RTCSctpTransport(_Below(lambda packet: None, client=True), 5000)
    for name in HOOKS["RTCSctpTransport"]:
        assert hasattr(sctp, name), name
    for name in HOOKS["InboundStream"]:
        assert hasattr(InboundStream(), name), name
    assert sctp.state == "new"
    assert sctp._advertised_rwnd == 1024 * 1024
    assert sctp.is_server is False
    for name in ("label", "readyState", "bufferedAmount", "send", "close", "on"):
        assert hasattr(RTCDataChannel, name), name


def test_of_the_transport_below_nothing_else_is_used() -> None:
    """Every attribute that RTCSctpTransport reads from its transport is one that ours has."""
    source = inspect.getsource(RTCSctpTransport)
    for name in ("__transport.", "self.transport."):
        for use in source.split(name)[1:]:
            attribute = use.split("(")[0].split()[0].split(".")[0].strip("=,)")
            assert attribute in HOOKS["transport below"], attribute
    for name in HOOKS["transport below"]:
        assert hasattr(_Below(lambda packet: None, client=True), name), name


@pytest.mark.parametrize("method", ["_handle_data", "start", "stop"])
def test_coroutines_are_coroutines(method: str) -> None:
    assert inspect.iscoroutinefunction(getattr(RTCSctpTransport, method))


def test_none_of_them_waits_for_anything_but_the_transport() -> None:
    """So that they run to their end on the spot: no sleep, no lock, no queue, no future."""
    source = inspect.getsource(RTCSctpTransport)
    awaited = {line.split("await ")[1].split("(")[0].strip() for line in source.splitlines() if "await " in line}
    assert all(name.startswith(("self._", "self.__transport._send_data")) for name in awaited), awaited

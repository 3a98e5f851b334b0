"""What `sightline.rtc.ice` uses of aioice beyond its documented API is as it was when we built on it.

The table of hooks stands in `connection.py`. When aioice is updated and this module fails: read what has changed, mend
`connection.py` and `protocol.py`, run the other tests of this folder, and only then write down the new fingerprints.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.metadata
import inspect
import re
import tomllib
from pathlib import Path

import pytest
from aioice import Connection, TransportPolicy
from aioice.ice import CandidatePair, StunProtocol

from sightline.rtc.ice.connection import CheckedConnection
from sightline.rtc.ice.protocol import AgentProtocol

ROOT = Path(__file__).parents[4]

VERSION = "0.13.0"

FINGERPRINTS = [
    ("aioice.ice.Connection.__init__", "a99ae9c97fc66a2e"),
    ("aioice.ice.Connection.add_remote_candidate", "d3a0826c92fa8ce6"),
    ("aioice.ice.Connection.gather_candidates", "d33db28d4d1e49ff"),
    ("aioice.ice.Connection.get_component_candidates", "118597a9fcb703f9"),
    ("aioice.ice.Connection.connect", "da51be46190141ee"),
    ("aioice.ice.Connection.close", "25dcfac536f5f37c"),
    ("aioice.ice.Connection.data_received", "5631b17fab717d6b"),
    ("aioice.ice.Connection.query_consent", "fe49173a650a378a"),
    ("aioice.ice.Connection.protocol_lost", "447ed44956b65806"),
    ("aioice.ice.Connection.build_request", "cd68d42d3765c2d1"),
    ("aioice.ice.Connection.check_complete", "52f939709eabc0ab"),
    ("aioice.ice.Connection.check_incoming", "cb3e32bd47e5fa82"),
    ("aioice.ice.Connection.check_start", "7de056d252f46a15"),
    ("aioice.ice.Connection.check_start_task", "eb605c47cf891be8"),
    ("aioice.ice.Connection.check_state", "73e4bbf6effd6de1"),
    ("aioice.ice.Connection.sort_check_list", "b3e36a4e19816cc1"),
    ("aioice.ice.Connection.request_received", "dcdc9a3862c1a0b4"),
    ("aioice.ice.Connection.respond_error", "d8a6590011ddcb80"),
    ("aioice.ice.Connection.switch_role", "b791e5e2cbae9534"),
    ("aioice.ice.Connection._add_remote_candidate", "829722cc3b13d3c1"),
    ("aioice.ice.Connection._pair_remote_candidate", "bf264fc1c6761107"),
    ("aioice.ice.Connection._check_periodic", "ce421a512904f981"),
    ("aioice.ice.Connection._check_list_maybe_complete", "b190e289adad3622"),
    ("aioice.ice.Connection._check_list_maybe_fail", "47cca0213103b400"),
    ("aioice.ice.Connection._end_remote_candidates", "1ce65dec263370b3"),
    ("aioice.ice.Connection._prune_components", "a52a970f4bb9089f"),
    ("aioice.ice.Connection._find_pair", "565827d19484de08"),
    ("aioice.ice.Connection._valid_username", "865c96811f8030c2"),
    ("aioice.ice.CandidatePair", "774b28dfe5e6b51d"),
    ("aioice.ice.StunProtocol", "a6e5692f3cf7578e"),
    ("aioice.ice.candidate_pair_priority", "53ca61d768dce98e"),
    ("aioice.candidate.Candidate", "9e1311f0b8b410cb"),
    ("aioice.candidate.candidate_foundation", "1a30627eb8ff5dab"),
    ("aioice.candidate.candidate_priority", "6feededb042039d0"),
    ("aioice.stun.Message", "425b16298259ce70"),
    ("aioice.stun.Transaction", "7a9c44cb879be050"),
    ("aioice.stun.parse_message", "3a0a63ed663f89e6"),
    ("aioice.stun.padding_length", "2a9710d2f97e8655"),
]
"""Of the source text of everything that we override, call, or rely on to call us, in the version above."""

ATTRIBUTES = {
    "_check_list": list,
    "_closing": bool,
    "_local_candidates": list,
    "_nominated": dict,
    "_protocols": list,
    "_remote_candidates": list,
    "ice_controlling": bool,
}


def test_the_version_is_pinned_exactly() -> None:
    assert importlib.metadata.version("aioice") == VERSION
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert f"aioice=={VERSION}" in extras["media"]


@pytest.mark.parametrize(("name", "fingerprint"), FINGERPRINTS)
def test_the_source_is_what_we_built_on(name: str, fingerprint: str) -> None:
    package, module, *path = name.split(".")
    found: object = importlib.import_module(f"{package}.{module}")
    for part in path:
        found = getattr(found, part)
    source = inspect.getsource(found)  # type: ignore[arg-type]
    assert hashlib.sha256(source.encode()).hexdigest()[:16] == fingerprint, f"{name} has changed: see above"


@pytest.mark.parametrize("ours", [CheckedConnection, AgentProtocol])
def test_what_we_override_exists_and_takes_the_same_arguments(ours: type) -> None:
    base = ours.__mro__[1]
    assert base in (Connection, StunProtocol)
    overridden = [name for name in vars(ours) if name in vars(base) and not name.startswith("__")]
    assert overridden
    for name in overridden:
        assert list(inspect.signature(getattr(ours, name)).parameters) == list(
            inspect.signature(getattr(base, name)).parameters
        ), name


async def test_attributes_that_we_read_and_write() -> None:
    connection = Connection(ice_controlling=False, transport_policy=TransportPolicy.RELAY)
    for name, kind in ATTRIBUTES.items():
        assert isinstance(getattr(connection, name), kind), name
    assert {"task", "nominated", "state", "protocol", "remote_candidate"} <= vars(
        CandidatePair(StunProtocol(connection), None)  # type: ignore[arg-type]
    ).keys()
    assert {"FROZEN", "WAITING", "IN_PROGRESS", "SUCCEEDED", "FAILED"} == set(CandidatePair.State.__members__)
    assert isinstance(StunProtocol(connection).transactions, dict)
    await connection.close()


def test_the_table_names_every_private_hook() -> None:
    """A single underscore of aioice's in our source is a hook, and stands in the table."""
    folder = ROOT / "src" / "sightline" / "rtc" / "ice"
    private = {name for name in dir(Connection(ice_controlling=False)) if re.fullmatch(r"_[a-z][a-z_]*", name)}
    places = {
        "connection.py": r"self\.(_[a-z_]+)",
        "agent.py": r"_connection\.(_[a-z_]+)",
        "protocol.py": r"\b(_[a-z_]+)\(",
    }
    used = {
        name
        for file, place in places.items()
        for name in re.findall(place, (folder / file).read_text())
        if name in private
    }
    table = (folder / "connection.py").read_text().split('"""')[1]
    assert used
    assert not [name for name in used if name not in table]


def test_our_own_attributes_hide_none_of_aioices() -> None:
    theirs = dir(Connection(ice_controlling=False))
    source = inspect.getsource(CheckedConnection.__init__)
    ours = re.findall(r"self\.(\w+)(?:: [^=]+)? = ", source)
    assert ours
    assert not [name for name in ours if name in theirs]

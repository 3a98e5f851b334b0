"""The tree of errors: stable ids, and what stands on the wire (KVS.md §2.4)."""

from __future__ import annotations

import re

import pytest

from sightline import errors
from sightline.errors import KvsError, LinkError, ServiceRefused, SightlineError, SignatureRejected


def all_errors(root: type[SightlineError] = SightlineError) -> list[type[SightlineError]]:
    """The classes of errors.py."""
    found = [root]
    for child in root.__subclasses__():
        if child.__module__ == errors.__name__:
            found += all_errors(child)
    return found


def test_each_has_an_id_of_its_own() -> None:
    """The ids are anchors in the documentation and what `doctor` prints: they never change."""
    ids = [error.id for error in all_errors()]
    assert len(ids) == len(set(ids))
    assert all(re.fullmatch(r"[a-z]+(-[a-z]+)*(/[a-z]+(-[a-z]+)*)?", name) for name in ids)


def test_the_drawn_tree_is_the_real_one() -> None:
    drawn: list[tuple[int, str]] = []
    for line in (errors.__doc__ or "").splitlines():
        if match := re.match(r"    ([│ ├└─]*)(\w+)", line):
            drawn.append((len(match[1]) // 4, match[2]))
    parents: dict[str, str] = {}
    above: list[str] = []
    for depth, name in drawn:
        del above[depth:]
        parents[name] = above[-1] if above else "Exception"
        above.append(name)
    assert parents == {error.__name__: error.__mro__[1].__name__ for error in all_errors()}


def test_all_of_them_are_public() -> None:
    assert {error.__name__ for error in all_errors()} == set(errors.__all__)


@pytest.mark.parametrize(
    ("name", "kvs_name", "status"),
    [
        ("InvalidArgument", "InvalidArgumentException", 400),
        ("ClientLimitExceeded", "ClientLimitExceededException", 400),
        ("AccountChannelLimitExceeded", "AccountChannelLimitExceededException", 400),
        ("TagsPerResourceExceeded", "TagsPerResourceExceededLimitException", 400),
        ("ResourceInUse", "ResourceInUseException", 400),
        ("VersionMismatch", "VersionMismatchException", 400),
        ("NoDataRetention", "NoDataRetentionException", 400),
        ("ResourceNotFound", "ResourceNotFoundException", 404),
        ("AccessDenied", "AccessDeniedException", 401),
        ("NotAuthorized", "NotAuthorizedException", 401),
        ("SignatureRejected", "InvalidSignatureException", 403),
    ],
)
def test_what_kvs_calls_them(name: str, kvs_name: str, status: int) -> None:
    error = getattr(errors, name)("Something happened. Do this.")
    assert isinstance(error, KvsError)
    assert (error.kvs_name, error.http_status) == (kvs_name, status)
    assert str(error) == error.message == "Something happened. Do this."


def test_each_that_kvs_names_is_in_the_table_above() -> None:
    names = [error.kvs_name for error in all_errors(KvsError) if issubclass(error, KvsError) and error is not KvsError]
    assert len(names) == len(set(names)) == 11


def test_what_they_carry() -> None:
    assert SignatureRejected("x").code == "InvalidSignatureException"
    assert SignatureRejected("x", code="ExpiredTokenException").code == "ExpiredTokenException"
    link = LinkError("link-expired", "x", http_status=403)
    assert (link.reason, link.http_status, LinkError("a", "b").http_status) == ("link-expired", 403, 401)
    refused = ServiceRefused("x", code="C", status=404)
    assert (refused.code, refused.status) == ("C", 404)

"""A viewer's role can be taken away by what the service says, and never be gained."""

from __future__ import annotations

from sightline.sessions.viewer_role import HeldRole


def test_it_is_that_of_the_socket_under_which_the_session_began() -> None:
    assert HeldRole("operator").at(1e9) == "operator"
    assert HeldRole(None).at(0) is None


def test_another_socket_under_the_same_id_gives_nothing() -> None:
    role = HeldRole("viewer")
    role.opened("operator")
    assert role.at(0) == "viewer"
    nobody = HeldRole(None)
    nobody.opened("operator")
    assert nobody.at(0) is None


def test_another_socket_under_the_same_id_takes() -> None:
    role = HeldRole("operator")
    role.opened("viewer")
    role.opened("operator")
    assert role.at(0) == "viewer"


def test_a_role_of_a_newer_service_is_no_more_than_a_viewers() -> None:
    role = HeldRole("operator")
    role.opened("gardener")
    assert role.at(0) == "gardener"


def test_it_outlives_a_short_absence_of_the_socket() -> None:
    role = HeldRole("operator")
    role.closed("operator", 100)
    assert role.at(159) == "operator"
    assert role.at(160) is None
    role.opened("operator")
    assert role.at(1e9) == "operator"


def test_a_revoked_link_ends_it_at_once() -> None:
    role = HeldRole("operator")
    role.closed(None, 100)
    assert role.at(100) is None
    role.opened("operator")
    assert role.at(101) is None


def test_a_master_that_connects_anew_waits_to_be_told() -> None:
    role = HeldRole("operator")
    role.unknown(100)
    assert role.at(130) == "operator"
    role.opened("operator")
    assert role.at(1000) == "operator"
    role.unknown(2000)
    assert role.at(2060) is None

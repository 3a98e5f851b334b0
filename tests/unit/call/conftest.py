"""The service in whose rooms these tests call each other."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.unit.call.rooms import running
from tests.unit.service.inside import Inside


@pytest.fixture
async def service() -> AsyncIterator[Inside]:
    async with running(open_lobby="local") as service:
        yield service

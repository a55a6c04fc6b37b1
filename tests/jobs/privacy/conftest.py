"""Fixtures of the privacy tests."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from jobs.services import Services, open_services
from tests.live_services import make_settings


@pytest.fixture
async def either(tmp_path: Path, database_url: str | None) -> AsyncIterator[Services]:
    """Services on SQLite, and one on PostgreSQL."""
    async with open_services(
        make_settings(tmp_path, **({"database_url": database_url} if database_url else {}))
    ) as opened_services:
        yield opened_services

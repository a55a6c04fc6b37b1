"""What tests of the bots share: a Bot API server whose requests kept to the published API, and pictures drawn once."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from bots.runtime import session_store
from tests.fakes import remembering_studio
from tests.fakes.telegram_server import TelegramServer


@pytest.fixture
async def server() -> AsyncIterator[TelegramServer]:
    async with TelegramServer() as running:
        yield running
        assert running.violations == []


@pytest.fixture(scope="module")
def remembered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the studio keeps what it did, for the next chat that asks the same of it."""
    return tmp_path_factory.mktemp("remembered")


@pytest.fixture
def same_pictures(monkeypatch: pytest.MonkeyPatch, remembered: Path) -> None:
    """Fix a conversation's nonce, which seeds its portraits: no measure of these is beyond 60 % of its limit."""
    monkeypatch.setenv(remembering_studio.FOLDER, str(remembered))
    monkeypatch.setattr(session_store, "secrets", SimpleNamespace(token_hex=lambda length: "00" * length))

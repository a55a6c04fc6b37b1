"""A press whose words come after its acknowledgement: they are a message, which goes with everything else."""

from __future__ import annotations

from pathlib import Path

import pytest

from bots.platforms.telegram import messages
from tests.chats import Chat, has_photos, running_bot


async def test_words_that_come_late_are_deleted_with_the_account(
    chat: Chat, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(messages, "ACKNOWLEDGED_S", 0.0)  # every handling takes longer, as on a busy machine
    async with running_bot(tmp_path, chat):
        ana = chat.person(7)
        await has_photos(ana)
        await ana.presses("Take back")
        await ana.sees("Photo 2 is deleted.")
        assert "Photo 2 is deleted." in ana.screen(), "a message, not a press's own answer"
        await ana.says("/forget")
        await ana.presses("Delete everything")
        await ana.sees("Everything is deleted")
        assert len(ana.screen()) == 1, ana.screen()

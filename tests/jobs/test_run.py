"""Parts of a process are started again when they fail; what no further try mends ends it."""

from __future__ import annotations

import pytest

from core.errors import AtelierError, SetupWrong
from jobs import run


async def test_a_part_is_started_again_whatever_it_raises(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "PAUSE_S", (0.01, 0.02))
    errors = iter([AtelierError("away for a moment"), RuntimeError("a bug"), ExceptionGroup("two", [OSError("away")])])

    async def part() -> None:
        if (error := next(errors, None)) is not None:
            raise error

    await run._kept("bot", part)
    assert next(errors, None) is None


async def test_a_wrong_setting_ends_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    async def part() -> None:
        raise SetupWrong("no such token")

    with pytest.raises(SetupWrong, match="no such token"):
        await run._kept("bot", part)

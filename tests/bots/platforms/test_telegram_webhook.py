"""Updates behind a webhook: only with the secret, at the address's own path, confirmed when they are safe."""

from __future__ import annotations

from pathlib import Path

import pytest
from chats import begins, running_bot
from fakes.telegram_server import TelegramServer
from pydantic import SecretStr

from jobs import settings as s


async def test_a_webhook_without_a_secret_is_refused() -> None:
    with pytest.raises(s.SettingsWrong, match="TELEGRAM_WEBHOOK_SECRET"):
        s.load(telegram_webhook="https://example.org/hook")


async def test_a_webhook_takes_updates_and_refuses_who_does_not_know_the_secret(
    server: TelegramServer, tmp_path: Path, unused_tcp_port: int
) -> None:
    address = f"http://127.0.0.1:{unused_tcp_port}/hook"
    more = {
        "telegram_webhook": address,
        "telegram_webhook_secret": SecretStr("quiet"),
        "telegram_webhook_port": unused_tcp_port,
    }
    async with running_bot(tmp_path, server, **more):
        ana = server.person(7)
        await server.until(lambda: server.webhook.get("url") == address)
        await begins(ana)
        await ana.says("/help")
        await ana.sees("How it works")
        server.webhook["secret_token"] = "guessed"
        await ana.says("/privacy")
        assert not any("What I keep of you" in text for text in ana.screen())

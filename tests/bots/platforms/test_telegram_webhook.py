"""Updates behind a webhook: only with the secret, at the address's own path, confirmed when they are safe."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession
from pydantic import SecretStr

from bots.platforms.telegram import webhook
from jobs import settings as s
from tests.chats import begins, running_bot
from tests.fakes.telegram_server import TelegramServer


async def test_a_webhook_without_a_secret_is_refused() -> None:
    with pytest.raises(s.SettingsWrong, match="TELEGRAM_WEBHOOK_SECRET"):
        s.load(telegram_webhook="https://example.org/hook")


async def test_a_webhook_takes_updates_and_refuses_who_does_not_know_the_secret(
    server: TelegramServer, tmp_path: Path, unused_tcp_port: int
) -> None:
    address = f"http://127.0.0.1:{unused_tcp_port}/hook"
    async with running_bot(tmp_path, server, **_settings(address, unused_tcp_port)):
        ana = server.person(7)
        await server.until(lambda: server.webhook.get("url") == address)
        await begins(ana)
        await ana.says("/help")
        await ana.sees("How it works")
        assert set(server.delivered) == {200}
        server.webhook["secret_token"] = "guessed"
        await ana.says("/privacy")
        assert server.delivered[-1] == 403
        assert not any("What I keep of you" in text for text in ana.screen())


async def test_a_webhook_listens_at_the_whole_path_and_refuses_what_is_no_update(
    server: TelegramServer, tmp_path: Path, unused_tcp_port: int
) -> None:
    address = f"http://127.0.0.1:{unused_tcp_port}/bots/one/hook"
    async with running_bot(tmp_path, server, **_settings(address, unused_tcp_port)):
        ana = server.person(7)
        await server.until(lambda: server.webhook.get("url") == address)
        await begins(ana)
        headers = {"X-Telegram-Bot-Api-Secret-Token": "quiet"}
        async with ClientSession() as http:
            for path, body, status in (
                ("/hook", "{}", 404),
                ("/bots/one/hook", "[]", 400),
                ("/bots/one/hook", "{", 400),
            ):
                url = f"http://127.0.0.1:{unused_tcp_port}{path}"
                async with http.post(url, data=body, headers=headers) as answer:
                    assert answer.status == status


async def test_an_update_behind_a_webhook_is_confirmed_only_when_it_is_safe(
    server: TelegramServer, tmp_path: Path, unused_tcp_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhook, "ANSWER_S", 0.5)
    address = f"http://127.0.0.1:{unused_tcp_port}/hook"
    async with running_bot(tmp_path, server, **_settings(address, unused_tcp_port)) as services:
        ana = server.person(7)
        await server.until(lambda: server.webhook.get("url") == address)
        await begins(ana)
        async with services.database.write():  # everybody else waits for it
            said = asyncio.create_task(ana.says("/help"))
            await server.until(lambda: 503 in server.delivered)
        await said
        await ana.sees("How it works")
        assert server.delivered[-1] == 200


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("http://example.org/hook", "https"),
        ("https://example.org:8081/hook", "443, 80, 88, 8443"),
        ("https://example.org/hook?key=1", "query"),
        ("https:///hook", "host"),
        ("hook", "https"),
    ],
)
def test_an_address_that_telegram_cannot_send_to_is_refused_before_the_start(address: str, why: str) -> None:
    with pytest.raises(s.SettingsWrong, match=why):
        s.load(telegram_webhook=address, telegram_webhook_secret="quiet")


@pytest.mark.parametrize("secret", ["", "with blank", "ä", "x" * 257])
def test_a_secret_that_telegram_does_not_take_is_refused_before_the_start(secret: str) -> None:
    with pytest.raises(s.SettingsWrong, match="1 to 256"):
        s.load(telegram_webhook="https://example.org/hook", telegram_webhook_secret=secret)


def _settings(address: str, port: int) -> dict[str, Any]:
    return {
        "telegram_webhook": address,
        "telegram_webhook_secret": SecretStr("quiet"),
        "telegram_webhook_port": port,
    }

"""In groups the bot answers who addresses it, with a link to the private chat; nothing is fetched or kept."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import func, select

from jobs.storage import schema as t
from tests.chats import running_bot
from tests.fakes.picture_studio import picture
from tests.fakes.telegram_server import BOT, TelegramServer

GROUP = -100123
LINK = "https://t.me/atelier_test_bot?start=group"


async def test_only_what_is_addressed_to_the_bot_is_answered(server: TelegramServer, tmp_path: Path) -> None:
    async with running_bot(tmp_path, server) as services:
        ana = server.person(7)
        for words in ("/weather", "/ban@other_bot", "/start@other_bot", "hello all", "ask @atelier_test_bot_2"):
            await ana.says(words, group=GROUP)
        await ana.sends(picture("gray"), picture("gray", mark="2"), group=GROUP)
        await ana.sends(picture("gray"), group=GROUP, as_file=True)
        assert server.group_texts(GROUP) == []

        addressed = ("/start", "/Help@Atelier_Test_Bot now", "@atelier_test_bot make me a portrait")
        for n, words in enumerate(addressed, 1):
            await ana.says(words, group=GROUP)
            await server.until(partial(lambda n: len(server.group_texts(GROUP)) == n, n))
        await ana.sends(picture("gray"), group=GROUP, caption="for @atelier_test_bot")
        await server.until(lambda: len(server.group_texts(GROUP)) == 4)
        assert all(LINK in text for text in server.group_texts(GROUP))
        assert server.count("getFile") == 0
        async with services.database.read() as tx:
            assert (await tx.c.execute(select(func.count()).select_from(t.accounts))).scalar_one() == 0


@pytest.mark.parametrize("topics", [False, True])
async def test_a_reply_to_the_bot_is_answered_in_its_topic_where_there_are_topics(
    server: TelegramServer, tmp_path: Path, topics: bool
) -> None:
    """In a group without topics a reply carries `message_thread_id` too, and sending with it is refused."""
    if topics:
        server.topics.add(GROUP)
    async with running_bot(tmp_path, server):
        ana = server.person(7)
        quoted = server.messages.add(GROUP, BOT, text="said before")
        thread = {"message_thread_id": 5, **({"is_topic_message": True} if topics else {})}
        await ana.says("and me?", group=GROUP, reply_to_message=quoted, **thread)
        await server.until(lambda: len(server.group_texts(GROUP)) == 2)
    sent = next(call.params for call in server.calls if call.method == "sendMessage")
    assert ("message_thread_id" in sent) == topics


async def test_a_button_pressed_in_a_group_is_acknowledged_and_leads_to_the_private_chat(
    server: TelegramServer, tmp_path: Path
) -> None:
    async with running_bot(tmp_path, server):
        ana = server.person(7)
        message = server.messages.add(GROUP, BOT, text="shared")
        await ana.presses_data("1go:x:y:1", message)
        await server.until(lambda: any(LINK in toast for toast in ana.toasts))
    assert server.count("sendMessage") == 0

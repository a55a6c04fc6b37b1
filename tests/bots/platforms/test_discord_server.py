"""The fake Discord keeps messages for real discord.py, and refuses what the real Discord refuses."""

from __future__ import annotations

import io
from typing import Any

import discord
import pytest
from discord import ui

from tests.discord_bots import (
    CONTAINER,
    FILE,
    GALLERY,
    PICTURE,
    ROW,
    SELECT,
    Bot,
    button,
    refused,
    rows,
    text,
)
from tests.fakes.discord_messages import V2
from tests.fakes.discord_server import DiscordServer
from tests.fakes.picture_studio import picture


async def test_a_photo_in_a_dm_is_heard_and_its_link_expires(discord_server: DiscordServer, bot: Bot) -> None:
    ana = discord_server.person(7)
    await ana.sends(PICTURE, text="hello")
    message = await bot.hears()
    assert (message.content, message.author.id, message.guild) == ("hello", 7, None)
    (photo,) = message.attachments
    assert (photo.size, photo.width, photo.height, photo.content_type) == (len(PICTURE), 40, 50, "image/jpeg")
    assert await photo.read() == PICTURE
    discord_server.clock.advance(25 * 3600)
    with pytest.raises(discord.NotFound):
        await photo.read()
    again = await message.channel.fetch_message(message.id)
    assert await again.attachments[0].read() == PICTURE
    with pytest.raises(discord.NotFound):
        await bot.http.get_from_cdn(again.attachments[0].url.replace("hm=", "hm=0"))


async def test_in_a_server_messages_come_without_their_content(discord_server: DiscordServer, bot: Bot) -> None:
    ana = discord_server.person(7)
    channel = discord_server.guild(ana)
    await ana.sends(PICTURE, text="look", channel=channel)
    message = await bot.hears()
    assert (message.content, message.attachments) == ("", [])
    assert isinstance(message.channel, discord.TextChannel)
    assert message.channel.name == "general"


async def test_a_layout_with_a_picture_is_sent_edited_and_deleted(discord_server: DiscordServer, bot: Bot) -> None:
    ana = discord_server.person(7)
    dm = await bot.create_dm(discord.Object(7))
    view = ui.LayoutView(timeout=None)
    gallery: ui.MediaGallery[ui.LayoutView] = ui.MediaGallery(
        discord.MediaGalleryItem("attachment://a.jpg", description="a portrait")
    )
    view.add_item(ui.Container(gallery, ui.TextDisplay("1/2"), ui.ActionRow(ui.Button(label="Next", custom_id="n"))))
    sent = await dm.send(view=view, files=[discord.File(io.BytesIO(PICTURE), "a.jpg", description="a portrait")])
    assert ana.screen() == ["1/2"]
    assert ana.buttons() == ["Next"]
    (container,) = sent.components
    assert isinstance(container, discord.components.Container)
    shown = container.children[0]
    assert isinstance(shown, discord.components.MediaGalleryComponent)
    (picture_shown,) = shown.items
    assert (picture_shown.media.width, picture_shown.description) == (40, "a portrait")
    assert await bot.http.get_from_cdn(picture_shown.media.url) == PICTURE

    other = picture("red", (40, 50))
    view = ui.LayoutView(timeout=None)
    view.add_item(ui.MediaGallery(discord.MediaGalleryItem("attachment://b.jpg")))
    await sent.edit(view=view, attachments=[discord.File(io.BytesIO(other), "b.jpg")])
    assert [stored.name for stored in ana.chat()[0].attachments] == ["b.jpg"]
    await sent.edit(view=view)
    assert [stored.name for stored in ana.chat()[0].attachments] == ["b.jpg"], "what is not named is kept"
    await sent.delete()
    assert ana.chat() == []
    await refused(sent.delete(), 10008)


ALLOWED: list[tuple[str, list[dict[str, Any]]]] = [
    ("40 components", [text(), *rows(32)]),
    ("an id of 100", [{"type": ROW, "components": [button(id="x" * 100)]}]),
    ("4,000 characters", [text("x" * 2000), text("y" * 2000)]),
    ("25 choices", [{"type": ROW, "components": [{"type": SELECT, "custom_id": "s", "options": [
        {"label": str(i), "value": str(i)} for i in range(25)]}]}]),
]  # fmt: skip
FORBIDDEN: list[tuple[str, list[dict[str, Any]]]] = [
    ("no component", []),
    ("41 components", [text(), text(), *rows(32)]),
    ("an id of 101", [{"type": ROW, "components": [button(id="x" * 101)]}]),
    ("an id twice", [{"type": ROW, "components": [button("A"), button("B")]}]),
    ("an id twice, once in a container", [{"type": ROW, "components": [button()]},
                                         {"type": CONTAINER, "components": [{"type": ROW, "components": [button()]}]}]),
    ("4,001 characters", [text("x" * 2000), text("y" * 2001)]),
    ("an empty text", [text("")]),
    ("six buttons in a row", [{"type": ROW, "components": [button(id=str(i)) for i in range(6)]}]),
    ("a label of 81", [{"type": ROW, "components": [button("x" * 81)]}]),
    ("no label", [{"type": ROW, "components": [button("")]}]),
    ("11 pictures", [{"type": GALLERY, "items": [{"media": {"url": f"https://a.b/{i}.png"}} for i in range(11)]}]),
    ("an alt of 1,025", [{"type": GALLERY, "items": [{"media": {"url": "https://a.b/c"}, "description": "x" * 1025}]}]),
    ("an unknown attachment", [{"type": GALLERY, "items": [{"media": {"url": "attachment://nowhere.png"}}]}]),
    ("a file by a link", [{"type": FILE, "file": {"url": "https://a.b/c.zip"}}]),
    ("a container in a container", [{"type": CONTAINER, "components": [{"type": CONTAINER, "components": [text()]}]}]),
    ("a button without a row", [button()]),
    ("26 choices", [{"type": ROW, "components": [{"type": SELECT, "custom_id": "s", "options": [
        {"label": str(i), "value": str(i)} for i in range(26)]}]}]),
    ("a choice twice", [{"type": ROW, "components": [{"type": SELECT, "custom_id": "s", "options": [
        {"label": "a", "value": "a"}, {"label": "b", "value": "a"}]}]}]),
    ("two menus in a row", [{"type": ROW, "components": [
        {"type": SELECT, "custom_id": id, "options": [{"label": "a", "value": "a"}]} for id in "ab"]}]),
]  # fmt: skip


@pytest.mark.parametrize(("what", "components"), ALLOWED, ids=[what for what, _ in ALLOWED])
async def test_what_just_fits_is_sent(
    discord_server: DiscordServer, bot: Bot, what: str, components: list[dict[str, Any]]
) -> None:
    sent = await bot.send(discord_server.person(7).dm.id, flags=V2, components=components)
    assert len(sent["components"]) == len(components)


@pytest.mark.parametrize(("what", "components"), FORBIDDEN, ids=[what for what, _ in FORBIDDEN])
@pytest.mark.usefixtures("unchecked")
async def test_a_layout_that_breaks_a_limit_is_refused(
    discord_server: DiscordServer, bot: Bot, what: str, components: list[dict[str, Any]]
) -> None:
    ana = discord_server.person(7)
    await refused(bot.send(ana.dm.id, flags=V2, components=components), 50035)
    sent = await bot.send(ana.dm.id, flags=V2, components=[text()])
    await refused(bot.edit(sent["id"], ana.dm.id, components=components), 50035)
    assert ana.screen() == ["words"]


async def test_words_and_components_do_not_mix_and_the_flag_stays(discord_server: DiscordServer, bot: Bot) -> None:
    dm = discord_server.person(7).dm.id
    await refused(bot.send(dm, flags=V2, content="words", components=[text()]), 50035)
    await refused(bot.send(dm, content="x" * 2001), 50035)
    await refused(bot.send(dm, content=" "), 50006)
    layout = await bot.send(dm, flags=V2, components=[text()])
    await refused(bot.edit(layout["id"], dm, content="words"), 50035)
    await refused(bot.edit(layout["id"], dm, flags=0, components=[text("new")]), 50035)
    plain = await bot.send(dm, content="words")
    await refused(bot.edit(plain["id"], dm, flags=V2, components=[text()]), 50035)
    changed = await bot.edit(plain["id"], dm, flags=V2, content=None, components=[text()])
    assert changed["flags"] & V2


async def test_nobody_is_mentioned_unless_it_is_allowed(discord_server: DiscordServer, bot: Bot) -> None:
    dm = discord_server.person(7).dm.id
    assert (await bot.send(dm, flags=V2, components=[text("@everyone")]))["mention_everyone"]
    none: dict[str, Any] = {"parse": []}
    sent = await bot.send(dm, flags=V2, components=[text("@everyone")], allowed_mentions=none)
    assert not sent["mention_everyone"]


async def test_what_cannot_be_reached_is_refused(discord_server: DiscordServer, bot: Bot) -> None:
    ana, ben = discord_server.person(7), discord_server.person(9, "Ben")
    ana.closed = True
    await refused(bot.send(ana.dm.id, content="hello"), 50007)
    await refused(bot.create_dm(discord.Object(8)), 10013)
    await refused(bot.send("1", content="hello"), 10003)
    theirs = await ben.sends(text="mine")
    await refused(bot.edit(theirs.id, ben.dm.id, content="yours"), 50005)
    await refused(bot.edit("1", ben.dm.id, content="nothing"), 10008)
    await refused(bot.send(discord_server.guild(ben, bot=False).id, content="hello"), 50001)
    sent = await bot.send(ben.dm.id, content="a")
    await refused(bot.edit(sent["id"], ana.dm.id, content="b"), 10008)


async def test_a_file_over_the_limit_is_refused(discord_server: DiscordServer, bot: Bot) -> None:
    ana = discord_server.person(7)
    dm = await bot.create_dm(discord.Object(7))
    just = bytes(10 * 1024 * 1024)
    await dm.send(file=discord.File(io.BytesIO(just), "a.bin"))
    await refused(dm.send(file=discord.File(io.BytesIO(just + b"x"), "a.bin")), 40005)
    await refused(dm.send(files=[discord.File(io.BytesIO(just), f"{i}.bin") for i in range(3)]), 40005)
    assert len(ana.chat()) == 1
    boosted = discord_server.guild(ana, tier=2)
    await discord_server.until(lambda: bot.get_channel(int(boosted.id)) is not None)
    channel = bot.get_channel(int(boosted.id))
    assert isinstance(channel, discord.TextChannel)
    await channel.send(file=discord.File(io.BytesIO(just + b"x"), "a.bin"))

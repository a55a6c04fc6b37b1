"""The fake Discord's interactions and commands, used and refused as on the real one."""

from __future__ import annotations

from typing import Any, cast

import discord
import pytest
from discord import ui

from tests.discord_bots import (
    PICTURE,
    Bot,
    online,
    refused,
)
from tests.fakes.discord_server import DiscordServer


def two(bot: Bot) -> list[discord.app_commands.Command[Any, Any, Any]]:
    """Give the bot a command with a photo and words."""

    @bot.tree.command(name="headshot", description="Make a headshot")
    async def headshot(
        interaction: discord.Interaction, photo: discord.Attachment | None = None, words: str = ""
    ) -> None: ...

    return [headshot]


def data_of(interaction: discord.Interaction[Any]) -> dict[str, Any]:
    """What a press or a command carries, as the gateway sent it."""
    return cast("dict[str, Any]", interaction.data)


async def test_a_command_with_a_photo_is_answered_once_and_in_time(discord_server: DiscordServer, bot: Bot) -> None:
    two(bot)
    await bot.tree.sync()
    ana = discord_server.person(7, language="es")
    await ana.commands("headshot", photo=PICTURE)
    asked = await bot.is_asked()
    assert (asked.locale.value, asked.user.id, asked.context.dm_channel) == ("es-ES", 7, True)
    assert asked.filesize_limit == 10 * 1024 * 1024
    (stored,) = data_of(asked)["resolved"]["attachments"].values()
    assert await bot.http.get_from_cdn(stored["url"]) == PICTURE
    await refused(asked.followup.send("too early"), 10015)
    await asked.response.send_message("one moment", ephemeral=True)
    assert "answered" in ana.waited
    asked.response._response_type = None
    await refused(asked.response.defer(), 40060)
    (shown,) = ana.chat()
    assert shown.ephemeral_for == "7"
    await refused(bot.edit(shown.id, ana.dm.id, content="with the bot's token"), 10008)
    await asked.edit_original_response(content="done")
    assert ana.screen() == ["done"]

    await ana.commands("headshot")
    late = await bot.is_asked()
    discord_server.clock.advance(3.1)
    await refused(late.response.defer(), 10062)
    assert [i.id for i in discord_server.interactions.unanswered()] == [str(late.id)]
    discord_server.interactions.all.clear()
    await refused(asked.followup.send("unknown"), 50027)


async def test_a_token_ends_after_fifteen_minutes(discord_server: DiscordServer, bot: Bot) -> None:
    two(bot)
    await bot.tree.sync()
    ana = discord_server.person(7)
    await ana.commands("headshot")
    asked = await bot.is_asked()
    await asked.response.defer(ephemeral=True, thinking=True)
    assert ana.chat() == [], "thinking is no answer"
    discord_server.clock.advance(14 * 60)
    view = ui.LayoutView()
    view.add_item(ui.TextDisplay("nearly"))
    answer = await asked.followup.send(view=view, wait=True)
    assert (ana.screen(), answer.flags.ephemeral) == (["nearly"], True), "the first follow-up is the deferred answer"
    second = await asked.followup.send("second", ephemeral=True, wait=True)
    await second.edit(content="changed")
    assert ana.screen() == ["nearly", "changed"]
    await second.delete()
    await refused(second.delete(), 10008)
    discord_server.clock.advance(61)
    await refused(asked.followup.send("too late"), 50027)
    await refused(asked.edit_original_response(content="too late"), 50027)


async def test_a_button_updates_its_message_and_only_components_can(discord_server: DiscordServer, bot: Bot) -> None:
    two(bot)
    await bot.tree.sync()
    ana = discord_server.person(7)
    view = ui.LayoutView(timeout=None)
    view.add_item(ui.ActionRow(ui.Button(label="Go", custom_id="go")))
    dm = await bot.create_dm(discord.Object(7))
    await dm.send(view=view)
    await ana.presses("Go")
    pressed = await bot.is_asked()
    assert pressed.message is not None
    assert data_of(pressed)["custom_id"] == "go"
    assert bot.user is not None
    assert pressed.message.author.id == bot.user.id
    await pressed.response.defer()
    new = ui.LayoutView(timeout=None)
    new.add_item(ui.TextDisplay("gone"))
    await pressed.edit_original_response(view=new)
    assert ana.screen() == ["gone"]
    await pressed.followup.send("a toast", ephemeral=True)
    assert ana.screen() == ["gone", "a toast"]

    await ana.commands("headshot")
    asked = await bot.is_asked()
    adapter = discord.webhook.async_.async_context.get()
    params = discord.webhook.async_.interaction_response_params(type=7, data={"content": "no message to update"})
    await refused(
        adapter.create_interaction_response(asked.id, asked.token, session=asked._session, params=params), 50035
    )


async def test_a_form_brings_files_and_choices(discord_server: DiscordServer, bot: Bot) -> None:
    two(bot)
    await bot.tree.sync()
    ana = discord_server.person(7)

    class Photos(ui.Modal, title="Your photos"):
        photos: Any = ui.Label(text="Photos", component=ui.FileUpload(custom_id="files", min_values=1, max_values=10))
        look: Any = ui.Label(
            text="Look",
            component=ui.Select(custom_id="look", options=[discord.SelectOption(label="Office", value="office")]),
        )

    await ana.commands("headshot")
    await (await bot.is_asked()).response.send_modal(Photos())
    with pytest.raises(ValueError, match="1 to 10"):
        await ana.fills(look="office")
    await ana.commands("headshot")
    await (await bot.is_asked()).response.send_modal(Photos())
    await ana.fills(PICTURE, PICTURE, look="office")
    sent = await bot.is_asked()
    assert sent.type is discord.InteractionType.modal_submit
    assert len(data_of(sent)["resolved"]["attachments"]) == 2
    assert [c["component"].get("values") for c in data_of(sent)["components"]][1] == ["office"]
    await refused(sent.response.send_modal(Photos()), 50035)
    await sent.response.send_message("thank you", ephemeral=True)
    assert ana.screen() == ["thank you"]


async def test_who_installed_the_app_alone_gets_five_follow_ups(discord_server: DiscordServer, bot: Bot) -> None:
    two(bot)
    await bot.tree.sync()
    ana = discord_server.person(7)
    ana.installed = True
    elsewhere = discord_server.guild(ana, bot=False)
    await ana.commands("headshot", elsewhere)
    asked = await bot.is_asked()
    assert asked.is_user_integration()
    assert not asked.is_guild_integration()
    await asked.response.send_message("here", ephemeral=True)
    for i in range(5):
        await asked.followup.send(str(i), ephemeral=True)
    await refused(asked.followup.send("6", ephemeral=True), 40094)


async def test_a_dynamic_button_works_after_a_restart(discord_server: DiscordServer) -> None:
    pressed: list[str] = []

    class Next(ui.DynamicItem[ui.Button[Any]], template=r"next:(?P<page>\d+)"):
        def __init__(self, page: int) -> None:
            super().__init__(ui.Button(label="Next", custom_id=f"next:{page}"))
            self.page = page

        @classmethod
        async def from_custom_id(cls, interaction: discord.Interaction, item: Any, match: Any, /) -> Next:
            return cls(int(match["page"]))

        async def callback(self, interaction: discord.Interaction) -> None:
            pressed.append(f"{interaction.user.id}:{self.page}")
            await interaction.response.defer()

    ana = discord_server.person(7)
    async with online(discord_server) as first:
        view = ui.LayoutView(timeout=None)
        view.add_item(ui.ActionRow(Next(3)))
        await (await first.create_dm(discord.Object(7))).send(view=view)
    await ana.presses("Next")
    discord_server.clock.advance(4)
    assert len(discord_server.interactions.unanswered()) == 1, "nobody was there: the person is told so, and it is lost"
    async with online(discord_server) as second:
        second.add_dynamic_items(Next)
        await ana.presses("Next")
        await discord_server.until(lambda: pressed == ["7:3"])
        assert second.asked.qsize() == 1


COMMAND: dict[str, Any] = {"name": "headshot", "description": "Make a headshot", "type": 1}
BAD_COMMANDS: list[tuple[str, dict[str, Any]]] = [
    ("capitals", {"name": "Headshot"}),
    ("a blank", {"name": "head shot"}),
    ("33 letters", {"name": "x" * 33}),
    ("no description", {"description": ""}),
    ("a description of 101", {"description": "x" * 101}),
    ("an unknown locale", {"name_localizations": {"es": "retrato"}}),
    ("a localised name with a blank", {"name_localizations": {"es-ES": "mi retrato"}}),
    ("a localised description of 101", {"description_localizations": {"es-ES": "x" * 101}}),
    ("26 options", {"options": [{"name": f"o{i}", "description": "o", "type": 3} for i in range(26)]}),
    ("an option twice", {"options": [{"name": "o", "description": "o", "type": 3}] * 2}),
    ("required after optional", {"options": [{"name": "a", "description": "o", "type": 3},
                                            {"name": "b", "description": "o", "type": 3, "required": True}]}),
    ("26 choices", {"options": [{"name": "a", "description": "o", "type": 3, "choices": [
        {"name": str(i), "value": str(i)} for i in range(26)]}]}),
    ("choices and completion", {"options": [{"name": "a", "description": "o", "type": 3, "autocomplete": True,
                                            "choices": [{"name": "a", "value": "a"}]}]}),
    ("8,001 characters", {"options": [{"name": f"o{i}", "description": "x" * 100, "type": 3, "choices": [
        {"name": "n" * 99 + str(c), "value": "v" * 99 + str(c)} for c in range(2)]} for i in range(25)]}),
]  # fmt: skip


@pytest.mark.parametrize(("what", "change"), BAD_COMMANDS, ids=[what for what, _ in BAD_COMMANDS])
@pytest.mark.usefixtures("unchecked")
async def test_a_command_that_breaks_a_rule_is_refused(
    discord_server: DiscordServer, bot: Bot, what: str, change: dict[str, Any]
) -> None:
    assert bot.application_id is not None
    await bot.http.bulk_upsert_global_commands(bot.application_id, [COMMAND])
    await refused(bot.http.bulk_upsert_global_commands(bot.application_id, [{**COMMAND, **change}]), 50035)
    assert discord_server.commands.all[0]["description"] == "Make a headshot"


async def test_commands_keep_their_ids_and_two_hundred_are_made_a_day(discord_server: DiscordServer, bot: Bot) -> None:
    assert bot.application_id is not None
    (first,) = await bot.http.bulk_upsert_global_commands(bot.application_id, [COMMAND])
    spanish = {**COMMAND, "name_localizations": {"es-ES": "retrato"}, "contexts": [0, 1], "integration_types": [0, 1]}
    (second,) = await bot.http.bulk_upsert_global_commands(bot.application_id, [spanish])
    assert first["id"] == second["id"]
    assert (await bot.tree.fetch_commands())[0].name_localizations == {discord.Locale.spain_spanish: "retrato"}
    for day in range(2):
        many = [{**COMMAND, "name": f"c{day}-{i}"} for i in range(99)]
        await bot.http.bulk_upsert_global_commands(bot.application_id, many)
    await refused(
        bot.http.bulk_upsert_global_commands(bot.application_id, [{**COMMAND, "name": f"x{i}"} for i in range(2)]),
        30034,
    )

"""Whole chats in a Discord server: commands, a message's menu, and what becomes of them at home."""

from __future__ import annotations

from pathlib import Path

from bots.dialogue.menu import default_menu
from tests.chats import begins, running_bot
from tests.fakes.discord_objects import Channel
from tests.fakes.discord_person import Person
from tests.fakes.discord_server import DiscordServer
from tests.fakes.picture_studio import picture


async def test_a_sitting_that_begins_in_a_server_ends_at_home(discord_server: DiscordServer, tmp_path: Path) -> None:
    server = discord_server
    async with running_bot(tmp_path, server):
        ana, ben = server.person(7), server.person(9, "Ben")
        team = server.guild(ana, ben)
        await ana.commands("headshot", team, look="founder", purpose="business", photo1=picture("gray", mark="1"))
        await ana.sees("You came for the look “Founder”")
        await ana.sees("I have not opened your photo")
        assert server.files.fetched == [], "nothing is fetched before consent"
        await ana.presses("I agree")
        await ana.sees("Thank you. Now")
        await ana.commands("headshot", team, photo1=picture("gray", mark="1"), photo2=picture("gray", mark="2"))
        await ana.sees("I have 2 good photos")
        await ana.commands("looks", team)
        await ana.sees("Picked: Founder")
        assert ana.chat(ana.dm) == [], "so far everything is in the server, for one person's eyes"
        await ana.presses("Go: 4")
        await ana.sees("I go on in our private chat")
        await ana.sees("Your 3 portraits are ready")
        assert [m.text for m in ana.chat(ana.dm) if "1/3 · Founder" in m.text]
        await ana.commands("gallery", team)
        await ana.presses("Set 1")
        await server.until(lambda: any("1/3 · Founder" in m.text for m in ana.chat(team)))
        await ana.presses("▶")
        await server.until(lambda: any("2/3 · Founder" in m.text for m in ana.chat(team)))
        assert ben.chat() == []
        assert server.interactions.unanswered() == []


async def test_a_message_s_menu_takes_the_photos_of_one_s_own_message_alone(
    discord_server: DiscordServer, tmp_path: Path
) -> None:
    server = discord_server
    async with running_bot(tmp_path, server):
        ana, ben = server.person(7), server.person(9, "Ben")
        team = server.guild(ana, ben)
        await begins(ana)
        name = "Make my headshot from this photo"
        await ana.uses(name, await ben.sends(picture("gray"), channel=team))
        await ana.sees("That message is not yours")
        await ana.uses(name, await ana.sends(text="only words", channel=team))
        await ana.sees("There is no photo in that message")
        assert server.files.fetched == []
        await ana.uses(name, await ana.sends(picture("gray"), channel=team))
        await ana.sees("I have 1 good photo")
        assert ben.chat() == []


async def test_looks_are_offered_while_one_types(discord_server: DiscordServer, tmp_path: Path) -> None:
    server = discord_server
    async with running_bot(tmp_path, server):
        luz = server.person(8, "Luz", "es")
        await luz.types("headshot", "look", "")
        await server.until(lambda: len(luz.choices) == min(len(default_menu().looks), 25))
        await luz.types("headshot", "look", "ofic")
        await server.until(lambda: [choice["value"] for choice in luz.choices] == ["office"])
        await luz.types("headshot", "look", "nothing like it")
        await server.until(lambda: luz.choices == [])
        await luz.commands("headshot", look="nothing like it", photo1=picture("gray"))
        await luz.sees("ya no está en la carta", 30)


async def has_no_photos(person: Person, channel: Channel) -> None:
    """Ask for the looks without photos: the answer is said in passing, in that channel and for one person's eyes."""

    def told() -> bool:
        seen = [message for message in person.chat(channel) if message.ephemeral_for == person.id_text]
        return any("at least one good photo" in message.text for message in seen)

    await person.commands("looks", channel)
    await person.server.until(told)


async def test_what_a_command_says_in_passing_takes_the_place_of_thinking(
    discord_server: DiscordServer, tmp_path: Path
) -> None:
    server = discord_server
    async with running_bot(tmp_path, server):
        ana = server.person(7)
        await begins(ana)
        for where in (ana.dm, server.guild(ana)):
            await has_no_photos(ana, where)
        loading = [i.original for i in server.interactions.all.values() if i.original is not None]
        assert all(message.text or message.id not in server.messages.all for message in loading)


async def test_all_rights_can_be_asked_for_in_a_server(discord_server: DiscordServer, tmp_path: Path) -> None:
    server = discord_server
    async with running_bot(tmp_path, server):
        ana = server.person(7)
        team = server.guild(ana)
        await begins(ana)
        await ana.sends(picture("gray"))
        await ana.sees("I have 1 good photo")
        for name, words in (("privacy", "What I keep of you"), ("language", "Which language"), ("help", "How it works"),
                            ("cancel", "nothing to stop")):  # fmt: skip
            await ana.commands(name, team)
            await ana.sees(words)
        await ana.commands("report", team, text="it is not me")
        await ana.sees("on to the operator")
        await ana.commands("export", team)
        await ana.sees("Everything I keep of you")
        await ana.commands("forget", team)
        await ana.presses("Delete everything")
        await ana.sees("Everything is deleted")
        assert [file for file in (tmp_path / "shelf").rglob("*") if file.is_file()] == []

"""What the adapter does on Discord, against the fake server: which message, which edit, and what each refusal means."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any, cast

import discord
import pytest

from bots.dialogue import effects as fx
from bots.dialogue import events as e
from bots.platforms.base import NotNow, PhotoGone, Unreachable
from bots.platforms.discord.interactions import Interactions
from bots.platforms.discord.limits import TOKEN_S
from bots.platforms.discord.messages import DiscordAdapter
from bots.platforms.discord.service import Client
from bots.platforms.discord.updates import sent_file
from jobs.services import Services
from tests.fakes.discord_interactions import COMMAND, COMPONENT
from tests.fakes.discord_messages import Message, pictures_shown
from tests.fakes.discord_objects import Channel, Json
from tests.fakes.discord_person import Person
from tests.fakes.discord_server import TOKEN, DiscordServer
from tests.fakes.picture_studio import picture

CARD = fx.Card("looks", "Pick *one*", ((fx.Button("Office", "2style:1:k:office:1"),),))
COMMANDED: Json = {"id": "1", "name": "looks", "type": 1}


async def load(shown: fx.Picture) -> bytes:
    return picture("gray", (40, 50), mark=shown.name)


class Bench:
    """The adapter with its client, logged in and without a gateway: what comes in is made from the fake's own words."""

    def __init__(self, server: DiscordServer, client: discord.Client) -> None:
        self.server, self.client = server, client
        self.interactions = Interactions()
        self.adapter = DiscordAdapter(client, self.interactions)

    async def acts(self, person: Person, channel: Channel, kind: int = COMMAND, on: Message | None = None) -> str:
        """Let someone use a command or press a button, acknowledge it, and return the place of its answers."""
        data = COMMANDED if kind == COMMAND else {"custom_id": "2b:1:k", "component_type": 2, "id": 1}
        begun = self.server.interactions.begin(kind, person, channel, data, on)
        raw: Any = self.server.interactions.json(begun)
        contact = self.interactions.begin(discord.Interaction(data=raw, state=self.client._connection))
        await self.adapter.acknowledge(contact)
        assert begun.acknowledged
        return contact.place

    async def show(self, place: str, reply: fx.Reply, old: str | None = None, key: str = "") -> list[str]:
        return await self.adapter.show(place, reply, old, load, key)


@pytest.fixture
async def bench(discord_server: DiscordServer) -> AsyncIterator[Bench]:
    async with Client(cast(Services, None)) as client:
        await client.login(TOKEN)
        yield Bench(discord_server, client)


# --- the private chat --------------------------------------------------------------------------------


async def test_a_card_is_sent_once_and_edited_in_place(bench: Bench, discord_server: DiscordServer) -> None:
    ana = discord_server.person(7)
    (handle,) = await bench.show("7", CARD)
    assert await bench.show("7", fx.Card("looks", "Picked: Office"), handle) == []
    assert ana.screen() == ["Picked: Office"]


async def test_words_become_pictures_and_the_same_picture_is_not_uploaded_again(
    bench: Bench, discord_server: DiscordServer
) -> None:
    ana = discord_server.person(7)
    shown = (fx.Picture("blob", "shoots/1/1.png", "one"), fx.Picture("blob", "shoots/1/2.png", "two"))
    (handle,) = await bench.show("7", fx.Card("job:1", "Working"))
    await bench.show("7", fx.Card("job:1", "1/2", CARD.rows, shown), handle)
    (message,) = ana.chat()
    assert pictures_shown(message) == 2
    assert [stored.description for stored in message.attachments] == ["one", "two"]
    first = [stored.id for stored in message.attachments]
    await bench.show("7", fx.Card("job:1", "1/2 favourite", CARD.rows, shown), handle)
    (message,) = ana.chat()
    assert [stored.id for stored in message.attachments] == first
    await bench.show("7", fx.Card("job:1", "2/2", CARD.rows, shown[1:]), handle)
    (message,) = ana.chat()
    assert [stored.description for stored in message.attachments] == ["two"]


async def test_a_card_that_is_gone_is_sent_anew(bench: Bench, discord_server: DiscordServer) -> None:
    ana = discord_server.person(7)
    (handle,) = await bench.show("7", CARD)
    discord_server.messages.delete(ana.chat()[0])
    (again,) = await bench.show("7", CARD, handle)
    assert again != handle
    assert len(ana.chat()) == 1


async def test_buttons_are_taken_off_and_all_else_stays(bench: Bench, discord_server: DiscordServer) -> None:
    ana = discord_server.person(7)
    shown = (fx.Picture("style", "office.jpg", "Office: a dark suit"),)
    (handle,) = await bench.show("7", fx.Card("looks", CARD.text, CARD.rows, shown))
    before = ana.chat()[0].attachments[0].id
    await bench.show("7", fx.Unbutton("looks"), handle)
    (message,) = ana.chat()
    assert ana.buttons() == []
    assert ana.screen()[0] == CARD.text
    assert (pictures_shown(message), message.attachments[0].id) == (1, before)
    discord_server.messages.delete(message)
    await bench.show("7", fx.Unbutton("looks"), handle)


async def test_a_reply_whose_answer_was_lost_is_on_screen_once(bench: Bench, discord_server: DiscordServer) -> None:
    """discord.py gives a request up that was cut off; the next try carries the same key."""
    ana = discord_server.person(7)
    discord_server.fail("POST", "messages", 0, done=True)
    with pytest.raises(NotNow):
        await bench.show("7", fx.Say("Thank you."), key="k3f9-1-4")
    await bench.show("7", fx.Say("Thank you."), key="k3f9-1-4")
    assert ana.screen() == ["Thank you."]
    await bench.show("7", fx.Say("Thank you."), key="k3f9-1-5")
    assert ana.screen() == ["Thank you.", "Thank you."]


async def test_files_come_in_messages_of_ten_and_each_once(bench: Bench, discord_server: DiscordServer) -> None:
    ana = discord_server.person(7)
    files = fx.Files(tuple(fx.Picture("blob", f"{i}.png", f"number {i}") for i in range(12)), "Your files")
    handles = await bench.show("7", files, key="k-1-1")
    assert await bench.show("7", files, key="k-1-1") == handles
    assert [len(message.attachments) for message in ana.chat()] == [10, 2]


async def test_who_is_refused_waits_and_who_is_away_is_tried_again(bench: Bench, discord_server: DiscordServer) -> None:
    ana = discord_server.person(7)
    ana.closed = True
    with pytest.raises(Unreachable):
        await bench.show("7", CARD)
    with pytest.raises(Unreachable):
        await bench.show("99", CARD)
    ana.closed = False
    for status in (0, 503, 401):
        discord_server.fail("POST", "messages", status)
        with pytest.raises(NotNow):
            await bench.show("7", CARD)
    assert ana.chat() == []


async def test_a_bot_deletes_its_own_messages_and_what_is_gone_is_no_fault(
    bench: Bench, discord_server: DiscordServer
) -> None:
    ana = discord_server.person(7)
    team = discord_server.guild(ana)
    handles = [*await bench.show("7", CARD), *await bench.show("7", fx.Say("words"))]
    handles += await bench.show(await bench.acts(ana, team), CARD)
    discord_server.messages.delete(ana.chat()[0])
    await bench.adapter.remove("7", handles)
    assert ana.chat() == []


async def test_a_photo_is_fetched_and_one_whose_link_expired_is_asked_for_again(
    bench: Bench, discord_server: DiscordServer
) -> None:
    ana = discord_server.person(7)
    data = picture("gray", (40, 50))
    message = await ana.sends(data)
    chat = bench.client.get_partial_messageable(int(ana.dm.id), type=discord.ChannelType.private)
    sent = await chat.fetch_message(int(message.id))
    photo = sent_file(sent.attachments[0], message=sent)
    assert isinstance(photo, e.PhotoSent)
    assert await bench.adapter.fetch(photo.ref) == data
    discord_server.clock.advance(25 * 3600)
    assert await bench.adapter.fetch(photo.ref) == data
    with pytest.raises(PhotoGone):  # an upload of a command stands in no message
        await bench.adapter.fetch(json.dumps(json.loads(photo.ref)[:1]))
    discord_server.messages.delete(message)
    with pytest.raises(PhotoGone):
        await bench.adapter.fetch(photo.ref)


# --- a server ----------------------------------------------------------------------------------------


async def test_in_a_server_answers_are_seen_by_one_and_edited_with_the_newest_token(
    bench: Bench, discord_server: DiscordServer
) -> None:
    ana, ben = discord_server.person(7), discord_server.person(9, "Ben")
    team = discord_server.guild(ana, ben)
    place = await bench.acts(ana, team)
    handles = [*await bench.show(place, fx.Say("first")), *await bench.show(place, CARD)]
    assert (len(ana.chat(team)), ben.chat(team), ana.dm.id in {m.channel.id for m in ana.chat()}) == (2, [], False)
    discord_server.clock.advance(TOKEN_S - 60)
    pressed = await bench.acts(ana, team, COMPONENT, ana.chat(team)[-1])
    discord_server.clock.advance(120)
    assert await bench.show(pressed, fx.Card("looks", "Picked: Office"), handles[-1]) == []
    assert ana.chat(team)[-1].text == "Picked: Office"


async def test_when_an_interaction_is_over_answers_come_in_the_private_chat(
    bench: Bench, discord_server: DiscordServer
) -> None:
    ana = discord_server.person(7)
    team = discord_server.guild(ana)
    place = await bench.acts(ana, team)
    (handle,) = await bench.show(place, CARD)
    discord_server.interactions.forget()
    (again,) = await bench.show(place, CARD, handle)
    assert [message.text for message in ana.chat(ana.dm)] == ["Pick *one*"]
    await bench.show("7", fx.Unbutton("looks"), handle)
    await bench.adapter.remove("7", [handle, again])
    assert ana.chat(ana.dm) == []


async def test_the_sixth_answer_where_the_bot_is_no_member_comes_in_the_private_chat(
    bench: Bench, discord_server: DiscordServer
) -> None:
    ana = discord_server.person(7)
    ana.installed = True
    team = discord_server.guild(ana, bot=False)
    place = await bench.acts(ana, team)
    for number in range(8):
        await bench.show(place, fx.Say(f"number {number}"))
    shown = [[message.text for message in ana.chat(where)] for where in (team, ana.dm)]
    assert shown == [[f"number {n}" for n in range(6)], ["number 6", "number 7"]]  # the first one is the answer itself


async def test_a_card_that_lasts_goes_to_the_private_chat_and_the_person_is_told_where(
    bench: Bench, discord_server: DiscordServer
) -> None:
    ana = discord_server.person(7)
    place = await bench.acts(ana, team := discord_server.guild(ana))
    notice, handle = await bench.show(place, fx.Card("job:1", "Working", lasting=True))
    assert [message.text for message in ana.chat(ana.dm)] == ["Working"]
    assert f"https://discord.com/channels/@me/{ana.dm.id}" in ana.chat(team)[0].text
    await bench.adapter.remove("7", [notice])
    assert ana.chat(team) == [], "what tells the way goes with everything else"
    discord_server.interactions.forget()
    assert await bench.show("7", fx.Card("job:1", "1/2 Office"), handle) == []
    assert [message.text for message in ana.chat(ana.dm)] == ["1/2 Office"]


@pytest.mark.parametrize("in_server", [True, False])
async def test_closed_messages_are_told_once_while_there_is_an_interaction_to_answer(
    in_server: bool, bench: Bench, discord_server: DiscordServer
) -> None:
    ana = discord_server.person(7)
    ana.closed = True
    place = await bench.acts(ana, discord_server.guild(ana) if in_server else ana.dm)
    notice, handle = await bench.show(place, fx.Card("job:1", "Working", lasting=True))
    await bench.show("7", fx.Say("ready"))
    told = ana.screen()
    assert (told[0][:30], told[1:]) == ("I cannot write to you in priva", ["Working", "ready"])
    assert await bench.show("7", fx.Card("job:1", "1/2 Office"), handle) == []
    await bench.adapter.remove("7", [notice])
    assert ana.screen() == ["1/2 Office", "ready"]
    discord_server.interactions.forget()
    with pytest.raises(Unreachable):
        await bench.show("7", fx.Say("later"))


async def test_what_is_asked_in_a_server_is_answered_there_though_its_card_is_at_home(
    bench: Bench, discord_server: DiscordServer
) -> None:
    ana = discord_server.person(7)
    (handle,) = await bench.show("7", CARD)
    place = await bench.acts(ana, team := discord_server.guild(ana))
    (there,) = await bench.show(place, CARD, handle)
    assert len(ana.chat(team)) == len(ana.chat(ana.dm)) == 1
    assert await bench.show("7", CARD, there) == [], "news of it while they are there"
    bench.interactions.heard_at_home("7")
    assert len(await bench.show("7", CARD, there)) == 1, "and in the private chat once they are back"


# --- acknowledging -----------------------------------------------------------------------------------


async def test_an_interaction_is_acknowledged_once_and_a_late_one_does_no_harm(
    bench: Bench, discord_server: DiscordServer
) -> None:
    ana = discord_server.person(7)
    begun = discord_server.interactions.begin(COMMAND, ana, ana.dm, COMMANDED, None)
    raw: Any = discord_server.interactions.json(begun)
    contact = bench.interactions.begin(discord.Interaction(data=raw, state=bench.client._connection))
    for _ in range(3):
        await bench.adapter.acknowledge(contact)
    assert discord_server.count("POST", "callback") == 1
    await bench.adapter.answer(contact, None)
    assert ana.chat() == [], "the line that says the bot is thinking is gone"

    late = discord_server.interactions.begin(COMMAND, ana, ana.dm, COMMANDED, None)
    raw = discord_server.interactions.json(late)
    contact = bench.interactions.begin(discord.Interaction(data=raw, state=bench.client._connection))
    discord_server.clock.advance(4)
    await bench.adapter.acknowledge(contact)
    await bench.adapter.answer(contact, fx.Toast("On it"))
    await bench.show(contact.place, fx.Say("the answer"))
    assert ana.screen() == ["the answer"]


async def test_of_many_presses_in_the_private_chat_the_last_one_is_remembered_and_those_that_wait(
    bench: Bench, discord_server: DiscordServer
) -> None:
    """What is answered there has no need of its token; in a server an answer is edited by it."""
    ana = discord_server.person(7)

    async def pressed(where: Any, answer: bool) -> str:
        begun = discord_server.interactions.begin(COMMAND, ana, where, COMMANDED, None)
        raw: Any = discord_server.interactions.json(begun)
        contact = bench.interactions.begin(discord.Interaction(data=raw, state=bench.client._connection))
        await bench.adapter.acknowledge(contact)
        if answer:
            await bench.adapter.answer(contact, None)
        return contact.interaction

    waits = await pressed(ana.dm, answer=False)
    answered = [await pressed(ana.dm, answer=True) for _ in range(3)]
    in_server = [await pressed(discord_server.guild(ana), answer=True) for _ in range(2)]
    newest = await pressed(ana.dm, answer=True)
    kept = [number for number in (waits, *answered, *in_server, newest) if bench.interactions.at(f"7/{number}")]
    assert kept == [waits, *in_server, newest]


async def test_two_processes_that_acknowledge_the_same_press_do_no_harm(
    bench: Bench, discord_server: DiscordServer
) -> None:
    ana = discord_server.person(7)
    begun = discord_server.interactions.begin(COMMAND, ana, discord_server.guild(ana), COMMANDED, None)
    raw: Any = discord_server.interactions.json(begun)
    contacts = []
    for interactions in (bench.interactions, Interactions()):
        contact = interactions.begin(discord.Interaction(data=raw, state=bench.client._connection))
        await interactions.acknowledge(contact)
        contacts.append(contact)
    assert [call.status for call in discord_server.calls if "callback" in call.path] == [200, 400]
    await bench.adapter.answer(contacts[0], fx.Toast("On it"))
    assert ana.screen() == ["On it"]


async def test_no_message_of_the_bot_can_mention_anybody(bench: Bench, discord_server: DiscordServer) -> None:
    ana = discord_server.person(7)
    await bench.show("7", fx.Say("@everyone <@9>"))
    await bench.show(await bench.acts(ana, discord_server.guild(ana)), fx.Say("@here"))
    await bench.show(await bench.acts(ana, discord_server.guild(ana), COMPONENT, ana.chat()[0]), fx.Say("<@&1>"))
    said = [call.body for call in discord_server.calls if "components" in call.body]
    assert [body["allowed_mentions"] for body in said] == [{"parse": []}] * 3


async def test_pictures_of_others_are_never_in_an_answer_that_cannot_be_changed_later(
    bench: Bench, discord_server: DiscordServer
) -> None:
    ana = discord_server.person(7)
    sheet = fx.Picture("blob", "teams/1/1.jpg", "sheet")
    card = fx.Card("team", "Your team", CARD.rows, (sheet,), lasting=True, revocable=True)
    place = await bench.acts(ana, discord_server.guild(ana))
    (answer,) = await bench.show(place, fx.Card("team", "Which look?"))
    _, handle = await bench.show(place, card, answer)  # the first tells where it is
    assert [pictures_shown(message) for message in ana.chat()] == [0] * len(ana.chat())
    assert await bench.show("7", card, handle) == []
    assert sorted(pictures_shown(message) for message in ana.chat())[-2:] == [0, 1]
    await bench.show("7", fx.Card("team", "Over", lasting=True, revocable=True), handle)
    assert [pictures_shown(message) for message in ana.chat()] == [0] * len(ana.chat())

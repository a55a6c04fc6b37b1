"""Teams on both platforms: joined by a button that a whole group sees, pictures are one's own until released."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import func, select

from jobs.services import Services
from jobs.storage import schema as t
from tests.chats import Person, begins, has_photos, running_bot
from tests.fakes.discord_server import DiscordServer
from tests.fakes.picture_studio import picture
from tests.fakes.telegram_server import TelegramServer

GROUP = -100123
OTHERS = "portraits are ready"


async def opens_a_team(owner: Person) -> None:
    await begins(owner)
    await owner.says("/team")
    await owner.sees("Which look shall it be?")
    await owner.presses("Founder")
    await owner.sees("Your team in the look “Founder”: 0 people")


async def is_drawn(member: Person) -> None:
    await member.sends(picture("gray", mark=f"{member.id}"), picture("gray", mark=f"{member.id} b"))
    await member.sees("I have 2 good photos")
    await member.presses("Choose looks")
    await member.sees("Your team's look: Founder")
    await member.presses("Go: 4")
    await member.sees("Your 3 portraits are ready")


def pictures_of(person: Person) -> list[str]:
    return [text for text in person.screen() if "1/3" in text or "on the sheet" in text]


async def sheets(services: Services) -> int:
    """How many jobs have drawn a sheet."""
    async with services.database.read() as tx:
        done = select(func.count()).select_from(t.jobs).where(t.jobs.c.kind == "sheet", t.jobs.c.state == "done")
        return int((await tx.c.execute(done)).scalar_one())


async def test_a_telegram_group_joins_by_a_link_and_releases_what_it_likes(
    server: TelegramServer, tmp_path: Path
) -> None:
    async with running_bot(tmp_path, server) as services:
        ana, ben, eva = server.person(7), server.person(9, "Ben"), server.person(11, "Eva")
        await ana.says("/team", group=GROUP)
        await server.until(lambda: len(server.group_texts(GROUP)) == 1)
        assert "You have no team yet" in server.group_texts(GROUP)[0]
        await opens_a_team(ana)
        await ana.says("/team@atelier_test_bot", group=GROUP)
        await server.until(lambda: len(server.group_texts(GROUP)) == 2)
        invitation = next(m for m in server.chats[GROUP].values() if "Press the button to join" in m.get("text", ""))
        (button,) = invitation["reply_markup"]["inline_keyboard"][0]
        link, _, payload = button["url"].partition("?start=")
        assert link == "https://t.me/atelier_test_bot"

        for member in (ben, eva):
            await member.says(f"/start {payload}")
            await member.sees("You are invited to a team. Please agree first")
            await member.presses("I agree")
            await member.sees("You are in the team: Founder")
        await ana.sees("Your team in the look “Founder”: 2 people are in it, 0 on the sheet")
        for member in (ben, eva):
            await is_drawn(member)
        assert await sheets(services) == 0, "nobody has released anything"
        await ben.presses("Release to the team")
        await ben.can_press("On the team's sheet")
        await ana.sees("2 people are in it, 1 on the sheet")
        await eva.presses("Release to the team")
        await ana.sees("2 people are in it, 2 on the sheet")
        await ana.sees("They differ by at most 0.4 %")
        assert not any("1/3" in text for text in ana.screen()), "no portrait of a member's own gallery"

        await eva.presses("On the team's sheet: take back")
        await ana.sees("2 people are in it, 1 on the sheet")
        await ben.says("/forget")
        await ben.presses("Delete everything")
        await ben.sees("Everything is deleted")
        await ana.sees("1 person is in it, 0 on the sheet")
        await server.until(lambda: not any("photo" in m for m in ana.chat()))

        await ana.presses("End the team")
        await ana.presses("End it for everybody: sure")
        await ana.sees("The team is over")
        await eva.sees("The team you were in is over")
        await eva.says("/looks")
        await eva.sees("Pick one or more looks")
        async with services.database.read() as tx:
            assert (await tx.c.execute(select(func.count()).select_from(t.team_members))).scalar_one() == 0
    assert server.violations == []


async def test_a_discord_server_joins_by_a_button_and_nobody_sees_the_others(
    discord_server: DiscordServer, tmp_path: Path
) -> None:
    server = discord_server
    async with running_bot(tmp_path, server) as services:
        ana, ben, eva = server.person(7), server.person(9, "Ben"), server.person(11, "Eva")
        guild = server.guild(ana, ben, eva)
        await opens_a_team(ana)
        await ana.commands("team", guild)
        await ana.sees("The invitation is posted below")
        await ben.sees("Press the button to join")
        for member in (ben, eva):
            await member.presses("Join the team")
            await member.sees("You are invited to a team. Please agree first")
            await member.presses("I agree")
            await member.sees("You are in the team: Founder")
        assert not any("You are in the team" in text for text in ana.screen())
        await ana.sees("2 people are in it, 0 on the sheet")
        for member in (ben, eva):
            await is_drawn(member)
            await member.presses("Release to the team")
        await ana.sees("2 people are in it, 2 on the sheet")
        await ana.sees("They differ by at most 0.4 %")
        assert await sheets(services) >= 1
        await eva.says("/looks")
        await eva.presses("Leave the team")
        await eva.sees("You have left the team")
        await ana.sees("1 person is in it, 1 on the sheet")
        await ana.says("/forget")
        await ana.presses("Delete everything")
        await ana.sees("Everything is deleted")
        await ben.sees("The team you were in is over")
        await server.until(lambda: not any("Press the button to join" in text for text in ben.screen()))
        assert server.violations == []


@pytest.mark.parametrize("code", ["0123456789ab", "x", "; drop table teams"])
async def test_a_code_that_nobody_gave_joins_nothing(server: TelegramServer, tmp_path: Path, code: str) -> None:
    async with running_bot(tmp_path, server):
        ana = server.person(7)
        await has_photos(ana)
        await ana.says(f"/team {code}")
        await ana.sees("There is no team with this code")


async def test_the_owner_can_be_in_it_too_and_a_code_can_be_typed(server: TelegramServer, tmp_path: Path) -> None:
    async with running_bot(tmp_path, server):
        ana, ben = server.person(7), server.person(9, "Ben")
        await opens_a_team(ana)
        await ana.presses("Be in it myself")
        await ana.sees("You are in the team: Founder")
        await ana.sees("1 person is in it")
        code = next(text for text in ana.screen() if "/team " in text).rpartition("/team ")[2].split()[0]
        await begins(ben)
        await ben.says(f"/team {code}")
        await ben.sees("You are in the team: Founder")
        await ben.says(f"/team {code}")
        await ben.sees("You are in this team already")
        await ana.sees("2 people are in it")

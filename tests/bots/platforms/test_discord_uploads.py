"""The bytes that Discord takes, at their border: against the fake server, which refuses one more with 413."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator
from typing import Any, cast

import discord
import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from bots.dialogue import effects as fx
from bots.platforms import uploads
from bots.platforms.base import Load
from bots.platforms.discord.interactions import Interactions
from bots.platforms.discord.limits import REQUEST_BYTES, UPLOAD_BYTES
from bots.platforms.discord.messages import DiscordAdapter
from bots.platforms.discord.service import Client
from bots.platforms.uploads import XMP, Upload, within
from jobs.services import Services
from tests.fakes.discord_interactions import COMMAND
from tests.fakes.discord_objects import Channel
from tests.fakes.discord_person import Person
from tests.fakes.discord_server import TOKEN, DiscordServer

MARK = b"<x:xmpmeta>made with AI</x:xmpmeta>"
NOISE = np.random.default_rng(1).integers(0, 255, (160, 128, 3), np.uint8)


def photo(size: int, kind: str = "JPEG") -> bytes:
    """A picture with a mark in its XMP, of exactly that many bytes: readers take no notice of what follows its end."""
    told: dict[str, Any] = {"xmp": MARK}
    if kind == "PNG":
        told = {"pnginfo": PngInfo()}
        told["pnginfo"].add_itxt(XMP, MARK.decode())
    out = io.BytesIO()
    Image.fromarray(NOISE).save(out, kind, **told)
    return out.getvalue().ljust(size, b"\0")


def loading(data: bytes) -> Load:
    async def load(_: fx.Picture) -> bytes:
        return data

    return load


FILES = fx.Files((fx.Picture("blob", "shoots/1/1.jpg", "one"),), "Here", "More compressed")
CARD = fx.Card("job:1", "1/1", pictures=FILES.pictures)


class Bench:
    """The adapter with its client, logged in and without a gateway."""

    def __init__(self, server: DiscordServer, client: discord.Client) -> None:
        self.server, self.client, self.interactions = server, client, Interactions()
        self.adapter = DiscordAdapter(client, self.interactions)

    async def acts(self, person: Person, channel: Channel) -> str:
        """Let someone use a command, and return the place of its answers."""
        begun = self.server.interactions.begin(COMMAND, person, channel, {"id": "1", "name": "looks", "type": 1}, None)
        raw: Any = self.server.interactions.json(begun)
        contact = self.interactions.begin(discord.Interaction(data=raw, state=self.client._connection))
        await self.adapter.acknowledge(contact)
        return contact.place


@pytest.fixture
async def bench(discord_server: DiscordServer) -> AsyncIterator[Bench]:
    async with Client(cast(Services, None)) as client:
        await client.login(TOKEN)
        yield Bench(discord_server, client)


def sent(person: Person) -> list[bytes]:
    return [stored.data for stored in person.chat()[-1].attachments]


@pytest.mark.parametrize("reply", [FILES, CARD])
async def test_a_file_at_the_limit_goes_as_it_is_and_one_byte_more_is_made_to_fit(
    bench: Bench, discord_server: DiscordServer, reply: fx.Reply
) -> None:
    ana = discord_server.person(7)
    await bench.adapter.show("7", reply, None, loading(photo(UPLOAD_BYTES)))
    assert sent(ana) == [photo(UPLOAD_BYTES)]
    assert "More compressed" not in ana.screen()[-1]

    await bench.adapter.show("7", reply, None, loading(photo(UPLOAD_BYTES + 1)))
    ((data,), text) = sent(ana), ana.screen()[-1]
    with Image.open(io.BytesIO(data)) as picture:
        assert picture.size == (128, 160)
        assert picture.info["xmp"] == MARK, "that it is made with AI is told by every file"
    assert ("More compressed" in text) == (reply is FILES)
    assert all(call.status != 413 for call in discord_server.calls)


async def test_an_edit_puts_in_a_picture_that_fits(bench: Bench, discord_server: DiscordServer) -> None:
    ana = discord_server.person(7)
    (handle,) = await bench.adapter.show("7", fx.Card("job:1", "Working"), None, loading(b""))
    assert await bench.adapter.show("7", CARD, handle, loading(photo(UPLOAD_BYTES + 1))) == []
    assert len(sent(ana)[0]) < UPLOAD_BYTES


@pytest.mark.parametrize(("tier", "limit"), [(0, UPLOAD_BYTES), (2, 50 * 2**20)])
async def test_an_answer_in_a_server_has_the_server_s_own_limit(
    bench: Bench, discord_server: DiscordServer, tier: int, limit: int
) -> None:
    ana = discord_server.person(7)
    place = await bench.acts(ana, discord_server.guild(ana, tier=tier))
    for size in (limit, limit + 1):
        await bench.adapter.show(place, FILES, None, loading(photo(size)))
        assert (sent(ana) == [photo(size)]) == (size == limit)
    assert all(call.status != 413 for call in discord_server.calls)


async def test_what_a_server_would_have_taken_goes_to_the_private_chat_smaller_once_the_answer_is_over(
    bench: Bench, discord_server: DiscordServer
) -> None:
    ana = discord_server.person(7)
    place = await bench.acts(ana, discord_server.guild(ana, tier=2))
    discord_server.interactions.forget()
    await bench.adapter.show(place, FILES, None, loading(photo(2 * UPLOAD_BYTES)))
    assert ana.chat()[-1].channel is ana.dm
    assert len(sent(ana)[0]) < UPLOAD_BYTES


async def test_the_fake_refuses_what_is_not_made_to_fit(
    bench: Bench, discord_server: DiscordServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploads, "smaller", lambda data, most: data)
    discord_server.person(7)
    with pytest.raises(discord.HTTPException, match="413"):
        await bench.adapter.show("7", FILES, None, loading(photo(UPLOAD_BYTES + 1)))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_a_picture_that_no_quality_makes_small_enough_gets_fewer_pixels_and_keeps_its_mark(kind: str) -> None:
    whole = photo(0, kind)
    (upload,) = within([Upload("a", whole, "alt")], len(whole) // 4, REQUEST_BYTES)
    assert len(upload.data) <= len(whole) // 4
    assert (upload.name, upload.alt) == ("a", "alt")
    with Image.open(io.BytesIO(upload.data)) as picture:
        assert picture.format == kind
        assert picture.width < 128
        assert picture.width / picture.height == pytest.approx(128 / 160, rel=0.03)
        assert MARK.decode() in str(picture.info.get(XMP) or picture.info["xmp"].decode())


def test_the_pictures_of_one_message_fit_into_one_request() -> None:
    small = photo(9_000)
    ten = within(
        [Upload(f"{i}", photo(3 * 2**20)) for i in range(9)] + [Upload("9", small)], UPLOAD_BYTES, REQUEST_BYTES
    )
    assert sum(len(upload.data) for upload in ten) <= REQUEST_BYTES
    assert ten[9].data == small


def test_what_is_no_picture_stays() -> None:
    (upload,) = within([Upload("a.zip", b"x" * 100)], 50, REQUEST_BYTES)
    assert upload.data == b"x" * 100

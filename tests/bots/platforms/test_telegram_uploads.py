"""The bytes that Telegram takes, at their border: against the fake server, which refuses one more with 413."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator

import pytest
from PIL import Image

from bots.dialogue import effects as fx
from bots.platforms.telegram.limits import LIMITS, PHOTO_BYTES, PHOTO_EDGES
from bots.platforms.telegram.messages import TelegramAdapter
from bots.platforms.telegram.service import build_bot
from tests.bots.platforms.test_discord_uploads import MARK, loading, photo
from tests.fakes.telegram_server import TOKEN, TelegramServer

ONE = fx.Picture("blob", "shoots/1/1.jpg", "one")
MANY = tuple(fx.Picture("blob", f"shoots/1/{number}.jpg", f"number {number}") for number in range(10))
CARD = fx.Card("job:1", "1/1", pictures=(ONE,))


@pytest.fixture
async def adapter(server: TelegramServer) -> AsyncIterator[TelegramAdapter]:
    server.person(7)
    async with build_bot(TOKEN, server.url) as bot:
        yield TelegramAdapter(bot)


def sent(server: TelegramServer) -> list[bytes]:
    """What the newest messages in the chat are made of, oldest first."""
    media = (m["photo"][-1] if "photo" in m else m["document"] for m in server.person(7).chat())
    return [server.files[medium["file_id"]].data for medium in media]


@pytest.mark.parametrize("edited", [False, True])
async def test_a_photo_at_the_limit_is_shown_as_it_is_and_one_byte_more_is_made_to_fit(
    adapter: TelegramAdapter, server: TelegramServer, edited: bool
) -> None:
    def card(number: int) -> fx.Card:
        return fx.Card("job:1", "1/1", pictures=(fx.Picture("blob", f"shoots/1/{number}.jpg", "one"),))

    (handle,) = await adapter.show("7", card(0), None, loading(photo(0)))
    old = handle if edited else None
    await adapter.show("7", card(1), old, loading(photo(PHOTO_BYTES)))
    assert sent(server)[-1] == photo(PHOTO_BYTES)

    await adapter.show("7", card(2), old, loading(photo(PHOTO_BYTES + 1)))
    data = sent(server)[-1]
    assert len(data) <= PHOTO_BYTES
    with Image.open(io.BytesIO(data)) as picture:
        assert picture.size == (128, 160)
        assert picture.info["xmp"] == MARK, "that it is made with AI is told by every file"


async def test_a_photo_with_longer_edges_than_telegram_takes_is_made_to_fit(
    adapter: TelegramAdapter, server: TelegramServer
) -> None:
    out = io.BytesIO()
    Image.new("L", (7680, 4320), 128).save(out, "JPEG")
    await adapter.show("7", CARD, None, loading(out.getvalue()))
    with Image.open(io.BytesIO(sent(server)[0])) as picture:
        assert PHOTO_EDGES - 10 < sum(picture.size) <= PHOTO_EDGES
        assert picture.width / picture.height == pytest.approx(16 / 9, rel=0.01)


async def test_the_photos_of_an_album_fit_into_one_request(adapter: TelegramAdapter, server: TelegramServer) -> None:
    await adapter.show("7", fx.Album(MANY), None, loading(photo(PHOTO_BYTES)))
    assert len(sent(server)) == len(MANY)


async def test_files_come_whole_in_as_many_requests_as_they_need(
    adapter: TelegramAdapter, server: TelegramServer
) -> None:
    size = LIMITS.upload_bytes // 3
    handles = await adapter.show("7", fx.Files(MANY, "Here", "Smaller"), None, loading(photo(size)))
    assert len(handles) == len(MANY)
    assert sent(server) == [photo(size)] * len(MANY)
    assert [call.method for call in server.calls].count("sendMediaGroup") == 3
    assert "Smaller" not in " ".join(server.person(7).screen())


async def test_a_file_that_no_request_holds_comes_smaller_and_that_is_said(
    adapter: TelegramAdapter, server: TelegramServer
) -> None:
    await adapter.show("7", fx.Files((ONE,), "Here", "Smaller"), None, loading(photo(LIMITS.upload_bytes + 1)))
    assert len(sent(server)[0]) < 100_000
    assert server.person(7).screen() == ["Here\nSmaller"]
